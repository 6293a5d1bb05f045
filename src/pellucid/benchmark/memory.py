"""How much memory: the peak that a work adds, in a process of its own.

    python -P -m pellucid.benchmark.memory SETUP THREADS

SETUP is JSON; what is printed is a number of bytes, or `null` where the system does not tell.
"""

from __future__ import annotations

import ctypes
import gc
import json
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path

from pellucid.benchmark.works import Setup, call_of, prepare
from pellucid.ground.errors import PellucidError

_PROCESS = Path("/proc/self")
_SMALLEST = (71, 71, 71)  # that leaves the network's dense layer a cell


def peak_above(call: Callable[[], object]) -> int | None:
    """Return the bytes that a call adds to this process at its peak, or None where the system does not tell.

    The peak is that of resident memory, so it counts what libraries allocate by themselves, and nothing that is
    reserved and never touched. What earlier calls have freed is given back to the system first.
    """
    gc.collect()
    with suppress(OSError, AttributeError):  # another C library
        ctypes.CDLL(None).malloc_trim(0)
    try:
        before = _resident("VmRSS")
        (_PROCESS / "clear_refs").write_text("5", encoding="ascii")  # the peak starts anew
    except (OSError, LookupError):
        return None
    result = call()
    peak = _resident("VmHWM")
    del result  # lived until here: it is part of the need
    return peak - before


def measure(setup: Setup, threads: int) -> int | None:
    """Measure a setup's peak, in bytes above its model and images, in a fresh process; None if the system is silent.

    Raises
    ------
    PellucidError
        If the process fails, as where memory runs out.
    """
    command = [sys.executable, "-P", "-m", "pellucid.benchmark.memory", json.dumps(asdict(setup)), str(threads)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if ran.returncode:
        last = (ran.stderr.strip().splitlines() or [f"exit code {ran.returncode}"])[-1]
        raise PellucidError(f"The memory of {setup.work} by {setup.entrant} could not be measured: {last}")
    found: int | None = json.loads(ran.stdout.splitlines()[-1])
    return found


def _resident(field: str) -> int:
    """Return a field of /proc/self/status in bytes."""
    for line in (_PROCESS / "status").read_text(encoding="ascii").splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    raise LookupError(field)


def _main(given: str, threads: str) -> None:
    import torch

    torch.set_num_threads(int(threads))
    values = json.loads(given)
    setup = Setup(**{**values, "shape": tuple(values["shape"])})
    # Kernels are loaded and libraries set up on a small volume: that is neither the work's time nor its memory.
    small = replace(setup, batch=1, shape=_SMALLEST)
    call_of(setup.work, prepare(small))()
    print(json.dumps(peak_above(call_of(setup.work, prepare(setup)))))


if __name__ == "__main__":
    _main(*sys.argv[1:])
