"""What is left to do of a study: disk and memory by the shapes of its arrays, time by what like tasks took before."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from pellucid.cohort.draft import ARRAYS
from pellucid.engine.tasks import Task
from pellucid.gate.shape import TEMPLATE_ML
from pellucid.ground.files import read_json
from pellucid.ground.memory import demand_memory
from pellucid.ground.numbers import count, duration, size
from pellucid.image.grid import PAPER_GRID, Grid
from pellucid.network.architectures import build_network
from pellucid.network.files import DESCRIPTION
from pellucid.rundir.folder import RunFolder
from pellucid.rundir.stores import stores_of
from pellucid.spec.arms import Arm
from pellucid.spec.spec import Spec
from pellucid.study.plan import Plan
from pellucid.study.run import study_tasks
from pellucid.study.sizes import Sizes, cohort_sizes
from pellucid.training.fit import scans_at_once

_LIBRARIES, _KERNELS = 370_000_000, 210_000_000  # bytes of a process before it works, and of what training loads
_PREPARING = {"simulate": (370_000_000, 150_000_000, 950_000_000), "store": (150_000_000, 40_000_000, 230_000_000)}
"""Bytes of a worker's libraries, of its work on any scan, and of what a scan of 1 mm adds: peaks that were measured."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Estimate:
    """What is left to do of a study, and what it takes.

    Parameters
    ----------
    rows
        One row of a kind of task that has something left: work, tasks, timed (of how many tasks the time is known),
        seconds and seconds_at_most (of those), disk_bytes.
    disk_bytes
        Free disk that is needed: the arrays of stores, models, scans and maps, and the images of the largest store once
        more, for they are copied where a scan has to be left out. Tables and pages are small beside them.
    memory_bytes
        The peak, of all processes at work together; images of a store that the system keeps at hand do not count.
    """

    rows: pd.DataFrame
    disk_bytes: int
    memory_bytes: int

    def words(self, path: Path) -> str:
        """Say it, and whether the disk at `path`, which need not exist yet, has room."""
        if self.rows.empty:
            return "Nothing is left to run."
        free, totals = free_bytes(path), self.rows.drop(columns="work").sum().to_dict()
        lines = [
            f"{row['work']:9}{count(row['tasks'], 'task'):>10}{_time(row):>46}{size(row['disk_bytes']):>9}"
            for row in self.rows.to_dict("records")
        ]
        enough = "" if free >= self.disk_bytes else ": too little"
        return "\n".join(
            [
                f"To run: {_time(totals)}, {size(self.disk_bytes)} of disk, {size(self.memory_bytes)} of memory",
                *lines,
                f"Free at {path}: {size(free)}{enough}",
            ]
        )


def estimate(
    spec: Spec,
    scans: Mapping[str, int],
    *,
    complete: Callable[[str], bool],
    folder: RunFolder | None = None,
    workers: int = 1,
) -> Estimate:
    """Estimate what a study still takes.

    A task is expected to take the mean of the seconds that the record has of tasks of its kind that are about the same
    arm, cohort or table. Before the first of them is done, its time is not known. A trial of E epochs may take
    `max_epochs / E` times as long, if it does not stop early.

    Parameters
    ----------
    spec
        The study.
    scans
        How many scans each dataset has, taken as one a participant; those of simulated cohorts are counted.
    complete
        Tells whether the task of a name is complete: it costs nothing.
    folder
        An earlier run, for its record and its trials, those too that are to be trained anew.
    workers
        Processes that simulate and prepare scans.

    Raises
    ------
    InputError
        A step of an arm's training takes more memory than is free.
    """
    tasks = study_tasks(Plan(spec, folder or RunFolder(Path())))
    left = [task for task in tasks if not complete(task.name)]
    needs = _Needs(spec, scans, workers)
    past = _past(tasks, folder)
    rows = []
    for kind in dict.fromkeys(task.kind for task in left):
        some = [task for task in left if task.kind == kind]
        known = [past[task.kind, task.about] for task in some if (task.kind, task.about) in past]
        rows.append(
            {
                "work": kind,
                "tasks": len(some),
                "timed": len(known),
                "seconds": sum(one.seconds for one in known),
                "seconds_at_most": sum(one.at_most for one in known),
                "disk_bytes": sum(needs.disk(task) for task in some),
            }
        )
    table = pd.DataFrame(rows, columns=["work", "tasks", "timed", "seconds", "seconds_at_most", "disk_bytes"])
    return Estimate(
        rows=table,
        disk_bytes=int(table["disk_bytes"].sum()) + max(map(needs.twice, left), default=0),
        memory_bytes=max(map(needs.memory, left), default=0),
    )


def free_bytes(path: Path) -> int:
    """Return the free bytes of the disk that holds `path`, or would hold it."""
    return shutil.disk_usage(next(place for place in (path, *path.absolute().parents) if place.exists())).free


class _Seconds(NamedTuple):
    """What a task took on average, and what it would take if no trial stopped early."""

    seconds: float
    at_most: float


def _past(tasks: Iterable[Task], folder: RunFolder | None) -> dict[tuple[str, str], _Seconds]:
    """Return what finished tasks took, by kind and what they are about; also those that are to be done anew."""
    entries = read_json(folder.record)["tasks"] if folder and folder.record.is_file() else {}
    found: dict[tuple[str, str], list[_Seconds]] = {}
    for task in tasks:
        entry = entries.get(task.name, {})
        if entry.get("state") == "done" and "seconds" in entry:
            took = float(entry["seconds"])
            found.setdefault((task.kind, task.about), []).append(_Seconds(took, took * _longest(task)))
    return {key: _Seconds(*(mean(some) for some in zip(*took, strict=True))) for key, took in found.items()}


def _longest(task: Task) -> float:
    """Return how many times as many epochs a finished trial might have taken; 1 for any other task."""
    described = [path for path in task.outputs if path.name == DESCRIPTION and path.is_file()]
    trained: dict[str, Any] = read_json(described[0]).get("trained", {}) if described else {}
    return trained["settings"]["max_epochs"] / trained["epochs"] if trained.get("epochs") else 1.0


class _Needs:
    """The bytes that tasks of a study need, on disk and in memory."""

    def __init__(self, spec: Spec, scans: Mapping[str, int], workers: int) -> None:
        self.spec, self.workers = spec, workers
        self.sizes: dict[str, Sizes] = {name: cohort_sizes(spec, name, scans) for name in spec.cohorts}
        self.cohort_of = {store.name: store.cohort for store in stores_of(spec)}
        self.networks: dict[str, tuple[int, int]] = {}

    def disk(self, task: Task) -> int:
        """Return the bytes that a task leaves."""
        if task.kind == "simulate":
            simulate = self.spec.cohorts[task.about].simulate
            assert simulate is not None  # the task exists only then
            # A FLAIR and a T1w in two bytes a voxel; what lies outside the brain is 0 and takes next to nothing.
            return self.sizes[task.about].scans * int(4 * _brain_voxels(simulate.voxel_size**3))
        if task.kind == "store":
            return sum(self._arrays(task).values())
        if task.kind == "train":
            return self._network(task.about)[0]
        if task.kind == "explain":
            maps, models = self._maps(task.about)
            return maps * int(4 * _brain_voxels(1000 * PAPER_GRID.voxel_volume_ml)) * (1 if models == 1 else 2)
        return 0

    def twice(self, task: Task) -> int:
        """Return the bytes that lie on the disk a second time for a while."""
        return self._arrays(task)["images"] if task.kind == "store" else 0

    def memory(self, task: Task) -> int:
        """Return the peak memory of all processes that a task runs in."""
        if task.kind in _PREPARING:
            simulate = self.spec.cohorts[self.cohort_of[task.about]].simulate
            libraries, fixed, scan = _PREPARING[task.kind]
            own = fixed + scan * (simulate.voxel_size if simulate else 1.0) ** -3
            return int(_LIBRARIES + (own if self.workers == 1 else self.workers * (libraries + own)))
        return _LIBRARIES + _KERNELS + (self._network(task.about)[1] if task.kind == "train" else 0)

    def _arrays(self, task: Task) -> dict[str, int]:
        """Return the bytes of a store's arrays."""
        voxels = self.sizes[self.cohort_of[task.about]].scans * math.prod(PAPER_GRID.shape)
        return {name: voxels * np.dtype(kind).itemsize for name, kind in ARRAYS.items()}

    def _maps(self, arm: str) -> tuple[int, int]:
        """Return how many maps an arm will have, and of how many models each is the mean.

        There is one for each method of each held-out scan, hence of each scan in a cross-validation.
        """
        assert self.spec.explain is not None  # the tasks that ask exist only then
        how, sizes = self.spec.split_of(arm), self.sizes[self.spec.training[arm].cohort]
        crossed = how.scheme == "cross-validation"
        models = self.spec.trial_count(arm) // (how.folds if crossed else 1) if self.spec.explain.trials == "all" else 1
        return (sizes.scans if crossed else sizes.holdout) * len(self.spec.explain.methods), models

    def _network(self, arm: str) -> tuple[int, int]:
        """Return the bytes of an arm's model and of a step of its training, once the step fits into the memory."""
        if arm not in self.networks:
            self.networks[arm] = network_bytes(arm, self.spec.training[arm], PAPER_GRID)
        return self.networks[arm]


def network_bytes(name: str, arm: Arm, grid: Grid) -> tuple[int, int]:
    """Return the bytes of an arm's model, and of the memory that a step of its training takes.

    Raises
    ------
    InputError
        So much memory is not free.
    """
    model = build_network(arm.network, grid, channels=arm.channels, options=arm.options, seed=0)
    step = scans_at_once(model, arm.settings.batch_size) * model.step_bytes() if arm.fit else 0
    demand_memory(f"training.{name}", step, "a step of its training")
    return sum(4 * weight.numel() for weight in model.parameters()), step


def _brain_voxels(voxel_mm3: float) -> float:
    """Return how many voxels a brain has."""
    return 1000.0 * TEMPLATE_ML / voxel_mm3


def _time(row: Mapping[Hashable, Any]) -> str:
    """Say how long tasks take: `about 40 min, at most 2 h 05 min, and 3 tasks that are not timed yet`."""
    untimed = int(row["tasks"] - row["timed"])
    if not row["timed"]:
        return "time not known before the first is done"
    expected, most = duration(row["seconds"]), duration(row["seconds_at_most"])
    span = f"about {expected}" if expected == most else f"about {expected}, at most {most}"
    return span if not untimed else f"{span}, and {count(untimed, 'task')} not timed yet"
