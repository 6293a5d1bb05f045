"""What the paper's figures are drawn from: which arm plays which part, maps with their scans, and what is missing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import pandas as pd
from matplotlib.figure import Figure

from pellucid.analysis.averages import ONE_SCALE, Average, PersonMap, average_people, is_of_several
from pellucid.cohort.store import Store
from pellucid.report.explained import explained
from pellucid.report.html.blocks import records
from pellucid.rundir.folder import SPEC
from pellucid.rundir.run import Maps, Run
from pellucid.spec.arms import Arm
from pellucid.spec.spec import Spec

PARTS = ("untrained", "pretrained-only", "scratch", "finetuned")
"""The rows of Figure 5, from top to bottom."""

WHITE, GREY = "jhu", "neuromorphometrics"


class MissingError(Exception):
    """A figure cannot be drawn, for the reason given: the run lacks what it shows."""


@dataclass(frozen=True, eq=False)
class Drawing:
    """A figure, the data that it shows, and a caption that says what is drawn and from which files of the run."""

    figure: Figure
    data: pd.DataFrame
    caption: str
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Relevance:
    """The maps of an arm's held-out scans, each with its row of the store.

    Parameters
    ----------
    table
        What `explained` says of them, one row a map.
    """

    maps: Maps
    store: Store
    table: pd.DataFrame
    _means: dict[bool, dict[str, Average]] = field(default_factory=dict)

    @property
    def alarms(self) -> str:
        """How many of the maps have an alarm of their ledger, as a sentence to add to a note; empty if none has."""
        number_of = sum(bool(some) for some in self.table["alarms"])
        return f" {number_of} of {len(self.table)} maps of arm {self.maps.arm} do not add up." if number_of else ""

    @property
    def one_scale(self) -> str:
        """How means treat maps of several networks, as a sentence to add to a note; empty if all are of one."""
        if not is_of_several(self.table["networks"]):
            return ""
        return f" The maps of arm {self.maps.arm} come from several networks, brought to one scale: {ONE_SCALE}."

    def mean(self, group: str, *, correct: bool) -> Average:
        """Return the mean map of a group over people (`average_people`); `correct` leaves the wrong verdicts out.

        Raises
        ------
        MissingError
            If there is no such map.
        """
        if correct not in self._means:
            rows = records(self.table[self.table["correct"]] if correct else self.table)
            self._means[correct] = average_people(
                [PersonMap(str(row["group"]), str(row["participant_id"]), row["networks"], row["path"]) for row in rows]
            )
        if group not in self._means[correct]:
            which = "correctly classified held-out scan" if correct else "map of a held-out scan"
            raise MissingError(f"arm {self.maps.arm} has no {which} of group {group}")
        return self._means[correct][group]


@dataclass(frozen=True, eq=False)
class Material:
    """A run, opened for the figures: what is read once serves all of them."""

    run: Run
    _opened: dict[str, Relevance] = field(default_factory=dict)

    @cached_property
    def main(self) -> str:
        """The arm that the figures are about: the first that the study explains."""
        found = self.run.main_arm
        if found is None:
            raise MissingError("study.toml does not name an arm to explain")
        return found

    @cached_property
    def spec(self) -> Spec:
        """What was asked."""
        if self.run.spec is None:
            raise MissingError(f"the run has no {SPEC} that can be read")
        return self.run.spec

    @cached_property
    def groups(self) -> tuple[str, str]:
        """Patients and controls: what labels 1 and 0 mean to the main arm's models."""
        for trial in self.run.trials:
            if trial.arm == self.main:
                return trial.groups
        raise MissingError(f"no models/{self.main}/TRIAL/model.json names two groups")

    @property
    def parts(self) -> dict[str, str]:
        """Which arm plays which part."""
        return arms_by_part(self.spec.training, self.run.explained_arms)

    def relevance(self, arm: str) -> Relevance:
        """Return the maps of an arm.

        Raises
        ------
        MissingError
            If the arm has no maps, or the scans that they explain are in no store.
        """
        if arm not in self._opened:
            self._opened[arm] = _open(self.run, arm)
        return self._opened[arm]

    def regions(self, atlas: str, arm: str) -> pd.DataFrame:
        """Return the rows of tables/regions.tsv of one arm and of the white-matter (WHITE) or the other atlas (GREY).

        Raises
        ------
        MissingError
            If there are none.
        """
        table = self.table("regions")
        rows = table[self._of(table, arm) & (table["atlas"] == one_atlas(table, atlas))]
        if rows.empty:
            raise MissingError(f"tables/regions.tsv has no row of arm {arm} for {_ATLAS_WORDS[atlas]}")
        return rows.reset_index(drop=True)

    def _of(self, table: pd.DataFrame, arm: str) -> pd.Series[bool]:
        """Tell which rows of a table are about an arm's maps by the study's first method."""
        first = table["method"].iloc[0] if self.run.maps is None else self.run.maps.method
        return (table["arm"] == arm) & (table["method"] == first)

    def table(self, name: str) -> pd.DataFrame:
        """Return a table of the run; raise MissingError if there is none."""
        table = self.run.table(name)
        if table is None:
            raise MissingError(f"the run has no tables/{name}.tsv")
        return table

    def rows_trained_on(self, store: Store) -> tuple[list[int], str]:
        """Return the store's rows that were not held out, and words for them; all of them where everyone was, by turns.

        Raises
        ------
        MissingError
            If splits.tsv is missing.
        """
        splits = self.run.splits
        if splits is None:
            raise MissingError("the run has no splits.tsv")
        if self.run.is_cross_validated(self.main):
            return list(range(len(store))), "all participants (each is held out once)"
        cohort = self.spec.training[self.main].cohort
        out = set(splits.loc[(splits["cohort"] == cohort) & (splits["role"] == "holdout"), "participant_id"])
        return [n for n, who in enumerate(store.table["participant_id"]) if who not in out], "all but the held-out"


_ATLAS_WORDS = {WHITE: f"a white-matter atlas ({WHITE})", GREY: f"a grey-matter atlas ({GREY})"}


def arms_by_part(arms: Mapping[str, Arm], explained: Sequence[str]) -> dict[str, str]:
    """Return which arm plays which part in the paper's Figures 5 and 6, as far as there is one.

    All learn from the main arm's cohort with the main arm's network. `untrained` and `pretrained-only` are not fitted,
    without and with an arm to start from; `scratch` is fitted without; `finetuned` is the main arm, if it starts from
    another; `lesion-filled` is fitted to lesion-filled scans. Of several, the first explained one
    or else the first.

    >>> arms = {"a": Arm(cohort="ms", start_from="b"), "c": Arm(cohort="ms", fit=False)}
    >>> arms_by_part(arms, ["a"])
    {'untrained': 'c', 'finetuned': 'a'}
    """
    if not explained:
        return {}
    main = explained[0]
    tests: dict[str, Callable[[str, Arm], bool]] = {
        "untrained": lambda name, arm: not arm.fit and not arm.start_from,
        "pretrained-only": lambda name, arm: not arm.fit and bool(arm.start_from),
        "scratch": lambda name, arm: arm.fit and not arm.start_from,
        "finetuned": lambda name, arm: name == main and bool(arm.start_from),
        "lesion-filled": lambda name, arm: arm.fit,
    }
    ordered = sorted(arms.items(), key=lambda item: item[0] not in explained)
    found = {}
    for part, fits in tests.items():
        images = "lesion-filled" if part == "lesion-filled" else "prepared"
        for name, arm in ordered:
            same = (arm.cohort, arm.network) == (arms[main].cohort, arms[main].network)
            if same and arm.images == images and fits(name, arm):
                found[part] = name
                break
    return found


def one_atlas(table: pd.DataFrame, kind: str) -> str | None:
    """Return the name of the white-matter atlas in a table (it begins with jhu), or of the first of the others."""
    names = [str(name) for name in table["atlas"].dropna().unique()]
    white = [name for name in names if name.lower().startswith(WHITE)]
    grey = sorted((name for name in names if name not in white), key=lambda name: name != GREY)
    return next(iter(white if kind == WHITE else grey), None)


def _open(run: Run, arm: str) -> Relevance:
    maps = run.maps_of(arm)
    if maps is None or not maps.paths:
        raise MissingError(f"the run has no maps of arm {arm} (maps/{arm})")
    store = run.store(maps)
    if store is None:
        raise MissingError(f"the scans that the maps of arm {arm} explain are in no store (stores)")
    table = explained(maps, store)
    if table.empty:
        raise MissingError(f"no sidecar of maps/{arm}/{maps.method} states the logit that its map explains")
    return Relevance(maps, store, table)
