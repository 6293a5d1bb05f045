"""Damaged files of the kernels' cache, each in a process of its own: what they did to numba ended the process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

KERNEL = """
def twice(x):
    return 2 * x
"""

RUN = """
import installed
from pellucid.kernels.compile import serial
kernel = serial(installed.twice)
print(kernel(3.0), sum(kernel.stats.cache_hits.values()))
"""


def garbled(content: bytes) -> bytes:
    return content[:100] + bytes(len(content) - 200) + content[-100:]


def run(folder: Path) -> str:
    places = os.pathsep.join([str(folder), *sys.path])
    done = subprocess.run(
        [sys.executable, "-c", RUN],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": places},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_damaged_cache_is_compiled_again(tmp_path: Path) -> None:
    """Empty, cut off and garbled: an odd error, an odd error, and an abort of LLVM."""
    (tmp_path / "installed.py").write_text(KERNEL)
    assert run(tmp_path) == "6.0 0"
    for kind, damage in (
        ("nbi", lambda _: b""),
        ("nbc", lambda content: content[: len(content) // 2]),
        ("nbc", garbled),
    ):
        (file,) = tmp_path.rglob(f"*.{kind}")
        file.write_bytes(damage(file.read_bytes()))
        assert run(tmp_path) == "6.0 0"
    assert run(tmp_path) == "6.0 1"  # the last is whole again
