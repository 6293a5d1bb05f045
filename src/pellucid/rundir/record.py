"""The record of a run: what ran, with what, on what, how long, and what became of each task."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pellucid.engine.energy import Energy
from pellucid.engine.tasks import Result, Task
from pellucid.ground.errors import InputError
from pellucid.ground.files import sha256, write_json
from pellucid.ground.machine import environment
from pellucid.rundir.outputs import CHECKSUM, Damage, Stamp, checksum, damages, read_record, stamps_of

_AGAIN = "The same command makes it again"

SECONDS_BETWEEN_CHECKS = 60.0
"""What a task left is not looked at again within this time, however many tasks read it."""


class Record:
    """The content of record.json, written anew, atomically, after each task.

    Whether a task is complete its outputs say; whether they are still what it left, the record does: it keeps size,
    time of change and SHA-256 of every file that a task left. Hashes of the input images stand in the stores' tables.

    Parameters
    ----------
    path
        RUN/record.json; what it holds already is kept.
    study, seed
        Name and seed of the study.
    """

    def __init__(self, path: Path, *, study: str, seed: int) -> None:
        self._path = path
        self._root = path.parent
        self._energy = Energy()
        self._stamps: dict[str, dict[Path, Stamp]] = {}
        self._checked: dict[str, float] = {}
        known: dict[str, Any] = read_record(path) if path.exists() else {}
        self._content: dict[str, Any] = {
            "study": study,
            "seed": seed,
            "spec_sha256": sha256(self._root / "study.toml"),
            "threads": known.get("threads"),
            "state": "running",
            "runs": known.get("runs", []),
            "tasks": known.get("tasks", {}),
        }

    @property
    def threads(self) -> int | None:
        """The number of threads that each process of the run computes on, fixed when it begins; None if it is not."""
        known = self._content["threads"]
        return known if isinstance(known, int) and known > 0 else None

    @property
    def code(self) -> Mapping[str, str | None]:
        """The SHA-256 of each file of the user's own code when the run last used it, by import path."""
        return {name: digest for one in self._content["runs"] for name, digest in (one.get("code") or {}).items()}

    def fix_threads(self, threads: int | None) -> None:
        """Fix that number."""
        self._content["threads"] = threads

    def stamps(self, name: str) -> dict[Path, Stamp] | None:
        """Return the files that the task of a name left when it was last done; None if that is not known."""
        if name not in self._stamps:
            found = stamps_of(self._content["tasks"].get(name, {}), self._root)
            if found is None:
                return None
            self._stamps[name] = found
        return self._stamps[name]

    def damaged(self, tasks: Sequence[Task]) -> dict[str, list[Damage]]:
        """Return what of the complete tasks is not as they left it, by their names.

        Files that were touched and hold what they held, as after a copy, are noted with their new times.
        """
        found = {}
        for task in tasks:
            stamps = self.stamps(task.name)
            if stamps is None or self._content["tasks"][task.name]["state"] != "done":
                continue
            bad = damages(stamps)
            if bad:
                found[task.name] = bad
            elif any(path.stat().st_mtime_ns != stamp.modified for path, stamp in stamps.items()):
                touched = {path: replace(stamp, modified=path.stat().st_mtime_ns) for path, stamp in stamps.items()}
                self._set(task.name, touched)
            self._checked[task.name] = time.monotonic()
        return found

    def unknown(self, tasks: Sequence[Task]) -> list[str]:
        """Return the names of the complete tasks of whose outputs there is no word, so that they are believed."""
        return [task.name for task in tasks if task.complete and self.stamps(task.name) is None]

    def check(self, tasks: Mapping[str, Task], task: Task) -> None:
        """Refuse to run a task if what it reads, from whichever task, is not as that left it.

        Raises
        ------
        InputError
            Names the file.
        """
        for name in _before(task, tasks):
            stamps, now_ = self.stamps(name), time.monotonic()
            if stamps is None or now_ - self._checked.get(name, -SECONDS_BETWEEN_CHECKS) < SECONDS_BETWEEN_CHECKS:
                continue
            for bad in damages(stamps, quick=True) if tasks[name].complete else ():
                raise InputError(bad.path, f"{bad.what}: it was changed after {name} had made it", _AGAIN)
            self._checked[name] = now_

    def begin(
        self,
        command: list[str],
        *,
        code: Mapping[str, str | None] | None = None,
        tasks: Sequence[str] | None = None,
        extended: Sequence[str] = (),
        damaged: Sequence[str] = (),
        remarks: Sequence[str] = (),
    ) -> None:
        """Note that a run starts: when, by what command, with what versions, on what machine.

        Parameters
        ----------
        command
            What the user typed.
        code
            The SHA-256 of the files of networks, methods, rules and plugins of the user's own, by import path.
        tasks
            Names of the study's tasks: what is known of others, of an earlier specification, is dropped.
        extended
            In which keys the specification differs from the one that went on until now.
        damaged
            What was found that was not as the run had left it, and is made again.
        remarks
            What the study does without, and why.
        """
        entry: dict[str, Any] = {"started": now(), "command": command, "environment": environment()}
        entry |= {"code": dict(code)} if code else {}
        entry |= {"extended": list(extended)} if extended else {}
        entry |= {"damaged": list(damaged)} if damaged else {}
        self._content["runs"].append(entry)
        self._content["remarks"] = list(remarks)
        if tasks is not None:
            known = self._content["tasks"]
            self._content["tasks"] = {name: known[name] for name in tasks if name in known}
        self._write()

    def note(self, event: Task | Result) -> bool:
        """Note that a task starts, or what became of it; tell whether its outputs are others than it left before."""
        tasks, changed = self._content["tasks"], False
        if isinstance(event, Task):
            before = tasks.get(event.name, {}).get("outputs")
            tasks[event.name] = {"state": "running", "started": now(), **({"outputs": before} if before else {})}
        elif event.fresh or event.state == "blocked" or tasks.get(event.task.name, {}).get("state") != "done":
            name = event.task.name
            earlier = self.stamps(name)
            entry = {"state": event.state, "started": tasks.get(name, {}).get("started", now())}
            entry["finished"] = now()
            if event.fresh:
                entry["seconds"] = round(event.seconds, 3)
            if event.threads is not None:
                entry["threads"] = event.threads
            if event.attempts > 1:
                entry["attempts"] = event.attempts
            if event.error:
                entry["error"] = event.error
            if event.trace:
                entry["traceback"] = event.trace
            for kind, left_out in (("problems", True), ("remarks", False)):
                said = [{"subject": p.subject, "message": p.message} for p in event.problems if p.left_out == left_out]
                entry |= {kind: said} if said else {}
            if earlier is not None:  # of a task that did not end too: what it makes later is compared with it
                entry["outputs"] = tasks[name]["outputs"]
            tasks[name] = entry
            if event.state == "done":
                self._set(name, {path: Stamp.of(path) for path in event.task.files()})
                changed = earlier is None or _contents(earlier, event.task) != _contents(self._stamps[name], event.task)
            self._energy.used()  # before its counters start again
        self._write()
        return changed

    def end(self, state: str) -> None:
        """Note that the run has ended: `done`, `incomplete` or `interrupted`."""
        self._content["runs"][-1] |= {"finished": now()} | self._energy.entry()
        self._content["state"] = state
        self._write()

    def _set(self, name: str, stamps: dict[Path, Stamp]) -> None:
        self._stamps[name] = stamps
        self._checked[name] = time.monotonic()
        listed = {path.relative_to(self._root).as_posix(): stamp.to_json() for path, stamp in stamps.items()}
        self._content["tasks"][name]["outputs"] = listed

    def _write(self) -> None:
        write_json(self._path, self._content | {CHECKSUM: checksum(self._content)})


def _contents(stamps: Mapping[Path, Stamp], task: Task) -> dict[Path, str]:
    """Return the digests of a task's files but of those that say how long it took."""
    return {path: stamp.sha256 for path, stamp in stamps.items() if path.name not in task.timed}


def _before(task: Task, tasks: Mapping[str, Task]) -> list[str]:
    """Return the names of all tasks that come before one, however far."""
    found: dict[str, None] = {}
    waiting = [*task.waits_for]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = None
            waiting += tasks[name].waits_for
    return list(found)


def now() -> str:
    """Return the time in UTC, to the second: `2026-11-23T07:10:00Z`."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
