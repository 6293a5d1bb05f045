"""Subgroups against scores of rows picked by hand; nobody vanishes."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kstest

from pellucid.analysis.classification import METRICS, over_trials
from pellucid.analysis.proportions import auc_interval, few_interval, share_interval
from pellucid.analysis.subgroups import interactions, subgroups
from pellucid.ground.errors import InputError


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
    table = subgroups(predictions, people).set_index(["factor", "level"])
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
        expected = over_trials(_picked(predictions, people["participant_id"][chosen]))
        row = table.loc[key]
        assert (row["n_patients"], row["n_controls"]) == ((chosen & patient).sum(), (chosen & ~patient).sum())
        for metric, mean, _, low, high in expected.iloc[:, :5].itertuples(index=False):
            assert (row[metric], row[f"{metric}_low"], row[f"{metric}_high"]) == pytest.approx((mean, low, high))


def test_the_columns_and_the_order_of_the_levels() -> None:
    predictions, people = _cohort(40, 30, seed=1)
    people.loc[[0, 35, 45], ["sex", "age", "edss", "lesion_volume_ml"]] = None
    table = subgroups(predictions, people.sample(frac=1, random_state=0))
    assert list(table.columns) == [
        *("factor", "level", "value_min", "value_max", "n_patients", "n_controls", "few", "reason"),
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
    table = subgroups(predictions, people)
    for factor, rows in table.groupby("factor"):
        assert rows["n_patients"].sum() == patients
        if factor in ("sex", "age"):
            assert rows["n_controls"].sum() == controls
        else:
            assert (rows["n_controls"] == controls).all()
    assert (table[["n_patients", "n_controls"]].sum(axis=1) > 0).all()


def test_a_level_of_one_patient_has_an_honest_interval_and_is_named_few() -> None:
    """One resampled patient has no variance: AUC 0.36 (0.19 to 0.56) stood where a formula gives 0.07 to 0.82."""
    predictions, people = _cohort(13, 10, seed=9, trials=10)
    people["edss"] = np.where(people["group"] == "MS", np.r_[6.0, np.full(22, 1.0)], np.nan)
    row = subgroups(predictions, people).set_index(["factor", "level"]).loc[("edss", "> 4")]
    assert (row["n_patients"], row["n_controls"], row["few"]) == (1, 10, True)
    low, high = auc_interval(row["auc"], [(1, 10)])
    assert (row["auc_low"], row["auc_high"]) == (low, high)
    assert row["auc_high"] - row["auc_low"] > 0.6
    assert row["sensitivity_high"] - row["sensitivity_low"] > 0.9


def test_an_interaction_is_found_where_it_is_and_p_is_even_where_it_is_not() -> None:
    predictions, people = _cohort(60, 60, seed=1, trials=2)
    people["sex"] = np.tile(["F", "M"], 60)
    of_women = predictions["participant_id"].isin(people["participant_id"][people["sex"] == "F"])
    apart = predictions.assign(logit=predictions["logit"] + 3.0 * predictions["label"] * of_women)
    found = interactions(apart, people, permutations=199, seed=0).set_index("factor")
    table = subgroups(apart, people).query("factor == 'sex'").set_index("level")["auc"]
    assert found.loc["sex", "p"] == pytest.approx(1 / 200)
    assert found.loc["sex", "auc_range"] == pytest.approx(table["F"] - table["M"])
    assert found.loc["sex", "levels"] == 2
    assert set(found.index) == {"sex", "age", "edss", "lesion_volume"}
    # a group that has higher logits throughout has the same AUC
    shifted = predictions.assign(logit=predictions["logit"] + 50.0 * of_women)
    assert interactions(shifted, people, permutations=199, seed=0).set_index("factor").loc["sex", "p"] > 0.05
    chances = [
        interactions(*_cohort(12, 10, seed=seed, trials=1), permutations=39, seed=seed).set_index("factor")["p"]
        for seed in range(60)
    ]
    for factor in ("sex", "lesion_volume"):
        assert kstest([one[factor] for one in chances], "uniform").pvalue > 0.001


def test_an_interaction_equals_its_slow_twin_and_needs_two_levels() -> None:
    predictions, people = _cohort(5, 4, seed=3, trials=2)
    predictions["fold"] = predictions["participant_id"].str[-1].astype(int) % 2
    people = people[["participant_id"]].assign(sex=["F", "M", "F", "M", "F", "M", "F", "M", "F"])
    found = interactions(predictions, people, permutations=3999, seed=0).iloc[0]

    def spread(sex: np.ndarray) -> float:
        pairs: dict[str, list[float]] = {"F": [], "M": []}
        named = dict(zip(people["participant_id"], sex, strict=True))
        for _, rows in predictions.groupby(["trial", "fold"]):
            for one in rows[rows["label"] == 1].itertuples():
                for other in rows[rows["label"] == 0].itertuples():
                    if named[one.participant_id] == named[other.participant_id]:
                        pairs[named[one.participant_id]].append(float(one.logit > other.logit))
        kept = [some for some in pairs.values() if some] or [[0.0]]
        middle = np.mean(np.concatenate(kept))
        return float(sum(len(some) * (np.mean(some) - middle) ** 2 for some in kept))

    sex = people["sex"].to_numpy()
    orders = [
        np.r_[sex[list(one)], sex[[5 + n for n in two]]]
        for one in permutations(range(5))
        for two in permutations(range(4))
    ]
    spreads = {order: spread(np.array(order)) for order in {tuple(order) for order in orders}}
    observed = spread(sex)
    expected = np.mean([spreads[tuple(order)] >= observed - 1e-9 for order in orders])
    assert found["p"] == pytest.approx(expected, abs=0.03)
    alone = interactions(predictions, people.assign(sex="F"), permutations=9, seed=0).iloc[0]
    assert alone["levels"] == 1
    assert np.isnan(alone[["auc_range", "p"]].astype(float)).all()


def test_the_interval_of_the_level_s_sensitivity_is_that_of_its_patients() -> None:
    predictions, people = _cohort(25, 10, seed=2, trials=1)
    table = subgroups(predictions, people)
    for row in table[table["factor"].isin(["edss", "lesion_volume"])].itertuples():
        found = round(row.sensitivity * row.n_patients)
        assert found / row.n_patients == pytest.approx(row.sensitivity)
        assert (row.sensitivity_low, row.sensitivity_high) == share_interval(row.sensitivity, row.n_patients)


def test_the_mean_over_trials_need_not_be_a_whole_number_of_patients() -> None:
    """One of two patients found in one of two trials: a share of 1/4 of 2."""
    predictions = pd.DataFrame(
        {
            "trial": [0, 0, 0, 1, 1, 1],
            "participant_id": ["sub-1", "sub-2", "sub-3"] * 2,
            "label": [1, 1, 0] * 2,
            "logit": [1.0, -1.0, -2.0, -1.0, -1.0, -2.0],
        }
    )
    people = pd.DataFrame({"participant_id": ["sub-1", "sub-2", "sub-3"], "edss": [1.0, 2.0, np.nan]})
    row = subgroups(predictions, people).iloc[0]
    assert (row["level"], row["sensitivity"], row["n_controls"]) == ("<= 2", 0.25, 1)
    assert (row["sensitivity_low"], row["sensitivity_high"]) == few_interval(0.25, 2)


def test_a_level_of_one_class_has_only_what_that_class_can_tell() -> None:
    predictions, people = _cohort(6, 5, seed=3)
    people["sex"] = np.where(people["group"] == "MS", "F", "M")
    table = subgroups(predictions, people).set_index("level")
    women, men = table.loc["F"], table.loc["M"]
    found = predictions.query("label == 1")["logit"] > 0
    assert women["sensitivity"] == pytest.approx(found.mean())
    assert men["specificity"] == pytest.approx((predictions.query("label == 0")["logit"] <= 0).mean())
    assert women["sensitivity_low"] < women["sensitivity"] < women["sensitivity_high"]
    assert men["specificity_low"] < men["specificity"] < men["specificity_high"]
    assert women[["specificity", "balanced_accuracy", "auc", "auc_low"]].isna().all()
    assert men[["sensitivity", "balanced_accuracy", "auc", "auc_low"]].isna().all()
    assert (women["reason"], men["reason"]) == ("there are no controls", "there are no patients")


def test_a_factor_that_nobody_has_is_left_out() -> None:
    predictions, people = _cohort(6, 5, seed=4)
    bare = people.drop(columns=["sex", "age"]).assign(edss=np.nan)
    assert set(subgroups(predictions, bare)["factor"]) == {"lesion_volume"}


def test_the_values_of_controls_and_of_others_do_not_count() -> None:
    predictions, people = _cohort(12, 9, seed=5)
    expected = subgroups(predictions, people)
    zero = people.fillna({"lesion_volume_ml": 0.0, "edss": 0.0})
    other = people.iloc[:1].assign(participant_id="sub-9999", age=200.0, lesion_volume_ml=900.0)
    result = subgroups(predictions, pd.concat([zero, other]))
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
        subgroups(predictions, spoil(people))  # type: ignore[operator]


def test_a_sample_without_controls_is_refused() -> None:
    predictions, people = _cohort(4, 0, seed=7)
    with pytest.raises(InputError, match="no controls"):
        subgroups(predictions, people)
