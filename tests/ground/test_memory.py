from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pellucid.ground import memory
from pellucid.ground.errors import InputError
from pellucid.ground.memory import available_memory, demand_memory


def test_what_is_free_is_less_than_the_machine_has() -> None:
    free = available_memory()
    assert free is not None
    assert 10_000_000 < free < 1 << 50
    demand_memory("a.nii", 1000, "its image")


def test_what_is_too_large_is_refused_by_name() -> None:
    with pytest.raises(InputError, match=r"a\.nii: its image takes 1.15e\+09 GB of memory, and .* GB are free"):
        demand_memory("a.nii", 1 << 60, "its image")


def test_a_limit_of_address_space_counts() -> None:
    code = """
import resource
from pellucid.ground.memory import available_memory
resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
print(available_memory())
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 0 < int(ran.stdout) < 1 << 30


@pytest.mark.parametrize("version", [1, 2])
def test_a_containers_limit_counts_without_the_files_that_it_keeps(
    version: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("memory.max", "memory.current", "memory.stat", "inactive_file")
    if version == 1:
        (tmp_path / "memory").mkdir()
        names = (
            "memory/memory.limit_in_bytes",
            "memory/memory.usage_in_bytes",
            "memory/memory.stat",
            "total_inactive_file",
        )
    (tmp_path / names[0]).write_text("9000000\n")
    (tmp_path / names[1]).write_text("5000000\n")
    (tmp_path / names[2]).write_text(f"anon 1\n{names[3]} 1000000\n")
    monkeypatch.setattr(memory, "_CGROUP", tmp_path)
    assert available_memory() == 5_000_000
    (tmp_path / names[0]).write_text("max\n" if version == 2 else "9223372036854771712\n")
    assert (available_memory() or 0) > 10_000_000
