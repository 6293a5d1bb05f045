"""People summed up and paired with the best null, against loops over people."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pellucid.analysis.clusters import clustered_interval
from pellucid.analysis.proportions import wilson
from pellucid.trust import lesion_summary as lesion_summary_module
from pellucid.trust.lesion_measures import MEASURES, Measure
from pellucid.trust.lesion_summary import (
    agresti_min,
    compare_with_nulls,
    in_words,
    lesion_summary,
)
from pellucid.trust.lesions import summed

NAN = math.nan


def table(values: dict[str, dict[str, float]], *, networks: dict[str, str] | None = None) -> pd.DataFrame:
    """Rows of lesion tables: map to person to a number that every measure has; `sub-1+` is another scan of sub-1."""
    rows: list[dict[str, Any]] = []
    for name, people in values.items():
        for who, value in people.items():
            row = {"map": name, "participant_id": who.rstrip("+"), **dict.fromkeys(summed(), value)}
            row |= {"strongest_in_lesion": value if math.isnan(value) else min(value, 1.0)}
            rows.append(row | ({"networks": networks[who.rstrip("+")]} if networks else {}))
    return pd.DataFrame(rows)


def people(*values: float) -> dict[str, float]:
    return {f"sub-{n}": value for n, value in enumerate(values, start=1)}


def test_the_summary_takes_medians_over_the_people_that_are_measured() -> None:
    one = people(2.0, 4.0, 9.0, 1.0, 0.0, 3.0, NAN)
    summary = lesion_summary(table({"m": one, "random": people(NAN, NAN)})).set_index("map")
    assert summary.loc["m", ["people", "without"]].tolist() == [6, 1]
    assert summary.loc["m", [name for name in summed() if name != "strongest_in_lesion"]].tolist() == [2.5] * 7
    assert summary.loc["m", "strongest_in_lesion"] == pytest.approx(5 / 6)
    low, high, _ = clustered_interval(np.array([2.0, 4, 9, 1, 0, 3]))
    assert summary.loc["m", ["lift_low", "lift_high"]].tolist() == [low, high]
    assert summary.loc["m", "auroc_high"] == 1.0  # no measure but lift is above 1
    assert summary.loc["random", ["people", "without"]].tolist() == [0, 2]
    assert summary.loc["random", [*summed(), "lift_low", "strongest_in_lesion_high"]].isna().all()


def test_a_person_of_several_scans_counts_once() -> None:
    scans = {"sub-1": 1.0, "sub-1+": 3.0, "sub-2": 8.0, "sub-3": NAN}
    row = lesion_summary(table({"m": scans})).iloc[0]
    assert (row["people"], row["without"], row["lift"]) == (2, 1, 5.0)  # of 2 and 8
    repeated = pd.concat([table({"m": people(*range(1, 9))})] * 4)
    pd.testing.assert_frame_equal(lesion_summary(repeated), lesion_summary(table({"m": people(*range(1, 9))})))


def test_fewer_than_six_people_have_no_interval_of_a_median() -> None:
    few, enough = (lesion_summary(table({"m": people(*range(1, n + 1))})).iloc[0] for n in (5, 6))
    assert math.isnan(few["lift_low"])
    assert math.isnan(few["auroc_high"])
    assert enough["lift_low"] == 1.0


def test_shares_are_never_certain() -> None:
    row = lesion_summary(table({"m": people(*[1.0] * 10)})).iloc[0]
    assert (row["strongest_in_lesion"], row["strongest_in_lesion_high"]) == (1.0, 1.0)
    assert row["strongest_in_lesion_low"] == pytest.approx(wilson(1.0, 10)[0])


def test_people_of_few_networks_have_a_wider_interval() -> None:
    values = people(*range(1, 13))
    whose = {who: f"arm/trial-{n // 4}" for n, who in enumerate(values)}  # neighbours are alike
    alone, shared = (lesion_summary(table({"m": values}, networks=names)).iloc[0] for names in (None, whose))
    assert shared["lift_high"] - shared["lift_low"] > 1.5 * (alone["lift_high"] - alone["lift_low"])


@pytest.mark.parametrize("seed", range(4))
def test_a_map_is_paired_with_the_null_that_is_best_over_the_same_people(seed: int) -> None:
    generator = np.random.default_rng(seed)
    names = ("m", "|m|", "intensity", "random", "logistic")
    values = {name: people(*generator.random(9).round(2)) for name in names}
    values["m"]["sub-3"] = NAN  # nothing measured of the map
    values["logistic"]["sub-5"] = NAN  # a null that is not measured of everybody is not spared
    found = compare_with_nulls(table(values)).set_index(["map", "measure"])
    for name in ("m", "|m|"):
        kept = [who for who in values[name] if not any(math.isnan(values[one][who]) for one in (name, *names[2:]))]
        for measure in MEASURES:
            middle = np.mean if measure == "strongest_in_lesion" else np.median
            best = max(names[2:], key=lambda null: middle([values[null][who] for who in kept]))
            more = np.array([values[name][who] - values[best][who] for who in kept])
            row = found.loc[(name, measure)]
            assert (row["best_null"], row["people"], row["na"]) == (best, len(kept), 9 - len(kept))
            assert row["map_value"] == pytest.approx(middle([values[name][who] for who in kept]))
            assert row["null_value"] == pytest.approx(middle([values[best][who] for who in kept]))
            assert row["scan_value"] == pytest.approx(middle([values["intensity"][who] for who in kept]))
            assert row["difference"] == pytest.approx(middle(more))
            assert (row["wins"], row["losses"]) == ((more > 0).sum(), (more < 0).sum())
            if measure != "strongest_in_lesion":
                assert (row["low"], row["high"]) == pytest.approx(clustered_interval(more)[:2])
            else:
                low, high, _ = clustered_interval(more, statistic="mean")
                assert row["low"] <= min(low, agresti_min(more)[0]) + 1e-12
                assert row["high"] >= max(high, agresti_min(more)[1]) - 1e-12


def test_nobody_measured_is_no_win() -> None:
    found = compare_with_nulls(table({"m": people(NAN, NAN), "intensity": people(0.4, 0.5)}))
    assert found["people"].tolist() == [0] * len(MEASURES)
    assert found["na"].tolist() == [2] * len(MEASURES)
    assert found["best_null"].isna().all()
    assert {in_words(row) for row in found.to_dict("records")} == {"not measured"}


def test_other_networks_maps_can_be_the_rival_and_both_sides_networks_count() -> None:
    own = table({"m": people(*range(2, 10))}, networks={f"sub-{n}": f"a/{n % 2}" for n in range(1, 9)})
    other = table({"untaught": people(*range(1, 9))}, networks={f"sub-{n}": "b/0" for n in range(1, 9)})
    row = compare_with_nulls(pd.concat([own, other]), nulls=("untaught",)).set_index("measure").loc["lift"]
    assert (row["best_null"], row["difference"], row["wins"]) == ("untaught", 1.0, 8)
    assert math.isnan(row["scan_value"])


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ((0.2, 0.1, "logistic"), "more than bright voxels where lesions usually are (logistic)"),
        ((0.2, 0.0, "intensity"), "no better than bright voxels (intensity)"),
        ((0.2, -0.1, "edge"), "no better than edges (edge)"),
        ((-0.2, -0.3, "brightest-percent"), "no better than bright voxels (brightest-percent)"),
        ((0.2, NAN, "random"), "too few participants to compare with noise (random)"),
        ((-0.2, NAN, "random"), "no better than noise (random)"),
        ((0.0, NAN, "random"), "no better than noise (random)"),
    ],
)
def test_a_map_is_better_only_where_the_interval_lies_above_zero(row: tuple[Any, ...], words: str) -> None:
    difference, low, null = row
    shown = {"measure": "lift", "difference": difference, "low": low, "high": low + 0.2, "best_null": null}
    assert in_words(shown) == words


def test_of_a_measure_of_which_less_is_better_the_best_null_has_least(monkeypatch: pytest.MonkeyPatch) -> None:
    distance = Measure(measure=lambda of: 0.0, title="distance", meaning="", better="less", most=np.inf)
    monkeypatch.setattr(lesion_summary_module, "MEASURES", {"distance": distance})
    values = {"m": 2.0, "intensity": 5.0, "edge": 3.0}
    rows = [
        {"map": name, "participant_id": f"sub-{n}", "auroc": 0.5, "distance": value + 0.1 * n * (name == "m")}
        for name, value in values.items()
        for n in range(8)
    ]
    (row,) = compare_with_nulls(pd.DataFrame(rows)).to_dict("records")
    assert (row["best_null"], row["wins"], row["losses"]) == ("edge", 8, 0)
    assert row["high"] < 0
    assert in_words(row) == "less than edges (edge)"
    assert in_words(row | {"high": 0.1}) == "no better than edges (edge)"
    assert in_words(row | {"low": NAN, "high": NAN}) == "too few participants to compare with edges (edge)"
    assert in_words(row | {"best_null": "of-a-module"}) == "less than of-a-module"


def test_paired_shares_are_never_certain_and_their_interval_covers() -> None:
    assert agresti_min(np.ones(10))[0] < 0.7
    low, high = agresti_min(np.zeros(10))
    assert low == pytest.approx(-high)
    assert high > 0.1
    generator = np.random.default_rng(0)
    # Cells of a paired table: map alone 0.3, null alone 0.1, both or neither 0.6; the true difference is 0.2.
    draws = generator.choice([1.0, -1.0, 0.0], p=[0.3, 0.1, 0.6], size=(2000, 20))
    ends = [agresti_min(draw) for draw in draws]
    assert np.mean([low <= 0.2 <= high for low, high in ends]) > 0.93
