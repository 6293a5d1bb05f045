"""How fast this machine does a study's own work: its steps, scans and maps, timed for a few seconds."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import torch

from pellucid.cohort.store import build_store
from pellucid.ground.arrays import Float32Array
from pellucid.ground.errors import InputError
from pellucid.ground.memory import demand_memory
from pellucid.image.grid import PAPER_GRID, Grid
from pellucid.maps.explainer import explain_image, open_explainer
from pellucid.maps.files import write_map
from pellucid.maps.names import map_name
from pellucid.network.architectures import Network, build_network, corner_read
from pellucid.network.files import WEIGHTS, save_model
from pellucid.network.info import ModelInfo
from pellucid.network.volume_network import VolumeNetwork, kernels_penalty
from pellucid.rundir.stores import Prepared
from pellucid.simulate.cohort import simulate_cohort, simulate_pretraining
from pellucid.simulate.people import people_of
from pellucid.simulate.settings import CohortSettings
from pellucid.spec.arms import Arm
from pellucid.spec.sections import Explain, Simulation
from pellucid.spec.spec import Spec
from pellucid.study.members import members
from pellucid.training.fit import Scans, fit, logits, scans_at_once

KINDS = ("simulate", "store", "train", "baseline", "explain", "deletion", "tables")
"""The kinds of work; every task that is none of the others counts among the tables."""

_STEPS, _CALLS = 4, 3  # repeats after one warm-up
_FUSED, _LAYERWISE = 36, 760  # bytes a voxel that 64 channels see, in a training step (docs/performance.md)


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmSpeed:
    """Seconds of a training step on a full batch and of a validation scan; bytes of a model, and of a step's memory."""

    step: float
    scan: float
    model_bytes: int
    memory_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CohortSpeed:
    """Seconds to simulate and to prepare one scan; bytes of a simulated scan's files, and of those there once."""

    prepare: float
    simulate: float = 0.0
    scan_bytes: int = 0
    once_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Throughput:
    """What was measured, by name of arm and cohort; a map's seconds and bytes, 0 where none is wanted."""

    arms: Mapping[str, ArmSpeed]
    cohorts: Mapping[str, CohortSpeed]
    map_seconds: float = 0.0
    map_bytes: int = 0


def measure(spec: Spec, tasks: Collection[str]) -> Throughput:
    """Measure what these tasks need: the arms' own networks, the cohorts' own scans, on the threads of this process.

    Steps and maps are medians of a few after one to warm up. Arms alike are measured once. A simulated cohort is
    measured on a patient and a control of its own voxel size, a dataset on its first scans.
    """
    grid = PAPER_GRID
    explained = names_in(tasks, "explain")
    wanted = {*names_in(tasks, "train"), *explained, *names_in(tasks, "deletion")}
    known: dict[Any, ArmSpeed] = {}
    arms = {}
    for name in spec.training:
        if name in wanted:
            arm = spec.training[name]
            words = (arm.network, arm.channels, repr(arm.options))
            alike = (*words, arm.settings.batch_size, arm.settings.precision, arm.settings.augment)
            known[alike] = known.get(alike) or _measure_arm(name, arm, grid)
            arms[name] = known[alike]
    cohorts: dict[str, CohortSpeed] = {}
    for name in spec.cohorts:
        wanted_stores = [store for store in names_in(tasks, "store") if cohort_of(store) == name]
        if wanted_stores or name in names_in(tasks, "simulate"):
            cohorts |= _measure_cohort(name, wanted_stores, spec, grid)
    asked = spec.explain if explained else None
    seconds, size = _measure_map(asked, spec, grid) if asked else (0.0, 0)
    return Throughput(arms=arms, cohorts=cohorts, map_seconds=seconds, map_bytes=size)


def _measure_arm(name: str, arm: Arm, grid: Grid) -> ArmSpeed:
    """Time training steps as `fit` makes them, and validation as it validates, once they fit into the memory."""
    model = build_network(arm.network, grid, channels=arm.channels, options=arm.options, seed=0)
    corner, batch = corner_read(model), arm.settings.batch_size
    scans = Scans(_image(grid)[None], np.ones(1, dtype=np.int64), corner)
    wide, deep, high = corner or grid.shape
    x = torch.from_numpy(scans.images[:, None])[..., :wide, :deep, :high]
    step_bytes = scans_at_once(model, batch) * _step_bytes(model, x)
    demand_memory(f"training.{name}", step_bytes, "a step of its training")
    ticks: list[float] = []
    fit(
        model,
        scans,
        {"train": np.zeros(batch * (_STEPS + 2), dtype=np.intp), "validation": np.zeros(1, dtype=np.intp)},
        dataclasses.replace(arm.settings, max_epochs=1, learning_rate=1e-4),  # whatever the rate, no loss diverges
        penalty=kernels_penalty,
        progress=lambda done, of, what: ticks.append(time.perf_counter()),
    )  # a tick after each step but the last, and one at the end of the epoch
    rows = np.zeros(batch, dtype=np.intp)
    seconds = _seconds(lambda: logits(model, scans, rows, batch_size=batch))
    return ArmSpeed(
        step=median(np.diff(ticks[:-1]).tolist()),
        scan=seconds / batch,
        model_bytes=sum(4 * weight.numel() for weight in model.parameters()),
        memory_bytes=step_bytes,
    )


def _step_bytes(model: Network, x: torch.Tensor) -> int:
    """Return the bytes of a scan in a training step: known of Pellucid's networks; of others, twice what is kept.

    As much again as is kept for the way back goes into gradients on it, at most.
    """
    if isinstance(model, VolumeNetwork):
        bytes_a_voxel = (_FUSED if model.paths(x)["conv1"] == "fused" else _LAYERWISE) * model.channels / 64
        return int(math.prod(x.shape) * bytes_a_voxel)
    kept: dict[int, int] = {}

    def note(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        model.eval()(x)  # a single scan is enough for batch norm then
    return 2 * sum(kept.values())


def _measure_map(asked: Explain, spec: Spec, grid: Grid) -> tuple[float, int]:
    """Return the seconds that it takes to make and write a map, and its bytes."""
    arm = spec.training[asked.arms[0]]
    model = build_network(arm.network, grid, channels=arm.channels, options=arm.options, seed=0)
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        save_model(folder, model, ModelInfo(modality="FLAIR", scaling=spec.preparation.scaling))
        explainer = open_explainer(folder, method=asked.chosen, network=arm.own_network)
        image, path = _image(grid), folder / "maps" / map_name("sub-01", asked.method)

        def make() -> None:
            explained = explain_image(explainer, image)
            write_map(path, [explainer], explained, source=folder / WEIGHTS, source_grid=grid)

        return _seconds(make), _folder_bytes(path.parent)


def _measure_cohort(name: str, stores: list[str], spec: Spec, grid: Grid) -> dict[str, CohortSpeed]:
    """Simulate a patient and a control as the cohort's are, if it is simulated, and prepare a few of its scans.

    Returns the cohort's speed by its name, and by the names of its other stores that are among `stores`.
    """
    cohort = spec.cohorts[name]
    with TemporaryDirectory() as temporary:
        root = Path(temporary) / "cohort"
        simulated = _simulate_two(cohort.simulate, root) if cohort.simulate else (0.0, 0, 0)
        usable = members(name, cohort, cohort.bids or root).usable
        # Those with lesion masks come first, for a filled store has no others.
        usable = usable.sort_values("lesion_mask", kind="stable", na_position="last")
        samples = [usable[usable.groupby("group").cumcount().between(n, n + 1)] for n in (0, 2, 4, 6)]
        found = {}
        for store in {name, *stores}:
            seconds = _prepare_some(samples, Path(temporary) / "stores" / store, Prepared.parse(store), spec, grid)
            found[store] = CohortSpeed(
                prepare=mean(seconds[1:] or seconds),
                simulate=simulated[0],
                scan_bytes=simulated[1],
                once_bytes=simulated[2],
            )
    return found


def _prepare_some(samples: Sequence[pd.DataFrame], out: Path, store: Prepared, spec: Spec, grid: Grid) -> list[float]:
    """Prepare the first sample of scans of which any can be used; return the seconds that each of them took.

    Raises
    ------
    InputError
        No sample has one.
    """
    for n, some in enumerate(samples):
        ticks = [time.perf_counter()]
        try:
            build_store(
                some.reset_index(drop=True),
                out,
                grid,
                scaling=store.scaling or spec.preparation.scaling,
                resampling=spec.preparation.resampling,
                positive=spec.cohorts[store.cohort].positive,
                filling=spec.preparation.filling if store.filled else None,
                progress=lambda done, of, what, ticks=ticks: ticks.append(time.perf_counter()),  # type: ignore[misc]
            )
        except InputError:
            if n + 1 == len(samples) or samples[n + 1].empty:
                raise
        else:
            return list(np.diff(ticks))
    raise AssertionError("there is at least one sample")


def _simulate_two(settings: Simulation, root: Path) -> tuple[float, int, int]:
    """Simulate two people; return the seconds a scan of the second, the bytes a scan, and those of files there once."""
    two = dataclasses.replace(settings, patients=1, controls=1)
    ticks: list[float] = []

    def tick(done: int, of: int, what: str) -> None:
        ticks.append(time.perf_counter())

    if isinstance(two, CohortSettings):
        simulate_cohort(root, two, progress=tick)
    else:
        simulate_pretraining(root, two, progress=tick)
    visits = [len(person.ages) for person in people_of(two)]
    people = sum(
        _folder_bytes(path) for pattern in ("sub-*", "derivatives/lesions/sub-*") for path in root.glob(pattern)
    )
    # The first tick comes before anybody; the first person waits for the anatomy, which is loaded once.
    return (ticks[2] - ticks[1]) / visits[1], people // sum(visits), _folder_bytes(root) - people


def _image(grid: Grid) -> Float32Array:
    """Return noise in an ellipsoid as large as a brain, 0 around it: what scans cost to compute on and to compress."""
    axes = np.ogrid[tuple(slice(-1.0, 1.0, n * 1j) for n in grid.shape)]
    inside = sum((axis / 0.78) ** 2 for axis in axes) < 1.0
    noise = np.random.default_rng(0).standard_normal(grid.shape, dtype=np.float32)
    return np.where(inside, noise, np.float32(0.0))


def _seconds(call: Callable[[], object]) -> float:
    """Return the median seconds of a call, after one to warm up."""
    seconds = []
    for _ in range(_CALLS + 1):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return median(seconds[1:])


def _folder_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def kind_of(task: str) -> str:
    """Return which kind of work a task is."""
    first = task.partition("/")[0]
    return first if first in KINDS else "tables"


def name_of(task: str) -> str:
    """Return the second part of a task's name: the arm, the cohort or the table."""
    return [*task.split("/"), ""][1]


def cohort_of(store: str) -> str:
    """Return the cohort of a store, which may be the one with lesions filled."""
    return Prepared.parse(store).cohort


def names_in(tasks: Collection[str], kind: str) -> set[str]:
    """Return the names that the tasks of a kind are about."""
    return {name_of(task) for task in tasks if kind_of(task) == kind}
