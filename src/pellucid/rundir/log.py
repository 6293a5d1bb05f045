"""What record.json says, for whoever reads it: each time that the run went on, and what became of each task."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pellucid.engine.tasks import Problem
from pellucid.ground.errors import InputError
from pellucid.ground.shapes import misfit

_MESSAGES = [{"subject": str, "message": str}]
_SHAPE = {
    "study?": str,
    "seed?": int,
    "state?": str,
    "remarks?": [str],
    "runs?": [{"started?": str, "finished?": str, "code?": dict, "environment?": {"packages?": dict, "gpus?": [str]}}],
    "tasks?": {
        str: {
            "state": str,
            "seconds?": float,
            "attempts?": int,
            "error?": str,
            "problems?": _MESSAGES,
            "remarks?": _MESSAGES,
        }
    },
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskLog:
    """What became of a task: its state, how long it took and how often it was tried, and what it said."""

    state: str
    seconds: float | None = None
    attempts: int = 1
    error: str | None = None
    messages: tuple[Problem, ...] = ()
    """Who was left out of it and why, and remarks on the others."""

    @property
    def tried(self) -> str:
        """How often it was tried, if more than once, to be put behind its state."""
        return f", tried {self.attempts} times" if self.attempts > 1 else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """One time that the run was begun or went on: when, on which machine, with whose code."""

    started: str | None = None
    finished: str | None = None
    environment: Mapping[str, Any]
    """What `record.environment` says; empty if it is not known."""
    code: Mapping[str, str | None]
    """SHA-256 of the files of networks, methods, rules and plugins of the user's own, by import path."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """The record of a run; what it does not say is None or empty."""

    study: str | None = None
    seed: int | None = None
    remarks: tuple[str, ...] = ()
    starts: tuple[Start, ...] = ()
    tasks: Mapping[str, TaskLog]

    @property
    def environment(self) -> Mapping[str, Any]:
        """The machine and what was installed on it when the run last went on; empty if it is not known."""
        return self.starts[-1].environment if self.starts else {}


def log_of(content: Mapping[str, Any], path: Path) -> Log:
    """Return what the content of record.json at `path` says; InputError if a part of it is of another kind."""
    wrong = misfit(content, _SHAPE)
    if wrong:
        raise InputError(path, f"the file is not a record of a run: {wrong}", "Restore it")
    starts = [
        Start(
            started=one.get("started"),
            finished=one.get("finished"),
            environment=one.get("environment") or {},
            code=one.get("code") or {},
        )
        for one in content.get("runs") or ()
    ]
    tasks = {name: _task(entry) for name, entry in (content.get("tasks") or {}).items()}
    return Log(
        study=content.get("study"),
        seed=content.get("seed"),
        remarks=tuple(content.get("remarks") or ()),
        starts=tuple(starts),
        tasks=tasks,
    )


def _task(entry: Mapping[str, Any]) -> TaskLog:
    messages = [
        Problem(one["subject"], one["message"], left_out=key == "problems")
        for key in ("problems", "remarks")
        for one in entry.get(key) or ()
    ]
    return TaskLog(
        state=entry["state"],
        seconds=entry.get("seconds"),
        attempts=entry.get("attempts") or 1,
        error=entry.get("error"),
        messages=tuple(messages),
    )
