"""A study's tables made of its tables of scores: arms trial by trial, by what they learned from, and calibrated."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from pellucid.analysis.calibration import calibration_summary
from pellucid.analysis.comparison import paired_trials
from pellucid.analysis.families import with_q
from pellucid.analysis.learning import learning_curves
from pellucid.ground.files import read_tsv
from pellucid.ground.progress import Progress
from pellucid.spec.arms import Arm
from pellucid.spec.spec import Spec
from pellucid.study.plan import Plan
from pellucid.study.steps.table_registry import Needs, after, study_table


@study_table("calibration_summary", needs=after("calibration"))
def calibration(plan: Plan, progress: Progress) -> pd.DataFrame:
    """Sum up the bins of each arm's probabilities; `calibration_summary` says how."""
    bins = read_tsv(plan.folder.table("calibration"))
    return calibration_summary(bins[bins["kind"] != "none"])


def of_one_division(spec: Spec) -> Needs | None:
    """Return what comparing arms trial by trial needs: a table of trials, and several arms of one division."""
    several = any(len(arms) > 1 for arms in _of_one_division(spec).values())
    return after("trials")(spec) if several else None


@study_table("trials_paired", needs=of_one_division)
def by_trial(plan: Plan, progress: Progress) -> pd.DataFrame:
    """Compare networks that were trained several times on one division, trial by trial; `paired_trials` says how.

    `q` controls the false discovery rate of the table. Repeats of a cross-validation share their people, so that a
    test over them would mean nothing.
    """
    trials, cohorts = read_tsv(plan.folder.table("trials")), _of_one_division(plan.spec)
    arms = {arm: cohort for cohort, some in cohorts.items() for arm in some}
    pairs = paired_trials(trials[trials["arm"].isin(arms)])
    return with_q(pairs[pairs["arm_one"].map(arms) == pairs["arm_two"].map(arms)])


def of_families(spec: Spec) -> Needs | None:
    """Return what learning curves need: scores, and arms that learn from different numbers of participants."""
    several = any(len({arm.subjects for arm in arms.values()}) > 1 for arms in _families(spec))
    return Needs(tasks=("splits", "table/table2")) if several else None


@study_table("learning_summary", needs=of_families)
def learning(plan: Plan, progress: Progress) -> pd.DataFrame:
    """Return the AUC of arms that differ in `subjects` alone, and in trials; `learning_curves` says how."""
    splits = read_tsv(plan.folder.splits)
    learners = splits[(splits["role"] == "train") & (splits["fold"] == 0)].groupby("cohort")["participant_id"].nunique()
    families = [
        {name: int(learners[arm.cohort]) if arm.subjects is None else arm.subjects for name, arm in family.items()}
        for family in _families(plan.spec)
    ]
    return learning_curves(families, read_tsv(plan.folder.table("table2")))


def _of_one_division(spec: Spec) -> dict[str, list[str]]:
    """Return for each cohort that is divided once, and has a holdout, the arms that are fitted to it."""
    found: dict[str, list[str]] = {}
    for name, arm in spec.training.items():
        how = spec.split_of(name)
        if arm.fit and how.judges and how.scheme == "holdout":
            found.setdefault(arm.cohort, []).append(name)
    return found


def _families(spec: Spec) -> list[dict[str, Arm]]:
    """Return the fitted arms, those together that differ in their number of participants and of trials alone."""
    families: list[tuple[Arm, dict[str, Arm]]] = []
    for name, arm in spec.training.items():
        if arm.fit and spec.split_of(name).judges:
            alike = replace(arm, subjects=None, trials=1)
            home = next((members for other, members in families if other == alike), None)
            if home is None:
                families.append((alike, {name: arm}))
            else:
                home[name] = arm
    return [members for _, members in families]
