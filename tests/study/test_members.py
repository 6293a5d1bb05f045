"""Who takes part in a cohort, and by what words everybody else is named."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from pellucid.ground.errors import InputError
from pellucid.spec.sections import Cohort
from pellucid.study.members import members


def dataset(root: Path, groups: dict[str, str]) -> Path:
    """Make a dataset of empty FLAIRs, everybody in the group that is given."""
    for who in groups:
        path = root / f"sub-{who}" / "anat" / f"sub-{who}_FLAIR.nii.gz"
        path.parent.mkdir(parents=True)
        path.touch()
    rows = ["participant_id\tgroup", *(f"sub-{who}\t{group}" for who, group in groups.items())]
    (root / "participants.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return root


def cohort(positive: str = "MS", negative: str = "HC") -> Cohort:
    return Cohort(modality="FLAIR", positive=positive, negative=negative, bids=Path("bids"))


def test_only_the_two_groups_of_the_study_take_part_and_others_are_named(tmp_path: Path) -> None:
    root = dataset(tmp_path, {"A": "MS", "B": "HC", "C": "ON", "D": "ON", "E": "CIS"})
    found = members("one", cohort(), root)
    assert dict(zip(found.rows["participant_id"], found.rows["group"], strict=True)) == {"sub-A": "MS", "sub-B": "HC"}
    assert found.left_out == []
    assert found.remarks == (
        ("group 'CIS'", "is not used: group 'CIS' is neither 'MS' nor 'HC' (1 participant). They are sub-E"),
        ("group 'ON'", "is not used: group 'ON' is neither 'MS' nor 'HC' (2 participants). They are sub-C, sub-D"),
    )


@pytest.mark.parametrize(
    ("group", "reason"),
    [
        ("ms", "group 'ms' is neither 'MS' nor 'HC' (1 participant). Did you mean 'MS'?"),
        ("Hc", "group 'Hc' is neither 'MS' nor 'HC' (1 participant). Did you mean 'HC'?"),
        ("M\u200bS", r"group 'M\u200bS' is neither 'MS' nor 'HC' (1 participant). Did you mean 'MS'?"),
        ("\uff2d\uff33", "Did you mean 'MS'?"),
        ('"MS', "Did you mean 'MS'?"),
        ("M S", "Did you mean 'MS'?"),
        ("NA", "'NA' is not a group (1 participant). Give a group or remove the row."),
        ("N/A", "'N/A' is not a group"),
        ("nan", "'nan' is not a group"),
        ("None", "'None' is not a group"),
        ("null", "'null' is not a group"),
        ("", "sub-X has no group"),
        (" ", "sub-X has no group"),
        ("n/a", "sub-X has no group"),
    ],
)
def test_other_spellings_and_missing_groups_are_left_out_by_name(tmp_path: Path, group: str, reason: str) -> None:
    root = dataset(tmp_path, {"A": "MS", "B": "HC", "X": group})
    ((who, why),) = members("one", cohort(), root).left_out
    assert who == "sub-X"
    assert reason in why
    assert why.startswith(str(root / "participants.tsv"))


@pytest.mark.parametrize("group", ["MS ", " MS", "MS\u200b", "\u00a0MS", "MS\ufeff"])
def test_blanks_around_a_group_are_trimmed_with_a_remark(tmp_path: Path, group: str) -> None:
    found = members("one", cohort(), dataset(tmp_path, {"A": group, "B": "HC"}))
    assert found.left_out == []
    assert found.usable["group"].tolist() == ["MS", "HC"]
    assert found.remarks == (("sub-A", f"blanks around the group {group!r} were trimmed"),)


def test_a_group_that_is_called_none_is_one_if_the_study_asks_for_it(tmp_path: Path) -> None:
    """Of a column such as `medication`."""
    root = dataset(tmp_path, {"A": "SSRI", "B": "None", "C": "none"})
    found = members("one", cohort("SSRI", "None"), root)
    assert found.usable["participant_id"].tolist() == ["sub-A", "sub-B"]
    assert [who for who, _ in found.left_out] == ["sub-C"]


def test_a_group_without_anybody_is_one_class_only(tmp_path: Path) -> None:
    root = dataset(tmp_path, {"A": "MS", "B": "HC", "C": "ON"})
    with pytest.raises(
        InputError, match=r"one class only: no participant is in group 'AD' \(existing groups: 'HC', 'MS', 'ON'\)"
    ):
        members("one", cohort("AD"), root)
    with pytest.raises(InputError, match=r"no participant is in group 'ms'.*Did you mean 'MS'"):
        members("one", cohort("ms"), root)


def test_a_group_without_any_usable_scan_is_told_what_is_wrong_with_the_first(tmp_path: Path) -> None:
    other = dataclasses.replace(cohort(), modality="T1w")
    with pytest.raises(InputError, match=r"no scan of group 'HC' can be used \(of 1 listed; the first: .*no T1w image"):
        members("one", other, dataset(tmp_path, {"A": "MS", "B": "HC"}))
