from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numba
import numpy as np
import pytest

from pellucid.kernels import compile as compiling
from pellucid.kernels.compile import parallel, serial, threads

TWICE = """
from numba import prange


def twice(x, out):
    for n in prange(len(x)):
        out[n] = 2 * x[n]
"""


@pytest.fixture
def no_user_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a file where the user's cache folder would be."""
    blocked = tmp_path / "cache"
    blocked.write_text("a file, where a folder is needed")
    monkeypatch.setenv("XDG_CACHE_HOME", str(blocked))
    monkeypatch.setattr(numba.config, "CACHE_DIR", "")
    return blocked


def module_of(path: Path, source: str) -> ModuleType:
    path.write_text(source, encoding="utf-8")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def doubled(kernel: Callable[..., None]) -> list[float]:
    out = np.zeros(3)
    kernel(np.array([1.0, 2.0, 3.0]), out)
    return out.tolist()


def test_the_next_process_finds_it_compiled_and_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "installed.py").write_text(TWICE)
    code = """
import numpy
import installed
from pellucid.kernels.compile import parallel
kernel, out = parallel(installed.twice), numpy.zeros(3)
kernel(numpy.ones(3), out)
print(out.tolist(), sum(kernel.stats.cache_hits.values()))
"""
    for hits in (0, 1):
        ran = subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        assert ran.stdout.strip() == f"[2.0, 2.0, 2.0] {hits}"
        # Shown where nobody has set logging up.
        assert ran.stderr.count("Compiling kernels (once per machine, about 10 s) ...") == 1 - hits


def test_what_others_compile_is_not_announced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(compiling._announcer, "said", False)
    assert doubled(numba.njit(module_of(tmp_path / "theirs.py", TWICE).twice)) == [2.0, 4.0, 6.0]
    assert not caplog.records
    assert doubled(parallel(module_of(tmp_path / "ours.py", TWICE).twice)) == [2.0, 4.0, 6.0]
    assert len(caplog.records) == 1


def test_importing_the_package_compiles_nothing() -> None:
    code = "import sys, pellucid; pellucid.PaperNetwork(channels=1); print('numba' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "False"


@pytest.mark.parametrize("decorate", [parallel, serial])
def test_a_read_only_installation_works_uncached(
    decorate: Callable[..., Callable[..., None]], tmp_path: Path, no_user_cache: Path
) -> None:
    """No folder can be made beside the source, nor in the user's cache."""
    (tmp_path / "__pycache__").write_text("a file, where a folder is needed")
    twice = module_of(tmp_path / "installed.py", TWICE).twice
    with pytest.raises(RuntimeError, match="cannot cache function"):
        numba.njit(twice, cache=True)
    assert doubled(decorate(twice)) == [2.0, 4.0, 6.0]


def test_kernels_are_cached_where_that_is_possible(tmp_path: Path, no_user_cache: Path) -> None:
    twice = module_of(tmp_path / "installed.py", TWICE).twice
    assert doubled(parallel(twice)) == [2.0, 4.0, 6.0]
    again = parallel(twice)
    assert doubled(again) == [2.0, 4.0, 6.0]
    assert sum(again.stats.cache_hits.values()) == 1


def test_sums_are_not_reordered(tmp_path: Path) -> None:
    """Numbers of very different sizes: only from the first to the last is their sum the same, bit for bit."""
    source = "def total(x):\n    s = 0.0\n    for n in range(len(x)):\n        s += x[n]\n    return s\n"
    total = module_of(tmp_path / "summing.py", source).total
    rng = np.random.default_rng(0)
    x = rng.normal(size=10_001) * 10.0 ** rng.integers(-8, 8, 10_001)
    assert total(x) != total(x[::-1])
    assert serial(total)(x) == total(x)


def test_threads_are_set_inside_and_restored() -> None:
    most = numba.config.NUMBA_NUM_THREADS
    before = numba.get_num_threads()
    with threads(1):
        assert numba.get_num_threads() == 1
        with threads(most + 5):
            assert numba.get_num_threads() == most
        assert numba.get_num_threads() == 1
    assert numba.get_num_threads() == before
    with pytest.raises(ZeroDivisionError), threads(1):
        _ = 1 / 0
    assert numba.get_num_threads() == before
