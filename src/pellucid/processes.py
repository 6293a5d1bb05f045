"""Worker processes: one thread each, and none outlives the one that started it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading

from threadpoolctl import threadpool_limits


def start_worker() -> None:
    """Let this worker process use one thread, end when the process that started it ends, and leave Ctrl-C to that one.

    The initialiser of every process pool here. There is a worker for each core already: matrix products on several
    threads each were measured to take three times as long. And workers of a killed parent would wait for ever, each
    with its memory.
    """
    os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))
    threadpool_limits(1)  # for libraries that are loaded already
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        parent = multiprocessing.parent_process()
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
