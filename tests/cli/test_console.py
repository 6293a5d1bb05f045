"""What is printed: tables and progress."""

from __future__ import annotations

import io
import sys
import time

import pytest
from rich.console import Console

from pellucid.cli import console
from pellucid.engine.tasks import Problem, Result, Task


def test_a_wide_table_is_not_cut_in_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    name = "a_rather_long_file_name_as_they_are_in_bids_datasets_with_many_entities_relevance.nii.gz"
    console.show_table(("scan", "one", "two"), [(name, "1.0", "n/a")])
    shown = capsys.readouterr().out
    assert name in shown
    assert len(shown.splitlines()) == 2


def task(name: str) -> Task:
    return Task(kind=name, outputs=(), needs=(), run=lambda _: None)


def test_plain_lines_tell_what_happened(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console, "SECONDS_BETWEEN_LINES", 0.0)
    with console.Bars() as bars:
        report = bars.begin(task("train/a"), 1, 4)
        report(3, 10, "epoch [1]")
        bars.end(Result(task=task("train/a"), state="done", fresh=True, seconds=2.0), 1, 4)
        bars.end(Result(task=task("train/b"), state="done", fresh=False), 2, 4)
        bars.begin(task("train/c"), 3, 4)
        problem = Problem("sub-01", "is [broken]")
        bars.end(Result(task=task("train/c"), state="failed", fresh=True, error="no", problems=(problem,)), 3, 4)
        bars.end(Result(task=task("train/d"), state="blocked", fresh=False, error="needs train/c"), 4, 4)
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.splitlines() == [
        "[1/4] train/a ...",
        "[1/4] train/a: 3/10 epoch [1]",
        "[1/4] train/a: done in 2.0 s",
        "[2/4] train/b: there already",
        "[3/4] train/c ...",
        "[3/4] train/c: failed: no",
        "  excluded: sub-01: is [broken]",
        "[4/4] train/d: blocked: needs train/c",
    ]


def test_a_terminal_gets_bars(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    terminal = Console(file=stream, force_terminal=True, width=120, highlight=False)
    monkeypatch.setattr(console, "errors", lambda: terminal)
    with console.Bars() as bars:
        report = bars.begin(task("train/a"), 1, 2)
        report(3, 10, "epoch [1]")
        time.sleep(0.3)  # bars are drawn ten times a second
        bars.end(Result(task=task("train/a"), state="done", fresh=True, seconds=2.0), 1, 2)
        with bars.step("report"):
            pass
    shown = stream.getvalue()
    assert "[1/2] train/a" in shown
    assert "3/10" in shown
    assert "epoch [1]" in shown
    assert "done in 2.0 s" in shown
    assert "report" in shown


def test_tasks_that_run_at_once_have_a_bar_each(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(
        console, "errors", lambda: Console(file=stream, force_terminal=True, width=120, highlight=False)
    )
    with console.Bars() as bars:
        first, second = bars.begin(task("train/a"), 1, 3), bars.begin(task("train/b"), 2, 3)
        first(3, 10, "")
        second(4, 10, "")
        bars.end(Result(task=task("train/a"), state="failed", fresh=True, error="no", attempts=3), 1, 3)
        stream.truncate(0)
        second(5, 10, "")
        time.sleep(0.3)  # bars are drawn ten times a second
        alone = stream.getvalue()
        bars.end(Result(task=task("train/b"), state="done", fresh=True, seconds=2.0), 2, 3)
        bars.end(Result(task=task("train/c"), state="done", fresh=False), 3, 3)
    assert "[2/3] train/b" in alone
    assert "5/10" in alone
    assert "3/10" not in alone
    assert "there already" in stream.getvalue()


def test_a_failure_tells_how_often_it_was_tried(capsys: pytest.CaptureFixture[str]) -> None:
    with console.Bars() as bars:
        bars.end(Result(task=task("a"), state="failed", fresh=True, error="no", attempts=3), 1, 1)
    assert capsys.readouterr().err == "[1/1] a: failed: no (tried 3 times)\n"


NAMES = ["scan[bold].nii", "a\x1b[2Jb.nii", "\udcff.nii", "[/MS]", ":smile:", "a\u202eb.nii", "a\rb.nii"]
SEEN = ["scan[bold].nii", r"a\x1b[2Jb.nii", r"\udcff.nii", "[/MS]", ":smile:", r"a\u202eb.nii", r"a\rb.nii"]


@pytest.mark.parametrize(("name", "seen"), list(zip(NAMES, SEEN, strict=True)))
def test_names_are_printed_as_they_are_and_move_no_cursor(
    name: str, seen: str, capsys: pytest.CaptureFixture[str]
) -> None:
    console.say(name)
    console.warn(name)
    console.note(name)
    console.show_table((name, "x"), [(name, name)])
    with console.Bars() as bars:
        bars.end(Result(task=task(name), state="failed", fresh=True, error=name, problems=(Problem(name, name),)), 1, 1)
    printed = capsys.readouterr()
    assert printed.out.splitlines()[0] == seen
    assert printed.err.splitlines()[:2] == [seen, seen]
    assert printed.out.count(seen) == 4
    assert printed.err.count(seen) == 6
    assert "\x1b" not in printed.out + printed.err


def test_a_terminal_s_bars_show_names_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    terminal = Console(file=stream, force_terminal=True, width=200, highlight=False)
    monkeypatch.setattr(console, "errors", lambda: terminal)
    with console.Bars() as bars, bars.step("a[bold]\x1b[2J") as report:
        report(1, 2, "[/MS]\x1b[2J")
        time.sleep(0.3)  # bars are drawn ten times a second
    assert r"a[bold]\x1b[2J" in stream.getvalue()
    assert r"[/MS]\x1b[2J" in stream.getvalue()
    assert "\x1b[2J" not in stream.getvalue().replace(r"\x1b[2J", "")


@pytest.mark.parametrize("encoding", ["latin-1", "ascii"])
def test_a_stream_without_the_letters_gets_them_escaped(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding=encoding))
    console.take_any_text()
    console.say("数.nii")
    assert written.getvalue() == b"\\u6570.nii\n"


def test_remarks_are_not_people_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    problems = (Problem("sub-01", "no group"), Problem("sub-02", "blanks were trimmed", left_out=False))
    with console.Bars() as bars:
        bars.end(Result(task=task("store"), state="done", fresh=True, problems=problems), 1, 1)
    assert capsys.readouterr().err.splitlines()[1:] == [
        "  excluded: sub-01: no group",
        "  remark: sub-02: blanks were trimmed",
    ]
