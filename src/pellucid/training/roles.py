"""Scans and their roles, as whatever is fitted takes them: checked, digested, and predicted."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy.special import expit

from pellucid.cohort.guard import check_leakage
from pellucid.cohort.splits import ROLES
from pellucid.cohort.store import Store
from pellucid.ground.arrays import Float64Array, IndexArray
from pellucid.ground.errors import InputError

Rows = Mapping[str, IndexArray]
"""Rows of a store by role, as `pellucid.cohort.splits.rows_of` gives them."""


def check_roles(store: Store, rows: Rows) -> None:
    """Refuse unknown roles, and participants in two of them.

    Raises
    ------
    InputError
        A role is unknown.
    LeakageError
        A participant has two roles.
    """
    unknown = sorted(set(rows) - set(ROLES))
    if unknown:
        raise InputError("rows", f"the role {unknown[0]!r} is unknown", f"Use {', '.join(ROLES)}")
    people = [store.table[["participant_id"]].iloc[index].assign(role=role) for role, index in rows.items()]
    check_leakage({store.folder.name: pd.concat(people)})


def digest_scans(store: Store, rows: Rows) -> str:
    """Return one SHA-256 for who has which role and what their image files are; names stay out of the model's file."""
    parts = [store.table[["participant_id", "session_id", "sha256"]].iloc[rows[r]].assign(role=r) for r in sorted(rows)]
    return hashlib.sha256(pd.concat(parts).to_csv(index=False).encode()).hexdigest()


def predictions(store: Store, rows: Rows, logits: Mapping[str, Float64Array], *, probable: bool = True) -> pd.DataFrame:
    """Return what is predicted of the scans of all roles, one row a scan.

    Columns: participant_id, session_id, group, label, role, logit, and probability_not_calibrated, its sigmoid, which
    is missing unless the logits are log odds (`probable`).
    """
    parts = []
    for role in ROLES:
        if role in rows:
            table = store.table[["participant_id", "session_id", "group", "label"]].iloc[rows[role]]
            likely = expit(logits[role]) if probable else np.nan
            parts.append(table.assign(role=role, logit=logits[role], probability_not_calibrated=likely))
    return pd.concat(parts, ignore_index=True)
