"""Tasks on Dask's workers: at once, in order, after deaths; and a study there against one in this process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import cloudpickle
import psutil
import pytest
import torch
from distributed import LocalCluster
from tests.study.test_run import numbers

from pellucid.engine import dispatch
from pellucid.engine.cluster import Pool, open_pool
from pellucid.engine.dispatch import execute_on
from pellucid.engine.tasks import Problem, Result, Task
from pellucid.ground.errors import InputError
from pellucid.ground.files import read_json, write_text
from pellucid.ground.progress import Progress
from pellucid.ground.staying import staying
from pellucid.rundir.folder import RunFolder
from pellucid.spec.reading import read_spec
from pellucid.study.plan import Plan
from pellucid.study.run import study_tasks

TINY = Path(__file__).parents[1] / "study" / "tiny.toml"

RUN = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever started the tests may ignore it

import os, sys
from pathlib import Path
from pellucid.engine import cluster
from pellucid.spec.reading import read_spec
from pellucid.study.run import run_study


class Nobody:
    def begin(self, task, number, total):
        print("begin", task.name, flush=True)
        return lambda done, of, what: None
    def end(self, result, number, total):
        print("end", result.task.name, result.state, result.attempts, flush=True)

cluster.cores = lambda: 2 * int(sys.argv[3])  # as many threads each as the run that is compared
results = run_study(
    read_spec(Path(sys.argv[1])), Path(sys.argv[2]), watcher=Nobody(), command=["test"], workers=2, cluster="local"
)
sys.exit(any(result.state != "done" for result in results))
"""

cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers cannot import tests


class Log:
    """A watcher that remembers."""

    def __init__(self, stop: str = "") -> None:
        self.begun: list[str] = []
        self.ended: list[str] = []
        self.reports: list[tuple[int, int, str]] = []
        self._stop = stop

    def begin(self, task: Task, number: int, total: int) -> Progress:
        self.begun.append(f"{number}/{total} {task.name}")

        def report(done: int, total: int, what: str) -> None:
            self.reports.append((done, total, what))
            if what == self._stop:
                raise KeyboardInterrupt

        return report

    def end(self, result: Result, number: int, total: int) -> None:
        self.ended.append(f"{number}/{total} {result.task.name}: {result.state}")


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    with open_pool("local", workers=2) as opened:
        yield opened


def make(
    root: Path, name: str, *needs: str, run: Callable[[int], None] | None = None, problems: list[Problem] | None = None
) -> Task:
    """Return a task that writes how often it was begun, and calls `run` with that."""
    output, tries = root / f"{name}.txt", root / f"{name}.tries"

    def work(progress: Progress) -> None:
        count = int(tries.read_text()) + 1 if tries.exists() else 1
        tries.write_text(str(count))
        progress(count, 9, name)
        if run:
            run(count)
        output.write_text(str(count))

    return Task(kind=name, outputs=(output,), needs=needs, run=work, problems=(lambda: problems) if problems else None)


def go(pool: Pool, tasks: list[Task]) -> tuple[dict[str, Result], Log, list[Task | Result]]:
    log, notes = Log(), []
    return {r.task.name: r for r in execute_on(pool, tasks, watcher=log, note=notes.append)}, log, notes


def die(_: int) -> None:
    os._exit(7)


def die_once(count: int) -> None:
    if count == 1:
        os._exit(7)


def stumble(count: int) -> None:
    if count < 3:
        raise IndexError("a bug")


def bug(count: int) -> None:
    raise IndexError("a bug")


def die_then_bug(count: int) -> None:
    die_once(count)
    bug(count)


def refuse(_: int) -> None:
    raise InputError("scan.nii", "is broken", "Mend it")


def exists(*paths: Path) -> Callable[[int], None]:
    def run(_: int) -> None:
        for path in paths:
            assert path.exists()

    return run


def test_needs_are_done_first_and_results_come_in_order(tmp_path: Path, pool: Pool) -> None:
    problem = Problem("sub-01", "is broken")
    tasks = [
        make(tmp_path, "c", "a", "b", run=exists(tmp_path / "a.txt", tmp_path / "b.txt")),
        make(tmp_path, "a"),
        make(tmp_path, "b", "a", run=exists(tmp_path / "a.txt"), problems=[problem]),
    ]
    results, log, notes = go(pool, tasks)
    assert [(name, r.state, r.fresh, r.attempts) for name, r in results.items()] == [
        ("a", "done", True, 1), ("b", "done", True, 1), ("c", "done", True, 1),
    ]  # fmt: skip
    assert results["b"].problems == (problem,)
    assert results["c"].task is tasks[0]
    assert log.begun == ["1/3 a", "2/3 b", "3/3 c"]
    assert log.ended == ["1/3 a: done", "2/3 b: done", "3/3 c: done"]
    assert log.reports == [(1, 9, "a"), (1, 9, "b"), (1, 9, "c")]
    assert [note.name for note in notes if isinstance(note, Task)] == ["a", "b", "c"]
    assert [note for note in notes if isinstance(note, Result)] == list(results.values())


def test_two_tasks_overlap_each_in_a_process_of_its_own(tmp_path: Path, pool: Pool) -> None:
    def meet(mine: str, other: str) -> Callable[[int], None]:
        def run(_: int) -> None:
            (tmp_path / mine).write_text(str(os.getpid()))
            end = time.monotonic() + 60
            while not (tmp_path / other).exists():
                assert time.monotonic() < end, "the other one never came"
                time.sleep(0.01)

        return run

    results, log, _ = go(pool, [make(tmp_path, "a", run=meet("A", "B")), make(tmp_path, "b", run=meet("B", "A"))])
    assert {r.error for r in results.values()} == {""}
    assert (tmp_path / "A").read_text() != (tmp_path / "B").read_text()
    assert log.begun == ["1/2 a", "2/2 b"]


def test_what_is_complete_is_not_run_again(tmp_path: Path, pool: Pool) -> None:
    (tmp_path / "a.txt").write_text("there")
    results, log, _ = go(pool, [make(tmp_path, "a"), make(tmp_path, "b", "a")])
    assert [(r.state, r.fresh) for r in results.values()] == [("done", False), ("done", True)]
    assert log.begun == ["2/2 b"]
    assert (tmp_path / "a.txt").read_text() == "there"


def test_a_task_whose_worker_dies_runs_again(tmp_path: Path, pool: Pool) -> None:
    results, log, notes = go(pool, [make(tmp_path, "a", run=die_once), make(tmp_path, "b"), make(tmp_path, "c", "a")])
    assert [(r.state, r.attempts) for r in results.values()] == [("done", 2), ("done", 1), ("done", 1)]
    assert (tmp_path / "a.txt").read_text() == "2"
    assert log.begun.count("1/3 a") == 1
    assert sum(isinstance(note, Task) for note in notes) == 3


def test_three_deaths_are_a_failure_and_block_what_needs_it_and_nothing_else(tmp_path: Path, pool: Pool) -> None:
    tasks = [
        make(tmp_path, "a", run=die),
        make(tmp_path, "b", "a"),
        make(tmp_path, "c", "b"),
        make(tmp_path, "d"),
        make(tmp_path, "e", "d"),
    ]
    results, log, _ = go(pool, tasks)
    assert {name: (r.state, r.attempts) for name, r in results.items()} == {
        "a": ("failed", 3), "b": ("blocked", 1), "c": ("blocked", 1), "d": ("done", 1), "e": ("done", 1),
    }  # fmt: skip
    assert (tmp_path / "a.tries").read_text() == "3"
    assert results["a"].trouble.startswith("its worker process died (tls://127.0.0.1:")
    assert results["a"].trouble.endswith("(tried 3 times)")
    assert results["b"].error == "needs a"
    assert "2/5 b" not in log.begun


@pytest.mark.parametrize(
    ("run", "state", "attempts", "error"),
    [
        (stumble, "done", 3, ""),
        (bug, "failed", 3, "IndexError: a bug"),
        (die_then_bug, "failed", 3, "IndexError: a bug"),
        (refuse, "failed", 1, "scan.nii: is broken. Mend it."),
    ],
)
def test_accidents_are_tried_again_and_what_the_user_has_to_mend_is_not(
    run: Callable[[int], None], state: str, attempts: int, error: str, tmp_path: Path, pool: Pool
) -> None:
    results, _, _ = go(pool, [make(tmp_path, "a", run=run)])
    result = results["a"]
    assert (result.state, result.attempts, result.error) == (state, attempts, error)
    assert (tmp_path / "a.tries").read_text() == str(attempts)
    assert ("in bug" in result.trace) == (run in (bug, die_then_bug))


def test_outputs_that_this_machine_does_not_see_are_a_failure(
    tmp_path: Path, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatch, "SECONDS_UNTIL_SEEN", 0.1)
    output = tmp_path / "a.txt"

    def vanish() -> list[Problem]:  # is called when the outputs were found to be there
        output.unlink()
        return []

    task = Task(kind="a", outputs=(output,), needs=(), run=lambda _: output.touch(), problems=vanish)
    results, _, _ = go(pool, [task])
    assert results["a"].state == "failed"
    assert "Use an --out that all workers share" in results["a"].error


def test_ctrl_c_takes_back_what_was_handed_out(tmp_path: Path, pool: Pool) -> None:
    tasks = [make(tmp_path, "a", run=lambda _: time.sleep(1)), make(tmp_path, "b", "a")]
    with pytest.raises(KeyboardInterrupt):
        execute_on(pool, tasks, watcher=Log(stop="a"), note=lambda _: None)
    end = time.monotonic() + 30
    while any(pool.client.processing().values()):
        assert time.monotonic() < end
        time.sleep(0.05)
    assert not (tmp_path / "b.txt").exists()


def test_a_worker_leaves_ctrl_c_to_the_driver(tmp_path: Path, pool: Pool) -> None:
    def interrupt(_: int) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.2)

    results, _, _ = go(pool, [make(tmp_path, "a", run=interrupt)])
    assert (results["a"].state, results["a"].attempts) == ("done", 1)


def test_a_worker_makes_no_folder_anew_that_is_gone(tmp_path: Path, pool: Pool) -> None:
    folder = tmp_path / "run"
    folder.mkdir()

    def work(_: int) -> None:
        folder.rename(tmp_path / "elsewhere")
        write_text(folder / "a.txt", "")

    with staying(folder):
        results, _, _ = go(pool, [make(tmp_path, "a", run=work)])
    assert "was moved or deleted while it was written to" in (results["a"].error or "")
    assert not folder.exists()


def test_workers_have_the_threads_they_are_given(tmp_path: Path, pool: Pool) -> None:
    def count(_: int) -> None:
        (tmp_path / "threads").write_text(str(torch.get_num_threads()))

    for threads in (3, 1):
        go(Pool(pool.client, threads), [make(tmp_path, f"a{threads}", run=count)])
        assert (tmp_path / "threads").read_text() == str(threads)


def test_a_scheduler_of_the_users_is_used_and_left_running(tmp_path: Path) -> None:
    with LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None) as own:
        for name in ("a", "b"):
            with open_pool(own.scheduler_address) as pool:
                assert go(pool, [make(tmp_path, name, run=die_once)])[0][name].state == "done"


def test_a_scheduler_with_keys_that_nobody_gave_is_refused(pool: Pool) -> None:
    words = "it speaks TLS, and there are no certificates for it"
    with pytest.raises(InputError, match=words), open_pool(pool.client.scheduler.address):
        pass


def test_workers_that_are_gone_for_good_are_replaced_whenever_they_went(tmp_path: Path) -> None:
    class Retiring(Log):
        def begin(self, task: Task, number: int, total: int) -> Progress:
            pool.client.retire_workers()
            return super().begin(task, number, total)

    with open_pool("local", workers=1) as pool:
        pool.client.retire_workers()
        results = execute_on(pool, [make(tmp_path, "a")], watcher=Retiring(), note=lambda _: None)
    assert [result.state for result in results] == ["done"]


def test_a_run_without_workers_is_given_up(tmp_path: Path) -> None:
    from distributed import Client

    with (
        LocalCluster(n_workers=0, dashboard_address=None, scheduler_kwargs={"dashboard_address": ":0"}) as nobody,
        Client(nobody) as client,
        pytest.raises(InputError, match="no worker is left"),
    ):
        go(Pool(client, None, patience=0.0), [make(tmp_path, "a")])


def test_a_worker_of_several_threads_is_refused(tmp_path: Path) -> None:
    from distributed import LocalCluster

    with (
        LocalCluster(
            n_workers=1, threads_per_worker=2, dashboard_address=None, scheduler_kwargs={"dashboard_address": ":0"}
        ) as threads,
        open_pool(threads.scheduler.address) as wrong,
        pytest.raises(InputError, match=r"runs 2 tasks at once.*--nthreads 1"),
    ):
        go(wrong, [make(tmp_path, "a")])
    assert not (tmp_path / "a.txt").exists()


def test_the_tasks_of_a_study_go_to_another_process_whole(undisturbed: Path) -> None:
    tasks = study_tasks(Plan(read_spec(TINY), RunFolder(undisturbed)))
    script = "import cloudpickle, sys; print([t.complete for t in cloudpickle.load(sys.stdin.buffer)])"
    done = subprocess.run([sys.executable, "-c", script], input=cloudpickle.dumps(tasks), capture_output=True)
    assert done.stdout.decode().strip() == str([True] * len(tasks)), done.stderr


@pytest.fixture
def start() -> Iterator[Callable[[Path], subprocess.Popen[str]]]:
    """Start a driver in a process of its own."""
    with ExitStack() as stack:

        def call(out: Path) -> subprocess.Popen[str]:
            command = [sys.executable, "-W", "error", "-c", RUN, str(TINY), str(out), str(torch.get_num_threads())]
            driver = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            stack.enter_context(driver)
            stack.callback(driver.kill)
            return driver

        yield call


def wait_for(driver: subprocess.Popen[str], words: str) -> str:
    """Read what a driver prints up to a line that starts with these words; return that line."""
    assert driver.stdout is not None
    shown = []
    for line in driver.stdout:
        shown.append(line)
        if line.startswith(words):
            return line
    raise AssertionError("".join(shown))


def workers_of(driver: subprocess.Popen[str]) -> list[psutil.Process]:
    children = psutil.Process(driver.pid).children(recursive=True)
    return [child for child in children if "spawn_main" in " ".join(child.cmdline())]


@pytest.mark.slow
def test_a_study_on_two_workers_ends_with_the_same_files_after_kills_of_all_sorts(
    tmp_path: Path, undisturbed: Path, start: Callable[[Path], subprocess.Popen[str]]
) -> None:
    out = tmp_path / "run"
    driver = start(out)
    wait_for(driver, "begin train/pretraining")
    time.sleep(0.5)
    workers = workers_of(driver)
    assert len(workers) == 2
    for worker in workers:
        worker.kill()
    assert wait_for(driver, "end train/pretraining").endswith(" done 2\n")
    workers = workers_of(driver)
    assert len(workers) == 2
    driver.kill()
    assert not psutil.wait_procs(workers, timeout=30)[1]

    driver = start(out)
    wait_for(driver, "begin train/finetuned")
    workers = workers_of(driver)
    driver.send_signal(signal.SIGINT)
    assert "KeyboardInterrupt" in driver.communicate(timeout=60)[0]
    assert not psutil.wait_procs(workers, timeout=30)[1]
    assert read_json(out / "record.json")["state"] == "interrupted"

    driver = start(out)
    shown = driver.communicate(timeout=300)[0]
    assert driver.returncode == 0, shown
    assert "begin train/pretraining" not in shown
    assert numbers(out) == numbers(undisturbed)
    assert read_json(out / "record.json")["tasks"]["train/pretraining/trial-00"]["attempts"] == 2
    assert not [path for path in out.rglob(".*") if path.name != ".lock"]
