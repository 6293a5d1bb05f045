"""What a run directory holds, read as it is: files that are missing are None, and nothing is made up for them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pellucid.analysis.crossed import correction
from pellucid.attribution.naming import method_label
from pellucid.cohort.store import Store, open_store
from pellucid.ground.arrays import BoolArray
from pellucid.ground.errors import InputError
from pellucid.ground.files import parse_toml, read_json, read_tsv
from pellucid.ground.opening import read_text
from pellucid.image.grid import Grid
from pellucid.maps.sidecars import read_sidecar
from pellucid.rundir.outputs import changed_spec, damaged_tasks, read_record
from pellucid.rundir.stores import Prepared

RECORD = "record.json"

_PREDICTIONS = {"participant_id": str, "group": str, "role": str, "label": float, "logit": float}
_HISTORY = {"epoch": float, "train_loss": float, "val_loss": float}
_SPLITS = {"participant_id": str, "role": str}
"""What must stand in the tables that are read as they are."""

_MODEL = {"classes?": {"0?": str, "1?": str}, "trained?": dict, "options?": dict, "channels?": int}
"""What is read of a trial's model.json, whoever wrote it."""

_SCANS = {"cohort": None, "images": "prepared", "scaling": None}
"""What of an arm says which scans its network sees, and what a specification that is silent means."""


@dataclass(frozen=True)
class Trial:
    """One trained model of an arm: its folder and what model.json says."""

    arm: str
    name: str
    folder: Path
    description: dict[str, Any]

    @property
    def trained(self) -> dict[str, Any]:
        """How it was trained; empty if the file does not say."""
        return dict(self.description.get("trained", {}))

    @property
    def history(self) -> pd.DataFrame | None:
        """One row an epoch."""
        return _table(self.folder / "history.tsv", _HISTORY)

    @property
    def predictions(self) -> pd.DataFrame | None:
        """One row a scan, all roles."""
        return _table(self.folder / "predictions.tsv", _PREDICTIONS)


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

    def of(self, name: str) -> Path | None:
        """Return the map of a scan (`sub-01`, `sub-01_ses-02`), if there is one."""
        found = sorted(self.folder.glob(f"{name}_space-*_relevance.nii.gz"))
        return found[0] if found else None

    @cached_property
    def sidecars(self) -> list[Path]:
        """The sidecars of the subjects' maps."""
        return sorted(self.folder.glob("sub-*_relevance.json"))

    @cached_property
    def sidecar(self) -> dict[str, Any]:
        """What the first sidecar says: the same method, number of models and field of view for all."""
        return read_sidecar(self.sidecars[0]) if self.sidecars else {}


@dataclass(frozen=True)
class Run:
    """A run directory."""

    folder: Path

    @cached_property
    def record(self) -> dict[str, Any]:
        """The content of record.json."""
        return read_record(self.folder / RECORD)

    @cached_property
    def damaged(self) -> dict[Path, str]:
        """What is not as the run left it, and how it differs: nothing of it is shown."""
        changed = changed_spec(self.record, self.folder)
        found = damaged_tasks(self.record, self.folder).values()
        return {
            bad.path: bad.what for bad in [*([changed] if changed else []), *(one for some in found for one in some)]
        }

    def refuse_damaged(self, path: Path) -> None:
        """Raise InputError for a file, or a folder with a file, that is not as the run left it and is there."""
        for bad, what in self.damaged.items():
            if bad.is_relative_to(path) and path.exists():
                raise InputError(bad, what, "`pellucid study run` makes it again")

    @cached_property
    def spec(self) -> dict[str, Any]:
        """The content of study.toml; empty if it is missing."""
        return parse_toml(self.spec_text, self.folder / "study.toml")

    @cached_property
    def spec_text(self) -> str:
        """The text of study.toml; empty if it is missing."""
        path = self.folder / "study.toml"
        return read_text(path) if path.exists() else ""

    def table(self, name: str) -> pd.DataFrame | None:
        """Return tables/NAME.tsv, or None if it was not made."""
        path = self.folder / "tables" / f"{name}.tsv"
        self.refuse_damaged(path)
        return _table(path)

    def maps_table(self, name: str) -> pd.DataFrame | None:
        """Return the rows of tables/NAME.tsv about the arm and method of `maps`, or None if it was not made."""
        table = self.table(name)
        if table is None or self.maps is None or "arm" not in table:
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
        self.refuse_damaged(self.folder / "splits.tsv")
        return _table(self.folder / "splits.tsv", _SPLITS)

    @cached_property
    def verdict(self) -> str | None:
        """What the leakage guard said."""
        path = self.folder / "splits.json"
        text: str | None = read_json(path, {"Guard?": str}).get("Guard") if path.exists() else None
        return text

    def is_cross_validated(self, arm: str | None = None) -> bool:
        """Tell whether each model of an arm, or of any arm or baseline, had a fold of its own."""
        users = self.spec.get("training", {}) | self.spec.get("baselines", {})
        cohorts = {user.get("cohort") for name, user in users.items() if arm in (None, name)}
        splits = self.spec.get("splits", {})
        return any(splits.get(cohort, {}).get("scheme") == "cross-validation" for cohort in cohorts)

    def correction(self, arm: str) -> float:
        """Return by how much intervals over an arm's held-out subjects are widened (`analysis.crossed`)."""
        if not self.is_cross_validated(arm):
            return 1.0
        return correction(int(self.spec["splits"][self._training[arm]["cohort"]].get("folds", 5)))

    def spread_of_trials(self, arms: Sequence[str]) -> str:
        """Say what the SD over the trials of arms is, for a caption."""
        if any(self.is_cross_validated(arm) for arm in arms):
            return "due to other folds, training and validation subjects and seeds, for a trial is a repeat"
        if any("subjects" in self._training.get(arm, {}) for arm in arms):
            return "the optimiser's chance, and that of which subjects were drawn to train on"
        return "the optimiser's chance alone"

    @cached_property
    def trials(self) -> list[Trial]:
        """Every finished trial, the arms in the order of the specification."""
        order = list(self.spec.get("training", {}))
        found = [
            Trial(path.parent.parent.name, path.parent.name, path.parent, read_json(path, _MODEL))
            for path in sorted((self.folder / "models").glob("*/trial-*/model.json"))
        ]
        return sorted(found, key=lambda t: (order.index(t.arm) if t.arm in order else len(order), t.arm, t.name))

    @cached_property
    def maps(self) -> Maps | None:
        """The maps of the first arm that the specification wants explained; without it, the first that lie there."""
        asked = self.spec.get("explain", {})
        found = sorted(path for path in (self.folder / "maps").glob("*/*") if any(path.glob("*_relevance.nii.gz")))
        for path in found:
            first = next((method_label(method) for method in asked.get("methods", ())), path.name)
            if asked and (path.parent.name, path.name) != (self.main_arm, first):
                continue
            return self.maps_in(path)
        return None

    def maps_in(self, folder: Path) -> Maps:
        """Return the maps of a folder maps/ARM/METHOD."""
        arm = folder.parent.name
        self.refuse_damaged(folder)
        methods = {method_label(method): method for method in self.spec.get("explain", {}).get("methods", ())}
        method = methods.get(folder.name, folder.name)
        return Maps(arm, method, folder, [trial for trial in self.trials if trial.arm == arm])

    def selected(self, arm: str) -> Trial | None:
        """Return the trial of an arm that was taken further (models/ARM/selected.json)."""
        path = self.folder / "models" / arm / "selected.json"
        name = read_json(path, {"trial?": str}).get("trial") if path.exists() else None
        return next((trial for trial in self.trials if (trial.arm, trial.name) == (arm, name)), None)

    @cached_property
    def positive(self) -> str | None:
        """The patients' group: what label 1 means to the explained arm's models, else to the first."""
        arm = self.maps.arm if self.maps else self.main_arm
        candidates = sorted(self.trials, key=lambda trial: trial.arm != arm)
        return next((trial.description["classes"]["1"] for trial in candidates), None)

    @cached_property
    def field_of_view(self) -> dict[str, Any] | None:
        """`Stops` and `SeenShare` of the explained model, from its maps' sidecars."""
        return self.maps.sidecar.get("FieldOfView") if self.maps else None

    @property
    def main_arm(self) -> str | None:
        """The arm that the study is about: the first that is explained; None if it explains nothing."""
        return next((str(arm) for arm in self.spec.get("explain", {}).get("arms", [])), None)

    @cached_property
    def untaught(self) -> dict[str, str]:
        """Explained arms whose networks never learned from the main arm's cohort, and what they are: its nulls."""
        main = self._training.get(self.main_arm or "", {})
        return {
            str(name): f"a network trained as {arm['start_from']} alone" if "start_from" in arm else "random weights"
            for name in self.spec.get("explain", {}).get("arms", [])
            if name != self.main_arm
            and (arm := self._training.get(name, {}))
            and all(arm.get(key, default) == main.get(key, default) for key, default in _SCANS.items())
            and main.get("cohort") not in self._learned_from(name)
        }

    @property
    def _training(self) -> dict[str, Any]:
        return dict(self.spec.get("training", {}))

    def _learned_from(self, arm: str | None) -> set[str]:
        """Return the cohorts that an arm was fitted to, and those before that it started from."""
        cohorts = set()
        while arm in self._training:
            one = self._training[arm]
            if one.get("fit", True):
                cohorts.add(one.get("cohort"))
            arm = one.get("start_from")
        return cohorts

    def seen(self, grid: Grid) -> BoolArray:
        """Return the field of view as a mask on a grid; everything, if the sidecars do not tell."""
        return seen_on(grid, self.maps.sidecar if self.maps else {})

    def store(self, maps: Maps) -> Store | None:
        """Return the store of the scans that maps explain: that of their arm, or None if it is not there.

        Of an arm that the specification does not know, the store that holds the most of the participants.
        """
        arm = self._training.get(maps.arm, {})
        if "cohort" in arm:
            scaling, usual = arm.get("scaling"), self.spec.get("preparation", {}).get("scaling")
            other = None if scaling == usual else scaling
            name = Prepared(arm["cohort"], arm.get("images") == "lesion-filled", other).name
            return dict(self.stores()).get(name)
        people = {path.name.split("_")[0] for path in maps.folder.glob("sub-*_relevance.nii.gz")}
        best, most = None, 0
        for _, store in self.stores():
            common = len(people & set(store.table["participant_id"]))
            if common > most:
                best, most = store, common
        return best

    def stores(self) -> Iterator[tuple[str, Store]]:
        """Yield every finished store with its name: that of its cohort, or what `Prepared` makes of it."""
        for path in sorted((self.folder / "stores").glob("*/store.json")):
            self.refuse_damaged(path.parent)
            yield path.parent.name, open_store(path.parent)

    @property
    def simulated(self) -> list[str]:
        """The cohorts that were simulated, by the specification."""
        return [name for name, cohort in self.spec.get("cohorts", {}).items() if "simulate" in cohort]


def open_run(folder: Path) -> Run:
    """Open a run directory.

    Raises
    ------
    InputError
        If it is none: there is no record.json, or it is damaged.
    """
    run = Run(Path(folder))
    if not (run.folder / RECORD).exists():
        raise InputError(folder, f"holds no {RECORD}, so it is no run directory", "Give the folder that a study wrote")
    _ = run.record, run.spec
    return run


def seen_on(grid: Grid, sidecar: Mapping[str, Any]) -> BoolArray:
    """Return the field of view that a map's sidecar states, as a mask on its grid; everything, if it states none."""
    mask = np.zeros(grid.shape, dtype=np.bool_)
    mask[tuple(slice(int(stop)) for stop in sidecar.get("FieldOfView", {}).get("Stops", grid.shape))] = True
    return mask


def scan_name(row: Mapping[Any, Any]) -> str:
    """Return the BIDS name of a row of predictions or of a store's table: `sub-01` or `sub-01_ses-02`."""
    session = row.get("session_id")
    return str(row["participant_id"]) if session is None or pd.isna(session) else f"{row['participant_id']}_{session}"


def sidecar_sources(run: Run) -> list[str]:
    """Return the path of the sidecar that speaks for all maps, from the run directory; empty if there is none."""
    found = run.maps.sidecars[:1] if run.maps else []
    return [path.relative_to(run.folder).as_posix() for path in found]


def _table(path: Path, columns: Mapping[str, type] | None = None) -> pd.DataFrame | None:
    return read_tsv(path, columns=columns, whole=True) if path.exists() else None
