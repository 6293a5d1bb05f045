"""Compile kernels with numba, cached on disk, and run them on a given number of threads."""

from __future__ import annotations

import atexit
import hashlib
import importlib.util
import logging
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

import numba

Kernel = TypeVar("Kernel", bound=Callable[..., Any])

# A product and a sum become one instruction. Nothing else may be reordered: results do not depend on how a loop is cut.
_FAST = {"contract"}


def parallel(function: Kernel) -> Kernel:
    """Compile a kernel whose `prange` iterations run on several threads."""
    return _compile(function, several_threads=True)


def serial(function: Kernel) -> Kernel:
    """Compile a part of a kernel, which others call."""
    return _compile(function, several_threads=False)


def _compile(function: Kernel, *, several_threads: bool) -> Kernel:
    """Let numba compile a function when it is first called, and keep the result on disk where that is possible."""

    def compiled(*, cached: bool) -> Kernel:
        kernel = numba.njit(
            function, cache=cached, parallel=several_threads, fastmath=_FAST, error_model="numpy", nogil=True
        )
        return cast(Kernel, kernel)

    try:
        return compiled(cached=True)
    except RuntimeError:  # neither the folder beside the source nor the user's can be written to
        return compiled(cached=False)


@cache
def from_source(source: str, name: str) -> Callable[..., Any]:
    """Compile the function `name` of the module that a generated `source` is.

    numba caches a function by the file and the module that it stands in, so the source becomes a file in the user's
    cache folder, and is imported from there.

    Parameters
    ----------
    source
        The text of a module.
    name
        The function's, whose `prange` iterations run on several threads.

    Returns
    -------
    callable
        The kernel.
    """
    digest = hashlib.sha256(f"{sorted(_FAST)}\n{source}".encode()).hexdigest()
    module_name = f"pellucid_{name}_{digest[:16]}"
    path = cache_folder() / f"{module_name}.py"
    if not path.is_file():
        # A warning, because Python shows nothing less by itself, and whoever waits should know why.
        logging.getLogger("pellucid").warning("Compiling kernels (once per machine, about 20 s) ...")
        # Renamed into place: another process may be about to read it.
        with tempfile.NamedTemporaryFile("w", dir=path.parent, suffix=".tmp", delete=False, encoding="utf-8") as file:
            file.write(source)
        Path(file.name).replace(path)
    spec = importlib.util.spec_from_file_location(module_name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module  # numba looks it up there when it reads its cache
    spec.loader.exec_module(module)
    return parallel(cast(Callable[..., Any], getattr(module, name)))


@cache
def cache_folder() -> Path:
    """Return the folder of generated sources and their kernels, `pellucid/kernels` in `$XDG_CACHE_HOME` or `~/.cache`.

    Where that cannot be written to, it is a temporary one, which goes when the process ends.
    """
    try:
        home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        folder = Path(home) / "pellucid" / "kernels"
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except (OSError, RuntimeError):  # RuntimeError: the user has no home
        temporary = tempfile.mkdtemp(prefix="pellucid-kernels-")
        atexit.register(shutil.rmtree, temporary, ignore_errors=True)
        return Path(temporary)


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Run kernels on `count` threads inside, or on as many as numba has, whichever is fewer."""
    before = numba.get_num_threads()
    numba.set_num_threads(min(count, numba.config.NUMBA_NUM_THREADS))  # type: ignore[attr-defined]
    try:
        yield
    finally:
        numba.set_num_threads(before)
