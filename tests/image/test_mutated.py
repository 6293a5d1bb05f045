"""Files that chance or malice changed: no traceback, no hang, bounded memory, and no other image without a word."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

MUTANTS = Path(__file__).with_name("mutants.py")


def run(*arguments: object) -> dict[str, Any]:
    command = [sys.executable, "-W", "error", str(MUTANTS), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.slow
def test_two_thousand_mutated_files(tmp_path: Path) -> None:
    found = run(tmp_path, "random", 2000, 20240601)
    assert found["wrong"] == []
    assert found["counts"]["used"] > 100  # or nothing was tried but refusing
    assert found["counts"]["refused"] > 800


@pytest.mark.slow
def test_every_bit_of_a_header(tmp_path: Path) -> None:
    """Each is refused, remarked on, or changes nothing; but slope and intercept, which any number may be."""
    found = run(tmp_path, "flips")
    assert set(found["silent"]) <= {"scl_slope", "scl_inter"}
    assert found["silent"].get("scl_slope", 0) <= 32
    assert found["silent"].get("scl_inter", 0) <= 32
    assert sum(found["counts"].values()) == 352 * 8
    assert found["counts"]["refused"] > 200
    assert found["counts"]["remarked on"] > 150
