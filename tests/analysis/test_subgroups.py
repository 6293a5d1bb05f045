"""Subgroups against scores of rows picked by hand; nobody vanishes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from pellucid.analysis.classification import METRICS, over_trials
from pellucid.analysis.subgroups import subgroups
from pellucid.errors import InputError


def _cohort(patients: int, controls: int, *, seed: int, trials: int = 3) -> tuple[pd.DataFrame, pd.DataFrame]:
    generator = np.random.default_rng(seed)
    n = patients + controls
    names = [f"sub-{number:04d}" for number in range(n)]
    label = np.repeat([1, 0], [patients, controls])
    patient_only = np.where(label == 1, 1.0, np.nan)
    people = pd.DataFrame(
        {
            "participant_id": names,
            "group": np.where(label == 1, "MS", "HC"),
            "sex": pd.array(generator.choice(["F", "M"], n), dtype="string"),
            "age": generator.uniform(18, 65, n).round(1),
            "edss": generator.integers(0, 14, n) / 2 * patient_only,
            "lesion_volume_ml": generator.lognormal(1, 1, n) * patient_only,
        }
    )
    logits = generator.normal(size=(trials, n)) + label
    rows = [(f"trial-{t}", names[k], int(label[k]), logits[t, k]) for t in range(trials) for k in range(n)]
    return pd.DataFrame(rows, columns=["trial", "participant_id", "label", "logit"]), people


def _picked(predictions: pd.DataFrame, members: pd.Series) -> pd.DataFrame:
    return predictions[predictions["participant_id"].isin(members)]


def test_each_level_is_scored_like_its_rows_alone() -> None:
    predictions, people = _cohort(40, 30, seed=0)
    table = subgroups(predictions, people, resamples=200, seed=5).set_index(["factor", "level"])
    ages, patient = people["age"], people["group"] == "MS"
    volume = people["lesion_volume_ml"]
    middle = (ages > ages.quantile(1 / 3)) & (ages <= ages.quantile(2 / 3))
    by_hand = {
        ("sex", "F"): people["sex"] == "F",
        ("age", "middle third"): middle,
        ("edss", "2.5-4"): ~patient | people["edss"].isin([2.5, 3.0, 3.5, 4.0]),
        ("edss", "<= 2"): ~patient | (people["edss"] <= 2),
        ("lesion_volume", "upper third"): ~patient | (volume > volume[patient].quantile(2 / 3)),
    }
    for key, chosen in by_hand.items():
        expected = over_trials(_picked(predictions, people["participant_id"][chosen]), resamples=200, seed=5)
        row = table.loc[key]
        assert (row["n_patients"], row["n_controls"]) == ((chosen & patient).sum(), (chosen & ~patient).sum())
        for metric, mean, _, low, high in expected.itertuples(index=False):
            assert row[metric] == pytest.approx(mean)
            if metric != "sensitivity" or key[0] in ("sex", "age"):
                assert (row[f"{metric}_low"], row[f"{metric}_high"]) == pytest.approx((low, high))


def test_the_columns_and_the_order_of_the_levels() -> None:
    predictions, people = _cohort(40, 30, seed=1)
    people.loc[[0, 35, 45], ["sex", "age", "edss", "lesion_volume_ml"]] = None
    table = subgroups(predictions, people.sample(frac=1, random_state=0), resamples=20, seed=0)
    assert list(table.columns) == [
        *("factor", "level", "value_min", "value_max", "n_patients", "n_controls"),
        *(f"{metric}{end}" for metric in METRICS for end in ("", "_low", "_high")),
    ]
    thirds = ["lower third", "middle third", "upper third", "n/a"]
    assert table.groupby("factor", sort=False)["level"].agg(list).to_dict() == {
        "sex": ["F", "M", "n/a"],
        "age": thirds,
        "edss": ["<= 2", "2.5-4", "> 4", "n/a"],
        "lesion_volume": thirds,
    }
    ages = table[table["factor"] == "age"]
    assert ages["value_min"].iloc[0] == people["age"].min()
    assert ages["value_max"].iloc[2] == people["age"].max()
    assert (ages["value_max"].iloc[:2].to_numpy() < ages["value_min"].iloc[1:3].to_numpy()).all()
    assert table.loc[table["level"] == "n/a", ["value_min", "value_max"]].isna().to_numpy().all()
    assert (table.loc[table["level"] == "n/a", "n_patients"] == 2).all()


@settings(max_examples=20)
@given(st.integers(0, 10**6), st.integers(1, 8), st.integers(1, 8), st.floats(0, 1))
def test_nobody_vanishes(seed: int, patients: int, controls: int, missing: float) -> None:
    predictions, people = _cohort(patients, controls, seed=seed, trials=1)
    generator = np.random.default_rng(seed)
    for column in ("sex", "age", "edss", "lesion_volume_ml"):
        people.loc[generator.random(len(people)) < missing, column] = None
    table = subgroups(predictions, people, resamples=5, seed=0)
    for factor, rows in table.groupby("factor"):
        assert rows["n_patients"].sum() == patients
        if factor in ("sex", "age"):
            assert rows["n_controls"].sum() == controls
        else:
            assert (rows["n_controls"] == controls).all()
    assert (table[["n_patients", "n_controls"]].sum(axis=1) > 0).all()


def test_the_wilson_interval_of_the_level_is_scipy_s() -> None:
    predictions, people = _cohort(25, 10, seed=2, trials=1)
    table = subgroups(predictions, people, resamples=20, seed=0)
    for row in table[table["factor"].isin(["edss", "lesion_volume"])].itertuples():
        found = round(row.sensitivity * row.n_patients)
        wilson = binomtest(found, row.n_patients).proportion_ci(method="wilson")
        assert (row.sensitivity_low, row.sensitivity_high) == pytest.approx((wilson.low, wilson.high), abs=1e-12)


def test_the_mean_over_trials_need_not_be_a_whole_number_of_patients() -> None:
    """One of two patients found in one of two trials: a share of 1/4 of 2, by Wilson's formula."""
    predictions = pd.DataFrame(
        {
            "trial": [0, 0, 0, 1, 1, 1],
            "participant_id": ["sub-1", "sub-2", "sub-3"] * 2,
            "label": [1, 1, 0] * 2,
            "logit": [1.0, -1.0, -2.0, -1.0, -1.0, -2.0],
        }
    )
    people = pd.DataFrame({"participant_id": ["sub-1", "sub-2", "sub-3"], "edss": [1.0, 2.0, np.nan]})
    row = subgroups(predictions, people, resamples=10, seed=0).iloc[0]
    z2, n = 1.959964**2, 2
    half = np.sqrt(z2 * (0.25 * 0.75 / n + z2 / (4 * n**2)))
    assert (row["level"], row["sensitivity"], row["n_controls"]) == ("<= 2", 0.25, 1)
    assert row["sensitivity_low"] == pytest.approx((0.25 + z2 / (2 * n) - half) / (1 + z2 / n))
    assert row["sensitivity_high"] == pytest.approx((0.25 + z2 / (2 * n) + half) / (1 + z2 / n))


def test_a_level_of_one_class_has_only_what_that_class_can_tell() -> None:
    predictions, people = _cohort(6, 5, seed=3)
    people["sex"] = np.where(people["group"] == "MS", "F", "M")
    table = subgroups(predictions, people, resamples=10, seed=0).set_index("level")
    women, men = table.loc["F"], table.loc["M"]
    found = predictions.query("label == 1")["logit"] > 0
    assert women["sensitivity"] == pytest.approx(found.mean())
    assert men["specificity"] == pytest.approx((predictions.query("label == 0")["logit"] <= 0).mean())
    assert women["sensitivity_low"] < women["sensitivity"] < women["sensitivity_high"]
    assert men["specificity_low"] < men["specificity"] < men["specificity_high"]
    assert women[["specificity", "balanced_accuracy", "auc", "auc_low"]].isna().all()
    assert men[["sensitivity", "balanced_accuracy", "auc", "auc_low"]].isna().all()


def test_a_factor_that_nobody_has_is_left_out() -> None:
    predictions, people = _cohort(6, 5, seed=4)
    bare = people.drop(columns=["sex", "age"]).assign(edss=np.nan)
    assert set(subgroups(predictions, bare, resamples=10, seed=0)["factor"]) == {"lesion_volume"}


def test_the_values_of_controls_and_of_others_do_not_count() -> None:
    predictions, people = _cohort(12, 9, seed=5)
    expected = subgroups(predictions, people, resamples=10, seed=0)
    zero = people.fillna({"lesion_volume_ml": 0.0, "edss": 0.0})
    other = people.iloc[:1].assign(participant_id="sub-9999", age=200.0, lesion_volume_ml=900.0)
    result = subgroups(predictions, pd.concat([zero, other]), resamples=10, seed=0)
    pd.testing.assert_frame_equal(result, expected)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda p: p.iloc[1:], "have no row: sub-0000"),
        (lambda p: pd.concat([p, p.iloc[:1]]), "sub-0000 has several rows"),
        (lambda p: p.drop(columns="participant_id"), "no column participant_id"),
        (lambda p: p.assign(age="old"), "age 'old' is not a number"),
    ],
)
def test_people_that_do_not_fit_are_refused(spoil: object, words: str) -> None:
    predictions, people = _cohort(4, 4, seed=6)
    with pytest.raises(InputError, match=words):
        subgroups(predictions, spoil(people), resamples=10, seed=0)  # type: ignore[operator]


def test_a_sample_without_controls_is_refused() -> None:
    predictions, people = _cohort(4, 0, seed=7)
    with pytest.raises(InputError, match="no controls"):
        subgroups(predictions, people, resamples=10, seed=0)
