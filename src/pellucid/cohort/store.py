"""The volume store: one memory-mapped array of prepared scans and one table, made once, opened in no time."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pellucid.cohort.draft import ARRAYS, Job, finish, start, work
from pellucid.ground.arrays import AnyArray, BoolArray, Float32Array
from pellucid.ground.errors import InputError, brief
from pellucid.ground.files import read_json, read_tsv, write_json, write_tsv
from pellucid.ground.opening import require_file, unreadable
from pellucid.ground.progress import Progress
from pellucid.image.grid import Grid
from pellucid.image.prepare import Resampling
from pellucid.image.scaling import SCALINGS

_DESCRIPTION = "store.json"
_TABLE = "table.tsv"
_DRAFT = "building"  # the folder, within the store's, that holds what is not finished
_SHAPE = {
    "grid": object,
    "scaling": str,
    "modality": str,
    "resampling": str,
    "classes": {str: str},
    "problems": [[str]],
    "remarks": [[str]],
}
_CLINICAL = ["age", "sex", "edss", "disease_duration_months", "lesion_volume_ml"]
_KEPT = ["participant_id", "session_id", "group", "label", *_CLINICAL, "image"]
_REBUILD = "Delete the folder and build the store again"


@dataclass(frozen=True, eq=False)
class Store:
    """N prepared scans on one grid; row n of every array and of the table is the same scan.

    Parameters
    ----------
    folder
        Where the store lies.
    grid, scaling, modality
        How the scans were prepared, and what they are (FLAIR or T1w).
    classes
        Label to group name; label 1 is the positive one. A store of patients only has no label 0.
    table
        One row a scan: participant_id, session_id, group, label, age (years), sex, edss,
        disease_duration_months, lesion_volume_ml (as the
        dataset states it, else counted in the mask at full resolution), image (path from the store's folder),
        has_lesion_mask, sha256 (of the image file), remark (what is odd about the scan, FORCED if it was refused and
        taken all the same), and for each intensity scaling `brightness_SCALING`, the mean over
        the brain.
    problems
        Participant and reason for every scan that could not be used.
    remarks
        Subject and words: what was mended in the dataset, who takes no part by choice, and what is odd about scans.
    images
        (N, X, Y, Z) float32, read-only, memory-mapped; exactly 0 outside the brain.
    brain
        (N, X, Y, Z) bool, likewise.
    masks
        (N, X, Y, Z) bool, likewise; all False where there is no lesion mask, so ask `lesions` instead.
    resampling
        How the scans were brought to the grid.
    """

    folder: Path
    grid: Grid
    scaling: str
    modality: str
    classes: dict[int, str]
    table: pd.DataFrame
    problems: list[tuple[str, str]]
    images: Float32Array
    brain: BoolArray
    masks: BoolArray
    resampling: Resampling = "antialias"
    remarks: tuple[tuple[str, str], ...] = ()

    def __len__(self) -> int:
        return len(self.table)

    def scan_name(self, n: int) -> str:
        """Return the BIDS name of scan `n`: `sub-01` or `sub-01_ses-02`."""
        participant, session = self.table["participant_id"].iloc[n], self.table["session_id"].iloc[n]
        return str(participant) if pd.isna(session) else f"{participant}_{session}"

    def lesions(self, n: int) -> BoolArray | None:
        """Return the lesion mask (X, Y, Z) of scan `n` on the store's grid, or None if nobody drew one."""
        return self.masks[n] if self.table["has_lesion_mask"].iloc[n] else None

    def image_path(self, n: int) -> Path:
        """Return the path of the image file of scan `n`."""
        return _resolve(self.folder, self.table["image"].iloc[n])


def open_store(folder: Path) -> Store:
    """Open a finished store; its arrays stay on disk until they are read.

    Raises
    ------
    InputError
        There is no finished store, or its files do not fit together.
    """
    folder = Path(folder)
    if not (folder / _DESCRIPTION).exists():
        raise InputError(folder, "contains no finished store", "Build it, or check the path")
    content = read_json(folder / _DESCRIPTION, _SHAPE)
    try:
        grid = Grid.from_json(content["grid"])
        classes = {int(label): str(group) for label, group in content["classes"].items()}
        problems = [(str(participant), str(message)) for participant, message in content["problems"]]
        remarks = tuple((str(subject), str(message)) for subject, message in content["remarks"])
        scaling, modality = str(content["scaling"]), str(content["modality"])
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(folder / _DESCRIPTION, f"does not describe a store ({error!r})", _REBUILD) from None
    table = read_tsv(folder / _TABLE)
    arrays = {name: _open(folder / f"{name}.npy", (len(table), *grid.shape)) for name in ARRAYS}
    return Store(
        folder=folder,
        grid=grid,
        scaling=scaling,
        modality=modality,
        classes=classes,
        table=table,
        problems=problems,
        images=arrays["images"],
        brain=arrays["brain"],
        masks=arrays["lesions"],
        resampling=content["resampling"],
        remarks=remarks,
    )


def build_store(
    rows: pd.DataFrame,
    folder: Path,
    grid: Grid,
    *,
    scaling: str,
    positive: str = "MS",
    resampling: Resampling = "antialias",
    filling: str | None = None,
    seed: int = 0,
    force: bool = False,
    remarks: Sequence[tuple[str, str]] = (),
    workers: int = 1,
    progress: Progress | None = None,
) -> Store:
    """Prepare every scan of an index on `grid` and store it; go on where an earlier call was stopped.

    A finished store of the same scans and settings is opened, not built again. Each scan is written straight into a
    memory-mapped array and then noted in a file of its own, so a call that was killed at any moment is continued with
    the scans that have no note, and the finished files are the same bytes as of an undisturbed call. The description,
    without which no folder counts as a store, is written last.

    Parameters
    ----------
    rows
        What `index_bids` gives. Rows with a problem are not read but listed in `Store.problems`.
    folder
        Where the store shall lie.
    grid, scaling, resampling
        How to prepare the scans (`pellucid.image.prepare`).
    positive
        The group that gets label 1; the other one gets 0.
    filling, seed
        Fill the lesions of every scan first, by a method of `pellucid.preprocess.filling`; a scan without a lesion mask
        then has a problem. None leaves them.
    force
        Whether to take scans that the gate refuses (`pellucid.preprocess.admission`); otherwise they have a problem.
    remarks
        Subject and words, which are kept for `Store.remarks`, before what is remarked on the scans themselves.
    workers
        Processes that prepare scans; each takes some 0.45 GB for scans of 1 mm.
    progress
        Called with scans done, scans in all, and what was done.

    Raises
    ------
    InputError
        A store of other scans or settings in the folder, more than two groups, none of them positive, no usable scan.
    """
    folder = Path(folder).resolve()
    usable = rows[rows["problem"].isna()].drop(columns="remark").reset_index(drop=True)
    problems = [(str(r.participant_id), str(r.problem)) for r in rows[rows["problem"].notna()].itertuples()]
    classes = _classes(usable, positive, problems)
    usable["label"] = (usable["group"] == positive).astype(int)
    for column in ("image", "lesion_mask"):
        usable[column] = usable[column].map(lambda path: os.path.relpath(path, folder), na_action="ignore")
    description: dict[str, Any] = {
        "grid": grid.to_json(),
        "scaling": scaling,
        "resampling": resampling,
        "modality": str(usable["modality"].iloc[0]),
        "classes": {str(label): group for label, group in classes.items()},
    }
    if filling is not None:
        description["filling"] = {"method": filling, "seed": seed}
    if force:
        description["force"] = True
    request = _digest([description, [name for name, _ in problems]], usable, folder)
    if (folder / _DESCRIPTION).exists():
        if read_json(folder / _DESCRIPTION).get("request") != request:
            raise InputError(folder, "contains a store of other scans or settings", "Delete it or name another folder")
        shutil.rmtree(folder / _DRAFT, ignore_errors=True)  # left if the last call was killed in its last line
        return open_store(folder)
    start(folder / _DRAFT, request, (len(usable), *grid.shape))
    how = {"grid": grid, "scaling": scaling, "resampling": resampling, "filling": filling, "seed": seed}
    how |= {"modality": description["modality"], "force": force}
    jobs = _jobs(usable, folder, how)
    pending = [job for job in jobs if not job.note.exists()]
    for done, job in enumerate(work(pending, workers), start=len(jobs) - len(pending) + 1):
        if progress is not None:
            progress(done, len(jobs), f"prepared {job.name}")
    notes = [read_json(job.note) for job in jobs]
    problems += [
        (name, note["problem"]) for name, note in zip(usable["participant_id"], notes, strict=True) if "problem" in note
    ]
    kept = [n for n, note in enumerate(notes) if "problem" not in note]
    if not kept:
        what = f"none of {len(problems)} scans can be used; the first: {problems[0][1]}"
        raise InputError(folder, what.rstrip("."), "Repair the scans")
    finish(folder / _DRAFT, folder, kept, len(jobs))
    write_tsv(folder / _TABLE, _table(usable, notes, kept))
    odd = [(jobs[n].name, notes[n]["remark"]) for n in kept if notes[n]["remark"]]
    ending = {"problems": sorted(problems), "remarks": [*remarks, *odd], "request": request}
    write_json(folder / _DESCRIPTION, description | ending)
    shutil.rmtree(folder / _DRAFT)
    return open_store(folder)


def _open(path: Path, shape: tuple[int, ...]) -> AnyArray:
    """Map an array of `shape` from disk."""
    try:
        require_file(path)
        array: AnyArray = np.load(path, mmap_mode="r")
    except OSError as error:
        raise unreadable(path, error) from None
    except (EOFError, ValueError) as error:
        raise InputError(path, f"cannot be opened as an array ({brief(error)})", _REBUILD) from None
    if array.shape != shape:
        raise InputError(path, f"has the shape {array.shape}, the table and the grid say {shape}", _REBUILD)
    return array


def _classes(rows: pd.DataFrame, positive: str, problems: list[tuple[str, str]]) -> dict[int, str]:
    """Return label to group; raise InputError unless there are one or two groups, `positive` among them."""
    if rows.empty:
        first = problems[0][1].rstrip(".") if problems else "it is empty"
        raise InputError("the index", f"has no usable scan; the first problem: {first}", "Repair the dataset")
    groups = sorted(set(rows["group"]))
    if positive not in groups or len(groups) > 2:
        names = ", ".join(repr(group) for group in groups)
        raise InputError("group", f"the groups are {names}", f"Give two groups, one of them the positive {positive!r}")
    return {int(group == positive): str(group) for group in groups}


def _digest(settings: list[Any], rows: pd.DataFrame, folder: Path) -> str:
    """Return a digest of all that decides what the store will hold; files count by path and size."""
    files = [_resolve(folder, path) for column in ("image", "lesion_mask") for path in rows[column].dropna()]
    sizes = [path.stat().st_size if path.exists() else None for path in files]
    content = json.dumps([settings, sizes, rows.to_csv(index=False)], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()


def _jobs(rows: pd.DataFrame, folder: Path, how: dict[str, Any]) -> list[Job]:
    """Return one job a row."""
    return [
        Job(
            n=n,
            name=" ".join(str(part) for part in (row["participant_id"], row["session_id"]) if pd.notna(part)),
            image=_resolve(folder, row["image"]),
            lesion_mask=_resolve(folder, row["lesion_mask"]) if pd.notna(row["lesion_mask"]) else None,
            draft=folder / _DRAFT,
            **how,
        )
        for n, row in enumerate(rows.to_dict("records"))
    ]


def _resolve(folder: Path, relative: str) -> Path:
    """Return the path that `relative` names from `folder`."""
    return Path(os.path.normpath(folder / relative))


def _table(rows: pd.DataFrame, notes: list[dict[str, Any]], kept: list[int]) -> pd.DataFrame:
    """Return the store's table: the rows that are kept, with what was measured in the scans."""
    table = rows.loc[kept, _KEPT].reset_index(drop=True)
    good = [notes[n] for n in kept]
    counted = pd.Series([note["lesion_volume_ml"] for note in good], dtype="float64")
    table["lesion_volume_ml"] = table["lesion_volume_ml"].fillna(counted)
    table["has_lesion_mask"] = counted.notna()
    table["sha256"] = [note["sha256"] for note in good]
    table["remark"] = pd.Series([note["remark"] for note in good], dtype="string")
    for method in SCALINGS:
        table[f"brightness_{method}"] = [note["brightness"][method] for note in good]
    return table
