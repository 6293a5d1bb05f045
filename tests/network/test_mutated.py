"""Model folders that chance or malice changed: no traceback, no hang, bounded memory, every word fit to print."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

MUTANTS = Path(__file__).with_name("mutants.py")


@pytest.mark.slow
def test_three_hundred_mutated_model_folders(tmp_path: Path) -> None:
    command = [sys.executable, "-W", "error", str(MUTANTS), str(tmp_path), "300", "20240601"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["wrong"] == []
    assert found["counts"]["used"] >= 10  # or nothing was tried but refusing
    assert found["counts"]["refused"] >= 200
