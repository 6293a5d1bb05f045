"""What the verbs print: results on the output, progress and trouble on the error stream."""

from __future__ import annotations

import io
import os
import signal
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as RichProgress
from rich.table import Table
from rich.text import Text

from pellucid.ground.numbers import duration
from pellucid.ground.processes import Stopped
from pellucid.ground.progress import Progress
from pellucid.ground.words import printable

if TYPE_CHECKING:
    from pellucid.engine.tasks import Result, Task

SECONDS_BETWEEN_LINES = 10.0  # a log that is read later needs a sign of life, not every step


PLAIN_WIDTH = 160  # a file has no width of its own


class _Steady(Console):
    """A console that nobody may be listening to: once its reader has gone (`| head`), it prints into nothing."""

    def on_broken_pipe(self) -> None:
        """Lead what is still to be printed nowhere: the work is done, and its exit code says how it went."""
        with suppress(OSError, ValueError, AttributeError):  # a stream in memory has no number
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.file.fileno())
            os.close(nowhere)


def take_any_text() -> None:
    """Let the streams print what their encoding has no letters for, escaped, such as a name in ASCII's terminal."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def output() -> Console:
    """Return the console of results; one a call, so that a redirected stream is the one in force."""
    return _Steady(highlight=False, soft_wrap=True)


def errors() -> Console:
    """Return the console of progress and trouble."""
    return _Steady(stderr=True, highlight=False, soft_wrap=True)


def say(text: str, *, style: str | None = None) -> None:
    """Print results; whatever comes from a file or its name is seen as it is, and moves no cursor."""
    output().print(_shown(text), style=style, markup=False, emoji=False)


def warn(text: str) -> None:
    """Print trouble in red, as `say` does."""
    errors().print(_shown(text), style="bold red", markup=False, emoji=False)


def note(text: str) -> None:
    """Print on the error stream what is worth a word and no trouble, as `say` does."""
    errors().print(_shown(text), style="yellow", markup=False, emoji=False)


def _shown(text: str) -> str:
    return "\n".join(map(printable, text.split("\n")))


def code_of(stop: KeyboardInterrupt) -> int:
    """Return the exit code of a command that was stopped, as a shell reports it: 130 by Ctrl-C, 143 by SIGTERM."""
    return 128 + (stop.number if isinstance(stop, Stopped) else signal.SIGINT)


def mark(remarks: Mapping[Path, str | None]) -> None:
    """Print what is odd about each scan, in red."""
    for path, remark in remarks.items():
        if remark:
            say(f"{path.name}: {remark}", style="bold red")


def written(paths: Iterable[Path]) -> None:
    """Print where results are."""
    for path in paths:
        say(f"written: {printable(str(path))}")


def show_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table; the first column is left, the others right. Cells are no markup."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for place, column in enumerate(columns):
        table.add_column(Text(printable(column)), justify="right" if place else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    console = output()
    if not console.is_terminal:
        console.width = PLAIN_WIDTH
    console.print(table)


class Bars:
    """A bar for all that runs on a terminal, plain lines elsewhere. Watches a study's tasks, or one loop by `step`."""

    def __init__(self) -> None:
        self._console = errors()
        self._progress: RichProgress | None = None
        self._bars: dict[str, TaskID] = {}  # by label; several where tasks run at once

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            label, what = (TextColumn(text, markup=False) for text in ("{task.description}", "{task.fields[what]}"))
            columns = (label, BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), what)
            self._progress = RichProgress(*columns, console=self._console)
            self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._progress:
            self._progress.stop()

    @contextmanager
    def step(self, label: str) -> Iterator[Progress]:
        """Show one step from its start to its end; yields what to call as it goes."""
        start = time.perf_counter()
        yield self._open(label)
        self._close(label, f"done in {duration(time.perf_counter() - start)}")

    def begin(self, task: Task, number: int, total: int) -> Progress:
        """Show that a task of a study starts."""
        return self._open(f"[{number}/{total}] {task.name}")

    def end(self, result: Result, number: int, total: int) -> None:
        """Show what became of a task."""
        label = f"[{number}/{total}] {result.task.name}"
        if result.state != "done":
            self._close(label, f"{result.state}: {result.trouble}", style="bold red")
        else:
            self._close(label, f"done in {duration(result.seconds)}" if result.fresh else "there already")
        for problem in result.problems:
            kind, style = ("excluded", "red") if problem.left_out else ("remark", "yellow")
            self._print(f"  {kind}: {problem.subject}: {problem.message}", style=style)

    def _open(self, label: str) -> Progress:
        """Show that something starts; return what to call as it goes."""
        progress = self._progress
        if progress is None:
            return self._open_lines(label)
        # Bars of what runs now only: a terminal shows no more rows than it has, and would hide those that move.
        self._bars[label] = bar = progress.add_task(printable(label), total=None, what="")

        def report(done: int, total: int, what: str) -> None:
            progress.update(bar, completed=done, total=total, what=printable(what))

        return report

    def _open_lines(self, label: str) -> Progress:
        self._print(f"{label} ...")
        last = time.monotonic()

        def report(done: int, total: int, what: str) -> None:
            nonlocal last
            if time.monotonic() - last >= SECONDS_BETWEEN_LINES:
                last = time.monotonic()
                self._print(f"{label}: {done}/{total} {what}".rstrip())

        return report

    def _close(self, label: str, text: str, *, style: str | None = None) -> None:
        """Take the bar away, if there is one, and leave a line in its place."""
        if self._progress and label in self._bars:
            self._progress.remove_task(self._bars.pop(label))
        self._print(f"{label}: {text}", style=style)

    def _print(self, text: str, *, style: str | None = None) -> None:
        self._console.print(_shown(text), style=style, markup=False, emoji=False)
