"""Deletion against a slow twin, on a linear model whose falls are known, and what cannot be measured."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid.ground.errors import InputError
from pellucid.trust.deletion import (
    COLUMNS,
    CONSTANT,
    DRAWS,
    ENOUGH,
    FEW,
    FILLS,
    NEIGHBOURS,
    NO_LESION,
    NO_WHITE,
    deletion,
    white_matter_like,
)

SHAPE = (9, 10, 8)
SIZES = (2.0, 2.0, 3.0)


def scan(seed: int = 0) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(seed)
    brain = np.zeros(SHAPE, dtype=bool)
    brain[1:-1, 1:-1, 1:-1] = True
    image = np.where(brain, generator.normal(1.0, 1.0, SHAPE), 0.0).astype(np.float32)
    inside = brain.copy()
    inside[7] = False
    return {
        "image": image,
        "inside": inside,
        "white": brain & (generator.random(SHAPE) < 0.4),
        "weights": generator.normal(size=SHAPE),
        "lesions": brain & (generator.random(SHAPE) < 0.05),
    }


def go(made: dict[str, np.ndarray], rankings: dict[str, np.ndarray], **changes: object) -> pd.DataFrame:
    weights = made["weights"]
    given = {
        "inside": made["inside"],
        "white": made["white"],
        "lesions": made["lesions"],
        "voxels": (1, 5, 40),
        "voxel_sizes": SIZES,
        "predict": lambda images: np.einsum("bxyz,xyz->b", images.astype(np.float64), weights),
        "seed": 3,
    }
    return deletion(made["image"], rankings, **(given | changes))


def by_distance(made: dict[str, np.ndarray], voxel: tuple[int, ...]) -> list[tuple[float, tuple[int, ...]]]:
    """Return the white voxels with their squared distances from a voxel, the nearest first."""
    white = map(tuple, np.argwhere(made["white"]))
    return sorted((sum(((a - b) * s) ** 2 for a, b, s in zip(one, voxel, SIZES, strict=True)), one) for one in white)


def slow_fill(made: dict[str, np.ndarray], removed: list[tuple[int, ...]]) -> np.ndarray:
    """Fill voxel by voxel: the median of those of the 32 nearest white voxels that are kept, or of all that are."""
    out = made["image"].copy()
    for voxel in removed:
        near = by_distance(made, voxel)
        kept = [made["image"][one] for _, one in near[:NEIGHBOURS] if one not in removed]
        if len(kept) < ENOUGH:
            kept = [made["image"][one] for _, one in near if one not in removed]
        out[voxel] = np.median(kept)
    return out


def test_against_a_slow_twin_of_the_brains_median() -> None:
    made = scan()
    relevance = made["weights"] * made["image"]
    found = go(made, {"map": relevance, "|map|": np.abs(relevance)})
    assert list(found.columns) == list(COLUMNS)
    inside = list(map(tuple, np.argwhere(made["inside"])))
    median = np.median(made["image"][made["inside"]])
    for name, sign in (("map", lambda r: r), ("|map|", abs)):
        order = sorted(inside, key=lambda voxel: -sign(relevance[voxel]))
        for k in (1, 5, 40):
            expected = sum(made["weights"][v] * (made["image"][v] - median) for v in order[:k])
            row = found.set_index(["ranking", "fill", "k"]).loc[(name, "brain-median", k)]
            assert row["fall"] == pytest.approx(expected, rel=1e-4, abs=1e-4)
            assert row[["voxels", "draws"]].tolist() == [k, 1]


def test_against_a_slow_twin_of_the_local_fill() -> None:
    made = scan(1)
    told_apart = np.zeros(SHAPE, dtype=bool)  # the 32nd white voxel is nearer than the 33rd
    for voxel in map(tuple, np.argwhere(made["inside"])):
        near = by_distance(made, voxel)
        told_apart[voxel] = near[NEIGHBOURS - 1][0] < near[NEIGHBOURS][0]
    made["lesions"] &= told_apart
    relevance = np.where(told_apart, made["weights"] * made["image"], -99.0)
    found = go(made, {"map": relevance}).query("fill == 'local-white-matter'")
    order = sorted(map(tuple, np.argwhere(told_apart)), key=lambda voxel: -relevance[voxel])
    drawn = list(map(tuple, np.argwhere(made["lesions"] & made["inside"])))
    assert drawn
    for removed, rows in (
        *((order[:k], found[(found["ranking"] == "map") & (found["k"] == k)]) for k in (1, 5, 40)),
        (drawn, found[found["ranking"] == "lesions"]),
    ):
        change = made["image"].astype(np.float64) - slow_fill(made, removed)
        assert rows["fall"].tolist() == pytest.approx([(made["weights"] * change).sum()], rel=1e-4, abs=1e-4)
        assert rows["voxels"].tolist() == [len(removed)]
    assert found.query("ranking == 'lesions'")["k"].isna().all()


def test_only_the_seen_brain_is_touched() -> None:
    made = scan()
    seen = []

    def predict(images: np.ndarray) -> np.ndarray:
        seen.append(images.copy())
        return np.zeros(len(images))

    go(made, {"map": np.where(made["inside"], 0.0, 9.0) + made["weights"]}, predict=predict)
    for images in seen:
        changed = images != made["image"]
        assert not changed[:, ~made["inside"]].any()
    assert max(len(images) for images in seen) == 3  # no more at a time than there are numbers k


def test_the_ranking_of_a_linear_model_falls_furthest() -> None:
    """With one number as fill, w (x - median) ranks the voxels by what removing them takes: nothing falls further."""
    made = scan(2)
    best = made["weights"] * (made["image"] - np.median(made["image"][made["inside"]]))
    found = go(made, {"map": best, "scan": made["image"], "other": made["weights"]})
    for k in (1, 5, 40):
        rows = found[(found["fill"] == "brain-median") & (found["k"] == k)].set_index("ranking")["fall"]
        assert rows["map"] == rows.max()


def test_equal_voxels_are_drawn_and_their_falls_averaged() -> None:
    made = scan()
    binary = np.zeros(SHAPE)
    binary[3:5, 3:5, 3:5] = 1.0
    found = go(made, {"map": made["weights"], "marked": binary}, voxels=(4, 8)).query("fill == 'brain-median'")
    rows = found.query("ranking == 'marked'").set_index("k")
    assert rows["draws"].tolist() == [DRAWS, DRAWS]
    median = np.median(made["image"][made["inside"]])
    each = made["weights"][binary > 0] * (made["image"][binary > 0] - median)
    assert rows.loc[8, "fall"] == pytest.approx(each.sum(), rel=1e-4)  # all of them, whatever is drawn
    means = [sum(some) for some in itertools.combinations(each, 4)]
    assert min(means) - 1e-4 <= rows.loc[4, "fall"] <= max(means) + 1e-4
    assert found.query("ranking == 'random'")["draws"].tolist() == [DRAWS, DRAWS]


def test_rankings_of_one_order_fall_alike_and_are_computed_once() -> None:
    made, calls = scan(), []

    def predict(images: np.ndarray) -> np.ndarray:
        calls.append(len(images))
        return np.einsum("bxyz,xyz->b", images.astype(np.float64), made["weights"])

    x = made["image"]
    found = go(made, {"scan": x, "power": x * np.abs(x) ** 3}, lesions=None, predict=predict)
    falls = [found[found["ranking"] == name]["fall"].to_numpy() for name in ("scan", "power")]
    np.testing.assert_array_equal(*falls)
    assert sum(calls) == 1 + 2 * 3 + 2 * 3 * DRAWS  # the scan, one ranking, and random draws


def test_the_correlation_is_pearsons_over_the_seen_brain() -> None:
    made = scan()
    found = (
        go(made, {"map": made["weights"], "scan": made["image"]}).groupby("ranking", sort=False)["correlation"].first()
    )
    expected = np.corrcoef(made["weights"][made["inside"]], made["image"][made["inside"]])[0, 1]
    assert found["map"] == pytest.approx(1.0)
    assert found["scan"] == pytest.approx(expected)
    assert found[["random", "lesions"]].isna().all()


def test_what_cannot_be_measured_is_missing_and_never_0() -> None:
    made = scan()
    inside = int(made["inside"].sum())
    found = go(made, {"map": made["weights"], "flat": np.ones(SHAPE)}, voxels=(5, inside + 1), lesions=None)
    assert found.query("ranking == 'flat'")["fall"].isna().all()
    assert found[found["k"] == inside + 1]["fall"].isna().all()
    assert found.query("ranking == 'map' and k == 5")["fall"].notna().all()
    assert found.query("ranking == 'lesions'")["fall"].isna().all()
    without = go(made, {"map": made["weights"]}, white=np.zeros(SHAPE, dtype=bool))
    assert without[without["fill"] == FILLS[0]]["fall"].isna().all()
    assert without[without["fill"] == FILLS[1]]["fall"].notna().all()
    empty = go(made, {"map": made["weights"]}, lesions=np.zeros(SHAPE, dtype=bool)).query("ranking == 'lesions'")
    assert empty["fall"].isna().all()
    assert (empty["voxels"] == 0).all()
    reasons = {(row.ranking, row.k): row.missing for row in found.itertuples() if row.fill == FILLS[0]}
    assert reasons["flat", 5] == CONSTANT
    assert reasons["map", inside + 1] == FEW
    assert pd.isna(reasons["map", 5])
    assert set(without[without["fall"].isna()]["missing"]) == {NO_WHITE}
    assert set(empty["missing"]) == {NO_LESION}


def test_the_same_seed_gives_the_same_falls() -> None:
    made = scan()
    first, again = (go(made, {"map": made["weights"]}) for _ in range(2))
    pd.testing.assert_frame_equal(first, again)
    other = go(made, {"map": made["weights"]}, seed=4)
    assert (first["fall"] == other["fall"])[first["ranking"] == "map"].all()
    assert not (first["fall"] == other["fall"])[first["ranking"] == "random"].all()


@pytest.mark.parametrize(
    ("ranking", "words"), [(np.zeros((2, 2, 2)), "its shape"), (np.full(SHAPE, np.nan), "not finite")]
)
def test_a_map_that_does_not_fit_is_refused(ranking: np.ndarray, words: str) -> None:
    with pytest.raises(InputError, match=words):
        go(scan(), {"map": ranking})


@given(factor=st.floats(0.1, 100.0), offset=st.floats(-10.0, 10.0), seed=st.integers(0, 5))
def test_white_matter_is_found_whatever_the_unit(factor: float, offset: float, seed: int) -> None:
    generator = np.random.default_rng(seed)
    image = generator.normal(0.0, 1.0, SHAPE)
    image[4, 4] = 20.0
    brain, likely = generator.random(SHAPE) < 0.9, generator.random(SHAPE) < 0.5
    found = white_matter_like(image, brain, likely)
    assert not (found & ~(brain & likely)).any()
    assert not found[4, 4].any()
    changed = white_matter_like(factor * image + offset, brain, likely)
    assert (found != changed).sum() <= 1  # a voxel on the very border may go either way
    assert not white_matter_like(image, brain, np.zeros(SHAPE, dtype=bool)).any()
