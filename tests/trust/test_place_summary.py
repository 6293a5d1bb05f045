"""Planted places are summed up over people, the scan, the best null and other networks beside the map."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pellucid.analysis.clusters import clustered_interval
from pellucid.trust.place_summary import place_summary

ROWS = pd.DataFrame(
    [
        {
            "arm": "finetuned",
            "participant_id": f"sub-{group}{n}",
            "group": group,
            "map": name,
            "place": place,
            "networks": f"finetuned/trial-0{n % 2}",
            "seen_share": 0.99999,
            "mean": sign * (n - 0.5),
            "lift": lift * (1 + n),
        }
        for group, sign in (("MS", 1.0), ("HC", -1.0))
        for n in range(8)
        for name, lift in (("lrp-epsilon", 4.0), ("intensity", 2.0))
        for place in ("lesionprior", "elsewhere")
    ]
)


def test_medians_are_those_of_the_patients() -> None:
    patients = ROWS[ROWS["group"] == "MS"]
    summary = place_summary(patients, {}).set_index("place")
    assert summary.index.tolist() == ["lesionprior", "elsewhere"]
    row = summary.loc["lesionprior"]
    assert (row["subjects"], row["networks"], row["lift"], row["lift_of_scan"]) == (8, 2, 18.0, 9.0)
    assert row["above_zero"] == pytest.approx(7 / 8)
    lifts = [4.0 * (1 + n) for n in range(8)]
    found = clustered_interval(lifts, [f"trial-0{n % 2}" for n in range(8)], least=0.0)
    assert (row["low"], row["high"]) == found[:2]


@pytest.mark.parametrize("visits", [1, 2, 4])
def test_visits_are_no_people(visits: int) -> None:
    patients = ROWS[ROWS["group"] == "MS"]
    nulls = {"untrained": patients.assign(lift=patients["lift"] / 3, networks="untrained/trial-00")}
    again = [
        {name: pd.concat([rows.assign(session_id=f"ses-{k}") for k in range(visits)]) for name, rows in some.items()}
        for some in ({"own": patients}, nulls)
    ]
    pd.testing.assert_frame_equal(place_summary(again[0]["own"], again[1]), place_summary(patients, nulls))


def test_a_map_is_measured_against_those_of_untaught_networks_person_by_person() -> None:
    patients = ROWS[ROWS["group"] == "MS"]
    # 1 to 8 less for the eight people, in another order, and one person whose own map was never made
    less = patients["participant_id"].str[-1].astype(int) + 1.0
    other = patients.assign(arm="untrained", lift=patients["lift"] - less, networks="untrained/trial-00")[::-1]
    lone = other[:4].assign(participant_id="sub-MS9", lift=1e6)
    row = place_summary(patients, {"untrained": pd.concat([other, lone])}).set_index("place").loc["lesionprior"]
    assert row["more_than_untrained"] == 4.5
    ends = clustered_interval(np.arange(1.0, 9.0), [f"a/trial-0{n % 2} b/trial-00" for n in range(8)])
    assert (row["more_than_untrained_low"], row["more_than_untrained_high"]) == ends[:2]
    assert row["lift_of_untrained"] == np.median(3.0 * np.arange(1, 9))  # of the people of both


def _many(people: int, lifts: dict[str, float]) -> pd.DataFrame:
    """Rows of one place: map to the lift of the first person, each other's one more."""
    return pd.DataFrame(
        [
            {"participant_id": f"sub-{n}", "map": name, "place": "p", "seen_share": 1.0, "mean": 1.0, "lift": lift + n}
            for name, lift in lifts.items()
            for n in range(people)
        ]
    )


def test_the_best_null_is_that_of_the_highest_median_and_paired() -> None:
    rows = _many(8, {"lrp-epsilon": 4.0, "intensity": 1.0, "brightest-percent": 3.5, "edge": 2.0})
    row = place_summary(rows, {}).iloc[0]
    assert (row["best_null"], row["lift_of_best_null"], row["lift_of_scan"]) == ("brightest-percent", 7.0, 4.5)
    assert [row[f"more_than_best_null{end}"] for end in ("", "_low", "_high")] == [0.5, 0.5, 0.5]
    assert row["low"] == 4.0
    assert row["high"] == 11.0
