"""The guard against leakage: no participant, and no image, on two sides of a border."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import combinations

import pandas as pd

from pellucid.cohort.splits import ROLES
from pellucid.ground.errors import LeakageError

_NAMED = 10  # participants named in a message; the rest are counted


def check_leakage(splits: Mapping[str, pd.DataFrame], *, hashes: pd.DataFrame | None = None) -> str:
    """Refuse any participant who stands in two sets, and any image that stands under two participants.

    A set is a role within a cohort, such as `ms/holdout` or `pretraining/train`. All sets are compared in pairs, across
    cohorts too: a network that was pre-trained on a participant has seen the holdout if that participant is in it. The
    same identifier is the same person in every cohort.

    Parameters
    ----------
    splits
        Cohort name to a table with columns participant_id and role.
    hashes
        Columns participant_id and sha256, one row an image file of any of the cohorts; None compares no contents.

    Returns
    -------
    str
        The verdict, with the sets and their sizes, to be kept in the record.

    Raises
    ------
    LeakageError
        Naming the sets and the participants (the first ten, and how many).
    """
    sets = {
        f"{cohort}/{role}": set(table.loc[table["role"] == role, "participant_id"])
        for cohort, table in splits.items()
        for role in [*ROLES, *sorted(set(table["role"]) - set(ROLES))]
        if (table["role"] == role).any()
    }
    shared = [(a, b, sets[a] & sets[b]) for a, b in combinations(sets, 2) if sets[a] & sets[b]]
    if shared:
        found = "; ".join(f"{a} and {b} share {_name(ids)}" for a, b, ids in shared)
        raise LeakageError(f"Leakage: {found}. Put each participant into one set only.")
    sizes = ", ".join(f"{name} ({len(ids)})" for name, ids in sets.items())
    verdict = f"no participant is in two of the sets {sizes}"
    if hashes is None:
        return f"{verdict}; image contents were not compared"
    _check_contents(hashes)
    return f"{verdict}; none of {len(hashes)} images belongs to two participants"


def _check_contents(hashes: pd.DataFrame) -> None:
    """Raise LeakageError if one content has two participants."""
    owners = hashes.groupby("sha256")["participant_id"].unique()
    twice = [sorted(ids) for ids in owners if len(ids) > 1]
    if twice:
        found = _name(" = ".join(ids) for ids in twice)
        raise LeakageError(f"Leakage: the same image belongs to several participants: {found}. Keep one of each.")


def _name(ids: Iterable[str]) -> str:
    """List the first ten and say how many there are."""
    ordered = sorted(ids)
    more = f", ... ({len(ordered)} in all)" if len(ordered) > _NAMED else f" ({len(ordered)})"
    return ", ".join(ordered[:_NAMED]) + more
