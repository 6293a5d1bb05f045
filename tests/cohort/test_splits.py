from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pellucid.cohort.splits import ROLES, cross_validation, draw_some, rows_of, split
from pellucid.ground.errors import InputError


def cohort(sizes: dict[str, int]) -> pd.DataFrame:
    rows = [(f"sub-{group}{n:03d}", group) for group, size in sizes.items() for n in range(size)]
    return pd.DataFrame(rows, columns=["participant_id", "group"])


cohorts = st.fixed_dictionaries({"MS": st.integers(8, 60), "HC": st.integers(8, 60)}).map(cohort)
fractions = st.sampled_from([0.0, 0.15, 0.2, 0.25, 0.4])
seeds = st.integers(0, 2**32 - 1)


@given(cohorts, fractions, fractions, seeds)
def test_everyone_has_one_role_and_groups_keep_their_shares(
    table: pd.DataFrame, holdout: float, validation: float, seed: int
) -> None:
    people = split(table, holdout=holdout, validation=validation, seed=seed)
    assert people["participant_id"].tolist() == sorted(table["participant_id"])
    assert set(people["role"]) <= set(ROLES)
    pool = people
    for role, size in (("holdout", holdout), ("validation", validation)):
        n = math.floor(size * len(pool) + 0.5)
        taken = pool[pool["role"] == role]
        assert len(taken) == n
        for group in ("MS", "HC"):
            proportional = n * (pool["group"] == group).mean()
            assert abs((taken["group"] == group).sum() - proportional) < 1
        pool = pool[pool["role"] != role]
    assert set(pool["role"]) == {"train"}


@given(cohorts, seeds, seeds)
def test_the_order_of_rows_has_no_influence(table: pd.DataFrame, seed: int, order: int) -> None:
    shuffled = table.sample(frac=1.0, random_state=np.random.default_rng(order))
    first = split(table, holdout=0.2, validation=0.2, seed=seed)
    pd.testing.assert_frame_equal(first, split(shuffled, holdout=0.2, validation=0.2, seed=seed))


def test_another_seed_gives_another_split() -> None:
    table = cohort({"MS": 30, "HC": 30})
    first, second = (split(table, holdout=0.2, validation=0.2, seed=seed) for seed in (0, 1))
    assert not first.equals(second)


def test_counts_of_the_paper() -> None:
    people = split(cohort({"MS": 76, "HC": 71}), holdout=23, validation=0.15, seed=77)
    assert people["role"].value_counts().to_dict() == {"train": 105, "holdout": 23, "validation": 19}
    assert people.groupby(["role", "group"]).size().to_dict() == {
        ("holdout", "HC"): 11,
        ("holdout", "MS"): 12,
        ("train", "HC"): 51,
        ("train", "MS"): 54,
        ("validation", "HC"): 9,
        ("validation", "MS"): 10,
    }


def test_all_sessions_of_a_participant_share_a_role() -> None:
    people = cohort({"AD": 10, "CN": 10})
    sessions = pd.concat([people.assign(session_id=f"ses-{n}") for n in (1, 2, 3)], ignore_index=True)
    found = split(sessions, holdout=0, validation=4, seed=3)
    pd.testing.assert_frame_equal(found, split(people, holdout=0, validation=4, seed=3))
    rows = rows_of(sessions, found)
    assert len(rows["validation"]) == 12
    assert len(rows["train"]) == 48
    assert len(rows["holdout"]) == 0
    assert set(sessions["participant_id"].iloc[rows["validation"]]) == set(
        found["participant_id"][found["role"] == "validation"]
    )


def test_rows_of_refuses_a_participant_without_role() -> None:
    people = cohort({"MS": 10, "HC": 10})
    found = split(people, holdout=4, validation=4, seed=0)
    with pytest.raises(InputError, match="sub-MS000 no role"):
        rows_of(people, found[found["participant_id"] != "sub-MS000"])


@pytest.mark.parametrize(
    ("sizes", "holdout", "validation", "message"),
    [
        ({"MS": 20}, 0.2, 0.2, "a study with one class only"),
        ({}, 0.2, 0.2, "a study with one class only"),
        ({"MS": 20, "HC": 1}, 0.2, 0.2, "leave none for group 'HC'"),
        ({"MS": 3, "HC": 3}, 0.05, 0.2, "0 of 6 participants leave none"),
        ({"MS": 2, "HC": 2}, 2, 1, "leave none for group"),
        ({"MS": 2, "HC": 2}, 2, 0, None),
        ({"MS": 1, "HC": 1}, 2, 0, "2 of 2 participants"),
        ({"MS": 9, "HC": 2}, 4, 6, "leave none|no participant of group"),
        ({"MS": 5, "HC": 5}, 1.0, 0.1, "holdout"),
        ({"MS": 5, "HC": 5}, -1, 0.1, "holdout"),
        ({"MS": 5, "HC": 5}, 0.2, float("nan"), "validation"),
    ],
)
def test_what_cannot_be_split_is_refused(
    sizes: dict[str, int], holdout: float, validation: float, message: str | None
) -> None:
    if message is None:
        assert len(split(cohort(sizes), holdout=holdout, validation=validation, seed=0)) == sum(sizes.values())
        return
    with pytest.raises(InputError, match=message):
        split(cohort(sizes), holdout=holdout, validation=validation, seed=0)


def test_a_participant_has_one_group() -> None:
    table = pd.concat([cohort({"MS": 5, "HC": 5}), pd.DataFrame({"participant_id": ["sub-MS001"], "group": ["HC"]})])
    with pytest.raises(InputError, match="sub-MS001 is in two groups"):
        split(table, holdout=0.2, validation=0.2, seed=0)
    table = cohort({"MS": 5, "HC": 5})
    table.loc[2, "group"] = None
    with pytest.raises(InputError, match="missing for sub-MS002"):
        split(table, holdout=0.2, validation=0.2, seed=0)


def described(sizes: dict[str, int], *, seed: int = 0) -> pd.DataFrame:
    """Return a cohort with sexes and ages, some of them missing."""
    table, rng = cohort(sizes), np.random.default_rng(seed)
    sex = rng.choice(["F", "M", None], len(table), p=[0.6, 0.35, 0.05])
    age = np.where(rng.uniform(size=len(table)) < 0.05, np.nan, rng.uniform(18, 70, len(table)))
    return table.assign(sex=pd.array(sex, dtype="string"), age=age)


@given(cohorts, st.integers(2, 6), st.integers(1, 3), st.sampled_from([("group",), ("group", "sex", "age"), ()]), seeds)
def test_everyone_is_held_out_once_a_repeat(
    table: pd.DataFrame, folds: int, repeats: int, by: tuple[str, ...], seed: int
) -> None:
    table = table.assign(sex="F", age=30.0)
    assume(table["group"].value_counts().min() >= 2 * folds)
    try:
        found = cross_validation(table, folds=folds, repeats=repeats, validation=0.3, seed=seed, by=by)
    except InputError:
        assume(by)  # who does not look at groups may draw a fold that lacks one, and is told so
        raise
    assert found["fold"].nunique() == folds * repeats
    held_out = found[found["role"] == "holdout"].assign(repeat=lambda rows: rows["fold"] // folds)
    assert (held_out.groupby(["repeat", "participant_id"]).size() == 1).all()
    assert len(held_out) == repeats * len(table)
    assert (found.groupby(["fold", "participant_id"]).size() == 1).all()
    for _, fold in found.groupby("fold"):
        assert set(fold["role"]) == set(ROLES)
        assert fold.groupby("role")["group"].nunique().eq(2).all()
    sizes = held_out.groupby("fold").size()
    assert sizes.max() - sizes.min() <= 1
    if by:
        per_group = held_out.groupby(["group", "fold"]).size().groupby("group")
        assert (per_group.max() - per_group.min() <= 1).all()


def test_folds_and_roles_share_out_sex_and_age() -> None:
    """By strata, the share of women and the mean age differ less between folds than by group alone."""
    table = described({"MS": 76, "HC": 71})
    spread = {}
    for by in (("group",), ("group", "sex", "age")):
        found = [
            cross_validation(table, folds=5, validation=0.15, seed=seed, by=by).merge(
                table[["participant_id", "sex", "age"]], on="participant_id"
            )
            for seed in range(20)
        ]
        held_out = pd.concat([one[one["role"] == "holdout"].assign(seed=n) for n, one in enumerate(found)])
        women = held_out.assign(woman=held_out["sex"] == "F").groupby(["seed", "fold"])["woman"].mean()
        spread[by] = women.std(), held_out.groupby(["seed", "fold"])["age"].mean().std()
    assert spread["group", "sex", "age"][0] < 0.6 * spread["group",][0]
    assert spread["group", "sex", "age"][1] < 0.6 * spread["group",][1]


def test_a_repeat_does_not_depend_on_how_many_follow() -> None:
    table = cohort({"MS": 12, "HC": 13})
    one, three = (cross_validation(table, folds=4, repeats=n, validation=0.2, seed=3) for n in (1, 3))
    pd.testing.assert_frame_equal(one, three[three["fold"] < 4].reset_index(drop=True))
    assert not three[three["fold"].isin(range(4, 8))]["role"].reset_index(drop=True).equals(one["role"])


def test_a_split_that_looks_at_nothing_may_be_uneven_but_has_its_sizes() -> None:
    table = cohort({"MS": 63, "HC": 61})
    drawn = [split(table, holdout=0, validation=19, seed=seed, by=()) for seed in range(30)]
    patients = [int(((one["role"] == "validation") & (one["group"] == "MS")).sum()) for one in drawn]
    assert all((one["role"] == "validation").sum() == 19 for one in drawn)
    assert max(patients) - min(patients) > 4


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"folds": 9, "validation": 0.2}, ["9 folds", "8 participants", "'HC'"]),
        ({"folds": 1, "validation": 0.2}, ["1 folds"]),
        ({"folds": 2, "validation": 0.2, "by": ("sex",)}, ["stratify", "group"]),
        ({"folds": 2, "validation": 0.2, "by": ("group", "age")}, ["no age"]),
        ({"folds": 2, "validation": 0.2, "by": ("group", "scanner")}, ["scanner"]),
    ],
)
def test_folds_that_cannot_be_are_refused(options: dict[str, object], words: list[str]) -> None:
    with pytest.raises(InputError) as error:
        cross_validation(cohort({"MS": 12, "HC": 8}), seed=0, **options)  # type: ignore[arg-type]
    assert all(word in str(error.value) for word in words)


@settings(max_examples=20)
@given(st.integers(1, 30), st.integers(1, 30), st.integers(0, 5))
def test_some_are_drawn_in_proportion_and_fewer_are_among_more(patients: int, controls: int, seed: int) -> None:
    people = pd.DataFrame(
        {
            "participant_id": [f"sub-{n}" for n in range(patients + controls)],
            "group": ["MS"] * patients + ["HC"] * controls,
        }
    )
    group, before = people.set_index("participant_id")["group"], set[str]()
    for n in range(2, patients + controls + 1):
        if n * min(patients, controls) / (patients + controls) < 1:
            continue
        drawn = draw_some(people, n, seed=seed)
        assert len(drawn) == n
        assert before <= drawn
        assert abs((group[sorted(drawn)] == "MS").sum() - n * patients / (patients + controls)) < 1
        before = drawn
    with pytest.raises(InputError, match="subjects"):
        draw_some(people, patients + controls + 1, seed=seed)
