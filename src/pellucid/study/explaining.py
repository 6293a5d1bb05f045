"""The explained arm's maps: one a held-out scan, their group averages, and the ledger of all."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from pellucid.analysis.averages import group_means
from pellucid.analysis.classification import THRESHOLD, scores
from pellucid.cohort.store import Store
from pellucid.files import read_json, read_tsv, write_tsv
from pellucid.image.nifti import read_volume, sidecar_path, write_volume
from pellucid.study.folder import RunFolder
from pellucid.study.maps import (
    Explainer,
    describe_map,
    explain_image,
    ledger_table,
    map_name,
    open_explainer,
    read_ledger,
    relative,
    write_map,
)
from pellucid.study.spec import Explain, Spec
from pellucid.study.tasks import Progress, Task
from pellucid.study.trials import cohort_rows, fold_of, read_selected


def explain_tasks(spec: Spec, folder: RunFolder) -> list[Task]:
    """Return the task that explains every held-out scan; none if the study explains nothing."""
    if spec.explain is None:
        return []
    asked = spec.explain

    def run(progress: Progress) -> None:
        explain_holdout(spec, asked, folder, progress)

    return [
        Task(
            name=f"explain/{asked.arm}",
            outputs=(folder.table("ledger"),),  # written when every map is there
            needs=(f"select/{asked.arm}",),
            run=run,
        )
    ]


class HeldOut(NamedTuple):
    """A held-out scan: who explains it, where its map lies, and which row of the store it is."""

    explainer: Explainer
    path: Path
    store: Store
    row: int


def held_out_scans(spec: Spec, asked: Explain, folder: RunFolder) -> list[HeldOut]:
    """Return every scan that gets a map, with the model that explains it, of its fold.

    Of a repeated cross-validation those are the folds of the first repeat, in which everyone is held out once.
    """
    how, arm = spec.split_of(asked.arm), spec.training[asked.arm]
    out = folder.maps(asked.arm, asked.method)
    scans = []
    for fold in range(how.folds if how.scheme == "cross-validation" else 1):
        model = folder.arm(asked.arm) / explained_trial(spec, asked, folder, fold)
        explainer = open_explainer(model, method=asked.method, epsilon=asked.epsilon)
        store, rows = cohort_rows(arm.cohort, folder, fold=fold, images=arm.images)
        for n in rows["holdout"]:
            path = out / map_name(scan_name(store.table.iloc[n]), asked.method)
            scans.append(HeldOut(explainer, path, store, int(n)))
    return scans


def explained_trial(spec: Spec, asked: Explain, folder: RunFolder, fold: int) -> str:
    """Return the name of the trial of a fold that is explained."""
    if asked.choose == "validation-loss":
        return read_selected(asked.arm, folder, fold=fold)
    best, highest = "", -1.0
    for number in range(spec.trial_count(asked.arm)):
        if fold_of(number, spec.split_of(asked.arm)) == fold:
            trial = folder.trial(asked.arm, number)
            table = read_tsv(trial / "predictions.tsv").query("role == 'holdout'")
            value = scores(table["label"], table["logit"])["balanced_accuracy"]
            if value > highest:
                best, highest = trial.name, value
    return best


def explain_holdout(spec: Spec, asked: Explain, folder: RunFolder, progress: Progress) -> None:
    """Write the map of every held-out scan that has none yet, then averages a group, then the ledger."""
    scans = held_out_scans(spec, asked, folder)
    ledger: list[dict[str, Any]] = []
    for done, (explainer, path, store, n) in enumerate(scans, start=1):
        row = store.table.iloc[n]
        if not path.is_file():  # its sidecar was written first
            source = store.image_path(n)
            native = read_volume(source).grid
            write_map(
                path,
                explainer,
                explain_image(explainer, store.images[n].astype(np.float32)),
                source=source,
                source_grid=native,
            )
        ledger += [scan_columns(asked.arm, row) | entry for entry in read_ledger(path)]
        progress(done, len(scans), scan_name(row))
    _write_means(scans, asked)
    write_tsv(folder.table("ledger"), ledger_table(ledger, ["arm", "participant_id", "session_id", "group"]))


def scan_name(row: pd.Series[Any]) -> str:
    """Return the BIDS name of a scan of a store's table: `sub-01` or `sub-01_ses-02`."""
    session = row["session_id"]
    return str(row["participant_id"]) if pd.isna(session) else f"{row['participant_id']}_{session}"


def scan_columns(arm: str, row: pd.Series[Any]) -> dict[str, Any]:
    """Return the columns that say whose map a table's row is about."""
    return {"arm": arm, **{name: row[name] for name in ("participant_id", "session_id", "group")}}


def _write_means(scans: list[HeldOut], asked: Explain) -> None:
    """Write the mean map of each group, of all its scans or of the correctly classified ones."""
    explainer, out = scans[0].explainer, scans[0].path.parent
    counted = [one for one in scans if asked.averages == "all" or _is_correct(one)]
    maps = ((str(one.store.table["group"].iloc[one.row]), read_volume(one.path).data) for one in counted)
    models = sorted({relative(one.explainer.folder, out) for one in scans})
    several = {} if len(models) == 1 else {"Model": models, "ModelSha256": "n/a"}
    which = "held-out scans" if asked.averages == "all" else "correctly classified held-out scans"
    for group, average in group_means(maps).items():
        write_volume(
            out / map_name(f"group-{group}", asked.method, mean=True),
            average.values,
            explainer.grid,
            np.float32,
            description=f"Mean relevance of {average.number} subjects of {group}",
            sidecar=describe_map(explainer, out)
            | several
            | {"Description": f"Mean relevance map of the {which} of group {group}", "Scans": average.number},
        )


def _is_correct(one: HeldOut) -> bool:
    """Tell whether the explained logit has the sign of the scan's label."""
    logit = float(read_json(sidecar_path(one.path))["Logit"])
    return (logit > THRESHOLD) == bool(one.store.table["label"].iloc[one.row])
