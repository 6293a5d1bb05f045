from __future__ import annotations

import errno
import hashlib
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from pellucid.ground.errors import InputError
from pellucid.ground.files import (
    atomic_path,
    disk_trouble,
    is_leftover,
    read_json,
    read_tsv,
    relative,
    remove_leftovers,
    sha256,
    write_json,
    write_text,
    write_tsv,
)


def test_atomic_path_shows_the_file_only_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.nii.gz"
    with atomic_path(path) as temporary:
        temporary.write_bytes(b"half")
        assert not path.exists()
        assert temporary.parent == path.parent
        assert temporary.name.startswith(".")
        assert temporary.name.endswith(".nii.gz")
    assert path.read_bytes() == b"half"
    assert list(path.parent.iterdir()) == [path]


def test_atomic_path_leaves_the_old_file_when_the_block_fails(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")

    def killed() -> None:
        with atomic_path(path) as temporary:
            temporary.write_text("ha")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        killed()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("mask", [0o022, 0o002, 0o077])
def test_a_file_has_the_permissions_of_any_new_file_whatever_its_writer_thinks(tmp_path: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        for how in ("opened", "made anew", "changed"):
            with atomic_path(tmp_path / how) as temporary:
                if how == "made anew":  # as safetensors does
                    temporary.unlink()
                    os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT, 0o600))
                temporary.write_bytes(b"x")
                if how == "changed":
                    temporary.chmod(0o400)
            assert stat.S_IMODE((tmp_path / how).stat().st_mode) == 0o666 & ~mask, how
    finally:
        os.umask(before)


def test_a_row_is_one_line_of_text_whatever_stands_in_it(tmp_path: Path) -> None:
    table = pd.DataFrame({"image": ["a\nb\tc\x1b[31m.nii", "\udcff.nii", "ü"], "x": [1.0, None, 2.0]})
    write_tsv(tmp_path / "t.tsv", table)
    lines = (tmp_path / "t.tsv").read_text(encoding="utf-8").split("\n")
    assert lines == ["image\tx", r"a\nb\tc\x1b[31m.nii" + "\t1.0", "\\udcff.nii\tn/a", "ü\t2.0", ""]
    write_json(tmp_path / "t.json", {"image": "\udcff.nii"})
    assert read_json(tmp_path / "t.json") == {"image": "\udcff.nii"}


def test_what_a_killed_writer_left_is_told_from_everything_else_and_removed(tmp_path: Path) -> None:
    killer = f"""
import os, signal
from pathlib import Path
from pellucid.ground.files import atomic_path
with atomic_path(Path({str(tmp_path)!r}) / "a.nii.gz") as temporary:
    temporary.write_bytes(b"half")
    os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", killer], check=False).returncode == -signal.SIGKILL
    (left,) = tmp_path.iterdir()
    assert is_leftover(left)
    others = [tmp_path / name for name in (".lock", ".bidsignore", "0123abcd-a.nii.gz", ".0123abcg-a", ".123abcd-a")]
    for path in others:
        path.touch()
    folder = tmp_path / ".0123abcd-folder"
    folder.mkdir()
    remove_leftovers(tmp_path.iterdir())
    assert sorted(tmp_path.iterdir()) == sorted([*others, folder])


def test_text_and_json_round_trip(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "Größe ≤ 3 mm\n")
    assert (tmp_path / "a.txt").read_bytes() == "Größe ≤ 3 mm\n".encode()
    content = {"µ": [1, 2.5, None, True], "nested": {"a": "b"}}
    write_json(tmp_path / "a.json", content)
    assert read_json(tmp_path / "a.json") == content


def test_json_refuses_nan_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "a.json", {"auc": float("nan")})
    assert list(tmp_path.iterdir()) == []


def test_tsv_round_trip_keeps_identifiers_and_missing_values(tmp_path: Path) -> None:
    table = pd.DataFrame({"participant_id": ["007", "NA"], "edss": [2.5, None], "group": ["MS", None]})
    write_tsv(tmp_path / "t.tsv", table)
    assert (tmp_path / "t.tsv").read_text() == "participant_id\tedss\tgroup\n007\t2.5\tMS\nNA\tn/a\tn/a\n"
    back = read_tsv(tmp_path / "t.tsv")
    assert back["participant_id"].tolist() == ["007", "NA"]  # neither a number nor missing
    assert back["edss"].isna().tolist() == [False, True]
    assert back["group"].isna().tolist() == [False, True]


def test_names_of_digits_are_text(tmp_path: Path) -> None:
    write_text(tmp_path / "t.tsv", "cohort\tgroup\tarm\tclinic\tage\n2019\t1\t007\t01\t40\n2019\tn/a\t1e3\t02\t41\n")
    table = read_tsv(tmp_path / "t.tsv", names=["clinic", "absent"])
    assert table["cohort"].tolist() == ["2019", "2019"]
    assert table["group"].dropna().tolist() == ["1"]
    assert table["arm"].tolist() == ["007", "1e3"]
    assert table["clinic"].tolist() == ["01", "02"]
    assert table["age"].tolist() == [40, 41]


@pytest.mark.parametrize("read", [read_json, read_tsv])
def test_missing_file(tmp_path: Path, read: object) -> None:
    assert callable(read)
    with pytest.raises(InputError, match=r"none\.x: the file does not exist"):
        read(tmp_path / "none.x")


@pytest.mark.parametrize("content", [b"{", b"\xff\xfe"])
def test_no_json(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(InputError, match=r"not valid JSON|not text in UTF-8"):
        read_json(tmp_path / "a.json")


@pytest.mark.parametrize("content", [b"", b"a\tb\n1\t2\t3\t4\n1\n1\t2\t3\t4\t5\t6\n", b"\xff\xfe\x00"])
def test_no_table(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.tsv").write_bytes(content)
    with pytest.raises(InputError, match=r"not a tab-separated table|not text in UTF-8"):
        read_tsv(tmp_path / "a.tsv")


def test_sha256(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc" * 100_000)
    assert sha256(tmp_path / "a") == hashlib.sha256(b"abc" * 100_000).hexdigest()


def test_a_full_disk_is_said_in_words() -> None:
    try:
        with open("/dev/full", "w", encoding="utf-8") as full:
            full.write("x")
    except FileNotFoundError:
        pytest.skip("this system has no /dev/full")
    except OSError as error:
        trouble = disk_trouble(error)
    assert trouble is not None
    assert trouble.what == "the disk is full"
    assert "the same command resumes from here" in trouble.fix


def test_no_permission_is_said_in_words_and_other_errors_are_left(tmp_path: Path) -> None:
    trouble = disk_trouble(PermissionError(errno.EACCES, "Permission denied", str(tmp_path / "a")))
    assert trouble is not None
    assert trouble.where == str(tmp_path / "a")
    assert "no permission" in trouble.what
    limit = disk_trouble(OSError(errno.EFBIG, "File too large", "a"))
    assert limit is not None
    assert "ulimit -f" in limit.fix
    assert disk_trouble(FileNotFoundError(errno.ENOENT, "none", "a")) is None
    assert disk_trouble(ValueError("a")) is None


def test_an_error_of_the_disk_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    with pytest.raises(OSError, match="No space left") as caught, atomic_path(path):
        raise OSError(errno.ENOSPC, "No space left on device")
    trouble = disk_trouble(caught.value)
    assert trouble is not None
    assert str(trouble).startswith(f"{path}: the disk is full. Free some space")
    assert list(tmp_path.iterdir()) == []


def test_a_table_has_the_columns_that_are_declared(tmp_path: Path) -> None:
    columns = {"role": str, "logit": float}
    (tmp_path / "t.tsv").write_text("role\tlogit\tmore\n1\t0.5\tx\nn/a\tn/a\ty\n")
    table = read_tsv(tmp_path / "t.tsv", columns=columns, whole=True)
    assert table["role"].tolist()[0] == "1"
    assert table["logit"].dtype == float
    for text, words in {
        "logit\n1\n": "the table lacks the column role",
        "role\tlogit\ntrain\t0.5\ntrain\tx\n": "line 3 of the table has 'x' in column logit, no number",
        "role\tlogit\ntrain\t0.": "cut off in its last line",
        "role\tlogit\ntrain\t0.5\t7\n": "its rows have more fields than its header",
        "\0" * 100: "the table lacks the column|not a tab-separated table",
    }.items():
        (tmp_path / "t.tsv").write_text(text)
        with pytest.raises(InputError, match=words) as caught:
            read_tsv(tmp_path / "t.tsv", columns=columns, whole=True)
        assert caught.value.where == str(tmp_path / "t.tsv")


def test_paths_are_relative_so_that_a_run_can_be_moved(tmp_path: Path) -> None:
    assert relative(tmp_path / "models" / "a", tmp_path / "maps" / "a") == "../../models/a"
