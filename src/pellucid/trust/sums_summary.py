"""Sums of maps and their ledgers over people: the means of each group, and how many maps contradict their logit."""

from __future__ import annotations

import pandas as pd

from pellucid.trust.alarms import ABSORBED, NETWORKS, NONE, SIGN

SUMS = ("logit", "sum", "positive", "negative", "voxel_mean")
"""What is averaged of whole maps."""

ALARM = "alarm_"
"""How the columns begin that count one kind of alarm."""

PASSED = ("relevance_out", "relevance_in")
"""What a layer was given and handed on; beside it stands what it absorbed."""


def absorbers(ledger: pd.DataFrame) -> list[str]:
    """Return what took relevance in some rows of a ledger: `bias`, `epsilon`; columns without a value are of others."""
    names = [str(name) for name in ledger if str(name).startswith(ABSORBED)]
    return [name.removeprefix(ABSORBED) for name in names if ledger.empty or ledger[name].notna().any()]


def sums_summary(table: pd.DataFrame) -> pd.DataFrame:
    """Average the sums of one arm's maps over the scans of each group.

    Parameters
    ----------
    table
        Rows of `alarms.MapSums.columns`, with group and voxel_mean.

    Returns
    -------
    One row a group, in order of appearance: group, scans, and the mean of each of `SUMS`.
    """
    groups = table.groupby("group", sort=False)
    means = groups[list(SUMS)].mean()
    means.insert(0, "scans", groups.size())
    return means.reset_index()


def alarm_counts(table: pd.DataFrame) -> dict[str, float]:
    """Count the maps of one arm whose sums contradict the logit that they explain.

    Parameters
    ----------
    table
        Rows of `alarms.MapSums.columns`.

    Returns
    -------
    maps; checked (those with a ledger); alarmed (with any alarm); of each kind of alarm, alarm_KIND, how many have it:
    sign, the absorbers of the ledger, networks; gross_per_logit, the median of all maps.
    """
    checked = table["alarm"].dropna().astype(str)
    absorbers = [str(name).removeprefix(ABSORBED) for name in table if str(name).startswith(ABSORBED)]
    kinds = (SIGN, *absorbers, NETWORKS)
    return {
        "maps": len(table),
        "checked": len(checked),
        "alarmed": int((checked != NONE).sum()),
        **{f"{ALARM}{kind}": sum(kind in alarm.split("+") for alarm in checked) for kind in kinds},
        "gross_per_logit": float(table["gross_per_logit"].median()),
    }


def ledger_means(table: pd.DataFrame) -> pd.DataFrame:
    """Average one arm's ledgers over the scans of each group.

    Parameters
    ----------
    table
        Columns group, layer, `PASSED` and absorbed_NAME; each scan's layers in the order of the forward pass.

    Returns
    -------
    One row a group and layer, from the output to the input: group, layer, relevance_out, relevance_in, and what was
    absorbed.
    """
    columns = [*PASSED, *(f"{ABSORBED}{name}" for name in absorbers(table))]
    if table.empty:  # a method without a ledger
        return table[["group", "layer", *columns]]
    means = table.groupby(["group", "layer"], sort=False)[columns].mean().reset_index()
    return pd.concat([one.iloc[::-1] for _, one in means.groupby("group", sort=False)], ignore_index=True)
