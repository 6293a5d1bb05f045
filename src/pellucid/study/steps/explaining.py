"""The maps of explained arms: one a held-out scan, their group averages, and the ledger of all."""

from __future__ import annotations

from collections import Counter
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pellucid.analysis.averages import ONE_SCALE, PersonMap, average_people, is_of_several
from pellucid.analysis.classification import THRESHOLD, scores
from pellucid.cohort.store import Store
from pellucid.engine.tasks import Task
from pellucid.gate.finding import describe_remark
from pellucid.ground.arrays import Float32Array
from pellucid.ground.files import read_json, read_tsv, write_tsv
from pellucid.ground.progress import Progress
from pellucid.image.nifti import read_volume, sidecar_path, write_volume
from pellucid.maps.explainer import (
    Explainer,
    explain_image,
    ledger_table,
    mean_explained,
    open_explainer,
)
from pellucid.maps.files import write_map, write_spread
from pellucid.maps.names import map_name
from pellucid.maps.sidecars import describe_map, read_ledger
from pellucid.rundir.folder import files_in
from pellucid.spec.sections import Explain, Split
from pellucid.study.plan import Plan
from pellucid.study.steps.trials import cohort_rows, fold_of, read_selected

LEDGER = "ledger.tsv"
"""What each layer of each map passed on and absorbed, beside an arm's maps by one method."""


def explain_tasks(plan: Plan) -> list[Task]:
    """Return a task for each explained arm, which maps every held-out scan by each method; none without `[explain]`."""
    if plan.spec.explain is None:
        return []
    return [_explain_task(plan, plan.spec.explain, arm) for arm in plan.spec.explain.arms]


def _explain_task(plan: Plan, asked: Explain, arm: str) -> Task:
    def run(progress: Progress) -> None:
        explain_holdout(plan, asked, arm, progress)

    folders = [plan.folder.maps(arm, method) for method in asked.methods]
    return Task(
        kind="explain",
        about=arm,
        outputs=tuple(one / LEDGER for one in folders),  # each written when every map of the method is there
        leaves=lambda: [path for one in folders for path in files_in(one)],
        piece=lambda path: str(path.parent / path.name.partition("_space-")[0]),
        needs=(f"select/{arm}",),
        run=run,
    )


class HeldOut(NamedTuple):
    """A held-out scan: who explains it, by which method, where its map lies, and which row of the store it is."""

    explainers: tuple[Explainer, ...]
    method: str
    path: Path
    store: Store
    row: int

    @property
    def explainer(self) -> Explainer:
        """The first of them: method, grid and field of view are the same for all."""
        return self.explainers[0]

    @property
    def name(self) -> str:
        """The scan's BIDS name."""
        return self.store.scan_name(self.row)

    @property
    def participant(self) -> str:
        """Whose scan it is."""
        return str(self.store.table["participant_id"].iloc[self.row])

    @property
    def group(self) -> str:
        """The participant's group."""
        return str(self.store.table["group"].iloc[self.row])

    @property
    def networks(self) -> str:
        """Which networks the map is of, `finetuned/trial-01`, with spaces between them; others' maps may share one."""
        return " ".join(one.network for one in self.explainers)

    @property
    def logit(self) -> float:
        """The explained logit, of several models their mean; its map must be there."""
        return float(read_json(sidecar_path(self.path), {"Logit": float})["Logit"])

    @property
    def alarmed(self) -> bool:
        """Whether its map, which must be there, has an alarm."""
        return bool(read_json(sidecar_path(self.path), {"Alarms": (list, None)})["Alarms"])

    @property
    def correct(self) -> bool:
        """Whether the explained logit has the sign of the scan's label."""
        return (self.logit > THRESHOLD) == bool(self.store.table["label"].iloc[self.row])

    @property
    def relevance(self) -> Float32Array:
        """Its map (X, Y, Z), which must be there."""
        return read_volume(self.path).data


def held_out_scans(plan: Plan, asked: Explain, arm: str, method: str) -> list[HeldOut]:
    """Return every scan that gets a map by a method, with the models that explain it: none saw it in training."""
    how = plan.spec.split_of(arm)
    out = plan.folder.maps(arm, method)
    scans: dict[int, HeldOut] = {}
    for fold in _folds(how, asked):
        store, rows = cohort_rows(arm, plan, fold=fold)
        models = tuple(
            open_explainer(
                plan.folder.arm(arm) / trial,
                method=method,
                network=plan.spec.training[arm].own_network,
            )
            for trial in explained_trials(plan, asked, arm, fold)
        )
        for n in map(int, rows["holdout"]):
            before = scans[n].explainers if n in scans else ()
            path = out / map_name(store.scan_name(n), method)
            scans[n] = HeldOut(before + models, method, path, store, n)
    return list(scans.values())


def _folds(how: Split, asked: Explain) -> range:
    """Return the divisions whose models explain: of a repeated cross-validation the first repeat, or all."""
    return range(how.folds if how.scheme == "cross-validation" and asked.trials == "selected" else how.numbers)


def explained_trials(plan: Plan, asked: Explain, arm: str, fold: int) -> list[str]:
    """Return the names of the trials of a fold that are explained."""
    how = plan.spec.split_of(arm)
    numbers = [number for number in range(plan.spec.trial_count(arm)) if fold_of(number, how) == fold]
    if asked.trials == "all":
        return [plan.folder.trial(arm, number).name for number in numbers]
    if asked.choose == "validation-loss":
        return [read_selected(arm, plan.folder, fold=fold)]
    # deviates: of trials that tie the first is explained; in the paper trials 0 and 5 tied, and 5 was.
    best, highest = "", -1.0
    for number in numbers:
        trial = plan.folder.trial(arm, number)
        table = read_tsv(trial / "predictions.tsv").query("role == 'holdout'")
        value = scores(table["label"], table["logit"])["balanced_accuracy"]
        if value > highest:
            best, highest = trial.name, value
    return [best]


def explain_holdout(plan: Plan, asked: Explain, arm: str, progress: Progress) -> None:
    """Write, by each method, the map of every held-out scan that has none yet, averages a group, and the ledger."""
    for before, method in enumerate(asked.methods):
        scans = held_out_scans(plan, asked, arm, method)
        ledger: list[dict[str, Any]] = []
        for done, one in enumerate(scans, start=1):
            if not (one.path.is_file() and sidecar_path(one.path).is_file()):
                _write(one)
            ledger += [map_columns(arm, one) | entry for entry in read_ledger(one.path)]
            progress(before * len(scans) + done, len(asked.methods) * len(scans), one.name)
        _write_means(scans, asked)
        write_tsv(plan.folder.maps(arm, method) / LEDGER, ledger_table(ledger, OF_MAP))


def _write(one: HeldOut) -> None:
    """Explain a scan by each of its models; write their mean and, of several, the spread before it."""
    source = one.store.image_path(one.row)
    grid = read_volume(source).grid
    image = one.store.images[one.row].astype(np.float32)
    found = [explain_image(explainer, image) for explainer in one.explainers]
    if len(found) > 1:
        write_spread(one.path, one.explainers, found)
    said = describe_remark(one.store.table["remark"].iloc[one.row])
    write_map(one.path, one.explainers, mean_explained(found), source=source, source_grid=grid, said=said)


OF_MAP = ("arm", "method", "participant_id", "session_id", "group")
"""Columns that say which map a table's row is about."""


def map_columns(arm: str, one: HeldOut) -> dict[str, Any]:
    """Return the columns `OF_MAP` of a scan's map."""
    row = one.store.table.iloc[one.row]
    return {"arm": arm, "method": one.method, **{name: row[name] for name in OF_MAP[2:]}}


def _write_means(scans: list[HeldOut], asked: Explain) -> None:
    """Write the mean map of each group, of all its people or of those whose scans are correctly classified.

    Networks are brought to one scale before (`network_scales`); of several networks the mean of the maps as they are
    lies beside it, `..._unscaled.nii.gz`.
    """
    explainer, out = scans[0].explainer, scans[0].path.parent
    counted = [one for one in scans if asked.averages == "all" or one.correct]
    every = {model.folder: model for one in scans for model in one.explainers}
    which = "held-out people" if asked.averages == "all" else "people by their correctly classified held-out scans"
    alarmed = Counter(one.group for one in counted if one.alarmed)
    several = is_of_several(one.networks for one in counted)
    maps = [PersonMap(one.group, one.participant, one.networks, one.path) for one in counted]
    for unscaled in (False, True) if several else (False,):
        labels: dict[str, str] = {}
        for group, average in average_people(maps, one_scale=not unscaled).items():
            labels[group] = _label(group, set(labels.values()))
            name = map_name(f"group-{labels[group]}", scans[0].method, statistic="mean")
            write_volume(
                out / (name.replace("_relevance", "_unscaled") if unscaled else name),
                average.values,
                explainer.grid,
                np.float32,
                description=f"Mean relevance of {average.number} people of {group}",
                sidecar=describe_map(tuple(every.values()), out)
                | {
                    "Description": f"Mean relevance map of the {which} of group {group}. Research only.",
                    "Group": group,
                    "People": average.number,
                    "Scans": sum(one.group == group for one in counted),
                    "AlarmedMaps": alarmed[group],
                    "NetworkScale": _SCALES[(several, unscaled)],
                },
            )


_SCALES = {
    (False, False): "as they are: all maps come from one network, or from one set of networks",
    (True, False): ONE_SCALE,
    (True, True): "as they are: networks of larger relevance weigh more",
}


def _label(group: str, taken: set[str]) -> str:
    """Return a group's name as file names may have it, letters and digits alone, and none that is taken.

    >>> _label("healthy_control", set()), _label("MS/RR", {"MSRR"})
    ('healthycontrol', 'MSRR2')
    """
    label = "".join(letter for letter in group if letter.isascii() and letter.isalnum())
    return next(name for n in count(1) if (name := f"{label}{n if n > 1 else ''}") and name not in taken)
