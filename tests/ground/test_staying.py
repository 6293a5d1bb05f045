"""A folder that is moved or deleted while it is written to is not made anew, by this process or its workers."""

from __future__ import annotations

from pathlib import Path

import pytest

from pellucid.ground.errors import InputError
from pellucid.ground.files import write_text
from pellucid.ground.lock import locked
from pellucid.ground.processes import completed
from pellucid.ground.staying import check_staying, folders_staying, make_folder, staying


def test_nothing_is_written_into_a_folder_that_is_gone(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    with staying(folder):
        write_text(folder / "a" / "here.txt", "")
        folder.rename(tmp_path / "elsewhere")
        for write in (
            lambda: write_text(folder / "a" / "there.txt", ""),
            lambda: make_folder(folder / "b"),
            lambda: locked(folder).__enter__(),
            lambda: check_staying(folder / "c"),
            lambda: staying(folder).__enter__(),
        ):
            with pytest.raises(InputError, match="was moved or deleted while it was written to"):
                write()
        folder.mkdir()  # another folder of that name is not it
        with pytest.raises(InputError, match="was moved or deleted"):
            make_folder(folder)
        make_folder(tmp_path / "run-2")
    assert folders_staying() == {}
    make_folder(folder / "b")


def test_a_block_within_a_block_leaves_the_folder_staying(tmp_path: Path) -> None:
    with staying(tmp_path):
        with staying(tmp_path):
            pass
        assert list(folders_staying()) == [tmp_path]


def test_workers_are_told(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    with staying(folder):
        folder.rename(tmp_path / "elsewhere")
        with pytest.raises(InputError, match="was moved or deleted"):
            list(completed(make_folder, [folder / "a"], workers=1))
    assert not folder.exists()
