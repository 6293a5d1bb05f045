"""Scans are not people: two or four identical visits of everybody change no number, interval, p or count."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from pellucid.analysis.brightness import brightness_alone
from pellucid.analysis.calibration import reliability
from pellucid.analysis.classification import one_a_person, over_trials
from pellucid.analysis.clusters import by_person, clustered_interval
from pellucid.analysis.comparison import paired
from pellucid.analysis.permutation import permutation_p
from pellucid.analysis.regions import compare_groups, region_means
from pellucid.analysis.roc import mean_roc, roc
from pellucid.analysis.subgroups import interactions, subgroups

LABEL = np.repeat([1, 0], [9, 7])
PEOPLE = pd.DataFrame(
    {
        "participant_id": [f"sub-{n:02d}" for n in range(16)],
        "sex": ["F", "M"] * 8,
        "age": np.linspace(20, 60, 16),
        "edss": np.where(LABEL == 1, 2.5, np.nan),
    }
)


def _scans(seed: int, *, trials: int = 2) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.concat(
        PEOPLE[["participant_id"]].assign(
            trial=trial,
            label=LABEL,
            group=np.where(LABEL == 1, "MS", "HC"),
            logit=LABEL + rng.normal(size=16),
            fold=np.arange(16) % 3,
            area="Stem",
            voxels=10,
            seen_share=1.0,
            sum=rng.normal(size=16),
            mean=rng.normal(size=16),
            networks=[f"arm/trial-{n % 3}" for n in range(16)],
            robust=rng.normal(size=16),
        )
        for trial in range(trials)
    )


def _interval(table: pd.DataFrame) -> pd.DataFrame:
    one = by_person(table, ["sum"])
    return pd.DataFrame([clustered_interval(one["sum"], one["networks"])])


def _bins(table: pd.DataFrame) -> pd.DataFrame:
    one = one_a_person(table)
    return reliability(one["label"], 1 / (1 + np.exp(-one["logit"])), one["participant_id"])


SUMMARIES: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
    "scores": over_trials,
    "curves": roc,
    "mean curve": lambda table: mean_roc(roc(table)),
    "p": lambda table: pd.DataFrame([permutation_p(table, "auc", permutations=49, seed=0)]),
    "p of accuracy": lambda table: pd.DataFrame([permutation_p(table, "balanced_accuracy", permutations=49, seed=0)]),
    "paired": lambda table: paired(table, _scans(9), permutations=49, seed=0),
    "subgroups": lambda table: subgroups(table, PEOPLE),
    "interactions": lambda table: interactions(table, PEOPLE, permutations=49, seed=0),
    "calibration": _bins,
    "brightness": lambda table: brightness_alone(table[table["trial"] == 0].drop(columns="trial")),
    "areas": lambda table: region_means(table[table["trial"] == 0], ["MS", "HC"], draws=100, seed=0),
    "tests of areas": lambda table: compare_groups(table[table["trial"] == 0], "MS", resamples=49, seed=0),
    "interval of maps": lambda table: _interval(table[table["trial"] == 0]),
}


@pytest.mark.parametrize("name", SUMMARIES)
@pytest.mark.parametrize("visits", [2, 4])
def test_visits_are_no_people(name: str, visits: int) -> None:
    once = _scans(3)
    again = pd.concat([once.assign(session_id=f"ses-{n}") for n in range(visits)])
    pd.testing.assert_frame_equal(SUMMARIES[name](again), SUMMARIES[name](once))


@pytest.mark.parametrize("name", SUMMARIES)
def test_who_came_more_often_counts_no_more(name: str) -> None:
    once = _scans(4)
    often = once[once["participant_id"].isin(["sub-01", "sub-12"])]
    again = pd.concat([once.assign(session_id="ses-0"), *(often.assign(session_id=f"ses-{n}") for n in (1, 2, 3))])
    pd.testing.assert_frame_equal(SUMMARIES[name](again), SUMMARIES[name](once))
