"""Splits: who trains, who validates, who is held out; by participant, stratified by group, seeded."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from pellucid.ground.arrays import IndexArray
from pellucid.ground.errors import InputError

ROLES = ("train", "validation", "holdout")
"""The roles of a split, in the order in which they are listed."""

STRATA = ("group", "sex", "age")
"""What a split can be balanced by; ages count as thirds."""


def split(
    table: pd.DataFrame, *, holdout: float, validation: float, seed: int, by: Sequence[str] = ("group",)
) -> pd.DataFrame:
    """Divide participants into training, validation and holdout.

    All scans of a participant share one role. Within each group the participants are sorted by identifier and shuffled
    by a generator made from `seed`, so the order of the rows has no influence. Sizes: a `float` f in [0, 1) means
    `floor(f * n + 1/2)` participants, an `int` that many; `holdout` counts among all participants, `validation` among
    those not held out (Eitel 2019: 23 of 147, then 15 % of 124). A role of n participants takes from each group its
    share of n by largest remainder (the larger group first when remainders tie), hence within one of proportional.

    Parameters
    ----------
    table
        Columns participant_id and group; one row a participant or one row a scan. Columns that `by` names are those of
        a participant's first row.
    holdout, validation
        Size of each role; 0 leaves it out.
    seed
        Same seed and same participants: same split.
    by
        What roles are balanced by, of `STRATA`: `group` alone; `group` and more, which takes every k-th of a group's
        participants in the order of their strata; or nothing, which draws without a look at the groups, as the paper's
        code did for its validation set.

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
    people = _participants(table, by)
    generator = np.random.default_rng(seed)
    left = _shuffled(people, generator, by)
    role: dict[str, str] = {}
    for name, size in (("holdout", holdout), ("validation", validation)):
        role |= dict.fromkeys(_take(name, size, left, generator, by), name)
    _check_roles(people, role, validation=validation, holdout=holdout)
    return people[["participant_id", "group"]].assign(role=_roles(people, role))


def cross_validation(
    table: pd.DataFrame,
    *,
    folds: int,
    repeats: int = 1,
    validation: float,
    seed: int,
    by: Sequence[str] = ("group",),
) -> pd.DataFrame:
    """Divide participants anew for each fold of a repeated cross-validation: everyone is held out once a repeat.

    In each repeat the participants of each group are shuffled, put in the order of their strata and dealt to the folds
    like cards, so that folds are equal to within one participant, in number and in each group, and nearly so in each
    stratum. Fold f of repeat r has number r * folds + f; its validation set is drawn from the others as `split` does.

    Parameters
    ----------
    table, by
        As for `split`.
    folds, repeats
        How many parts, 2 or more, and how often.
    validation
        Size of the validation set, as for `split`, among those not held out.
    seed
        Same seed and same participants: same folds. A repeat does not depend on how many follow.

    Returns
    -------
    DataFrame
        Columns fold, participant_id, group, role; one row a fold and participant.

    Raises
    ------
    InputError
        As for `split`; fewer than two folds, or fewer participants of a group than folds.
    """
    people = _participants(table, by)
    smallest, n = people["group"].value_counts().index[-1], int(people["group"].value_counts().iloc[-1])
    if folds < 2 or repeats < 1:
        raise InputError("folds", f"{folds} folds, {repeats} times", "Give at least 2 folds and 1 repeat")
    if n < folds:
        what = f"{folds} folds, but only {n} participants of group {smallest!r}"
        raise InputError("folds", what, "Use fewer folds: each needs a participant of each group")
    tables = []
    for repeat in range(repeats):
        generator = np.random.default_rng([seed, repeat])
        dealt = [who for ids in _shuffled(people, generator, by).values() for who in ids]
        fold_of = {who: place % folds for place, who in enumerate(dealt)}
        for fold in range(folds):
            held_out = people["participant_id"].map(fold_of) == fold
            left = _shuffled(people[~held_out], generator, by)
            role = dict.fromkeys(people["participant_id"][held_out], "holdout")
            role |= dict.fromkeys(_take("validation", validation, left, generator, by), "validation")
            _check_roles(people, role, validation=validation, holdout=1)
            number = repeat * folds + fold
            tables.append(people[["participant_id", "group"]].assign(role=_roles(people, role), fold=number))
    return pd.concat(tables, ignore_index=True)[["fold", "participant_id", "group", "role"]]


def _participants(table: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Return one row a participant: participant_id, group, stratum (of all that `by` names but the group); sorted."""
    unknown = [name for name in by if name not in STRATA]
    if unknown or (by and by[0] != "group"):
        what = f"{list(by)} is not possible"
        raise InputError("stratify", what, f'Give nothing, or "group" and then any of {", ".join(STRATA[1:])}')
    absent = [name for name in by if name not in table]
    if absent:
        raise InputError("stratify", f"the participants have no {absent[0]}", "Add it, or do not stratify by it")
    people = table[["participant_id", "group"]].drop_duplicates()
    missing = people[people.isna().any(axis=1)]
    if len(missing):
        raise InputError(
            "group", f"missing for {missing['participant_id'].iloc[0]}", "Add it, or remove the participant"
        )
    twice = people["participant_id"][people["participant_id"].duplicated()]
    if len(twice):
        raise InputError("group", f"{twice.iloc[0]} is in two groups", "Give each participant one group")
    if people["group"].nunique() < 2:
        groups = ", ".join(repr(group) for group in people["group"].unique()) or "no participants"
        raise InputError("group", f"a study with one class only ({groups})", "Give participants of two groups")
    first = table.drop_duplicates("participant_id").set_index("participant_id")
    people = people.sort_values("participant_id", ignore_index=True)
    words = pd.Series("", index=people.index)
    for name in by[1:]:
        values = first[name].reindex(people["participant_id"]).reset_index(drop=True)
        if name == "age":
            rank = pd.to_numeric(values, errors="coerce").rank(method="first", pct=True)
            values = (3 * rank).apply(np.ceil).astype("Int64")
        words = words + values.astype("string").fillna("n/a") + " "
    return people.assign(stratum=words)


def _shuffled(people: pd.DataFrame, generator: np.random.Generator, by: Sequence[str]) -> dict[str, list[str]]:
    """Return the participants of each group, shuffled, then in the order of their strata; one pool without groups."""
    pools = {str(group): some for group, some in people.groupby("group")} if by else {"": people}
    order = {}
    for group in sorted(pools):
        ids = pools[group]["participant_id"].to_numpy()
        drawn = ids[generator.permutation(len(ids))]
        stratum = people.set_index("participant_id")["stratum"]
        order[group] = sorted(drawn, key=lambda who: str(stratum[who]))
    return order


def _take(
    name: str, size: float, left: dict[str, list[str]], generator: np.random.Generator, by: Sequence[str]
) -> list[str]:
    """Remove the participants of a role from those that are left, and return them."""
    taken = []
    for group, n in _shares(name, size, {group: len(ids) for group, ids in left.items()}).items():
        ids = left[group]
        if len(by) > 1 and n:  # every k-th, so that each stratum gives its share
            places = {int(place) for place in (np.arange(n) + generator.uniform()) * len(ids) / n}
            taken += [who for place, who in enumerate(ids) if place in places]
            left[group] = [who for place, who in enumerate(ids) if place not in places]
        else:
            taken += ids[:n]
            left[group] = ids[n:]
    return taken


def _roles(people: pd.DataFrame, role: dict[str, str]) -> list[str]:
    """Return everybody's role; who has none of `role` trains."""
    return [role.get(who, "train") for who in people["participant_id"]]


def _check_roles(people: pd.DataFrame, role: dict[str, str], *, validation: float, holdout: float) -> None:
    """Refuse a split in which a role that is asked for lacks a group."""
    found = people.assign(role=_roles(people, role))
    for group in people["group"].unique():
        roles = set(found["role"][found["group"] == group])
        if "train" not in roles:
            raise InputError("validation", f"no participant of group {group!r} is left for training", "Use fewer")
        for name, size in (("holdout", holdout), ("validation", validation)):
            if size and name not in roles:
                what = f"no participant of group {group!r} was drawn"
                raise InputError(name, what, "Stratify by group, take another seed, or ask for more")


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
            "Give more participants or a larger share, or 0 to omit this role",
        )
    return share


def draw_some(people: pd.DataFrame, n: int, *, seed: int) -> set[str]:
    """Draw `n` participants in the proportion of their groups; with one seed, those of a smaller `n` are among them.

    Parameters
    ----------
    people
        Columns participant_id and group; a participant may stand there more than once.
    n, seed
        How many, and by which draw.

    Raises
    ------
    InputError
        There are fewer, or so few are asked for that a group would have nobody.
    """
    known = _participants(people, ("group",))
    if n > len(known):
        raise InputError("subjects", f"{n} of {len(known)} participants", "Use fewer")
    order = _shuffled(known, np.random.default_rng(seed), ("group",))
    if n == len(known):
        return set(known["participant_id"])
    shares = _shares("subjects", n, {group: len(ids) for group, ids in order.items()})
    return {who for group, ids in order.items() for who in ids[: shares[group]]}


def rows_of(table: pd.DataFrame, people: pd.DataFrame) -> dict[str, IndexArray]:
    """Return for each role the rows of `table` (a store's) whose participants have it in `people` (a split).

    Raises
    ------
    InputError
        A participant of the table has no role.
    """
    roles = table["participant_id"].map(people.set_index("participant_id")["role"])
    if roles.isna().any():
        name = table["participant_id"][roles.isna()].iloc[0]
        raise InputError("the split", f"gives {name} no role", "Split the participants of this table")
    return {role: np.flatnonzero(roles == role) for role in ROLES}
