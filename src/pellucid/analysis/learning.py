"""How scores grow with the number of training participants, for arms that differ in nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pandas as pd

COLUMNS = ("family", "arm", "subjects", "auc", "sd", "low", "high", "n_trials")


def learning_curves(families: Iterable[Mapping[str, int]], scores: pd.DataFrame) -> pd.DataFrame:
    """Return the AUC of every arm of families whose members learn from different numbers of participants.

    Parameters
    ----------
    families
        Arms that differ in nothing else, each with the number of participants that it learns from. A family has the
        name of the arm that learns from most.
    scores
        Rows of `classification.over_trials` with arm and n_trials; arms without one are left out.

    Returns
    -------
    Columns `COLUMNS`; a family's arms from few participants to many.
    """
    auc, rows = scores[scores["metric"] == "auc"].set_index("arm"), []
    for members in families:
        ordered = sorted((number, arm) for arm, number in members.items() if arm in auc.index)
        for number, arm in ordered if len({number for number, _ in ordered}) > 1 else ():
            row = auc.loc[arm]
            said = {"family": ordered[-1][1], "arm": arm, "subjects": number, "auc": row["mean"]}
            rows.append(said | {key: row[key] for key in ("sd", "low", "high", "n_trials")})
    return pd.DataFrame(rows, columns=list(COLUMNS))
