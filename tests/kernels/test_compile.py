from __future__ import annotations

import importlib.util
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import numba
import numpy as np
import pytest

from pellucid.kernels import compile as compiling
from pellucid.kernels.compile import cache_folder, from_source, parallel, serial, threads

TWICE = """
from numba import prange


def twice(x, out):
    for n in prange(len(x)):
        out[n] = 2 * x[n]
"""


@pytest.fixture
def fresh_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Point the cache of generated sources to an empty folder."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(numba.config, "CACHE_DIR", "")
    for remembered in (cache_folder, from_source):
        remembered.cache_clear()
    yield tmp_path / "cache"
    for remembered in (cache_folder, from_source):
        remembered.cache_clear()


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


def test_a_generated_source_is_kept_and_compiled_once(fresh_cache: Path, caplog: pytest.LogCaptureFixture) -> None:
    first = from_source(TWICE, "twice")
    assert doubled(first) == [2.0, 4.0, 6.0]
    assert from_source(TWICE, "twice") is first
    (kept,) = (fresh_cache / "pellucid" / "kernels").glob("*.py")
    assert kept.read_text(encoding="utf-8") == TWICE
    assert [record.getMessage() for record in caplog.records] == [
        "Compiling kernels (once per machine, about 20 s) ..."
    ]
    assert caplog.records[0].levelno == logging.WARNING
    from_source.cache_clear()  # as in the next process
    again = from_source(TWICE, "twice")
    assert doubled(again) == [2.0, 4.0, 6.0]
    assert sum(again.stats.cache_hits.values()) == 1  # type: ignore[attr-defined]
    assert len(caplog.records) == 1


def test_the_next_process_finds_it_compiled(fresh_cache: Path) -> None:
    code = f"""
import numpy
from pellucid.kernels.compile import from_source
kernel, out = from_source({TWICE!r}, "twice"), numpy.zeros(3)
kernel(numpy.ones(3), out)
print(out.tolist(), sum(kernel.stats.cache_hits.values()))
"""
    for hits in (0, 1):
        ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
        assert ran.stdout.strip() == f"[2.0, 2.0, 2.0] {hits}"
        assert ("Compiling kernels" in ran.stderr) == (hits == 0)  # shown where nobody has set logging up


def test_another_source_is_another_kernel(fresh_cache: Path) -> None:
    assert doubled(from_source(TWICE, "twice")) == [2.0, 4.0, 6.0]
    assert doubled(from_source(TWICE.replace("2 *", "3 *"), "twice")) == [3.0, 6.0, 9.0]


def test_other_options_are_another_file(fresh_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """numba does not look at them when it finds a kernel in its cache."""
    from_source(TWICE, "twice")
    from_source.cache_clear()
    monkeypatch.setattr(compiling, "_FAST", {"contract", "nsz"})
    from_source(TWICE, "twice")
    assert len(list((fresh_cache / "pellucid" / "kernels").glob("*.py"))) == 2


def test_where_the_cache_cannot_be_written_to_it_is_temporary(fresh_cache: Path) -> None:
    fresh_cache.write_text("a file, where a folder is needed")
    assert doubled(from_source(TWICE, "twice")) == [2.0, 4.0, 6.0]
    folder = cache_folder()
    assert not folder.is_relative_to(fresh_cache)
    assert len(list(folder.glob("*.py"))) == 1


def test_a_user_without_a_home_has_a_temporary_cache(fresh_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "home", homeless)
    assert cache_folder().is_dir()


def test_the_temporary_cache_goes_with_the_process(tmp_path: Path) -> None:
    blocked = tmp_path / "blocked"
    blocked.write_text("a file, where a folder is needed")
    code = "from pellucid.kernels.compile import cache_folder; print(cache_folder())"
    environment = os.environ | {"XDG_CACHE_HOME": str(blocked)}
    ran = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert "pellucid-kernels-" in ran.stdout
    assert not Path(ran.stdout.strip()).exists()


@pytest.mark.parametrize("decorate", [parallel, serial])
def test_a_read_only_installation_works_uncached(
    decorate: Callable[..., Callable[..., None]], tmp_path: Path, fresh_cache: Path
) -> None:
    """No folder can be made beside the source, nor in the user's cache."""
    (tmp_path / "__pycache__").write_text("a file, where a folder is needed")
    fresh_cache.write_text("a file, where a folder is needed")
    twice = module_of(tmp_path / "installed.py", TWICE).twice
    with pytest.raises(RuntimeError, match="cannot cache function"):
        numba.njit(twice, cache=True)
    assert doubled(decorate(twice)) == [2.0, 4.0, 6.0]


def test_kernels_are_cached_where_that_is_possible(tmp_path: Path, fresh_cache: Path) -> None:
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
