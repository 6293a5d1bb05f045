"""What every test may use: the data beside the checkout, and hypothesis without a clock."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "pellucid", max_examples=50, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
settings.load_profile("pellucid")

_SHARED = Path(__file__).resolve().parents[2] / "shared"


def _folder(path: Path, what: str) -> Path:
    if not path.is_dir():
        pytest.skip(f"{what} not found at {path}")
    return path


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real MRI for tests: `../shared/data`, or where PELLUCID_TEST_DATA points."""
    return _folder(Path(os.environ.get("PELLUCID_TEST_DATA", _SHARED / "data")), "the test data")


@pytest.fixture(scope="session")
def shared_golden() -> Path:
    """Reference maps of the original implementation: `../shared/golden`."""
    return _folder(_SHARED / "golden", "the reference maps")
