"""Keep freed memory in the process, so that each training step does not ask the system for the same gigabyte again.

A step of the paper's network allocates and frees blocks of hundreds of megabytes. By default glibc returns each to the
system at once, and the next step pays for every page anew: three quarters of its time were measured to go there.
"""

from __future__ import annotations

import ctypes
import platform
from functools import cache

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4  # glibc's malloc.h
_LARGEST_INT = 2**31 - 1


@cache
def keep_freed_memory() -> bool:
    """Tell glibc's malloc to keep what is freed; return whether that was possible (Linux with glibc).

    Results do not change. The process keeps its peak memory until it ends; what it holds is reused by later steps.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    settings = ((_M_MMAP_MAX, 0), (_M_TRIM_THRESHOLD, _LARGEST_INT), (_M_TOP_PAD, 64 * 2**20))
    return all(mallopt(option, value) == 1 for option, value in settings)
