"""Worker processes that never outlive the one that started them."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading


def end_with_parent() -> None:
    """Let this worker process end when the process that started it ends, and leave Ctrl-C to that one.

    The initialiser of every process pool here: workers of a killed parent would wait for ever, each with its memory.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        parent = multiprocessing.parent_process()
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
