"""Regional sums against a loop over areas, and what pooling and blindness must do to them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pellucid.analysis.families import with_q
from pellucid.analysis.regions import compare_groups, compare_images, region_means, regional_lesions, regional_relevance
from pellucid.ground.errors import InputError

SHAPE = (3, 4, 2)
REGIONS = pd.DataFrame(
    {
        "index": [7, 2, 3, 4, 9, 5],
        "name": ["R Thalamus", "L Thalamus", "Stem", "R Pole", "L Pole", "Nowhere"],
        "area": ["Thalamus", "Thalamus", "Stem", "Pole", "Pole", "Nowhere"],
    }
)
MAPS = hnp.arrays(np.float64, SHAPE, elements=st.integers(-8, 8).map(float))
LABELS = hnp.arrays(np.int32, SHAPE, elements=st.sampled_from([0, 2, 3, 4, 7, 9]))
MASKS = hnp.arrays(np.bool_, SHAPE)


def _slow(values: np.ndarray, labels: np.ndarray, seen: np.ndarray) -> pd.DataFrame:
    rows = []
    for area in ["Thalamus", "Stem", "Pole", "Nowhere"]:
        members = REGIONS.loc[REGIONS["area"] == area, "index"].tolist()
        cells = [i for i in np.ndindex(*SHAPE) if labels[i] in members]
        visible = [i for i in cells if seen[i]]
        total = sum(values[i] for i in visible) if visible else np.nan
        share = len(visible) / len(cells) if cells else np.nan
        means = [
            sum(values[i] for i in np.ndindex(*SHAPE) if labels[i] == one and seen[i]) / values.size for one in members
        ]
        paper = sum(means) / len(means) if visible else np.nan
        mean = total / len(visible) if visible else np.nan
        rows.append((area, len(cells), len(visible), share, total, mean, paper))
    return pd.DataFrame(rows, columns=["area", "voxels", "seen_voxels", "seen_share", "sum", "mean", "paper"])


@given(MAPS, LABELS, MASKS)
def test_regional_relevance_equals_its_slow_twin(values: np.ndarray, labels: np.ndarray, seen: np.ndarray) -> None:
    pd.testing.assert_frame_equal(regional_relevance(values, labels, REGIONS, seen), _slow(values, labels, seen))


@given(MAPS, LABELS, MASKS)
def test_the_areas_sum_to_the_labelled_seen_relevance(values: np.ndarray, labels: np.ndarray, seen: np.ndarray) -> None:
    table = regional_relevance(values, labels, REGIONS, seen)
    assert table["sum"].sum() == pytest.approx(values[(labels > 0) & seen].sum())
    assert table["voxels"].sum() == (labels > 0).sum()


@given(MAPS, LABELS, MASKS)
def test_swapping_left_and_right_changes_no_area(values: np.ndarray, labels: np.ndarray, seen: np.ndarray) -> None:
    swap = np.arange(10)
    swap[[7, 2, 4, 9]] = [2, 7, 9, 4]
    one = regional_relevance(values, labels, REGIONS, seen)
    pd.testing.assert_frame_equal(one, regional_relevance(values, swap[labels], REGIONS, seen))


@given(MAPS, LABELS, MASKS, MAPS)
def test_unseen_relevance_is_not_counted(
    values: np.ndarray, labels: np.ndarray, seen: np.ndarray, other: np.ndarray
) -> None:
    one = regional_relevance(values, labels, REGIONS, seen)
    pd.testing.assert_frame_equal(one, regional_relevance(np.where(seen, values, other), labels, REGIONS, seen))


def test_areas_that_cannot_be_seen_stay_in_the_table_as_missing() -> None:
    labels = np.zeros(SHAPE, dtype=int)
    labels[0], labels[1] = 3, 4
    seen = np.ones(SHAPE, dtype=bool)
    seen[0] = False
    seen[1, :2] = False
    table = regional_relevance(np.full(SHAPE, 0.5), labels, REGIONS, seen).set_index("area")
    assert table.index.tolist() == ["Thalamus", "Stem", "Pole", "Nowhere"]
    assert table.loc["Stem", ["voxels", "seen_voxels", "seen_share"]].tolist() == [8, 0, 0.0]
    assert table.loc["Stem", ["sum", "mean"]].isna().all()
    assert table.loc["Pole", ["seen_share", "sum", "mean"]].tolist() == [0.5, 2.0, 0.5]
    assert table.loc["Nowhere", ["seen_share", "sum", "mean"]].isna().all()


@pytest.mark.parametrize(
    ("labels", "seen", "words"),
    [
        (np.full(SHAPE, 99), np.ones(SHAPE, dtype=bool), "without a row in the table: 99"),
        (np.zeros(SHAPE), np.ones(SHAPE, dtype=bool), "not integers"),
        (np.zeros((3, 4, 3), dtype=int), np.ones(SHAPE, dtype=bool), "shapes differ"),
        (np.zeros(SHAPE, dtype=int), np.ones((3, 4, 3), dtype=bool), "shapes differ"),
    ],
)
def test_an_atlas_that_does_not_fit_is_refused(labels: np.ndarray, seen: np.ndarray, words: str) -> None:
    with pytest.raises(InputError, match=words):
        regional_relevance(np.zeros(SHAPE), labels, REGIONS, seen)


@given(MASKS, LABELS)
def test_regional_lesions_equal_a_loop(mask: np.ndarray, labels: np.ndarray) -> None:
    table = regional_lesions(mask, labels, REGIONS).set_index("area")
    assert table.index.tolist() == ["Thalamus", "Stem", "Pole", "Nowhere"]
    for area, row in table.iterrows():
        members = REGIONS.loc[REGIONS["area"] == area, "index"].tolist()
        cells = [i for i in np.ndindex(*SHAPE) if labels[i] in members]
        assert (row["voxels"], row["lesion_voxels"]) == (len(cells), sum(bool(mask[i]) for i in cells))


def _subjects(sums: dict[str, tuple[list[float], list[float]]]) -> pd.DataFrame:
    """Rows of patients and controls, one sum each in every area."""
    rows = [
        {"participant_id": f"sub-{group}{n}", "group": group, "area": area, "sum": value}
        for area, both in sums.items()
        for group, values in zip(("MS", "HC"), both, strict=True)
        for n, value in enumerate(values)
    ]
    return pd.DataFrame(rows)


def test_few_participants_are_permuted_in_every_way() -> None:
    table = _subjects({"Stem": ([5.0, 6.0, 7.0], [1.0, 2.0, 3.0]), "Pole": ([1.0, 2.0, 3.0], [1.0, 2.0, 3.0])})
    found = compare_groups(table, "MS", seed=0).set_index("area")
    assert found.loc["Stem", ["difference", "p"]].tolist() == [4.0, 0.1]  # 2 of 20 ways are as extreme
    assert found.loc["Pole", ["difference", "p"]].tolist() == [0.0, 1.0]
    assert found["p_from"].tolist() == ["permutations", "permutations"]


def test_a_participant_counts_once_whatever_its_scans() -> None:
    table = _subjects({"Stem": ([5.0, 6.0, 7.0], [1.0, 2.0, 3.0])})
    twice = pd.concat([table, table.assign(sum=table["sum"] + 2.0)])
    assert compare_groups(twice, "MS", seed=0)["p"].tolist() == compare_groups(table, "MS", seed=0)["p"].tolist()


def test_what_cannot_be_tested_is_missing_and_does_not_count() -> None:
    nan = float("nan")
    table = _subjects({"Unseen": ([nan] * 3, [nan] * 3), "Stem": ([5.0, 6.0, 7.0], [1.0, 2.0, 3.0])})
    found = compare_groups(table, "MS", seed=0).set_index("area")
    assert found.loc["Unseen"].isna().all()
    assert with_q(found).loc["Stem", "q"] == 0.1
    alone = compare_groups(_subjects({"Stem": ([5.0], [1.0, 2.0])}), "MS", seed=0)
    assert alone[["difference", "p", "p_from"]].isna().all(axis=None)


def test_tests_of_noise_are_seldom_significant_and_of_an_effect_mostly() -> None:
    generator = np.random.default_rng(0)
    areas = {f"area {n}": (generator.normal(size=15).tolist(), generator.normal(size=15).tolist()) for n in range(40)}
    areas |= {f"true {n}": (generator.normal(3, 1, 15).tolist(), generator.normal(size=15).tolist()) for n in range(5)}
    found = with_q(compare_groups(_subjects(areas), "MS", resamples=999, seed=0)).set_index("area")["q"]
    true = found.index.str.startswith("true")
    assert (found[true] < 0.05).all()
    assert (found[~true] < 0.05).mean() <= 0.05


def test_a_single_true_area_is_found_though_p_is_corrected() -> None:
    generator = np.random.default_rng(1)
    areas = {f"area {n}": (generator.normal(size=40).tolist(), generator.normal(size=40).tolist()) for n in range(65)}
    areas["true"] = (generator.normal(3, 1, 40).tolist(), generator.normal(size=40).tolist())
    tested = with_q(compare_groups(_subjects(areas), "MS", correction=1.5, seed=0)).set_index("area")
    assert tested.loc["true", "p_from"] == "normal tail, corrected"  # no share of permutations is that small
    assert set(tested["p_from"]) == {"normal tail, corrected", "permutations, corrected"}
    found = tested["q"]
    assert found["true"] < 0.05
    assert (found.drop("true") >= 0.05).all()


def test_means_of_areas_equal_a_loop_over_people() -> None:
    rows = [
        {"participant_id": f"sub-{n}", "session_id": visit, "group": "MS" if n < 3 else "HC", "area": area}
        | {"voxels": 9, "seen_share": 0.5 if area == "Pole" else 0.0}
        | {"sum": n - visit + 0.5 if area == "Pole" else np.nan, "mean": n / 9 if area == "Pole" else np.nan}
        for n in range(5)
        for visit in range(1 + n % 2)
        for area in ("Pole", "Nowhere")
    ]
    found = region_means(pd.DataFrame(rows).assign(networks="a/trial-00"), ["MS", "HC"], seed=0).set_index("area")
    of_groups = [f"{name}_{group}" for group in ("MS", "HC") for name in ("sum", "low", "high", "mean")]
    assert found.columns.tolist() == ["voxels", "seen_share", "strength", *of_groups]
    pole, nowhere = found.loc["Pole"], found.loc["Nowhere"]
    sums = [n + 0.5 if n % 2 == 0 else n for n in range(5)]  # the mean of one visit or two
    assert (pole["sum_MS"], pole["sum_HC"]) == (np.mean(sums[:3]), np.mean(sums[3:]))
    assert pole["mean_HC"] == pytest.approx((3 / 9 + 4 / 9) / 2)
    assert pole["strength"] == sum(map(abs, sums))
    assert (nowhere["voxels"], nowhere["seen_share"]) == (9, 0)
    assert nowhere[["strength", "sum_MS", "mean_HC"]].isna().all()


def _sums(values: dict[str, tuple[float, float]], arm: str) -> pd.DataFrame:
    """Two patients; area to their sums."""
    rows = [
        (who, area, total, 0.5 if area == "a" else 1.0)
        for area, both in values.items()
        for who, total in zip(("sub-1", "sub-2"), both, strict=True)
    ]
    table = pd.DataFrame(rows, columns=["participant_id", "area", "sum", "seen_share"])
    return table.assign(group="MS", voxels=9, mean=table["sum"] / 9, networks=f"{arm}/trial-00")


ONE = _sums({"a": (1.0, 3.0), "b": (-8.0, -8.0), "c": (np.nan, np.nan)}, "with")
TWO = _sums({"a": (2.0, 2.0), "b": (1.0, 1.0), "c": (-1.0, -1.0)}, "without")


def test_means_of_areas_have_the_interval_over_people_and_their_networks() -> None:
    found = region_means(ONE, ["MS"], draws=200, seed=2).set_index("area")
    assert found.loc["a", ["sum_MS", "low_MS", "high_MS"]].tolist() == [2.0, 1.0, 3.0]
    assert found.loc["b", ["low_MS", "high_MS"]].tolist() == [-8.0, -8.0]
    assert found.loc["c", ["low_MS", "high_MS"]].isna().all()
    wide = region_means(ONE, ["MS"], draws=200, correction=1.5, seed=2).set_index("area")
    assert wide.loc["a", ["low_MS", "high_MS"]].tolist() == [0.5, 3.5]


def test_two_models_are_compared_over_the_people_who_have_a_map_of_both() -> None:
    more = pd.concat([TWO, TWO[TWO["participant_id"] == "sub-1"].assign(participant_id="sub-9", sum=50.0)])
    found = compare_images(ONE, more, draws=100, seed=2).set_index("area")
    assert found.index.tolist() == ["a", "b"]  # c is not seen by the first
    assert found.loc["a", ["mean", "low", "high"]].tolist() == [2.0, 1.0, 3.0]
    assert found.loc["a", "mean_filled"] == 2.0  # sub-9 has no map of the other model
    assert found.loc["b", ["mean", "mean_filled"]].tolist() == [-8.0, 1.0]
    assert (found["people"] == 2).all()
    assert found["seen_share"].tolist() == [0.5, 1.0]
    assert compare_images(ONE, TWO.assign(participant_id=TWO["participant_id"] + "x"), draws=100, seed=2).empty
