"""What tasks leave on disk, and whether it is still as they left it: size, time of change, SHA-256."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256 as digest_of
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from pellucid.ground.errors import InputError
from pellucid.ground.files import read_json, sha256
from pellucid.rundir.folder import files_in

ALWAYS_READ = 1_000_000
"""Files of fewer bytes are hashed by a quick look too: every table, description and sidecar is among them."""

CHECKSUM = "checksum"
"""The key of record.json that holds the digest of the rest of it."""

OWNED = ("cohorts", "stores", "models", "baselines", "maps", "deletion", "tables")
"""Folders of a run in which nothing belongs to anybody else."""

_FIX = "Restore it, or delete it: then the run continues and uses the files that exist"


class Damage(NamedTuple):
    """A file that is not as a task left it."""

    path: Path
    what: str

    def words(self, root: Path) -> str:
        """Say it, the path from the run directory."""
        return f"{self.path.relative_to(root).as_posix()} {self.what}"


@dataclass(frozen=True, slots=True)
class Stamp:
    """A file as a task left it: its bytes, its SHA-256, and when it was changed, in ns since 1970."""

    bytes: int
    sha256: str
    modified: int

    @classmethod
    def of(cls, path: Path) -> Stamp:
        """Read a file."""
        found = path.stat()
        return cls(found.st_size, sha256(path), found.st_mtime_ns)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON types."""
        return asdict(self)

    def damage(self, path: Path, *, quick: bool = False) -> str | None:
        """Say how a file differs from this; None if it does not.

        A `quick` look does not read a file of a million bytes or more whose size and time of change are those recorded.
        """
        if not path.is_file():
            return "is missing" if not path.exists() else "is not a file"
        found = path.stat()
        if found.st_size != self.bytes:
            return f"has {found.st_size} bytes, not {self.bytes}"
        if quick and found.st_mtime_ns == self.modified and found.st_size >= ALWAYS_READ:
            return None
        return None if sha256(path) == self.sha256 else "has another content than the run wrote"


def stamps_of(entry: Mapping[str, Any], root: Path) -> dict[Path, Stamp] | None:
    """Return the files that a task's entry of a record lists; None if it lists none with size and digest.

    Paths that lead out of the run directory are no outputs of it, whoever wrote them there.
    """
    listed = entry.get("outputs")
    if not isinstance(listed, dict):
        return None
    found = {}
    for name, values in listed.items():
        parts = PurePosixPath(name).parts
        try:
            stamp = Stamp(int(values["bytes"]), str(values["sha256"]), int(values["modified"]))
        except (TypeError, KeyError, ValueError):
            return None
        if not parts or PurePosixPath(name).is_absolute() or ".." in parts:
            return None
        found[root / name] = stamp
    return found


def damages(stamps: Mapping[Path, Stamp], *, quick: bool = False) -> list[Damage]:
    """Return what of these files is not as it was left, all of it read unless the look is to be `quick`."""
    found = ((path, stamp.damage(path, quick=quick)) for path, stamp in stamps.items())
    return [Damage(path, what) for path, what in found if what is not None]


def read_record(path: Path) -> dict[str, Any]:
    """Read record.json.

    Raises
    ------
    InputError
        If it is no record, or not as it was written.
    """
    if path.exists() and not path.is_file():
        raise InputError(path, "is not a file", _FIX)
    content = read_json(path)
    if not isinstance(content, dict) or not isinstance(content.get("tasks", {}), dict):
        raise InputError(path, "the file is not a record of a run", _FIX)
    if not all(isinstance(entry, dict) for entry in content.get("tasks", {}).values()):
        raise InputError(path, "the file is not a record of a run", _FIX)
    if CHECKSUM in content and content[CHECKSUM] != checksum(content):
        raise InputError(path, "the file was changed after the run wrote it", _FIX)
    return content


def checksum(content: Mapping[str, Any]) -> str:
    """Return the digest of a record's content but for the digest itself."""
    rest = {name: value for name, value in content.items() if name != CHECKSUM}
    return digest_of(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def recorded_stamps(content: Mapping[str, Any], root: Path) -> dict[Path, Stamp]:
    """Return every file that the finished tasks of a record left."""
    found: dict[Path, Stamp] = {}
    for entry in content.get("tasks", {}).values():
        if entry.get("state") == "done":
            found |= stamps_of(entry, root) or {}
    return found


def damaged_tasks(content: Mapping[str, Any], root: Path) -> dict[str, list[Damage]]:
    """Return what is not as the finished tasks of a record left it, by their names; only those that have any."""
    found = {
        name: damages(stamps_of(entry, root) or {})
        for name, entry in content.get("tasks", {}).items()
        if entry.get("state") == "done"
    }
    return {name: bad for name, bad in found.items() if bad}


def changed_spec(content: Mapping[str, Any], root: Path) -> Damage | None:
    """Say so if study.toml is not as the run wrote it."""
    path, known = root / "study.toml", content.get("spec_sha256")
    if known is None or (path.is_file() and sha256(path) == known):
        return None
    return Damage(path, "has another content than the run wrote" if path.is_file() else "is missing")


def strangers(content: Mapping[str, Any], root: Path) -> list[Path]:
    """Return the files in a run's own folders that no task left, of a run whose tasks are all done.

    While tasks are open what lies there may be theirs.
    """
    entries = content.get("tasks", {}).values()
    if any(entry.get("state") != "done" for entry in entries):
        return []
    taken = {path for entry in entries for path in stamps_of(entry, root) or ()}
    return [path for folder in OWNED for path in files_in(root / folder) if path not in taken]


def unrecorded(content: Mapping[str, Any], root: Path) -> list[str]:
    """Return the finished tasks of whose outputs a record keeps no size and digest."""
    return [
        name
        for name, entry in content.get("tasks", {}).items()
        if entry.get("state") == "done" and stamps_of(entry, root) is None
    ]
