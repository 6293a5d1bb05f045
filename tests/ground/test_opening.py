from __future__ import annotations

import errno
import os
import re
import socket
from pathlib import Path

import pytest

from pellucid.ground.errors import InputError
from pellucid.ground.files import read_json, read_tsv, sha256
from pellucid.ground.opening import missing_file, open_file, read_text, unreadable, without_content
from pellucid.image.nifti import read_mask, read_volume

READERS = [read_json, read_tsv, read_text, read_volume, read_mask, sha256]


@pytest.mark.parametrize("read", READERS)
def test_only_regular_files_are_opened_and_nothing_is_waited_for(read, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)  # a socket's name is short
    os.mkfifo("pipe.nii.gz")
    (tmp_path / "folder.nii.gz").mkdir()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket.nii.gz")
    for name, target in {
        "zero": "/dev/zero",
        "null": "/dev/null",
        "nowhere": "nowhere",
        "itself": "itself.nii.gz",
    }.items():
        os.symlink(target, f"{name}.nii.gz")
    words = {
        "pipe": "it is a pipe, not a file",
        "folder": "it is a folder, not a file",
        "socket": "it is a socket, not a file",
        "zero": "it is a device, not a file",
        "null": "it is a device, not a file",
        "nowhere": "it is a link to nowhere, which does not exist",
        "itself": "its symbolic links lead in a circle",
        "missing": "the file does not exist",
    }
    for name, what in words.items():
        with pytest.raises(InputError) as caught:
            read(Path(f"{name}.nii.gz"))
        assert (caught.value.where, caught.value.what) == (f"{name}.nii.gz", what)


def test_a_name_that_no_file_can_have() -> None:
    for name in ("a\0b", "x" * 5000):
        with pytest.raises(InputError, match="does not exist"), open_file(Path(name)):
            pass


@pytest.mark.parametrize(
    ("target", "words"),
    [
        (
            "../.git/annex/objects/q/J/MD5E-s9--0.nii.gz/MD5E-s9--0.nii.gz",
            r"\(git-annex\)\. Fetch it: datalad get '.*a b.nii'",
        ),
        ("/store/02.nii", "it is a link to /store/02.nii, which does not exist"),
    ],
)
def test_a_link_to_nowhere_says_where_its_content_is(target: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "a b.nii"
    path.symlink_to(target)
    error = missing_file(path)
    assert re.search(words, str(error))
    with pytest.raises(InputError, match=words):
        read_json(path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "git lfs pull"),
        ("/annex/objects/MD5E-s9--0.nii.gz\n", "datalad get"),
        ("version 2", None),
        ("", None),
    ],
)
def test_a_pointer_in_a_file_s_place_is_told(content: str, words: str | None, tmp_path: Path) -> None:
    path = tmp_path / "a.nii.gz"
    path.write_text(content)
    error = without_content(path)
    assert (error is None) == (words is None)
    if words:
        assert words in str(error)
        assert "its content is not on this machine" in str(error)
    assert "does not exist" in str(missing_file(tmp_path / "none"))


@pytest.mark.parametrize("number", [errno.ENOMEM, errno.EACCES, errno.EIO, errno.EMFILE, errno.ESTALE, errno.EINVAL])
def test_trouble_of_the_system_never_advises_to_delete(number: int) -> None:
    error = unreadable("brain.npy", OSError(number, os.strerror(number), "brain.npy"))
    words = f"{error.what} {error.fix}".lower()
    assert not {"delete", "again.", "train", "restore", "build"} & set(words.split())
    assert "may be whole" in error.fix or number == errno.EIO


def test_a_text_may_have_the_mark_of_windows_and_is_not_endless(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes("\ufeffß".encode())
    assert read_text(tmp_path / "a") == "ß"
    with (tmp_path / "b").open("wb") as file:
        file.truncate(1 << 36)  # sparse
    with pytest.raises(InputError, match="it has 68719476736 bytes, and a file of this kind has at most"):
        read_text(tmp_path / "b")
