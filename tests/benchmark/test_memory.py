"""The peak of a call, measured in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pellucid.benchmark import memory
from pellucid.benchmark.works import Setup
from pellucid.ground.errors import PellucidError

CHILD = """
import numpy as np
from pellucid.benchmark.memory import peak_above

def call():
    np.ones(12_500_000).sum()
    return np.ones(1)

call()  # has been here before, and given it back
print(peak_above(call))
"""

needs_proc = pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="the system does not tell")


@needs_proc
def test_peak_is_what_was_allocated() -> None:
    ran = subprocess.run([sys.executable, "-c", CHILD], capture_output=True, text=True, check=True, timeout=120)
    assert int(ran.stdout) == pytest.approx(100e6, rel=0.2)


@needs_proc
def test_plain_needs_more_than_its_first_convolution_makes() -> None:
    found = memory.measure(Setup(work="predict", entrant="plain", channels=4, batch=1), threads=1)
    assert found is not None
    assert 4 * 4 * 94 * 112 * 94 < found < 1e9


def test_silent_systems_give_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_PROCESS", tmp_path)
    assert memory.peak_above(dict) is None
    (tmp_path / "status").write_text("Name:\tpython\n", encoding="ascii")
    assert memory.peak_above(dict) is None


def test_a_process_that_fails_is_named() -> None:
    with pytest.raises(PellucidError, match=r"memory of predict by fast could not be measured: .*'fast'"):
        memory.measure(Setup(work="predict", entrant="fast", channels=1, batch=1), threads=1)
