"""The energy that the processors used while a run went on, where the system counts it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

ROOT = Path("/sys/class/powercap")
"""Where Linux shows the counters of processor packages (running average power limit, RAPL)."""

_ENERGY, _RANGE = "energy_uj", "max_energy_range_uj"
_MICRO = 1e-6


class Energy:
    """Counters of all processor packages, read at the start; `used` says what was added since.

    They count whole packages, so whatever else the machine did is in them; memory, disks and GPUs are not. A counter
    starts again from 0 every few hours: `used` has to be asked more often than that, and is after every task.

    Parameters
    ----------
    root
        Where the counters are looked for.
    """

    def __init__(self, root: Path = ROOT) -> None:
        packages = (path for path in sorted(root.glob("*:*")) if path.name.count(":") == 1)  # not the parts of one
        self._last = {path: value for path in packages if (value := _read(path / _ENERGY)) is not None}
        self._joules = 0.0

    def used(self) -> float | None:
        """Return the joules used since the start; None where the system does not count, or does not tell."""
        for path, before in self._last.items():
            now = _read(path / _ENERGY)
            if now is None:
                return None
            added = now - before if now >= before else now - before + (_read(path / _RANGE) or 0)
            self._joules += _MICRO * added
            self._last[path] = now
        return self._joules if self._last else None

    def entry(self) -> dict[str, Any]:
        """Return what a record says of it: nothing is made up where nothing is known."""
        joules = self.used()
        return {"energy_joules": None if joules is None else round(joules, 1)}


def _read(path: Path) -> int | None:
    """Return a counter; None if it is not there or may not be read, as on most machines without being root."""
    try:
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
