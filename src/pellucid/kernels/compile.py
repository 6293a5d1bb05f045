"""Compile kernels with numba, cached on disk, and run them on a given number of threads."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar, cast

import numba
from numba.core import event

from pellucid.kernels.cache import CheckedCache

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
    kernel = numba.njit(function, parallel=several_threads, fastmath=_FAST, error_model="numpy", nogil=True)
    _announcer.kernels.add(function)
    with suppress(RuntimeError):  # neither the folder beside the source nor the user's can be written to
        kernel._cache = CheckedCache(function)  # as `cache=True` sets numba's own
    return cast(Kernel, kernel)


class _Announcer(event.Listener):
    """Says once in a process that kernels are being compiled."""

    def __init__(self) -> None:
        self.kernels: set[Callable[..., Any]] = set()
        self.said = False

    def on_start(self, event: Any) -> None:
        """Hear that numba begins to compile something that it did not find in its cache."""
        if not self.said and event.data["dispatcher"].py_func in self.kernels:
            self.said = True
            # A warning, because Python shows nothing less by itself, and whoever waits should know why.
            logging.getLogger("pellucid").warning("Compiling kernels (once per machine, about 10 s) ...")

    def on_end(self, event: Any) -> None:
        """Hear that numba has compiled something."""


_announcer = _Announcer()
event.register("numba:compile", _announcer)  # type: ignore[no-untyped-call]


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Run kernels on `count` threads inside, or on as many as numba has, whichever is fewer."""
    before = numba.get_num_threads()
    numba.set_num_threads(min(count, numba.config.NUMBA_NUM_THREADS))  # type: ignore[attr-defined]
    try:
        yield
    finally:
        numba.set_num_threads(before)
