"""Freed memory stays with the process where glibc's malloc can be told so."""

from __future__ import annotations

import platform
import resource
import subprocess
import sys

import pytest

_FAULTS = """
import resource, torch
from pellucid.network.allocator import keep_freed_memory
if {keep}:
    assert keep_freed_memory()
def step():
    for _ in range(3):
        torch.ones(16 * 2**20)  # 64 MB
for _ in range(10):  # the heap settles within a few steps
    step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is not glibc")
def test_a_later_step_gets_its_pages_from_those_before():
    def faults(keep: bool) -> int:
        code = _FAULTS.format(keep=keep)
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        return int(done.stdout)

    pages = 16 * 2**20 * 4 // resource.getpagesize()
    kept = faults(keep=True)
    assert kept < pages // 10
    assert kept < faults(keep=False)
