"""The task graph: order, completeness, failure and its borders."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid.engine.tasks import Problem, Result, Task, execute, ordered
from pellucid.ground.errors import InputError
from pellucid.ground.progress import Progress


class Log:
    """A watcher that remembers."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.ended: list[tuple[str, str, bool]] = []
        self.reports: list[tuple[int, int, str]] = []

    def begin(self, task: Task, number: int, total: int) -> Progress:
        self.begun.append(f"{number}/{total} {task.name}")
        return lambda done, of, what: self.reports.append((done, of, what))

    def end(self, result: Result, number: int, total: int) -> None:
        self.ended.append((result.task.name, result.state, result.fresh))


def make(
    root: Path,
    name: str,
    *needs: str,
    run: Callable[[], None] | None = None,
    problems: list[Problem] | None = None,
    parts: tuple[tuple[str, ...], ...] = (),
) -> Task:
    output = root / f"{name}.txt"

    def work(progress: Progress) -> None:
        progress(1, 2, name)
        if run:
            run()
        output.write_text(name)

    said = (lambda: problems) if problems else None
    return Task(kind=name, outputs=(output,), needs=needs, run=work, problems=said, parts=parts)


def go(tasks: list[Task]) -> tuple[list[Result], Log, list[Task | Result]]:
    log, notes = Log(), []
    return execute(tasks, watcher=log, note=notes.append), log, notes


def fail() -> None:
    raise InputError("scan.nii", "is broken", "Mend it")


def bug() -> None:
    raise IndexError("a bug")


@given(
    st.integers(1, 8).flatmap(
        lambda n: st.tuples(
            st.permutations(range(n)),
            st.lists(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)), max_size=12),
        )
    )
)
def test_every_task_comes_after_what_it_needs(case: tuple[list[int], list[tuple[int, int]]]) -> None:
    order, pairs = case
    # A need always points to a smaller number, so there is no circle.
    needs = {n: {min(p) for p in pairs if max(p) == n and p[0] != p[1]} for n in order}
    tasks = [
        Task(kind=str(n), outputs=(Path(str(n)),), needs=tuple(map(str, needs[n])), run=lambda _: None) for n in order
    ]
    found = [int(task.name) for task in ordered(tasks)]
    assert sorted(found) == sorted(order)
    assert all(found.index(need) < found.index(n) for n in order for need in needs[n])


@pytest.mark.parametrize(
    ("tasks", "words"),
    [
        ([("a", ("b",)), ("b", ("a",))], "a circle of tasks: a > b > a"),
        ([("a", ("c",))], "a needs c, which is no task"),
        ([("a", ()), ("a", ())], "share a name or an output"),
    ],
)
def test_an_impossible_graph_is_refused(tasks: list[tuple[str, tuple[str, ...]]], words: str) -> None:
    listed = [
        Task(kind=name, outputs=(Path(f"{name}{n}"),), needs=needs, run=lambda _: None)
        for n, (name, needs) in enumerate(tasks)
    ]
    with pytest.raises(ValueError, match=words):
        ordered(listed)


def test_two_tasks_may_not_write_one_file(tmp_path: Path) -> None:
    first, second = make(tmp_path, "a"), make(tmp_path, "b")
    with pytest.raises(ValueError, match="share a name or an output"):
        ordered([first, Task(kind="b", outputs=first.outputs, needs=(), run=second.run)])


def test_what_is_complete_is_not_run_again(tmp_path: Path) -> None:
    runs: list[str] = []
    tasks = [make(tmp_path, "a", run=lambda: runs.append("a")), make(tmp_path, "b", "a", run=lambda: runs.append("b"))]
    (tmp_path / "a.txt").write_text("there")
    results, log, _ = go(tasks)
    assert runs == ["b"]
    assert log.begun == ["2/2 b"]
    assert log.reports == [(1, 2, "b")]
    assert [(r.state, r.fresh) for r in results] == [("done", False), ("done", True)]
    assert (tmp_path / "a.txt").read_text() == "there"


def test_a_missing_output_makes_a_task_run_again(tmp_path: Path) -> None:
    tasks = [make(tmp_path, "a")]
    go(tasks)
    (tmp_path / "a.txt").unlink()
    assert [r.fresh for r in go(tasks)[0]] == [True]


def test_a_full_disk_is_an_error_of_the_user_s_and_not_tried_again(tmp_path: Path) -> None:
    tries: list[int] = []

    def full() -> None:
        tries.append(1)
        raise OSError(errno.ENOSPC, "No space left on device", str(tmp_path / "a.txt"))

    (result,), _, _ = go([make(tmp_path, "a", run=full)])
    assert len(tries) == 1
    assert (result.state, result.trace) == ("failed", "")
    assert result.error.startswith(f"{tmp_path / 'a.txt'}: the disk is full. Free some space")


def test_a_failure_blocks_what_needs_it_and_nothing_else(tmp_path: Path) -> None:
    tasks = [
        make(tmp_path, "a", run=fail),
        make(tmp_path, "b", "a"),
        make(tmp_path, "c", "b"),
        make(tmp_path, "d"),
        make(tmp_path, "e", run=bug),
    ]
    results, log, notes = go(tasks)
    assert [(r.task.name, r.state) for r in results] == [
        ("a", "failed"),
        ("b", "blocked"),
        ("c", "blocked"),
        ("d", "done"),
        ("e", "failed"),
    ]
    assert results[0].error == "scan.nii: is broken. Mend it."
    assert results[0].trace == ""
    assert results[1].error == "needs a"
    assert results[4].error == "IndexError: a bug"
    assert "in bug" in results[4].trace
    assert [name for name, _, _ in log.ended] == ["a", "b", "c", "d", "e"]
    assert [note.name if isinstance(note, Task) else note.state for note in notes] == [
        "a", "failed", "blocked", "blocked", "d", "done", "e", "failed",
    ]  # fmt: skip


def test_what_could_not_be_made_costs_a_table_its_part_and_no_more(tmp_path: Path) -> None:
    def tasks(run: Callable[[], None] | None) -> list[Task]:
        return [
            make(tmp_path, "table", parts=(("a",), ("b", "c"))),
            make(tmp_path, "figure", "table"),
            make(tmp_path, "a"),
            make(tmp_path, "b"),
            make(tmp_path, "c", run=run),
            make(tmp_path, "lone", parts=(("c",),)),
        ]

    first = {r.task.name: r for r in go(tasks(fail))[0]}
    assert list(first) == ["a", "b", "c", "table", "figure", "lone"]
    assert {name: r.state for name, r in first.items() if r.state != "done"} == {"c": "failed", "lone": "blocked"}
    assert first["lone"].error == "needs c"

    again = {r.task.name: (r.state, r.fresh) for r in go(tasks(None))[0]}
    assert again == {
        "a": ("done", False), "b": ("done", False), "c": ("done", True),
        "table": ("done", True), "figure": ("done", True), "lone": ("done", True),
    }  # fmt: skip
    assert not any(r.fresh for r in go(tasks(None))[0])


def test_outputs_that_lack_a_part_are_gone_before_the_part_is_made(tmp_path: Path) -> None:
    """Killed between the two, a run would else take a table without an arm for a complete one."""

    def dies() -> None:
        assert not (tmp_path / "table.txt").exists()
        raise KeyboardInterrupt

    tasks = [make(tmp_path, "table", parts=(("a",), ("b",))), make(tmp_path, "a"), make(tmp_path, "b", run=fail)]
    go(tasks)
    assert (tmp_path / "table.txt").exists()
    tasks[2] = make(tmp_path, "b", run=dies)
    with pytest.raises(KeyboardInterrupt):
        go(tasks)
    assert not (tmp_path / "table.txt").exists()


def test_a_task_that_writes_nothing_has_failed(tmp_path: Path) -> None:
    task = Task(kind="a", outputs=(tmp_path / "a",), needs=(), run=lambda _: None)
    (result,) = go([task])[0]
    assert result.state == "failed"
    assert "ended without writing" in result.error


def test_problems_outlive_the_run_that_found_them(tmp_path: Path) -> None:
    problem = Problem("sub-01", "is broken")
    tasks = [make(tmp_path, "a", problems=[problem])]
    for fresh in (True, False):
        (result,) = go(tasks)[0]
        assert result.problems == (problem,)
        assert result.fresh is fresh


@pytest.mark.parametrize(
    ("failures", "raised", "state", "attempts", "trouble"),
    [
        (0, bug, "done", 1, ""),
        (2, bug, "done", 3, " (tried 3 times)"),
        (9, bug, "failed", 3, "IndexError: a bug (tried 3 times)"),
        (9, fail, "failed", 1, "scan.nii: is broken. Mend it."),
    ],
)
def test_accidents_are_tried_again_and_what_the_user_has_to_mend_is_not(
    failures: int, raised: Callable[[], None], state: str, attempts: int, trouble: str, tmp_path: Path
) -> None:
    tries: list[int] = []

    def run() -> None:
        tries.append(1)
        if len(tries) <= failures:
            raised()

    (result,), log, notes = go([make(tmp_path, "a", run=run)])
    assert (result.state, result.attempts, result.trouble) == (state, attempts, trouble)
    assert len(tries) == attempts
    assert log.begun == ["1/1 a"]
    assert notes[1:] == [result]
