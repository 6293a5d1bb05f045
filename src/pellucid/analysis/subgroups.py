"""Whom a classifier serves well and whom not: its scores by sex, age, disability and lesion volume."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from pellucid.analysis.classification import METRICS, THRESHOLD, by_person, over_trials
from pellucid.analysis.proportions import FEW, share_interval
from pellucid.ground.arrays import Float64Array
from pellucid.ground.errors import InputError

MISSING = "n/a"
"""The level of participants whose value is not known."""


def subgroups(predictions: pd.DataFrame, people: pd.DataFrame, *, correction: float = 1.0) -> pd.DataFrame:
    """Score each subgroup by `over_trials`: means over trials, with intervals over people.

    - sex: as written, F and M.
    - age: thirds of all participants that were predicted.
    - edss: <= 2, 2.5-4 and > 4, patients only.
    - lesion_volume: thirds of the patients.

    A value equal to a border between thirds belongs to the lower one. The levels of edss and lesion_volume hold
    patients only and are scored against all controls. Where a level has one class only, its sensitivity or specificity
    is there and the rest is missing. Whose value is missing forms the level "n/a"; a factor that nobody has a value of
    is left out.

    Parameters
    ----------
    predictions
        One row a scan and trial, as `over_trials` takes them: trial, participant_id, label (0 or 1), logit, and
        session_id and fold where there are such.
        The label, not `group`, says who is a patient.
    people
        One row a participant: participant_id and any of sex, age (years), edss, lesion_volume_ml. Those without
        predictions are not looked at.
    correction
        As in `over_trials`.

    Returns
    -------
    One row a subgroup that has members: factor, level, value_min, value_max (smallest and largest value in it; missing
    for sex and n/a), n_patients, n_controls (participants it is scored on), few (fewer than `proportions.FEW` of a
    class), reason (why a score or an interval is missing, or empty), and for each metric of METRICS the metric, `_low`
    and `_high`. n_patients adds up over a factor, and n_controls over sex and age; every row of edss and lesion_volume
    has all controls.

    Raises
    ------
    InputError
        If a participant has no row or several in `people`, a value is not a number, a class is missing altogether, or
        the predictions are none that `over_trials` takes.
    """
    known, label = _described(predictions, people)
    rows = []
    for level in _levels(known, label):
        members = level.members.append(label.index[label == 0]) if level.patients_only else level.members
        some = predictions[predictions["participant_id"].isin(members)]
        counted = label.loc[members]
        n_patients, n_controls = int((counted == 1).sum()), int((counted == 0).sum())
        scored, reason = _scores(some, n_patients, n_controls, correction)
        row: dict[str, Any] = {
            "factor": level.factor,
            "level": level.name,
            "value_min": level.low,
            "value_max": level.high,
            "n_patients": n_patients,
            "n_controls": n_controls,
            "few": min(n_patients, n_controls) < FEW,
            "reason": reason,
        }
        for metric in METRICS:
            row |= dict(zip((metric, f"{metric}_low", f"{metric}_high"), scored[metric], strict=True))
        rows.append(row)
    ends = [f"{metric}{end}" for metric in METRICS for end in ("", "_low", "_high")]
    first = ["factor", "level", "value_min", "value_max", "n_patients", "n_controls", "few", "reason"]
    return pd.DataFrame(rows, columns=[*first, *ends])


def interactions(
    predictions: pd.DataFrame, people: pd.DataFrame, *, permutations: int = 1999, seed: int
) -> pd.DataFrame:
    """Test of each factor whether the AUC differs between its levels more than chance lets it: group x subgroup.

    The statistic is the sum over levels of P_l (A_l - A)^2, with A_l the AUC over the P_l pairs of a patient and a
    control of level l within folds and trials, and A their mean by P_l. Levels are permuted over people within a class;
    of edss and lesion_volume, which patients alone have, over patients, and each level has all controls. p = (1 +
    #{permuted >= observed}) / (1 + permutations). Who has no value takes no part.

    Parameters
    ----------
    predictions, people
        As `subgroups` takes them, and it raises the same.
    permutations, seed
        Number and seed of the permutations.

    Returns
    -------
    One row a factor: factor, levels (those with a pair), auc_range (largest - smallest AUC of a level), p; both are
    missing where fewer than two levels have a pair.
    """
    known, label = _described(predictions, people)
    laid = by_person(predictions)
    sick = laid.label == 1
    wins, same = np.zeros((2, int(sick.sum()), int((~sick).sum())))
    for logit, fold in zip(laid.logit.T, laid.fold.T, strict=True):
        together = (fold[sick][:, None] == fold[~sick]).astype(np.float64)
        wins += together * (np.sign(logit[sick][:, None] - logit[~sick]) + 1.0) / 2.0
        same += together
    rows = []
    levels = [level for level in _levels(known, label) if level.name != MISSING]
    for factor in dict.fromkeys(level.factor for level in levels):
        of_factor = [level for level in levels if level.factor == factor]
        member = np.stack([np.isin(laid.participant, level.members) for level in of_factor], axis=1).astype(np.float64)
        ours, theirs = member[sick], member[~sick]
        if of_factor[0].patients_only:
            theirs = np.ones_like(theirs)
        spread, areas = _spread(wins, same, ours, theirs)
        p = float("nan")
        if areas.size > 1:
            rng, reached = np.random.default_rng(seed), 0
            for _ in range(permutations):
                drawn = rng.permutation(ours), theirs if of_factor[0].patients_only else rng.permutation(theirs)
                reached += _spread(wins, same, *drawn)[0] >= spread - 1e-9
            p = (1 + reached) / (1 + permutations)
        rows.append((factor, areas.size, float(np.ptp(areas)) if areas.size > 1 else float("nan"), p))
    return pd.DataFrame(rows, columns=["factor", "levels", "auc_range", "p"])


def _spread(
    wins: Float64Array, same: Float64Array, ours: Float64Array, theirs: Float64Array
) -> tuple[float, Float64Array]:
    """Return sum of P_l (A_l - A)^2 and the AUCs A_l of levels with pairs; memberships (people, levels)."""
    won, pairs = (((ours.T @ table) * theirs.T).sum(axis=1) for table in (wins, same))
    there = pairs > 0
    if not there.any():
        return 0.0, np.empty(0)
    areas = won[there] / pairs[there]
    middle = np.average(areas, weights=pairs[there])
    return float((pairs[there] * (areas - middle) ** 2).sum()), areas


def _described(predictions: pd.DataFrame, people: pd.DataFrame) -> tuple[pd.DataFrame, pd.Series]:
    """Return what is known of whom was predicted, and the labels, both by participant."""
    laid = by_person(predictions)
    label = pd.Series(laid.label, index=pd.Index(laid.participant, name="participant_id"))
    return _known(people, label.index), label


class _Level(NamedTuple):
    factor: str
    name: str
    members: pd.Index
    low: float
    high: float
    patients_only: bool


def _thirds(values: pd.Series) -> pd.Series:
    borders = np.quantile(values, [1 / 3, 2 / 3])
    names = np.array(["lower third", "middle third", "upper third"])
    return pd.Series(names[np.searchsorted(borders, values)], index=values.index)


def _disability(values: pd.Series) -> pd.Series:
    return pd.Series(np.array(["<= 2", "2.5-4", "> 4"])[np.searchsorted([2.0, 4.0], values)], index=values.index)


_NUMBERS: dict[str, tuple[str, Callable[[pd.Series], pd.Series], bool]] = {
    "age": ("age", _thirds, False),
    "edss": ("edss", _disability, True),
    "lesion_volume": ("lesion_volume_ml", _thirds, True),
}
"""Factor: its column, how values become levels, and whether only patients have it."""


def _levels(people: pd.DataFrame, label: pd.Series) -> Iterator[_Level]:
    """Yield the levels that have members, each factor's by rising value and n/a last."""
    nan = float("nan")
    if "sex" in people and people["sex"].notna().any():
        sex = people["sex"].astype("string").fillna(MISSING)
        for name in sorted(sex.unique(), key=lambda text: (text == MISSING, text)):
            yield _Level("sex", name, sex.index[sex == name], nan, nan, False)
    for factor, (column, cut, patients_only) in _NUMBERS.items():
        if column not in people:
            continue
        everyone = people.loc[label.index[label == 1]] if patients_only else people
        values = everyone[column].sort_values()
        there = values.dropna()
        if there.empty:
            continue
        for name, some in there.groupby(cut(there), sort=False):
            yield _Level(factor, str(name), some.index, float(some.min()), float(some.max()), patients_only)
        if len(there) < len(values):
            yield _Level(factor, MISSING, values.index[values.isna()], nan, nan, patients_only)


def _known(people: pd.DataFrame, participants: pd.Index) -> pd.DataFrame:
    """Return the rows of `people` of these participants, in their order, indexed by them, numbers as numbers."""
    if "participant_id" not in people:
        raise InputError("people", "there is no column participant_id", "Give one row per participant")
    twice = people["participant_id"][people["participant_id"].duplicated()]
    if len(twice):
        raise InputError("people", f"{twice.iloc[0]} has several rows", "Keep one row per participant")
    table = people.set_index("participant_id")
    absent = participants.difference(table.index)
    if len(absent):
        names = ", ".join(map(str, absent[:10]))
        raise InputError("people", f"predicted participants have no row: {names}", "Give every participant a row")
    table = table.loc[participants].copy()
    for column, _, _ in _NUMBERS.values():
        if column in table:
            numbers = pd.to_numeric(table[column], errors="coerce").astype("float64")
            wrong = table[column][numbers.isna() & table[column].notna()]
            if len(wrong):
                raise InputError("people", f"{column} {wrong.iloc[0]!r} is not a number", "Write a number or n/a")
            table[column] = numbers
    return table


Triple = tuple[float, float, float]
"""A metric with the ends of its interval."""


def _scores(
    predictions: pd.DataFrame, n_patients: int, n_controls: int, correction: float
) -> tuple[dict[str, Triple], str]:
    """Return each metric with its interval, and why any is missing."""
    if n_patients and n_controls:
        table = over_trials(predictions, correction=correction).set_index("metric")
        scored = {name: (table["mean"][name], table["low"][name], table["high"][name]) for name in METRICS}
        return scored, "; ".join(dict.fromkeys(filter(None, table["reason"])))
    scored = dict.fromkeys(METRICS, (float("nan"),) * 3)
    label, n, metric = (1, n_patients, "sensitivity") if n_patients else (0, n_controls, "specificity")
    logit = by_person(predictions, classes=1).logit
    share = float(((logit > THRESHOLD) == (label == 1)).mean())
    scored[metric] = (share, *share_interval(share, n, widening=correction))
    return scored, "there are no controls" if n_patients else "there are no patients"
