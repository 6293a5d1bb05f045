"""Files that are either whole or not there: write to a temporary name, then rename."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shlex
import stat
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd

from pellucid.errors import InputError
from pellucid.words import one_line

NAMES = (
    *("participant_id", "session_id", "group", "sex", "level", "role"),
    *("cohort", "arm", "arm_one", "arm_two", "pretraining"),
)
"""Columns of tables that hold names, of digits though they may be."""

_TEMPORARY = re.compile(r"\.[0-9a-f]{8}-.+")

_ELSEWHERE = "its content is not on this machine"
_POINTER_BYTES = 2048  # what stands in a file's place is shorter, and an image longer

_TROUBLES = {
    errno.ENOSPC: ("the disk is full", "Free some space (`pellucid study check` says how much a study needs)"),
    errno.EDQUOT: ("your quota of the disk is used up", "Free some space or ask for more"),
    errno.EACCES: ("there is no permission to write or read it", "Change its permissions, or name another --out"),
    errno.EPERM: ("there is no permission to write or read it", "Change its permissions, or name another --out"),
    errno.EROFS: ("its disk can only be read", "Name another --out"),
}


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it onto `path` if the block ends well.

    The temporary name keeps the suffixes of `path`, because writers choose their format by them, and starts with a dot,
    so that nothing takes it for a result. A block that fails leaves nothing behind. The file has the permissions that
    any new file has in its folder, whatever its writer thinks (that of safetensors makes files that nobody else reads).
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{uuid.uuid4().hex[:8]}-{path.name}")
    try:
        temporary.touch(exist_ok=False)
        usual = temporary.stat().st_mode
        yield temporary
        if temporary.stat().st_mode != usual:
            temporary.chmod(stat.S_IMODE(usual))
        # Without fsync a power cut can leave a renamed file of zero bytes.
        with temporary.open("rb") as handle:
            os.fsync(handle.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def is_leftover(path: Path) -> bool:
    """Tell whether the name is one that `atomic_path` makes up: such a file stays behind when its writer is killed."""
    return _TEMPORARY.fullmatch(path.name) is not None


def remove_leftovers(paths: Iterable[Path]) -> None:
    """Remove those of `paths` that writers which were killed left behind. Nobody may be writing there meanwhile."""
    for path in paths:
        if is_leftover(path) and path.is_file():
            path.unlink(missing_ok=True)


def missing_file(path: Path) -> InputError:
    """Return the error of a file that is not there, or is and waits for its content to be fetched."""
    return without_content(path) or InputError(path, "the file does not exist", "Check the path")


def without_content(path: Path) -> InputError | None:
    """Return the error of a file whose content a version control of large files keeps elsewhere; None for any other.

    That of git-annex, and so DataLad, is a link into .git/annex or, unlocked, a line that names such a path; that of
    git-lfs is a few lines of text.
    """
    if path.is_symlink() and not path.exists():
        target = os.readlink(path)
        if ".git/annex/objects" in Path(target).as_posix():
            return InputError(path, f"{_ELSEWHERE} (git-annex)", f"Fetch it: datalad get {shlex.quote(str(path))}")
        return InputError(path, f"it is a link to {target}, where there is no file", "Mend the link")
    if not path.is_file() or path.stat().st_size > _POINTER_BYTES:
        return None
    start = path.read_bytes()
    if start.startswith((b"/annex/objects/", b"/.git/annex/objects/")):
        return InputError(path, f"{_ELSEWHERE} (git-annex)", f"Fetch it: datalad get {shlex.quote(str(path))}")
    if start.startswith(b"version https://git-lfs.github.com/spec/"):
        return InputError(path, f"{_ELSEWHERE} (git-lfs)", f"Fetch it: git lfs pull --include {shlex.quote(path.name)}")
    return None


def disk_trouble(error: BaseException) -> InputError | None:
    """Say in words what an error of the system means that no other attempt would mend; None for any other error.

    That is a full disk or quota, a folder that may not be written to, and a disk that is read-only.
    """
    if not isinstance(error, OSError) or error.errno not in _TROUBLES:
        return None
    what, fix = _TROUBLES[error.errno]
    return InputError(error.filename or "the run directory", what, f"{fix}; the same command goes on from here")


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8, atomically; what is no text in it, such as a byte of a file's name, is escaped."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")


def write_json(path: Path, content: Any) -> None:
    """Write `content` as indented JSON, atomically; NaN and infinity are refused, for JSON has no word for them."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file; raise InputError if it is missing or is not JSON."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise missing_file(path) from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(path, f"the file is not valid JSON ({error})", "Restore it or make it again") from None


def write_tsv(path: Path, table: pd.DataFrame) -> None:
    """Write a table as BIDS-style TSV, atomically: tab-separated, no index, missing values as `n/a`.

    Line breaks and tabs in a cell become blanks, and what is no text is escaped, so that every row is one line.
    """
    words = table.select_dtypes(["object", "string"]).columns
    whole = table.assign(**{str(name): table[name].map(_cell) for name in words}) if len(words) else table
    with atomic_path(path) as temporary:
        whole.to_csv(temporary, sep="\t", index=False, na_rep="n/a", encoding="utf-8", errors="backslashreplace")


def _cell(value: Any) -> Any:
    return one_line(value) if isinstance(value, str) else value


def read_tsv(path: Path, *, names: Iterable[str] = ()) -> pd.DataFrame:
    """Read a BIDS-style TSV (`n/a` is missing); raise InputError if it is missing or is no table.

    The columns `NAMES` and `names` are text, whatever they look like.
    """
    try:
        return pd.read_csv(
            path,
            sep="\t",
            na_values=["n/a"],
            keep_default_na=False,
            dtype=dict.fromkeys((*NAMES, *names), str),
        )
    except FileNotFoundError:
        raise missing_file(path) from None
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise InputError(path, f"the file is not a tab-separated table ({error})", "Save it as TSV in UTF-8") from None


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file as 64 hexadecimal digits."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
