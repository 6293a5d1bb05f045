"""Sums and ledgers are averaged by group, and every kind of alarm is counted."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pellucid.trust.sums_summary import alarm_counts, ledger_means, sums_summary


def test_the_ledger_is_laid_from_the_output_to_the_input() -> None:
    rows = []
    for number, group in enumerate(("MS", "MS", "HC")):
        level = 1.0 + number
        for layer in ("conv1", "conv2", "fc"):
            rows.append((group, layer, level + 0.5, level, 0.25, 0.25))
            level += 0.5
    names = ["group", "layer", "relevance_out", "relevance_in", "absorbed_bias", "absorbed_flat"]
    means = ledger_means(pd.DataFrame(rows, columns=names))
    assert means.columns.tolist() == names
    for group, first in (("MS", 3.0), ("HC", 4.5)):
        one = means[means["group"] == group]
        assert one["layer"].tolist() == ["fc", "conv2", "conv1"]
        assert one["relevance_out"].tolist() == pytest.approx([first, first - 0.5, first - 1.0])
        np.testing.assert_allclose(one["relevance_in"][:-1], one["relevance_out"][1:])


def test_a_method_without_a_ledger_has_no_means_of_one() -> None:
    assert ledger_means(pd.DataFrame(columns=["group", "layer", "relevance_out", "relevance_in"])).empty


def _sums(alarms: list[str | None], **more: float) -> pd.DataFrame:
    rest = {"sum": 2.0, "positive": 9.0, "negative": -5.0, "voxel_mean": 1e-6, **more}
    rows = [{"group": "MS" if n < 2 else "HC", "logit": float(n), "alarm": alarm} for n, alarm in enumerate(alarms)]
    return pd.DataFrame(rows).assign(gross_per_logit=[10.0, 20.0, 30.0, 400.0][: len(rows)], **rest)


def test_sums_of_maps_are_averaged_by_group() -> None:
    found = sums_summary(_sums(["none"] * 3))
    assert found.columns.tolist() == ["group", "scans", "logit", "sum", "positive", "negative", "voxel_mean"]
    assert found[["group", "scans", "logit"]].to_numpy().tolist() == [["MS", 2, 0.5], ["HC", 1, 2.0]]


def test_each_kind_of_alarm_is_counted_and_so_is_what_has_any() -> None:
    found = alarm_counts(_sums(["sign+bias", "bias", "none", "networks"], absorbed_bias=1.0, absorbed_flat=1.0))
    assert found == {
        **{"maps": 4, "checked": 4, "alarmed": 3},
        **{"alarm_sign": 1, "alarm_bias": 2, "alarm_flat": 0, "alarm_networks": 1, "gross_per_logit": 25.0},
    }


def test_maps_without_a_ledger_are_not_checked() -> None:
    found = alarm_counts(_sums([None] * 4))
    assert found == {
        "maps": 4,
        "checked": 0,
        "alarmed": 0,
        "alarm_sign": 0,
        "alarm_networks": 0,
        "gross_per_logit": 25.0,
    }
