"""Splits: who trains, who validates, who is held out; by participant, stratified by group, seeded."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pandas as pd

from pellucid.errors import InputError

ROLES = ("train", "validation", "holdout")
"""The roles of a split, in the order in which they are listed."""


def split(table: pd.DataFrame, *, holdout: float, validation: float, seed: int) -> pd.DataFrame:
    """Divide participants into training, validation and holdout.

    All scans of a participant share one role. Within each group the participants are sorted by identifier and shuffled
    by a generator made from `seed`, so the order of the rows has no influence. Sizes: a `float` f in [0, 1) means
    `floor(f * n + 1/2)` participants, an `int` that many; `holdout` counts among all participants, `validation` among
    those not held out (Eitel 2019: 23 of 147, then 15 % of 124). A role of n participants takes from each group its
    share of n by largest remainder (the larger group first when remainders tie), hence within one of proportional.

    Parameters
    ----------
    table
        Columns participant_id and group; one row a participant or one row a scan.
    holdout, validation
        Size of each role; 0 leaves it out.
    seed
        Same seed and same participants: same split.

    Returns
    -------
    DataFrame
        Columns participant_id, group, role (of `ROLES`); one row a participant, sorted by participant_id.

    Raises
    ------
    InputError
        One class only, a participant in two groups or in none, a size out of range, or a group too small to stand in
        every role.
    """
    people = _participants(table)
    pool = {str(group): sorted(ids) for group, ids in people.groupby("group")["participant_id"]}
    if len(pool) < 2:
        groups = ", ".join(repr(group) for group in pool) or "no participants"
        raise InputError("group", f"a study with one class only ({groups})", "Give participants of two groups")
    generator = np.random.default_rng(seed)
    left = {group: [pool[group][i] for i in generator.permutation(len(pool[group]))] for group in sorted(pool)}
    role: dict[str, str] = {}
    for name, size in (("holdout", holdout), ("validation", validation)):
        for group, n in _shares(name, size, {group: len(ids) for group, ids in left.items()}).items():
            role |= dict.fromkeys(left[group][:n], name)
            left[group] = left[group][n:]
    for group, ids in left.items():
        if not ids:
            raise InputError("validation", f"nobody of group {group!r} is left for training", "Ask for fewer")
        role |= dict.fromkeys(ids, "train")
    return people.assign(role=people["participant_id"].map(role))


def _participants(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row a participant: participant_id, group; sorted."""
    people = table[["participant_id", "group"]].drop_duplicates()
    missing = people[people.isna().any(axis=1)]
    if len(missing):
        raise InputError(
            "group", f"missing for {missing['participant_id'].iloc[0]}", "State it or leave the participant out"
        )
    twice = people["participant_id"][people["participant_id"].duplicated()]
    if len(twice):
        raise InputError("group", f"{twice.iloc[0]} stands in two groups", "Give each participant one group")
    return people.sort_values("participant_id", ignore_index=True)


def _shares(name: str, size: float, available: dict[str, int]) -> dict[str, int]:
    """Return how many participants of each group take the role `name`."""
    total = sum(available.values())
    is_count = isinstance(size, int)
    if size < 0 or (not is_count and not size < 1) or (is_count and size >= total):
        raise InputError(name, f"{size} of {total} participants", "Give a fraction in [0, 1) or a smaller whole number")
    n = int(size) if is_count else math.floor(size * total + 0.5)
    quota = {group: n * count / total for group, count in available.items()}
    share = {group: math.floor(q) for group, q in quota.items()}
    order = sorted(available, key=lambda group: (share[group] - quota[group], -available[group], group))
    for group in order[: n - sum(share.values())]:
        share[group] += 1
    without = [group for group, k in share.items() if k == 0]
    if (n or size) and without:
        raise InputError(
            name,
            f"{n} of {total} participants leave none for group {without[0]!r} ({available[without[0]]} available)",
            "Give more participants or a larger share, or 0 to go without this role",
        )
    return share


def rows_of(table: pd.DataFrame, people: pd.DataFrame) -> dict[str, npt.NDArray[np.intp]]:
    """Return for each role the rows of `table` (a store's) whose participants have it in `people` (a split).

    Raises
    ------
    InputError
        A participant of the table has no role.
    """
    roles = table["participant_id"].map(people.set_index("participant_id")["role"])
    if roles.isna().any():
        name = table["participant_id"][roles.isna()].iloc[0]
        raise InputError("the split", f"gives {name} no role", "Split the participants of this very table")
    return {role: np.flatnonzero(roles == role) for role in ROLES}
