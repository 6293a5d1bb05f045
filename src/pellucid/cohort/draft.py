"""The unfinished store: what is done stays done, and a bad scan stops no other."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.lib.format import open_memmap

from pellucid.cohort.lesions import lesion_remarks, lesions_on
from pellucid.ground.errors import InputError, PellucidError, trouble
from pellucid.ground.files import atomic_path, read_json, sha256, write_json
from pellucid.ground.processes import completed
from pellucid.ground.seeds import wide_seed
from pellucid.ground.staying import make_folder
from pellucid.image.grid import Grid
from pellucid.image.nifti import Mask, Volume, read_mask
from pellucid.image.prepare import Resampling, find_brain
from pellucid.image.scaling import SCALINGS, scale
from pellucid.preprocess.admission import admit
from pellucid.preprocess.filling import fill_lesions
from pellucid.preprocess.white_matter import find_white_matter

ARRAYS = {"images": np.float32, "brain": np.bool_, "lesions": np.bool_}
"""The arrays of a store, each `NAME.npy` of shape (N, X, Y, Z)."""

_REQUEST = "request.json"
_ANYWAY = "`force = true` in the cohort's section includes it, marked"


@dataclass(frozen=True, slots=True)
class Job:
    """One scan to prepare: row `n` of the draft arrays; `note` is the file that says it is done.

    With `filling`, a method of `pellucid.preprocess.filling`, its lesions are filled first. With `force` it is used
    although the gate refuses it.
    """

    n: int
    name: str
    image: Path
    lesion_mask: Path | None
    draft: Path
    grid: Grid
    scaling: str
    resampling: Resampling = "antialias"
    filling: str | None = None
    seed: int = 0
    modality: str = ""
    force: bool = False

    @property
    def note(self) -> Path:
        """The file that holds the job's result."""
        return self.draft / f"scan-{self.n:05d}.json"


def start(draft: Path, request: str, shape: tuple[int, ...]) -> None:
    """Make the draft arrays of `shape` in the folder `draft`, unless those of the same request are there.

    Raises
    ------
    OSError
        The disk has no room for them; then none stays.
    """
    if (draft / _REQUEST).exists() and read_json(draft / _REQUEST) == request:
        return
    if draft.exists():
        shutil.rmtree(draft)
    make_folder(draft)
    try:
        for name, dtype in ARRAYS.items():
            _create(draft / f"{name}.npy", dtype, shape)
    except OSError:
        shutil.rmtree(draft)
        raise
    write_json(draft / _REQUEST, request)


def work(jobs: list[Job], workers: int) -> Iterator[Job]:
    """Do the jobs, here or in other processes; yield each when it is done and noted.

    Raises
    ------
    WorkerDiedError
        A worker process died, again when its scan was tried alone.
    """
    if workers <= 1 or len(jobs) <= 1:
        for job in jobs:
            _do(job)
            yield job
        return
    for job, _ in completed(_do, jobs, workers=workers):
        yield job


def finish(draft: Path, folder: Path, kept: list[int], n: int) -> None:
    """Move the `n` rows of every draft array to `folder`, without those that are not `kept`."""
    for name in ARRAYS:
        source = draft / f"{name}.npy"
        if not source.exists():
            continue  # an earlier call got this far
        if len(kept) == n:
            source.replace(folder / source.name)
            continue
        rows = np.load(source, mmap_mode="r")
        with atomic_path(folder / source.name) as temporary:
            target = _create(temporary, rows.dtype, (len(kept), *rows.shape[1:]))
            for new, old in enumerate(kept):
                target[new] = rows[old]
            target.flush()
        source.unlink()


def _create(path: Path, dtype: npt.DTypeLike, shape: tuple[int, ...]) -> np.memmap[Any, Any]:
    """Make an array of zeros on disk, its space reserved: a mapped page that finds no room kills the process."""
    array: np.memmap[Any, Any] = open_memmap(path, mode="w+", dtype=dtype, shape=shape)
    if hasattr(os, "posix_fallocate"):
        with path.open("r+b") as handle:
            try:
                os.posix_fallocate(handle.fileno(), 0, path.stat().st_size)
            except OSError as error:
                if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):  # those: a file system that cannot reserve
                    raise OSError(error.errno, error.strerror, str(path)) from None
    return array


def _do(job: Job) -> None:
    """Prepare one scan, write it to its row of the draft arrays, then note the result."""
    try:
        note = _prepare(job)
    except OSError:
        raise  # of the arrays' disk, for what reads a scan says it otherwise: no other scan would fare better
    except PellucidError as error:
        note = {"problem": str(error)}
    except Exception as error:  # a bug of ours must not stop the other scans either
        note = {"problem": f"{job.image}: {trouble(error)}"}
    write_json(job.note, note)


def _prepare(job: Job) -> dict[str, Any]:
    """Write one scan to the draft arrays; return what was measured in it."""
    admitted = admit(job.image, modality=job.modality, force=job.force, anyway=_ANYWAY)
    volume = admitted.volume
    mask = None if job.lesion_mask is None else read_mask(job.lesion_mask, volume.grid)
    if job.filling is not None:
        volume = _filled(volume, mask, job)
    filled = replace(admitted, volume=volume, brain=find_brain(volume.data)) if job.filling is not None else admitted
    prepared, admitted = filled.prepare(job.grid, scaling=job.scaling, resampling=job.resampling)
    values: dict[str, Any] = {"images": prepared.image, "brain": prepared.brain}
    odd, lesion_volume_ml = [admitted.remark] if admitted.remark else [], None
    if mask is not None:
        lesion_volume_ml = float(np.count_nonzero(mask.data)) * mask.grid.voxel_volume_ml
        values["lesions"] = lesions_on(mask, job.grid)
        odd += lesion_remarks(mask, values["lesions"], job.grid)
    for name, value in values.items():
        array = open_memmap(job.draft / f"{name}.npy", mode="r+")
        array[job.n] = value
        array.flush()
    brightness = {
        method: float(scale(prepared.unscaled, prepared.brain, method)[prepared.brain].mean(dtype=np.float64))
        for method in SCALINGS
    }
    measured = {"sha256": sha256(job.image), "lesion_volume_ml": lesion_volume_ml, "brightness": brightness}
    return measured | {"remark": "; ".join(odd) or None}


def _filled(volume: Volume, mask: Mask | None, job: Job) -> Volume:
    """Return a scan with its lesions filled; as it is, if its mask is empty."""
    if mask is None:
        raise InputError(
            job.image, "it has no lesion mask, so it is not known what to fill", "Add a mask; it may be empty"
        )
    if not mask.data.any():
        return volume
    white = find_white_matter(volume, mask.data)
    seed = wide_seed(job.seed, job.name)
    filled = fill_lesions(volume.data, mask.data, white, volume.grid, seed=seed, method=str(job.filling))
    return replace(volume, data=filled.image)
