"""Files that are either whole or not there: write to a temporary name, then rename."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import re
import stat
import time
import tomllib
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pandas as pd

from pellucid.ground.errors import InputError, brief
from pellucid.ground.opening import MOST_TYPED, open_file, read_text
from pellucid.ground.shapes import Shape, misfit
from pellucid.ground.staying import check_staying, make_folder
from pellucid.ground.words import one_cell

NAMES = (
    *("participant_id", "session_id", "group", "sex", "level", "role"),
    *("cohort", "arm", "arm_one", "arm_two", "pretraining", "untaught"),
)
"""Columns of tables that hold names, of digits though they may be."""

_TEMPORARY = re.compile(r"\.[0-9a-f]{8}-.+")

_RESTORE = "Restore the file, or make it again"

_TROUBLES = {
    errno.ENOSPC: ("the disk is full", "Free some space (`pellucid study check` says how much a study needs)"),
    errno.EDQUOT: ("your quota of the disk is used up", "Free some space or ask for more"),
    errno.EFBIG: ("a file may not be so large here", "Raise the limit (`ulimit -f`), or name another --out"),
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

    Raises
    ------
    InputError
        If it lies in a folder that was `staying` and is gone.
    OSError
        If it cannot be written; names the file.
    """
    make_folder(path.parent)
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
    except OSError as error:
        check_staying(path)
        if error.filename is None:  # a disk that fills says nothing of where
            error.filename = str(path)
        raise
    finally:
        temporary.unlink(missing_ok=True)


def is_leftover(path: Path) -> bool:
    """Tell whether the name is one that `atomic_path` makes up: such a file stays behind when its writer is killed."""
    return _TEMPORARY.fullmatch(path.name) is not None


def remove_leftovers(paths: Iterable[Path], *, seconds: float = 0.0) -> None:
    """Remove those of `paths` that writers which were killed left behind, none changed in the last `seconds`.

    Within that time nobody may have begun to write there who still does.
    """
    oldest = time.time() - seconds
    for path in paths:
        with suppress(FileNotFoundError):  # its writer has just finished
            if is_leftover(path) and path.is_file() and (not seconds or path.stat().st_mtime < oldest):
                path.unlink()


def disk_trouble(error: BaseException) -> InputError | None:
    """Say in words what an error of the system means that no other attempt would mend; None for any other error.

    That is a full disk or quota, a folder that may not be written to, and a disk that is read-only.
    """
    if not isinstance(error, OSError) or error.errno not in _TROUBLES:
        return None
    what, fix = _TROUBLES[error.errno]
    return InputError(
        error.filename or "what is written or printed", what, f"{fix}; the same command resumes from here"
    )


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8, atomically; what is no text in it, such as a byte of a file's name, is escaped."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")


def write_json(path: Path, content: Any) -> None:
    """Write `content` as indented JSON, atomically; NaN and infinity are refused, for JSON has no word for them."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path, shape: Shape = object) -> Any:
    """Read a JSON file whose content is of a `shape` (see `pellucid.ground.shapes`).

    Raises
    ------
    InputError
        It is missing, is not JSON, holds what no memory or number can hold, or is of another shape.
    """
    text = read_text(path, most=MOST_TYPED)
    try:
        content = json.loads(text)
    except (ValueError, RecursionError, MemoryError) as error:
        raise InputError(path, f"the file is not valid JSON ({_of_parser(error)})", _RESTORE) from None
    wrong = misfit(content, shape)
    if wrong:
        raise InputError(path, f"the file is not what it should be: {wrong}", _RESTORE)
    return content


def parse_toml(text: str, where: str | Path) -> dict[str, Any]:
    """Read TOML; raise InputError, which names `where`, if it is none or holds what no number can hold."""
    try:
        return tomllib.loads(text.removeprefix("\ufeff"))
    except (ValueError, RecursionError, MemoryError) as error:
        what = f"the file is not valid TOML ({_of_parser(error)})"
        raise InputError(where, what, "Correct the line that it names") from None


def _of_parser(error: BaseException) -> str:
    """Return what a parser says, in words where it is not about the file's text."""
    if isinstance(error, RecursionError):
        return "it is nested too deep"
    if isinstance(error, ValueError) and "integer string conversion" in str(error):
        return "it holds a number with thousands of digits"
    return brief(error)


def write_tsv(path: Path, table: pd.DataFrame) -> None:
    """Write a table as BIDS-style TSV, atomically: tab-separated, no index, missing values as `n/a`.

    Line breaks, tabs and what is no text in a cell are escaped (`words.one_cell`), so that every row is one line.
    """
    words = table.select_dtypes(["object", "string"]).columns
    whole = table.assign(**{str(name): table[name].map(_cell) for name in words}) if len(words) else table
    with atomic_path(path) as temporary:
        whole.to_csv(temporary, sep="\t", index=False, na_rep="n/a", encoding="utf-8", errors="backslashreplace")


def _cell(value: Any) -> Any:
    return one_cell(value) if isinstance(value, str) else value


def read_tsv(
    path: Path, *, names: Iterable[str] = (), columns: Mapping[str, type] | None = None, whole: bool = False
) -> pd.DataFrame:
    """Read a BIDS-style TSV (`n/a` is missing).

    The columns `NAMES` and `names` are text, whatever they look like.

    Parameters
    ----------
    path
        The file.
    names
        More columns that are text.
    columns
        What must be there: column to type. A column of `float` holds numbers, one of `str` text, one of `bool` True and
        False; each may have missing values, and others may stand beside them.
    whole
        Refuse a table whose last line has no end: this program wrote it, and it is cut off.

    Raises
    ------
    InputError
        It is missing, is no table, lacks one of `columns`, or one holds something else.
    """
    text = read_text(path)
    declared = columns or {}
    texts = (*NAMES, *names, *(name for name, kind in declared.items() if kind is str))
    try:
        table = pd.read_csv(
            io.StringIO(text), sep="\t", na_values=["n/a"], keep_default_na=False, dtype=dict.fromkeys(texts, str)
        )
    except (pd.errors.ParserError, pd.errors.EmptyDataError, ValueError, OverflowError, MemoryError) as error:
        raise InputError(path, f"the file is not a tab-separated table ({brief(error)})", "Save it as TSV") from None
    if not isinstance(table.index, pd.RangeIndex):  # pandas takes what is too many for names of rows
        raise InputError(path, "its rows have more fields than its header", "Give each column a name")
    missing = [name for name in declared if name not in table]
    if missing:
        raise InputError(path, f"the table lacks the column {', '.join(missing)}", _RESTORE)
    if whole and not text.endswith("\n"):
        raise InputError(path, "the table is cut off in its last line", _RESTORE)
    for name, kind in declared.items():
        if kind is float and not pd.api.types.is_numeric_dtype(table[name]):
            number = pd.to_numeric(table[name], errors="coerce")
            _refuse(path, table[name], number.isna(), "no number")
            table[name] = number.astype(float)
        elif kind is bool:
            _refuse(path, table[name], ~table[name].isin([True, False, "True", "False"]), "neither True nor False")
    return table


def _refuse(path: Path, column: pd.Series[Any], wrong: pd.Series[bool], what: str) -> None:
    """Raise InputError for the first value of a column that is wrong and not missing."""
    found = wrong & column.notna()
    if found.any():
        row = int(found.argmax())
        line = f"line {row + 2} of the table has {brief(repr(column[row]), 60)} in column {column.name}, {what}"
        raise InputError(path, line, _RESTORE)


def sha256(path: Path) -> str:
    """Return the SHA-256 of a regular file as 64 hexadecimal digits; raise InputError where it cannot be read."""
    with open_file(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def relative(path: Path, folder: Path) -> str:
    """Return how to get from `folder` to `path`, so that a run directory can be moved; absolute on another drive."""
    try:
        return Path(os.path.relpath(path, folder)).as_posix()
    except ValueError:
        return str(path.resolve())
