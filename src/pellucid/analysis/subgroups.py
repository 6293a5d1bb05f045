"""Whom a classifier serves well and whom not: its scores by sex, age, disability and lesion volume."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from pellucid.analysis.bootstrap import RESAMPLES
from pellucid.analysis.classification import METRICS, THRESHOLD, by_scan, checked, over_trials
from pellucid.analysis.proportions import wilson
from pellucid.errors import InputError

MISSING = "n/a"
"""The level of participants whose value is not known."""


def subgroups(
    predictions: pd.DataFrame, people: pd.DataFrame, *, resamples: int = RESAMPLES, seed: int
) -> pd.DataFrame:
    """Score each subgroup by `over_trials`: means over trials, with subject-level bootstrap intervals.

    - sex: as written, F and M.
    - age: thirds of all participants that were predicted.
    - edss: <= 2, 2.5-4 and > 4, patients only.
    - lesion_volume: thirds of the patients.

    A value equal to a border between thirds belongs to the lower one. The levels of edss and lesion_volume hold
    patients only and are scored against all controls, with the sensitivity's 95 % Wilson interval on the number of
    patients. Where a level has one class only, its sensitivity or specificity has a Wilson interval and the rest is
    missing. Whose value is missing forms the level "n/a"; a factor that nobody has a value of is left out.

    Parameters
    ----------
    predictions
        One row a scan and trial, as `over_trials` takes them: trial, participant_id, label (0 or 1), logit, and
        session_id and fold where there are such.
        The label, not `group`, says who is a patient.
    people
        One row a participant: participant_id and any of sex, age (years), edss, lesion_volume_ml. Those without
        predictions are not looked at.
    resamples, seed
        Number and seed of the bootstrap draws.

    Returns
    -------
    One row a subgroup that has members: factor, level, value_min, value_max (smallest and largest value in it; missing
    for sex and n/a), n_patients, n_controls (participants it is scored on), and for each metric of METRICS the metric,
    `_low` and `_high`. n_patients adds up over a factor, and n_controls over sex and age; every row of edss and
    lesion_volume has all controls.

    Raises
    ------
    InputError
        If a participant has no row or several in `people`, a value is not a number, a class is missing altogether, or
        the predictions are none that `over_trials` takes.
    """
    logits = by_scan(predictions)
    for trial in logits.columns:
        checked(logits.index.get_level_values("label"), logits[trial])
    label = logits.reset_index().groupby("participant_id")["label"].first().astype(int)
    known = _known(people, label.index)
    controls = label.index[label == 0]
    rows = []
    for level in _levels(known, label):
        members = level.members.append(controls) if level.patients_only else level.members
        some = predictions[predictions["participant_id"].isin(members)]
        counted = label.loc[members]
        n_patients, n_controls = int((counted == 1).sum()), int((counted == 0).sum())
        row: dict[str, Any] = {
            "factor": level.factor,
            "level": level.name,
            "value_min": level.low,
            "value_max": level.high,
            "n_patients": n_patients,
            "n_controls": n_controls,
        }
        scored = _scores(some, n_patients, n_controls, resamples=resamples, seed=seed)
        if level.patients_only:
            scored["sensitivity"] = _share(some, 1, n_patients)
        for metric in METRICS:
            row |= dict(zip((metric, f"{metric}_low", f"{metric}_high"), scored[metric], strict=True))
        rows.append(row)
    ends = [f"{metric}{end}" for metric in METRICS for end in ("", "_low", "_high")]
    first = ["factor", "level", "value_min", "value_max", "n_patients", "n_controls"]
    return pd.DataFrame(rows, columns=[*first, *ends])


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
        raise InputError("people", "there is no column participant_id", "Give one row a participant")
    twice = people["participant_id"][people["participant_id"].duplicated()]
    if len(twice):
        raise InputError("people", f"{twice.iloc[0]} has several rows", "Keep one row a participant")
    table = people.set_index("participant_id")
    absent = participants.difference(table.index)
    if len(absent):
        names = ", ".join(map(str, absent[:10]))
        raise InputError("people", f"predicted participants have no row: {names}", "Give everybody a row")
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
    predictions: pd.DataFrame, n_patients: int, n_controls: int, *, resamples: int, seed: int
) -> dict[str, Triple]:
    nothing = (float("nan"),) * 3
    if n_patients and n_controls:
        table = over_trials(predictions, resamples=resamples, seed=seed).set_index("metric")
        return {name: (table["mean"][name], table["low"][name], table["high"][name]) for name in METRICS}
    scored: dict[str, Triple] = dict.fromkeys(METRICS, nothing)
    if n_patients:
        scored["sensitivity"] = _share(predictions, 1, n_patients)
    else:
        scored["specificity"] = _share(predictions, 0, n_controls)
    return scored


def _share(predictions: pd.DataFrame, label: int, n: int) -> Triple:
    """Return the share of a class's rows that are right, and its Wilson interval for n participants."""
    logit = predictions["logit"][predictions["label"] == label]
    share = float(((logit > THRESHOLD) == (label == 1)).mean())
    return (share, *wilson(share, n))
