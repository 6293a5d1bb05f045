from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid.cohort.splits import ROLES, rows_of, split
from pellucid.errors import InputError


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
        ({"MS": 9, "HC": 2}, 4, 6, "leave none|nobody of group"),
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
    with pytest.raises(InputError, match="sub-MS001 stands in two groups"):
        split(table, holdout=0.2, validation=0.2, seed=0)
    table = cohort({"MS": 5, "HC": 5})
    table.loc[2, "group"] = None
    with pytest.raises(InputError, match="missing for sub-MS002"):
        split(table, holdout=0.2, validation=0.2, seed=0)
