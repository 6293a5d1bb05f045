"""Deletion over people: each counts once, the rival is the best of those that know nothing, and n/a stays out."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pellucid.analysis.clusters import clustered_interval
from pellucid.trust.deletion_summary import COLUMNS, deletion_summary

FILL = "brain-median"


def table(falls: dict[str, list[float]], *, k: float = 50, networks: list[str] | None = None) -> pd.DataFrame:
    rows = []
    for ranking, some in falls.items():
        for n, fall in enumerate(some):
            row = {"participant_id": f"sub-{n}", "networks": networks[n] if networks else "one/trial-00"}
            row |= {"ranking": ranking, "fill": FILL, "k": k, "voxels": k, "logit": 5.0, "fall": fall}
            rows.append(row | {"correlation": 0.1 * n})
    return pd.DataFrame(rows)


def test_means_intervals_and_the_paired_difference_to_the_best_rival() -> None:
    falls = {
        "lrp-epsilon": [3.0, 4.0, 5.0, 6.0],
        "intensity": [1.0, 1.0, 2.0, 2.0],
        "logistic": [2.0, 2.0, 2.0, 2.0],
        "random": [0.0, 0.0, 0.0, 0.1],
    }
    found = deletion_summary(table(falls)).set_index("ranking")
    assert list(found.columns) == [name for name in COLUMNS if name != "ranking"]
    row = found.loc["lrp-epsilon"]
    assert row[["fall", "people", "networks", "k"]].tolist() == [4.5, 4, 1, 50]
    interval = clustered_interval(falls["lrp-epsilon"], ["one/trial-00"] * 4, statistic="mean")
    assert (row["low"], row["high"]) == (interval.low, interval.high)
    assert row[["rival", "rival_fall", "difference", "compared"]].tolist() == ["logistic", 2.0, 2.5, 4]
    beside = clustered_interval([1.0, 2.0, 3.0, 4.0], ["one/trial-00"] * 4, statistic="mean")
    assert (row["difference_low"], row["difference_high"]) == (beside.low, beside.high)
    assert found.loc[["intensity", "logistic", "random"], "rival"].isna().all()


def test_the_best_rival_is_chosen_for_each_number_by_itself() -> None:
    some = table({"m": [3.0, 3.0], "intensity": [1.0, 2.0], "logistic": [0.0, 0.0]})
    more = table({"m": [3.0, 3.0], "intensity": [1.0, 2.0], "logistic": [4.0, 4.0]}, k=500)
    found = deletion_summary(pd.concat([some, more])).set_index(["ranking", "k"])["rival"]
    assert (found["m", 50], found["m", 500]) == ("intensity", "logistic")


def test_what_knows_the_network_is_no_rival() -> None:
    falls = {"m": [3.0, 3.0], "|m|": [9.0, 9.0], "input-x-gradient": [9.0, 8.0], "random": [0.0, 1.0]}
    found = deletion_summary(table(falls)).set_index("ranking")["rival"]
    assert found[["m", "|m|", "input-x-gradient"]].tolist() == ["random"] * 3


def test_several_scans_are_one_person() -> None:
    once = table({"m": [1.0, 3.0, 5.0], "intensity": [1.0, 0.0, 2.0]})
    pd.testing.assert_frame_equal(deletion_summary(once), deletion_summary(pd.concat([once] * 3)))


def test_people_of_one_network_are_clustered() -> None:
    falls = {"m": [1.0, 1.1, 1.2, 5.0, 5.1, 5.2], "random": [0.0] * 6}
    alone = deletion_summary(table(falls, networks=[f"n/{n}" for n in range(6)])).iloc[0]
    two = deletion_summary(table(falls, networks=["a/0"] * 3 + ["b/0"] * 3)).iloc[0]
    assert two["networks"] == 2
    assert two["high"] - two["low"] > 2 * (alone["high"] - alone["low"])
    assert two["difference_high"] - two["difference_low"] > 2 * (alone["difference_high"] - alone["difference_low"])


def test_who_is_missing_counts_nowhere() -> None:
    falls = {"m": [3.0, np.nan, 5.0], "intensity": [1.0, 2.0, np.nan], "logistic": [np.nan] * 3}
    found = deletion_summary(table(falls)).set_index("ranking")
    assert found["people"].to_dict() == {"m": 2, "intensity": 2, "logistic": 0}
    assert np.isnan(found.loc["logistic", "fall"])
    assert found.loc["m", ["rival", "compared", "difference", "rival_fall"]].tolist() == ["intensity", 1, 2.0, 1.0]
    assert found.loc["m", ["difference_low", "difference_high"]].isna().all()  # of one person


def test_lesions_have_no_number_and_no_rival() -> None:
    both = pd.concat([table({"m": [3.0, 4.0], "random": [0.0, 0.0]}), table({"lesions": [5.0, 6.0]}, k=np.nan)])
    both.loc[both["ranking"] == "lesions", "voxels"] = [600, 660]
    row = deletion_summary(both).set_index("ranking").loc["lesions"]
    assert row[["fall", "voxels", "logit", "people"]].tolist() == [5.5, 630.0, 5.0, 2]
    assert pd.isna(row["k"])
    assert pd.isna(row["rival"])


def test_nobody_gives_no_rows() -> None:
    assert deletion_summary(table({"m": [1.0]}).iloc[:0]).empty


def test_a_rival_that_was_never_measured_is_none() -> None:
    row = deletion_summary(table({"m": [1.0, 2.0], "intensity": [np.nan] * 2})).iloc[0]
    assert pd.isna(row["rival"])
    assert row["fall"] == pytest.approx(1.5)
