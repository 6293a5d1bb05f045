"""Roles are checked, digested and predicted alike for networks and baselines."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from pellucid.cohort.store import Store
from pellucid.ground.errors import InputError, LeakageError
from pellucid.training.roles import check_roles, digest_scans, predictions


def test_unknown_roles_and_people_in_two_are_refused(store: Store) -> None:
    with pytest.raises(InputError, match="the role 'test' is unknown"):
        check_roles(store, {"test": np.array([0])})
    with pytest.raises(LeakageError, match="sub-03"):
        check_roles(store, {"train": np.array([1, 3]), "holdout": np.array([3])})
    check_roles(store, {"train": np.array([1, 3]), "holdout": np.array([2])})


def test_the_digest_depends_on_scans_and_roles_and_not_on_their_order(store: Store) -> None:
    rows = {"train": np.array([0, 1]), "holdout": np.array([2])}
    same = {"holdout": np.array([2]), "train": np.array([0, 1])}
    assert digest_scans(store, rows) == digest_scans(store, same)
    for other in ({"train": np.array([0, 2]), "holdout": np.array([1])}, {"train": np.array([0, 1])}):
        assert digest_scans(store, rows) != digest_scans(store, other)


def test_predictions_come_role_by_role_and_margins_have_no_probability(store: Store) -> None:
    rows = {"holdout": np.array([4]), "train": np.array([3, 1])}
    logits = {"holdout": np.array([0.5]), "train": np.array([-2.0, 700.0])}
    table = predictions(store, rows, logits)
    assert table["participant_id"].tolist() == ["sub-03", "sub-01", "sub-04"]
    assert table["role"].tolist() == ["train", "train", "holdout"]
    np.testing.assert_array_equal(table["logit"], [-2.0, 700.0, 0.5])
    np.testing.assert_array_equal(table["probability_not_calibrated"], expit([-2.0, 700.0, 0.5]))
    assert predictions(store, rows, logits, probable=False)["probability_not_calibrated"].isna().all()
