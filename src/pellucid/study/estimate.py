"""What a study will take before it runs: time, disk and memory, from a few seconds of its own work."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from pellucid.cohort.draft import ARRAYS
from pellucid.engine.tasks import Task
from pellucid.ground.files import read_json
from pellucid.image.grid import PAPER_GRID, Grid
from pellucid.network.files import DESCRIPTION
from pellucid.rundir.folder import RunFolder
from pellucid.spec.spec import Spec
from pellucid.study.run import study_tasks
from pellucid.study.sizes import Sizes, cohort_sizes, expected_epochs
from pellucid.study.steps.deleting import deletion_images
from pellucid.study.steps.nulls import learned_folders
from pellucid.study.throughput import KINDS, Throughput, cohort_of, kind_of, measure, name_of
from pellucid.trust.fitted_nulls import SCANS

_TABLE_SECONDS = {"lesions": 0.7, "regions": 0.1, "truth": 0.4}  # a map
_NULL_SECONDS = 0.3  # a training scan that nulls learn from
_BASELINE_SECONDS = {"svm-image": 0.2, "bright-voxels": 0.02}  # a scan: of the first 16 to 26 s for 124 of them
_FILL_SECONDS = 0.015  # an image of a deletion, beside the network's own work
_SMALL_SECONDS = 1.0  # any other table, the splits, a selection, or work that is not known here
_NPY_HEADER = 128
_TRIAL_BYTES, _REPORT_BYTES = 50_000, 10_000_000  # history, predictions, description; page and figures
_LIBRARIES, _KERNELS = 370_000_000, 210_000_000  # bytes of a process before it works, and of what training loads
_PREPARING = {"simulate": (370_000_000, 150_000_000, 950_000_000), "store": (150_000_000, 40_000_000, 230_000_000)}
"""Bytes of a worker's libraries, of its work on any scan, and of what a scan of 1 mm adds: peaks that were measured."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Estimate:
    """What is left to do of a study, and what it takes.

    Parameters
    ----------
    rows
        One row of `KINDS` that has something left: work, tasks, seconds, seconds_at_most, disk_bytes.
    disk_bytes
        Free disk that is needed: what will lie there, and the images of the largest store once more, for they are
        copied where a scan has to be left out.
    memory_bytes
        The peak, of all processes at work together; images of a store that the system keeps at hand do not count.
    """

    rows: pd.DataFrame
    disk_bytes: int
    memory_bytes: int

    @property
    def seconds(self) -> float:
        """What is expected for all."""
        return float(self.rows["seconds"].sum())

    @property
    def seconds_at_most(self) -> float:
        """If no trial stops early."""
        return float(self.rows["seconds_at_most"].sum())

    def words(self, path: Path) -> str:
        """Say it, and whether the disk at `path`, which need not exist yet, has room."""
        if self.rows.empty:
            return "Nothing is left to run."
        free = free_bytes(path)
        lines = [
            f"{row['work']:9}{_count(row['tasks']):>10}{_span(row['seconds'], row['seconds_at_most']):>34}"
            f"{_size(row['disk_bytes']):>9}"
            for row in self.rows.to_dict("records")
        ]
        enough = "" if free >= self.disk_bytes else ": too little"
        return "\n".join(
            [
                f"To run: about {_span(self.seconds, self.seconds_at_most)}, {_size(self.disk_bytes)} of disk, "
                f"{_size(self.memory_bytes)} of memory",
                *lines,
                f"Free at {path}: {_size(free)}{enough}",
            ]
        )


def estimate(
    spec: Spec,
    scans: Mapping[str, int],
    *,
    complete: Callable[[str], bool],
    measure: Callable[[Spec, Collection[str]], Throughput] = measure,
    folder: RunFolder | None = None,
    workers: int = 1,
) -> Estimate:
    """Estimate what a study still takes, from what its own work takes here.

    A trial of E epochs takes `E * (steps * step + validation scans * scan) + scans * scan` seconds. E is at most
    `max_epochs`; what is expected of it says `expected_epochs`, or the mean of the arm's trials that are there. Where
    the record knows what tasks of the same arm or cohort took, or the same table, that counts instead.

    Parameters
    ----------
    spec
        The study.
    scans
        How many scans each dataset has, taken as one a participant; those of simulated cohorts are counted.
    complete
        Tells whether the task of a name is complete: it costs nothing.
    measure
        Measures what the tasks of these names need.
    folder
        An earlier run, for its record and its trials, those too that are to be trained anew.
    workers
        Processes that simulate and prepare scans.
    """
    tasks = study_tasks(spec, folder or RunFolder(Path()))
    left = [task for task in tasks if not complete(task.name)]
    speed = measure(spec, [task.name for task in left])
    sizes = {name: cohort_sizes(spec, name, scans) for name in spec.cohorts}
    past = _Past.read(tasks, folder) if folder else _Past({}, {})
    costs = [(kind_of(task.name), _cost(task.name, spec, sizes, speed, past, workers)) for task in left]
    rows = [
        {
            "work": kind,
            "tasks": sum(1 for other, _ in costs if other == kind),
            "seconds": sum(cost.seconds for other, cost in costs if other == kind),
            "seconds_at_most": sum(cost.at_most for other, cost in costs if other == kind),
            "disk_bytes": sum(cost.disk for other, cost in costs if other == kind)
            + (_REPORT_BYTES if kind == "tables" else 0),
        }
        for kind in KINDS
        if any(other == kind for other, _ in costs)
    ]
    table = pd.DataFrame(rows, columns=["work", "tasks", "seconds", "seconds_at_most", "disk_bytes"])
    return Estimate(
        rows=table,
        disk_bytes=int(table["disk_bytes"].sum()) + max((cost.twice for _, cost in costs), default=0),
        memory_bytes=max((_memory(task.name, spec, speed, workers) for task in left), default=0),
    )


def free_bytes(path: Path) -> int:
    """Return the free bytes of the disk that holds `path`, or would hold it."""
    return shutil.disk_usage(next(place for place in (path, *path.absolute().parents) if place.exists())).free


class _Cost(NamedTuple):
    """Seconds expected and at most, bytes that stay on disk, and bytes that lie there twice for a while."""

    seconds: float = 0.0
    at_most: float = 0.0
    disk: int = 0
    twice: int = 0


class _Past(NamedTuple):
    """Seconds of finished tasks by name, and epochs of an arm's trials, those too that are to be trained anew."""

    seconds: dict[str, float]
    epochs: dict[str, list[int]]

    @classmethod
    def read(cls, tasks: list[Task], folder: RunFolder) -> _Past:
        """Read a run's record and the descriptions of its models."""
        entries = read_json(folder.record)["tasks"] if folder.record.is_file() else {}
        seconds = {name: entry["seconds"] for name, entry in entries.items() if _is_measured(entry)}
        epochs: dict[str, list[int]] = {}
        for task in tasks:
            described = [path for path in task.outputs if path.name == DESCRIPTION and path.is_file()]
            if kind_of(task.name) == "train" and described:
                epochs.setdefault(name_of(task.name), []).append(int(read_json(described[0])["trained"]["epochs"]))
        return cls(seconds, epochs)

    def mean_seconds(self, name: str) -> float | None:
        """Return the mean of the tasks that share the first two parts of a task's name; None if there is none."""
        alike = [seconds for other, seconds in self.seconds.items() if other.split("/")[:2] == name.split("/")[:2]]
        return mean(alike) if alike else None


def _is_measured(entry: dict[str, Any]) -> bool:
    return entry.get("state") == "done" and "seconds" in entry


def _cost(task: str, spec: Spec, sizes: dict[str, Sizes], speed: Throughput, past: _Past, workers: int) -> _Cost:
    """Return what one task takes."""
    kind, name, before = kind_of(task), name_of(task), past.mean_seconds(task)
    if kind == "train" and name in spec.training:
        return _train_cost(name, spec, sizes, speed, past, before)
    if kind in ("simulate", "store"):
        cohort, number = speed.cohorts[name], sizes[cohort_of(name)].scans
        one = cohort.simulate if kind == "simulate" else cohort.prepare
        seconds = before if before is not None else number * one / min(workers, max(number, 1))
        if kind == "simulate":
            return _Cost(seconds, seconds, number * cohort.scan_bytes + cohort.once_bytes)
        arrays = _array_bytes(number, PAPER_GRID)
        return _Cost(seconds, seconds, sum(arrays.values()), arrays["images"])
    if kind == "baseline":
        baseline = spec.baselines[name]
        each = _BASELINE_SECONDS.get(baseline.settings.kind, 0.0) * sizes[baseline.cohort].scans
        seconds = before if before is not None else max(_SMALL_SECONDS, each)
        return _Cost(seconds, seconds, _TRIAL_BYTES)
    if kind == "explain":
        maps, models = _explained(name, spec, sizes)
        seconds = before if before is not None else maps * models * speed.map_seconds
        return _Cost(seconds, seconds, maps * speed.map_bytes * (1 if models == 1 else 2))
    if task.startswith("nulls/"):
        times = len(learned_folders(name, spec, RunFolder(Path())))
        each = _NULL_SECONDS * min(sizes[spec.training[name].cohort].train, SCANS)
        seconds = before if before is not None else max(_SMALL_SECONDS, times * each)
        return _Cost(seconds, seconds)
    if kind == "deletion":
        assert spec.explain is not None  # the task exists only then
        maps, models = _explained(name, spec, sizes)
        forwards = deletion_images(spec.explain.deletion_voxels)
        each = models * forwards * speed.arms[name].scan + _FILL_SECONDS * forwards
        # Of the positive group alone, about half of all; at most all.
        seconds, most = (before, before) if before is not None else (maps * each / 2, maps * each)
        return _Cost(seconds, most, maps * _TRIAL_BYTES)
    all_maps = sum(_explained(arm, spec, sizes)[0] for arm in spec.explain.arms) if spec.explain else 0
    seconds = before if before is not None else max(_SMALL_SECONDS, all_maps * _TABLE_SECONDS.get(name, 0.0))
    return _Cost(seconds, seconds)


def _train_cost(
    name: str, spec: Spec, sizes: dict[str, Sizes], speed: Throughput, past: _Past, before: float | None
) -> _Cost:
    """Return what one trial of an arm takes."""
    arm, measured = spec.training[name], speed.arms[name]
    size, most = sizes[arm.cohort], arm.settings.max_epochs
    train = size.train if arm.subjects is None else min(size.train, round(size.train * arm.subjects / size.learners))
    epochs = mean(past.epochs[name]) if name in past.epochs else expected_epochs(arm.settings)
    disk = measured.model_bytes + _TRIAL_BYTES
    if not arm.fit:
        once = (train + 2 * size.validation + size.holdout) * measured.scan
        return _Cost(once, once, disk)
    if before is not None and name in past.epochs:
        return _Cost(before, before * most / epochs, disk)
    steps = math.ceil(train / arm.settings.batch_size)
    epoch = steps * measured.step + size.validation * measured.scan
    predictions = (train + size.validation + size.holdout) * measured.scan
    return _Cost(epochs * epoch + predictions, most * epoch + predictions, disk)


def _explained(arm: str, spec: Spec, sizes: dict[str, Sizes]) -> tuple[int, int]:
    """Return how many maps an arm will have, and of how many models each is the mean.

    There is one a held-out scan, hence one a scan in a cross-validation.
    """
    assert spec.explain is not None  # the tasks that ask exist only then
    how, size = spec.split_of(arm), sizes[spec.training[arm].cohort]
    crossed = how.scheme == "cross-validation"
    models = spec.trial_count(arm) // (how.folds if crossed else 1) if spec.explain.trials == "all" else 1
    return (size.scans if crossed else size.holdout), models


def _memory(task: str, spec: Spec, speed: Throughput, workers: int) -> int:
    """Return the peak memory of all processes that a task runs in."""
    kind, name = kind_of(task), name_of(task)
    if kind in _PREPARING:
        simulate = spec.cohorts[cohort_of(name)].simulate
        libraries, fixed, scan = _PREPARING[kind]
        own = fixed + scan * (simulate.voxel_size if simulate else 1.0) ** -3
        return int(_LIBRARIES + (own if workers == 1 else workers * (libraries + own)))
    measured = speed.arms.get(name)
    return _LIBRARIES + _KERNELS + (measured.memory_bytes if measured else 0)


def _array_bytes(number: int, grid: Grid) -> dict[str, int]:
    """Return the bytes of a store's arrays of `number` scans."""
    voxels = number * math.prod(grid.shape)
    return {name: voxels * np.dtype(kind).itemsize + _NPY_HEADER for name, kind in ARRAYS.items()}


def _count(number: int) -> str:
    return f"{number} task" if number == 1 else f"{number} tasks"


def _span(seconds: float, at_most: float) -> str:
    """Say two durations, once if they look alike: `40 min, at most 2 h 05 min`."""
    expected, most = _duration(seconds), _duration(at_most)
    return expected if expected == most else f"{expected}, at most {most}"


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{max(1, math.ceil(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def _size(number: int) -> str:
    return f"{number / 1e9:.1f} GB" if number >= 1e9 else f"{max(1, round(number / 1e6))} MB"
