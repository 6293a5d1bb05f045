"""Worker processes use one thread each, run nothing that lies about, and end with the one that started them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pellucid.ground.processes import completed

WORK = """
import os, sys, time
from pellucid.ground.processes import WorkerDiedError, completed, stop_on_signals

def pid(job):
    return os.getpid()

def threads(job):
    import numpy, threadpoolctl
    return max((pool["num_threads"] for pool in threadpoolctl.threadpool_info()), default=0)

def wait(job):
    time.sleep(0.5 if job < 2 else 60)
    return os.getpid()

def die(job):
    os._exit(3)

def die_of_some(job):
    # Of job 2 always, of job 3 once: it leaves a file that says so.
    if job == 2 or (job == 3 and not os.path.exists(sys.argv[2])):
        open(sys.argv[2 if job == 3 else 3], "a").close()
        os._exit(3)
    return job * job

if __name__ == "__main__":
    stop_on_signals()
    call = globals()[sys.argv[1]]
    try:
        for job, result in completed(call, list(range(6)), workers=2):
            print(job, result, flush=True)
    except (KeyboardInterrupt, WorkerDiedError) as error:
        print("ended by", repr(error), *getattr(error, "jobs", ()), flush=True)
        sys.exit(9)
"""


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "parent.py"
    path.write_text(WORK)
    return path


def environment(**more: str) -> dict[str, str]:
    """Return this process's environment as a shell may have it, where nobody has asked for a safe path."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONSAFEPATH"} | more


def alive(pid: int) -> bool:
    """Tell whether a process runs; one that ended and was not yet reaped does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def gone(pids: list[int]) -> bool:
    """Tell whether processes end within 20 s."""
    until = time.monotonic() + 20
    while any(alive(pid) for pid in pids) and time.monotonic() < until:
        time.sleep(0.05)
    return not any(alive(pid) for pid in pids)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(
    ("number", "group"),
    [(signal.SIGKILL, False), (signal.SIGTERM, False), (signal.SIGHUP, False), (signal.SIGINT, True)],
)
def test_workers_end_with_their_parent_and_nothing_but_its_word_is_heard(
    number: signal.Signals, group: bool, script: Path
) -> None:
    parent = subprocess.Popen(
        [sys.executable, script, "wait"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
        start_new_session=True,  # a terminal's Ctrl-C goes to all of a group
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # the tests' own may be ignored
    )
    assert parent.stdout is not None
    workers = [int(parent.stdout.readline().split()[1]) for _ in range(2)]
    assert len(set(workers)) == 2
    assert all(alive(pid) for pid in workers)
    if group:
        os.killpg(parent.pid, number)
    else:
        parent.send_signal(number)
    out, err = parent.communicate(timeout=30)
    assert gone(workers)
    if number is signal.SIGKILL:
        assert parent.returncode == -number
    else:
        assert err == ""
        assert parent.returncode == 9
        words = "KeyboardInterrupt" if number is signal.SIGINT else f"Stopped('{number.name}')"
        assert out.startswith(f"ended by {words}")


def test_workers_that_die_are_an_error_in_words_that_knows_their_jobs(script: Path) -> None:
    done = subprocess.run([sys.executable, script, "die"], env=environment(), capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (9, "")
    assert done.stdout.startswith("ended by WorkerDiedError('A worker process was stopped from outside")
    assert sorted(done.stdout.split()[-6:]) == list("012345")


def test_a_job_that_ends_its_worker_costs_no_other_and_is_tried_again_alone(script: Path, tmp_path: Path) -> None:
    marks = [str(tmp_path / name) for name in ("once", "always")]
    done = subprocess.run(
        [sys.executable, script, "die_of_some", *marks], env=environment(), capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (9, "")
    *results, end = done.stdout.splitlines()
    assert sorted(results) == [f"{job} {job * job}" for job in (0, 1, 3, 4, 5)]
    assert end.endswith(" 2")


def test_workers_use_one_thread_for_matrix_products(script: Path) -> None:
    env = environment(OMP_NUM_THREADS="2", OPENBLAS_NUM_THREADS="2")
    done = subprocess.run([sys.executable, script, "threads"], env=env, capture_output=True, text=True, check=True)
    assert {int(line.split()[1]) for line in done.stdout.splitlines()} <= {0, 1}


@pytest.mark.parametrize("module", ["multiprocessing", "json", "pellucid", "encodings", "os"])
def test_code_in_the_current_folder_is_not_run(module: str, script: Path, tmp_path: Path) -> None:
    dataset = tmp_path / "dataset"
    dataset.mkdir()
    (dataset / f"{module}.py").write_text("open('PWNED', 'w').close()\nraise SystemExit(5)\n")
    done = subprocess.run(
        [sys.executable, script, "pid"], cwd=dataset, env=environment(), capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == 6
    assert sorted(path.name for path in dataset.iterdir()) == [f"{module}.py"]


def test_an_error_of_a_job_is_raised_here() -> None:
    with pytest.raises(ValueError, match="'one'"):  # a worker cannot import this file: it finds what is installed
        list(completed(int, ["1", "one"], workers=2))


@pytest.mark.skipif(sys.platform == "win32", reason="has no such signals")
def test_a_signal_that_comes_where_python_drops_errors_is_heard_all_the_same() -> None:
    code = """
import os, signal, time
from pellucid.ground.processes import Stopped, stop_on_signals

class Tidy:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.1)

stop_on_signals()
try:
    Tidy()
    time.sleep(30)
except Stopped as stop:
    print("stopped", stop.number)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("stopped 15\n", "")
