"""How much memory this process may still take, asked before something large is read."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from pellucid.ground.errors import InputError

_MEMINFO = Path("/proc/meminfo")
_STATM = Path("/proc/self/statm")
_CGROUP = Path("/sys/fs/cgroup")
_UNLIMITED = 1 << 60  # what a control group without a limit says is larger


def available_memory() -> int | None:
    """Return the bytes that this process may still take; None where the system does not tell.

    The least of what the machine has free, what the process's control group (a container, a job of a scheduler) leaves,
    and what its limit of address space (`ulimit -v`) leaves.
    """
    return min((*_free(), *_left_in_group(), *_left_of_limit()), default=None)


def demand_memory(where: str | Path, size: int, what: str) -> None:
    """Refuse what takes more than the memory that there is.

    Parameters
    ----------
    where
        The file at fault.
    size
        Bytes that it takes.
    what
        What takes them, as a sentence's subject: `its image of 2000x2000x2000 voxels`.

    Raises
    ------
    InputError
        There is less.
    """
    left = available_memory()
    if left is not None and size > left:
        raise InputError(
            where,
            f"{what} takes {_gigabytes(size)} of memory, and {_gigabytes(left)} are free",
            "If this size is right, use a machine with more memory; otherwise its description is damaged",
        )


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:.3g} GB"


def _free() -> Iterator[int]:
    """Yield what the machine has free without swapping, or its whole memory where it does not say."""
    for line in _text(_MEMINFO).splitlines():
        if line.startswith("MemAvailable:"):
            yield int(line.split()[1]) * 1024
            return
    if "SC_PHYS_PAGES" in os.sysconf_names:
        yield os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _left_in_group() -> Iterator[int]:
    """Yield what the control group leaves, of version 2 or 1; pages of files that can be dropped count as free."""
    for limit, used, stat, droppable in (
        ("memory.max", "memory.current", "memory.stat", "inactive_file"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "memory/memory.stat", "total_inactive_file"),
    ):
        most, taken = _text(_CGROUP / limit).strip(), _text(_CGROUP / used).strip()
        if most.isdecimal() and taken.isdecimal() and int(most) < _UNLIMITED:
            files = [line.split()[1] for line in _text(_CGROUP / stat).splitlines() if line.startswith(f"{droppable} ")]
            yield max(0, int(most) - int(taken) + sum(map(int, files)))


def _left_of_limit() -> Iterator[int]:
    """Yield what the limit of address space leaves."""
    try:
        import resource
    except ImportError:  # not a POSIX system
        return
    most = resource.getrlimit(resource.RLIMIT_AS)[0]
    pages = _text(_STATM).split()
    if most != resource.RLIM_INFINITY and pages:
        yield max(0, most - int(pages[0]) * os.sysconf("SC_PAGE_SIZE"))


def _text(path: Path) -> str:
    """Return what a file of the system says; nothing where there is none."""
    try:
        return path.read_text(encoding="ascii")
    except OSError:
        return ""
