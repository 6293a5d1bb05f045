"""What a run directory holds, read as it is: files that are missing are None, and nothing is made up for them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from pellucid.attribution.naming import method_label
from pellucid.cohort.store import Store, open_store
from pellucid.ground.arrays import BoolArray
from pellucid.ground.errors import InputError
from pellucid.ground.files import read_json, read_tsv
from pellucid.ground.opening import read_text
from pellucid.image.grid import Grid
from pellucid.maps.sidecars import read_sidecar, seen_by
from pellucid.rundir.folder import RunFolder
from pellucid.rundir.log import Log, log_of
from pellucid.rundir.outputs import changed_spec, damaged_tasks, read_record
from pellucid.rundir.stores import store_of
from pellucid.rundir.tables import HISTORY, PREDICTIONS, SPLITS, Columns, read_table
from pellucid.rundir.untaught import untaught_arms
from pellucid.spec.arms import Arm, Baseline
from pellucid.spec.reading import parse_spec
from pellucid.spec.sections import Explain
from pellucid.spec.spec import Spec

_MODEL = {
    "architecture": str,
    "options?": dict,
    "channels?": int,
    "grid": dict,
    "modality": str,
    "scaling": str,
    "classes": {"0": str, "1": str},
    "trained": {
        "settings": dict,
        "images": str,
        "untrained": bool,
        "epoch": int,
        "epochs": int,
        "val_loss": (float, None),
        "val_accuracy": (float, None),
        "val_auc": (float, None),
    },
}
"""What is read of a trial's model.json, whoever wrote it."""


@dataclass(frozen=True)
class Trial:
    """One trained model of an arm: its folder and what model.json says."""

    arm: str
    name: str
    folder: Path
    description: dict[str, Any]

    @property
    def trained(self) -> dict[str, Any]:
        """How it was trained."""
        return dict(self.description["trained"])

    @property
    def grid(self) -> Grid:
        """The grid of what it is given."""
        return Grid.from_json(self.description["grid"])

    @property
    def groups(self) -> tuple[str, str]:
        """Patients and controls: what labels 1 and 0 mean to it."""
        return self.description["classes"]["1"], self.description["classes"]["0"]

    @property
    def history(self) -> pd.DataFrame | None:
        """One row an epoch."""
        return _table(self.folder / "history.tsv", HISTORY)

    @property
    def predictions(self) -> pd.DataFrame | None:
        """One row a scan, all roles."""
        return _table(self.folder / "predictions.tsv", PREDICTIONS)


@dataclass(frozen=True)
class Maps:
    """The relevance maps of one arm by one method, and the arm's trials."""

    arm: str
    method: str
    folder: Path
    trials: Sequence[Trial]

    @cached_property
    def trial(self) -> Trial | None:
        """The trial that was explained; None if several were, or the sidecars do not tell."""
        said = [read_sidecar(path).get("Model", "") for path in self.sidecars]
        names = {Path(one).name for model in said for one in ([model] if isinstance(model, str) else model)}
        return next((trial for trial in self.trials if {trial.name} == names), None)

    @cached_property
    def paths(self) -> list[Path]:
        """The maps of scans."""
        return sorted(self.folder.glob("sub-*_relevance.nii.gz"))

    @property
    def averages(self) -> list[Path]:
        """The mean maps of groups."""
        return sorted(self.folder.glob("group-*_relevance.nii.gz"))

    def of(self, name: str) -> Path | None:
        """Return the map of a scan (`sub-01`, `sub-01_ses-02`), if there is one."""
        return next((path for path in self.paths if path.name.startswith(f"{name}_space-")), None)

    @cached_property
    def sidecars(self) -> list[Path]:
        """The sidecars of the maps of scans."""
        return sorted(self.folder.glob("sub-*_relevance.json"))

    @cached_property
    def sidecar(self) -> dict[str, Any]:
        """What the first sidecar says: the same method, number of models and field of view for all."""
        return read_sidecar(self.sidecars[0]) if self.sidecars else {}

    def seen(self, grid: Grid) -> BoolArray:
        """Return the field of view as a mask on a grid; everything, if the sidecars do not tell."""
        return seen_by(self.sidecar, grid)


@dataclass(frozen=True)
class Run:
    """A run directory, and the specification that it was made from: None if there is none that can be read."""

    folder: RunFolder
    record: Mapping[str, Any]
    """The content of record.json."""
    log: Log
    """What it says of each start and task."""
    spec: Spec | None
    spec_text: str
    """The text of study.toml; empty if it is missing."""
    spec_problem: str
    """Why there is no specification; empty if there is one."""

    @property
    def name(self) -> str:
        """The study's name, or else the folder's."""
        return self.spec.study.name if self.spec else self.log.study or self.folder.root.name

    @property
    def title(self) -> str:
        """The study's title; empty if it has none."""
        return self.spec.study.title if self.spec else ""

    def relative(self, path: Path) -> str:
        """Return a path from the run directory on."""
        return path.relative_to(self.folder.root).as_posix()

    @cached_property
    def damaged(self) -> dict[Path, str]:
        """What is not as the run left it, and how it differs: nothing of it is shown."""
        changed = changed_spec(self.record, self.folder.root)
        found = damaged_tasks(self.record, self.folder.root).values()
        return {
            bad.path: bad.what for bad in [*([changed] if changed else []), *(one for some in found for one in some)]
        }

    def refuse_damaged(self, path: Path) -> None:
        """Raise InputError for a file, or a folder with a file, that is not as the run left it and is there."""
        for bad, what in self.damaged.items():
            if bad.is_relative_to(path) and path.exists():
                raise InputError(bad, what, "`pellucid study run` makes it again")

    @property
    def arms(self) -> Mapping[str, Arm]:
        """The arms of the specification."""
        return self.spec.training if self.spec else {}

    @property
    def baselines(self) -> Mapping[str, Baseline]:
        """Its baselines."""
        return self.spec.baselines if self.spec else {}

    @property
    def explain(self) -> Explain | None:
        """What it asks to be explained, if anything."""
        return self.spec.explain if self.spec else None

    @property
    def simulated(self) -> list[str]:
        """Its cohorts that were simulated."""
        return [name for name, cohort in self.spec.cohorts.items() if cohort.simulate] if self.spec else []

    @property
    def explained_arms(self) -> Sequence[str]:
        """The arms that it wants explained; the first is the one that the study is about."""
        return self.explain.arms if self.explain else ()

    @property
    def main_arm(self) -> str | None:
        """The arm that the study is about; None if it explains nothing."""
        return next(iter(self.explained_arms), None)

    @cached_property
    def untaught(self) -> dict[str, str]:
        """Explained arms whose networks never learned from the main arm's cohort, and what they are: its nulls."""
        if self.spec is None or self.main_arm is None:
            return {}
        starts = {name: self.spec.training[name].start_from for name in untaught_arms(self.spec, self.main_arm)}
        return {
            name: f"a network trained as {start} alone" if start else "random weights" for name, start in starts.items()
        }

    def is_cross_validated(self, arm: str | None = None) -> bool:
        """Tell whether each model of an arm, or of any arm or baseline, had a fold of its own."""
        return self.spec is not None and any(
            self.spec.split_of(name).scheme == "cross-validation"
            for name in (*self.arms, *self.baselines)
            if arm in (None, name)
        )

    def correction(self, arm: str) -> float:
        """Return by how much intervals over an arm's held-out subjects are widened (`analysis.crossed`)."""
        return self.spec.split_of(arm).correction if self.spec and arm in self.arms else 1.0

    def spread_of_trials(self, arms: Sequence[str]) -> str:
        """Say what the SD over the trials of arms is, for a caption."""
        if any(self.is_cross_validated(arm) for arm in arms):
            return "due to other folds, training and validation participants and seeds, because a trial is a repeat"
        if any(arm in self.arms and self.arms[arm].subjects for arm in arms):
            return "due to the seeds of training, and to the random choice of training participants"
        return "due to the seeds of training only"

    def table(self, name: str) -> pd.DataFrame | None:
        """Return tables/NAME.tsv, or None if it was not made; InputError if it lacks what `tables` declares of it."""
        path = self.folder.table(name)
        self.refuse_damaged(path)
        return read_table(path, name) if path.exists() else None

    def maps_table(self, name: str) -> pd.DataFrame | None:
        """Return the rows of tables/NAME.tsv about the arm and method of `maps`, or None if it was not made."""
        table = self.table(name)
        if table is None or self.maps is None:
            return table
        return table[(table["arm"] == self.maps.arm) & (table["method"] == self.maps.method)].reset_index(drop=True)

    def untaught_table(self, name: str) -> pd.DataFrame | None:
        """Return the rows of tables/NAME.tsv that are about the arms of `untaught`, or None if it was not made."""
        table = self.table(name)
        if table is None or self.maps is None:
            return table
        wanted = table["arm"].isin(list(self.untaught)) & (table["method"] == self.maps.method)
        return table[wanted].reset_index(drop=True)

    @cached_property
    def splits(self) -> pd.DataFrame | None:
        """Who trained, validated and was held out."""
        self.refuse_damaged(self.folder.splits)
        return _table(self.folder.splits, SPLITS)

    @cached_property
    def verdict(self) -> str | None:
        """What the leakage guard said."""
        path = self.folder.verdict
        return str(read_json(path, {"Guard": str})["Guard"]) if path.exists() else None

    @cached_property
    def trials(self) -> list[Trial]:
        """Every finished trial, the arms in the order of the specification."""
        order = list(self.arms)
        found = [
            Trial(path.parent.name, path.name, path, read_json(path / "model.json", _MODEL))
            for path in self.folder.finished_trials()
        ]
        return sorted(found, key=lambda t: (order.index(t.arm) if t.arm in order else len(order), t.arm, t.name))

    @cached_property
    def maps(self) -> Maps | None:
        """The maps of the first arm that the specification wants explained; without it, the first that lie there."""
        if self.explain is not None:
            return self.maps_of(self.explain.arms[0])
        return next((self._maps(path) for path in sorted(self.folder.all_maps.glob("*/*")) if _holds_maps(path)), None)

    def maps_of(self, arm: str) -> Maps | None:
        """Return the maps of an arm by the study's first method, or, if that is not known, the first that lie there."""
        pattern = method_label(self.explain.methods[0]) if self.explain else "*"
        found = sorted((self.folder.all_maps / arm).glob(pattern))
        return next((self._maps(path) for path in found if _holds_maps(path)), None)

    def _maps(self, path: Path) -> Maps:
        arm = path.parent.name
        self.refuse_damaged(path)
        methods = {method_label(method): method for method in (self.explain.methods if self.explain else ())}
        trials = [trial for trial in self.trials if trial.arm == arm]
        return Maps(arm, methods.get(path.name, path.name), path, trials)

    def selected(self, arm: str) -> Trial | None:
        """Return the trial of an arm that was taken further (models/ARM/selected.json)."""
        path = self.folder.selection(arm)
        name = read_json(path, {"trial": str})["trial"] if path.exists() else None
        return next((trial for trial in self.trials if (trial.arm, trial.name) == (arm, name)), None)

    @cached_property
    def positive(self) -> str | None:
        """The patients' group: what label 1 means to the explained arm's models, else to the first."""
        arm = self.maps.arm if self.maps else self.main_arm
        candidates = sorted(self.trials, key=lambda trial: trial.arm != arm)
        return candidates[0].groups[0] if candidates else None

    @cached_property
    def field_of_view(self) -> dict[str, Any] | None:
        """`Stops` and `SeenShare` of the explained model, from its maps' sidecars."""
        return self.maps.sidecar.get("FieldOfView") if self.maps else None

    def store(self, maps: Maps) -> Store | None:
        """Return the store of the scans that maps explain: that of their arm, or None if it is not there.

        Of an arm that the specification does not know, the store that holds the most of the participants.
        """
        if self.spec is not None and maps.arm in self.spec.training:
            return dict(self.stores()).get(store_of(self.spec.training[maps.arm], self.spec).name)
        people = {path.name.split("_")[0] for path in maps.paths}
        best, most = None, 0
        for _, store in self.stores():
            common = len(people & set(store.table["participant_id"]))
            if common > most:
                best, most = store, common
        return best

    def stores(self) -> Iterator[tuple[str, Store]]:
        """Yield every finished store with its name: that of its cohort, or what `Prepared` makes of it."""
        for path in self.folder.finished_stores():
            self.refuse_damaged(path)
            yield path.name, open_store(path)


def open_run(folder: Path) -> Run:
    """Open a run directory; a specification that is missing or cannot be read is None, with the reason.

    Nothing that the specification names is looked for or imported: the run may be another machine's.

    Raises
    ------
    InputError
        If it is none: there is no record.json, or it is damaged.
    """
    paths = RunFolder(Path(folder))
    if not paths.record.exists():
        what = f"has no {paths.record.name}, so it is not a run directory"
        raise InputError(folder, what, "Give the folder that a study wrote")
    record, text, spec, problem = read_record(paths.record), "", None, ""
    try:
        text = read_text(paths.spec)
        spec = parse_spec(text, file=paths.spec)
    except InputError as error:
        problem = str(error)
    return Run(paths, record, log_of(record, paths.record), spec, text, problem)


def sidecar_sources(run: Run) -> list[str]:
    """Return the path of the sidecar that speaks for all maps, from the run directory; empty if there is none."""
    return [run.relative(path) for path in (run.maps.sidecars[:1] if run.maps else [])]


def _holds_maps(folder: Path) -> bool:
    return any(folder.glob("*_relevance.nii.gz"))


def _table(path: Path, columns: Columns) -> pd.DataFrame | None:
    return read_tsv(path, columns=columns, whole=True) if path.exists() else None
