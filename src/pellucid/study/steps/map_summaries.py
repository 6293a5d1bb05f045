"""A study's tables that sum up its tables of maps over people."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd

from pellucid.analysis.regions import compare_images, region_means
from pellucid.ground.files import read_tsv
from pellucid.ground.progress import Progress
from pellucid.ground.seeds import derive_seed
from pellucid.rundir.tables import empty_table
from pellucid.rundir.untaught import untaught_arms
from pellucid.spec.spec import Spec
from pellucid.study.plan import Plan
from pellucid.study.steps.table_registry import Needs, after, study_table
from pellucid.trust.place_summary import place_summary
from pellucid.trust.sums_summary import alarm_counts, ledger_means, sums_summary

TESTED = tuple(f"{name}{test}" for test in ("", "_per_logit", "_per_gross") for name in ("difference", "p", "q"))
"""Columns of tables/region_tests.tsv that stand beside the means of areas."""


@study_table("ledger_summary", needs=after("ledger"))
def ledgers(plan: Plan, progress: Progress) -> pd.DataFrame:
    """Average the ledgers of the maps of each arm and method over each group; `ledger_means` says how."""
    return _by_map("ledger_summary", read_tsv(plan.folder.table("ledger")), lambda _, table: ledger_means(table))


@study_table("sums_summary", needs=after("sums"))
def sums(plan: Plan, progress: Progress) -> pd.DataFrame:
    """Average the sums of the maps of each arm and method over each group; `sums_summary` says how."""
    return _by_map("sums_summary", read_tsv(plan.folder.table("sums")), lambda _, table: sums_summary(table))


@study_table("alarms", needs=after("sums"))
def alarms(plan: Plan, progress: Progress) -> pd.DataFrame:
    """Count the maps of each arm and method that contradict their logit; `alarm_counts` says how."""
    found = read_tsv(plan.folder.table("sums"))
    return _by_map("alarms", found, lambda _, table: pd.DataFrame([alarm_counts(table)]))


@study_table("regions_summary", needs=after("regions", "region_tests"))
def regions(plan: Plan, progress: Progress) -> pd.DataFrame:
    """Average the relevance of each arm and method by area over each group, patients first, beside what was tested."""
    tests = read_tsv(plan.folder.table("region_tests"))

    def summary(arm: str, table: pd.DataFrame) -> pd.DataFrame:
        method = table["method"].iloc[0]
        positive, tables = plan.spec.cohort_of(arm).positive, []
        groups = sorted(table["group"].unique(), key=lambda group: (group != positive, group))
        for atlas, one in table.groupby("atlas", sort=False):
            means = region_means(one, groups, **_resampling(plan.spec, arm)).assign(atlas=atlas)
            of_atlas = (tests["arm"] == arm) & (tests["method"] == method) & (tests["atlas"] == atlas)
            tested = tests[of_atlas].set_index("area")
            tables.append(means.join(tested[list(TESTED)], on="area"))
        return pd.concat(tables, ignore_index=True)

    return _by_map("regions_summary", read_tsv(plan.folder.table("regions")), summary)


def _with_filled(spec: Spec) -> Needs | None:
    """Return what `filled` needs; nothing where no arm of lesion-filled scans is explained."""
    return after("regions")(spec) if filled_arms(spec) else None


@study_table("regions_filled", needs=_with_filled)
def filled(plan: Plan, progress: Progress) -> pd.DataFrame:
    """Average relevance by area over patients beside that of an arm of lesion-filled scans; `compare_images` says how.

    Two models differ in their training too, so a difference is not that of the lesions alone.
    """
    found, tables = read_tsv(plan.folder.table("regions")), []
    for arm, other in filled_arms(plan.spec):
        patients = found[found["group"] == plan.spec.cohort_of(arm).positive]
        for (method, atlas), rows in patients.groupby(["method", "atlas"], sort=False):
            both = (rows[rows["arm"] == name] for name in (arm, other))
            compared = compare_images(*both, **_resampling(plan.spec, arm))
            tables.append(compared.assign(arm=arm, filled=other, method=str(method), atlas=str(atlas)))
    return pd.concat(tables, ignore_index=True) if tables else empty_table("regions_filled")


def filled_arms(spec: Spec) -> list[tuple[str, str]]:
    """Return each explained arm of scans as they are with the first explained one of their lesion-filled copies.

    Both learn from one cohort with one network.
    """
    explained = spec.explain.arms if spec.explain else ()
    learned = {name: spec.training[name] for name in explained if spec.training[name].fit}
    pairs = []
    for name, arm in learned.items():
        for other, filled in learned.items():
            same = (filled.cohort, filled.network) == (arm.cohort, arm.network)
            if same and (arm.images, filled.images) == ("prepared", "lesion-filled"):
                pairs.append((name, other))
                break
    return pairs


@study_table("truth_summary", needs=after("truth"))
def truth(plan: Plan, progress: Progress) -> pd.DataFrame:
    """Sum up relevance in planted places over the patients of each arm and method; `place_summary` says how.

    Beside the best null stand the arms whose networks never learned from these people, by the same method.
    """
    found = read_tsv(plan.folder.table("truth"))

    def summary(arm: str, table: pd.DataFrame) -> pd.DataFrame:
        patients = found[
            (found["group"] == plan.spec.cohort_of(arm).positive) & (found["method"] == table["method"].iloc[0])
        ]
        others = {name: patients[patients["arm"] == name] for name in untaught_arms(plan.spec, arm)}
        own = patients[patients["arm"] == arm]
        return place_summary(own, {name: rows for name, rows in others.items() if len(rows)})

    return _by_map("truth_summary", found, summary)


def _resampling(spec: Spec, arm: str) -> dict[str, Any]:
    """Return how means over an arm's participants are resampled."""
    return {
        "draws": spec.analysis.bootstrap,
        "correction": spec.split_of(arm).correction,
        "seed": derive_seed(spec.study.seed, "bootstrap"),
    }


def _by_map(name: str, table: pd.DataFrame, summary: Callable[[str, pd.DataFrame], pd.DataFrame]) -> pd.DataFrame:
    """Sum up the rows of each arm and method for the table of a name."""
    tables = [
        summary(str(arm), rows).assign(arm=str(arm), method=str(method))
        for (arm, method), rows in table.groupby(["arm", "method"], sort=False)
    ]
    return pd.concat(tables, ignore_index=True) if tables else empty_table(name)
