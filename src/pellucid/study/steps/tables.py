"""A study's tables of people and models: who took part, and how well the models do."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import pandas as pd
from scipy.special import expit

from pellucid.analysis.brightness import brightness_alone
from pellucid.analysis.calibration import brier, expected_calibration_error, reliability
from pellucid.analysis.classification import by_person, one_a_person, over_trials, trial_scores
from pellucid.analysis.comparison import paired
from pellucid.analysis.families import with_q
from pellucid.analysis.permutation import permutation_p
from pellucid.analysis.roc import roc
from pellucid.analysis.subgroups import interactions, subgroups
from pellucid.cohort.store import open_store
from pellucid.ground.errors import InputError
from pellucid.ground.files import read_tsv
from pellucid.ground.progress import Progress
from pellucid.ground.seeds import derive_seed
from pellucid.image.scaling import SCALINGS
from pellucid.rundir.tables import TABLES
from pellucid.spec.spec import Spec
from pellucid.study.plan import Plan
from pellucid.study.steps.baselines import fits, is_fitted
from pellucid.study.steps.table_registry import Needs, study_table
from pellucid.study.steps.trials import calibrated_probabilities, holdout_predictions, is_selected
from pellucid.training.baselines.kinds import kind_of


def judged_arms(spec: Spec) -> list[str]:
    """Return the arms and baselines whose cohort has a holdout to judge them on."""
    return [name for name in (*spec.training, *spec.baselines) if spec.split_of(name).judges]


def _ready(plan: Plan) -> list[str]:
    """Return the arms and baselines of `judged_arms` that are complete."""
    return [
        name
        for name in judged_arms(plan.spec)
        if (is_selected(name, plan.folder) if name in plan.spec.training else is_fitted(name, plan))
    ]


def _fitted(name: str, spec: Spec) -> tuple[str, ...]:
    """Return the tasks that an arm's or a baseline's predictions come from."""
    return (f"select/{name}",) if name in spec.training else fits(name, spec)


def of_participants(spec: Spec) -> Needs:
    """Return what a table of the participants needs."""
    return Needs(tasks=("splits",))


def of_judged(spec: Spec) -> Needs | None:
    """Return what a table of scores needs: the arms and baselines that have a holdout, those that could be fitted."""
    arms = tuple(_fitted(name, spec) for name in judged_arms(spec))
    return Needs(parts=arms) if arms else None


def of_judged_cohorts(spec: Spec) -> Needs | None:
    """Return what a table of the scans of cohorts needs that have a holdout."""
    return Needs(tasks=("splits",)) if judged_arms(spec) else None


@study_table("table1", needs=of_participants)
def participants(plan: Plan, progress: Progress) -> pd.DataFrame:
    """Describe who took part: one row a cohort, role and group, and one for each group over all roles.

    Of a cohort that is cross-validated there are the latter alone.

    Ages (years), EDSS, disease durations (months) and lesion volumes (ml) are those of a participant's first scan;
    missing values are left out and show in the `_n` columns.
    """
    splits = read_tsv(plan.folder.splits)
    rows = []
    for name in plan.spec.cohorts:
        table = open_store(plan.folder.store(name)).table
        people = table.drop_duplicates("participant_id")
        once = plan.spec.splits[name].numbers == 1  # in a cross-validation everyone has each role at some time
        role = splits[(splits["cohort"] == name) & once].set_index("participant_id")["role"]
        scans = table.groupby("participant_id").size()
        people = people.assign(role=people["participant_id"].map(role), scans=people["participant_id"].map(scans))
        for (group, part), some in [
            *(((group, "all"), some) for group, some in people.groupby("group")),
            *people.groupby(["group", "role"]),
        ]:
            row: dict[str, Any] = {"cohort": name, "group": group, "role": part}
            row |= {"participants": len(some), "scans": int(some["scans"].sum())}
            row |= {"female": int((some["sex"] == "F").sum()), "sex_known": int(some["sex"].notna().sum())}
            # deviates: the paper's Table 1 has disease durations of everybody; what a cohort does not state is missing.
            for column in ("age", "edss", "disease_duration_months", "lesion_volume_ml"):
                values = some[column].dropna().astype(float)
                row |= {
                    f"{column}_n": len(values),
                    f"{column}_mean": values.mean(),
                    f"{column}_sd": values.std(ddof=1),
                    f"{column}_median": values.median(),
                    f"{column}_min": values.min(),
                    f"{column}_max": values.max(),
                }
            rows.append(row)
    return pd.DataFrame(rows)


@study_table("table2", needs=of_judged)
def performance(plan: Plan, progress: Progress) -> pd.DataFrame:
    """Score every arm on its holdout: mean and SD over trials, and an interval of the mean over people.

    `p_chance` of AUC and balanced accuracy is that of a permutation test of the labels; it is missing for the others.
    `p_from` says how it came about: `permutations` is the share of permutations that score as high. Of a
    cross-validation intervals and p are corrected (`analysis.crossed`), and p is no such share: `permutations,
    corrected` or `normal tail, corrected`. `q_chance` controls the false discovery rate of all p of the table.
    """
    tables, seed = [], derive_seed(plan.spec.study.seed, "permutation")
    for name in _ready(plan):
        held_out = holdout_predictions(name, plan)
        factor = plan.spec.split_of(name).correction
        table = over_trials(held_out, correction=factor)
        tested = {
            metric: permutation_p(held_out, metric, correction=factor, seed=seed)
            for metric in ("auc", "balanced_accuracy")
        }
        table["p_chance"] = table["metric"].map({metric: found.p for metric, found in tested.items()})
        table["p_from"] = table["metric"].map({metric: found.how for metric, found in tested.items()})
        table.insert(0, "arm", name)
        table.insert(1, "pretraining", plan.spec.training[name].start_from if name in plan.spec.training else None)
        tables.append(
            table.assign(n_trials=held_out["trial"].nunique(), n_subjects=held_out["participant_id"].nunique())
        )
    return with_q(pd.concat(tables, ignore_index=True), p="p_chance", q="q_chance")


@study_table("trials", needs=of_judged)
def by_trial(plan: Plan, progress: Progress) -> pd.DataFrame:
    """Score every trial of every arm on its holdout: arm, trial, and a column a metric.

    Of a cross-validation a trial is a repeat. Trials of one number have one seed in all arms, so that arms
    can be compared trial by trial.
    """
    tables = []
    for name in _ready(plan):
        table = trial_scores(by_person(holdout_predictions(name, plan)))
        table.insert(0, "arm", name)
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


@study_table("roc", needs=of_judged)
def curves(plan: Plan, progress: Progress) -> pd.DataFrame:
    """Return the ROC curve of every trial of every arm on its holdout: arm, trial, fpr, tpr."""
    tables = []
    for name in _ready(plan):
        table = roc(holdout_predictions(name, plan))
        table.insert(0, "arm", name)
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


@study_table("brightness", needs=of_judged_cohorts)
def brightness(plan: Plan, progress: Progress) -> pd.DataFrame:
    """Score mean brightness alone, under each scaling, on all scans of each cohort that has a holdout."""
    tables = []
    for name in dict.fromkeys(plan.spec.arm(arm).cohort for arm in judged_arms(plan.spec)):
        table = open_store(plan.folder.store(name)).table
        means = table[["participant_id", "session_id", "label"]].assign(
            **{scaling: table[f"brightness_{scaling}"] for scaling in SCALINGS}
        )
        scored = brightness_alone(means)
        tables.append(scored.assign(cohort=name, n_subjects=means["participant_id"].nunique()))
    return pd.concat(tables, ignore_index=True)


@study_table("comparisons", needs=of_judged)
def comparisons(plan: Plan, progress: Progress) -> pd.DataFrame:
    """Compare every two arms that are judged on one cohort, paired by participant.

    Of a cross-validation intervals and p are corrected (`analysis.crossed`); `p_from` says how each p came about. `q`
    controls the false discovery rate of all p of the table, of every pair and metric. Two that cannot be compared, for
    one is not complete or they share too few participants, have one row, whose `problem` says so.
    """
    tables, ready = [], _ready(plan)
    pairs = [
        (one, two)
        for one, two in combinations(judged_arms(plan.spec), 2)
        if plan.spec.arm(one).cohort == plan.spec.arm(two).cohort
    ]
    for done, (one, two) in enumerate(pairs, start=1):
        seed = derive_seed(plan.spec.study.seed, "comparison")
        try:
            for name in (one, two):
                if name not in ready:
                    raise InputError(name, "not all of it could be fitted", "See which tasks failed")
            predicted = [holdout_predictions(name, plan) for name in (one, two)]
            factor = plan.spec.split_of(one).correction
            table = paired(*predicted, correction=factor, seed=seed)
            table = table.assign(problem="")
        except InputError as error:
            table = pd.DataFrame({"problem": [str(error)]})
        tables.append(table.assign(arm_one=one, arm_two=two))
        progress(done, len(pairs), f"{one} and {two}")
    table = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()
    return with_q(table.reindex(columns=list(TABLES["comparisons"])))  # where no two could be compared too


@study_table("calibration", needs=of_judged)
def calibration(plan: Plan, progress: Progress) -> pd.DataFrame:
    """Say how far probabilities can be taken at their word, as they are and calibrated: a row an arm, kind and bin.

    Kind `sigmoid` is 1 / (1 + exp(-logit)). Kind `calibrated` follows Platt, fitted for each trial to its validation
    subjects; baselines have none. `brier` and `ece` are those of all held-out people of all trials together, one with
    several scans by its mean logit; a bin's interval counts each of its participants once. What has no probabilities
    has one row of kind `none`, whose `reason` says why.
    """
    tables = []
    for name in _ready(plan):
        if name in plan.spec.baselines and not kind_of(plan.spec.baselines[name]).log_odds:
            tables.append(pd.DataFrame([{"arm": name, "kind": "none", "reason": _MARGIN}]))
            continue
        raw = one_a_person(holdout_predictions(name, plan))
        kinds = {"sigmoid": expit(raw["logit"].to_numpy())}
        if name in plan.spec.training:
            kinds["calibrated"] = calibrated_probabilities(name, plan)
        for kind, probability in kinds.items():
            label = raw["label"].to_numpy()
            table = reliability(label, probability, raw["participant_id"])
            errors = {"brier": brier(label, probability), "ece": expected_calibration_error(label, probability)}
            said = pd.DataFrame({"arm": name, "kind": kind, **errors, "reason": ""}, index=table.index)
            table = pd.concat([said, table], axis=1)
            tables.append(table)
    return pd.concat(tables, ignore_index=True).reindex(columns=list(TABLES["calibration"]))


_MARGIN = "a support vector machine's decision value is a margin, no log-odds: it gives no probabilities"


@study_table("subgroups", needs=of_judged)
def by_subgroup(plan: Plan, progress: Progress) -> pd.DataFrame:
    """Score every arm on its holdout by sex, age, EDSS and lesion volume, intervals as in `performance`.

    `interaction_p` asks of each factor and arm whether its levels' AUCs differ more than chance lets them
    (`analysis.subgroups.interactions`); `interaction_q` controls the false discovery rate over all factors and arms.
    """
    tables, tests = [], []
    for name in _ready(plan):
        people = open_store(plan.folder.store(plan.spec.arm(name).cohort)).table.drop_duplicates("participant_id")
        held_out = holdout_predictions(name, plan)
        tables.append(subgroups(held_out, people, correction=plan.spec.split_of(name).correction))
        tests.append(interactions(held_out, people, seed=derive_seed(plan.spec.study.seed, "permutation")))
        for table in (tables[-1], tests[-1]):
            table.insert(0, "arm", name)
    tested = with_q(pd.concat(tests, ignore_index=True)).rename(columns={"p": "interaction_p", "q": "interaction_q"})
    columns = ["arm", "factor", "interaction_p", "interaction_q"]
    return pd.concat(tables, ignore_index=True).merge(tested[columns], how="left", on=["arm", "factor"])
