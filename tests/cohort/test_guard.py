from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid.cohort.guard import check_leakage
from pellucid.ground.errors import LeakageError


def people(**roles: list[str]) -> pd.DataFrame:
    return pd.DataFrame(
        [(name, role) for role, names in roles.items() for name in names], columns=["participant_id", "role"]
    )


def test_verdict_names_every_set_and_its_size() -> None:
    verdict = check_leakage(
        {
            "pretraining": people(train=["sub-A1", "sub-A2"], validation=["sub-A3"]),
            "ms": people(train=["sub-1", "sub-2"], validation=["sub-3"], holdout=["sub-4"]),
        }
    )
    for part in ("pretraining/train (2)", "pretraining/validation (1)", "ms/train (2)", "ms/holdout (1)"):
        assert part in verdict
    assert "contents were not compared" in verdict


@pytest.mark.parametrize(("one", "other"), [("train", "holdout"), ("train", "validation"), ("validation", "holdout")])
def test_within_a_cohort(one: str, other: str) -> None:
    with pytest.raises(LeakageError, match=rf"ms/{one} and ms/{other} share sub-7 \(1\)"):
        check_leakage({"ms": people(**{one: ["sub-1", "sub-7"], other: ["sub-7", "sub-2"]})})


def test_pretraining_counts() -> None:
    splits = {"pretraining": people(train=["sub-1"]), "ms": people(train=["sub-2"], holdout=["sub-1"])}
    with pytest.raises(LeakageError, match="pretraining/train and ms/holdout share sub-1"):
        check_leakage(splits)


def test_the_first_ten_are_named_and_all_are_counted() -> None:
    names = [f"sub-{n:02d}" for n in range(23)]
    with pytest.raises(LeakageError, match=r"sub-00, .*sub-09, \.\.\. \(23 in all\)") as caught:
        check_leakage({"ms": people(train=names, holdout=names)})
    assert "sub-10" not in str(caught.value)


def test_the_same_image_under_two_names() -> None:
    splits = {"ms": people(train=["sub-1"], holdout=["sub-2"])}
    one_each = pd.DataFrame({"participant_id": ["sub-1", "sub-2", "sub-2"], "sha256": ["a", "b", "b"]})
    assert "none of 3 images" in check_leakage(splits, hashes=one_each)
    with pytest.raises(LeakageError, match="sub-1 = sub-2"):
        check_leakage(splits, hashes=one_each.assign(sha256="a"))


@given(st.dictionaries(st.integers(0, 40), st.sets(st.sampled_from(["a/train", "a/holdout", "b/train"]), min_size=1)))
def test_refused_if_and_only_if_someone_stands_twice(places: dict[int, set[str]]) -> None:
    splits = {
        cohort: people(
            **{
                role: [f"sub-{n}" for n, where in places.items() if f"{cohort}/{role}" in where]
                for role in ("train", "holdout")
            }
        )
        for cohort in ("a", "b")
    }
    if any(len(where) > 1 for where in places.values()):
        with pytest.raises(LeakageError):
            check_leakage(splits)
    else:
        check_leakage(splits)
