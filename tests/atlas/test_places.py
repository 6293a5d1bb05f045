from __future__ import annotations

from pathlib import Path

import pytest

from pellucid.atlas.places import fsl_folder, user_folder, wheel_file
from pellucid.ground.errors import InputError


def test_file_that_the_wheel_lacks() -> None:
    with pytest.raises(InputError, match="lacks this file"):
        wheel_file("atlases/none.nii.gz")


def test_users_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("PELLUCID_ATLASES", raising=False)
    assert user_folder() is None
    monkeypatch.setenv("PELLUCID_ATLASES", str(tmp_path))
    assert user_folder() == tmp_path
    monkeypatch.setenv("PELLUCID_ATLASES", str(tmp_path / "none"))
    with pytest.raises(InputError, match="is not a folder"):
        user_folder()


def test_folder_of_fsl(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("FSLDIR", raising=False)
    assert fsl_folder() is None
    monkeypatch.setenv("FSLDIR", str(tmp_path))
    assert fsl_folder() is None  # an FSL without atlases
    (tmp_path / "data" / "atlases").mkdir(parents=True)
    assert fsl_folder() == tmp_path / "data" / "atlases"
