"""Sizes against a study that ran, and the epochs of the paper's own trials."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pellucid.cohort.splits import ROLES
from pellucid.ground.files import read_tsv
from pellucid.spec.reading import parse_spec, read_spec
from pellucid.study.sizes import BEST_SHARE, cohort_sizes, expected_epochs
from pellucid.training.settings import TrialSettings

TINY = Path(__file__).parent / "tiny.toml"

CROSSED = """
[study]
name = "crossed"
[cohorts.ms]
bids = "data"
modality = "FLAIR"
positive = "MS"
negative = "HC"
[splits.ms]
scheme = "cross-validation"
folds = 5
[training.scratch]
cohort = "ms"
"""


def test_each_fold_holds_its_part_out() -> None:
    spec = parse_spec(CROSSED, file=Path("/nowhere/study.toml"))
    assert cohort_sizes(spec, "ms", {"ms": 100}) == (100, 68, 12, 20, 68)


def test_the_sizes_are_those_of_the_study_that_ran(undisturbed: Path) -> None:
    spec, splits = read_spec(TINY), read_tsv(undisturbed / "splits.tsv")
    for name in spec.cohorts:
        table = read_tsv(undisturbed / "stores" / name / "table.tsv")
        roles = splits[splits["cohort"] == name].set_index("participant_id")["role"]
        counts = table["participant_id"].map(roles).value_counts()
        found = cohort_sizes(spec, name, {})
        assert found.scans == len(table)
        assert [found.train, found.validation, found.holdout] == pytest.approx(
            [counts.get(role, 0) for role in ROLES], abs=1
        )


def test_the_epochs_expected_are_what_the_papers_trials_needed() -> None:
    stopped = {  # the last epochs that the paper's notebooks print: max_epochs, patience, trials 0 to 9
        "scratch": (200, 15, (96, 43, 100, 82, 113, 59, 74, 85, 76, 65)),
        "fine-tuned": (200, 15, (56, 62, 55, 47, 52, 49, 67, 67, 58, 70)),
        "lesions filled": (200, 15, (119, 88, 110, 92, 102, 130, 78, 136, 109, 125)),
        "pre-training": (45, 10, (18, 23, 19, 21, 21, 20, 25, 26, 29, 18)),
    }
    shares = [(np.mean(epochs) - wait) / (most - wait) for most, wait, epochs in stopped.values()]
    assert np.mean(shares) == pytest.approx(BEST_SHARE, abs=0.005)
    for most, wait, epochs in stopped.values():
        rule = expected_epochs(TrialSettings(max_epochs=most, patience=wait))
        assert np.mean(epochs) / 1.5 < rule < np.mean(epochs) * 1.5


@pytest.mark.parametrize(("most", "wait"), [(1, 15), (15, 15), (16, 15), (18, 8), (500, 1)])
def test_the_epochs_expected_are_possible(most: int, wait: int) -> None:
    assert min(most, wait) <= expected_epochs(TrialSettings(max_epochs=most, patience=wait)) <= most
