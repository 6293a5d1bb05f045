"""How sure a mean or median over people is whose maps come from few networks: people of one network are alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from pellucid.ground.arrays import BoolArray, Float64Array, ObjectArray
from pellucid.ground.errors import InputError

Statistic = Literal["mean", "median"]

FEWEST_PEOPLE = 6
"""The median of a population lies outside fewer people in more than 5 % of samples: its interval is missing."""

_NAN = float("nan")


class Clustered(NamedTuple):
    """A 95 % interval, and over how many networks it is: 1 if it holds for that one alone, 0 if none is behind it."""

    low: float
    high: float
    networks: int


def clustered_interval(
    values: npt.ArrayLike,
    networks: Sequence[str] | pd.Series | None = None,
    *,
    statistic: Statistic = "median",
    least: float = -np.inf,
) -> Clustered:
    """Return the 95 % interval of a mean or median over people, for other people and other networks.

    People whom one network judged share what is its own, so they count for less than their number. With y the statistic
    of all n people and y_k that of the n_k people of network k,

        interval = y -+ t(J - 1) SE,   SE^2 = J / (J - 1) * sum over k of (n_k / n)^2 (y_k - y)^2,

    where J = networks / networks a person; networks that judged the very same people together count once. It is never
    narrower than the interval of n people who share nothing: mean -+ t(n - 1) sd / sqrt(n), missing where all have one
    value, which shows no spread; or, of a median, between
    the order statistics that the binomial distribution gives, which need `FEWEST_PEOPLE`.

    One network, or one set of networks that judged everybody, shows no variance between networks: the interval is that
    of people, and speaks of this network alone.

    Of paired differences give the differences, and for each person the networks of both sides.

    Parameters
    ----------
    values
        One value a person, (n,): the mean of a person's scans (`by_person`). Missing ones are left out.
    networks
        For each person the names of the networks that its value comes from, separated by spaces. Nobody shares one if
        None.
    statistic
        Of which the interval is.
    least
        What the statistic cannot be below, as 0 of a lift: the interval ends there.

    Raises
    ------
    InputError
        If shapes differ, a value is infinite, or a person has no network while `networks` are given.

    Source: the t-interval over clusters, Donner and Klar 2000, section 7; over several memberships the clusters' parts
    add up as in Cameron, Gelbach and Miller 2011, without taking off what people have by themselves. Its coverage is
    measured by experiments/interval_coverage.py.
    """
    from scipy.stats import t as student

    y = np.asarray(values, dtype=np.float64)
    if y.ndim != 1 or (networks is not None and len(networks) != y.size):
        raise InputError(
            "values", "must be one per participant, with the names of its networks", "Give (n,) values and n names"
        )
    if np.isinf(y).any():
        raise InputError("values", "one is infinite", "Exclude what cannot be measured")
    there = ~np.isnan(y)
    y = y[there]
    low, high = _of_people(y, statistic)
    if networks is None or not y.size:
        return Clustered(max(low, least), high, 0)
    member = _membership(np.asarray(networks, dtype=object)[there])
    number = round(member.shape[0] / member.sum(axis=0).mean())
    if number > 1:
        middle = np.mean if statistic == "mean" else np.median
        apart = [some.sum() / y.size * (middle(y[some]) - middle(y)) for some in member]
        half = student.ppf(0.975, number - 1) * np.sqrt(number / (number - 1) * np.square(apart).sum())
        # Python's min and max keep a missing first argument, as of fewer people than a median needs.
        low, high = min(low, float(middle(y) - half)), max(high, float(middle(y) + half))
    return Clustered(max(low, least), high, number)


def by_person(table: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """Return one row a person, in order of appearance: the mean of its scans in each column, and all its networks.

    Parameters
    ----------
    table
        One row a scan: participant_id, the columns, and `networks`, their names separated by spaces, if it has them.
    columns
        Numbers; missing ones are left out of a person's mean, which is missing if all are.

    Raises
    ------
    InputError
        If a row has no participant: it would vanish.
    """
    if table["participant_id"].isna().any():
        raise InputError("participant_id", "is missing in a row", "Name the participant of each scan")
    people = table.groupby("participant_id", sort=False)
    result = people[list(columns)].mean()
    if "networks" in table:
        result["networks"] = people["networks"].agg(together)
    return result


def together(*sets: pd.Series | str) -> str:
    """Return all the networks that are named in several sets of names, sorted.

    >>> together("finetuned/trial-01", "scratch/trial-01 finetuned/trial-01")
    'finetuned/trial-01 scratch/trial-01'
    """
    texts = [text for names in sets for text in ([names] if isinstance(names, str) else names.dropna())]
    return " ".join(sorted({name for text in texts for name in str(text).split()}))


def _of_people(y: Float64Array, statistic: Statistic) -> tuple[float, float]:
    """Return the interval of n people who share nothing."""
    from scipy.stats import binom
    from scipy.stats import t as student

    n = y.size
    if statistic == "mean":
        if n < 2 or np.ptp(y) == 0:
            return _NAN, _NAN
        half = float(student.ppf(0.975, n - 1) * y.std(ddof=1) / np.sqrt(n))
        return float(y.mean()) - half, float(y.mean()) + half
    if n < FEWEST_PEOPLE:
        return _NAN, _NAN
    place = int(binom.ppf(0.025, n, 0.5))  # fewer than `place` of n lie below the median with a chance of <= 2.5 %
    ordered = np.sort(y)
    return float(ordered[place - 1]), float(ordered[n - place])


def _membership(networks: ObjectArray) -> BoolArray:
    """Return whom each network judged, (networks, people); networks that judged the same people are one."""
    sets = [set() if pd.isna(names) else set(str(names).split()) for names in networks]
    if not all(sets):
        raise InputError("networks", "a participant has none", "Name the networks of each value")
    names = sorted(set().union(*sets))
    return np.unique(np.array([[name in some for some in sets] for name in names]), axis=0)
