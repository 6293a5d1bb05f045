"""Sizes against a study that ran."""

from __future__ import annotations

from pathlib import Path

import pytest

from pellucid.ground.files import read_tsv
from pellucid.spec.reading import parse_spec, read_spec
from pellucid.study.sizes import cohort_sizes

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
    assert cohort_sizes(spec, "ms", {"ms": 100}) == (100, 20)


def test_the_sizes_are_those_of_the_study_that_ran(undisturbed: Path) -> None:
    spec, splits = read_spec(TINY), read_tsv(undisturbed / "splits.tsv")
    for name in spec.cohorts:
        table = read_tsv(undisturbed / "stores" / name / "table.tsv")
        roles = splits[splits["cohort"] == name].set_index("participant_id")["role"]
        found = cohort_sizes(spec, name, {})
        assert found.scans == len(table)
        assert found.holdout == pytest.approx((table["participant_id"].map(roles) == "holdout").sum(), abs=1)
