"""Cohorts of a study: splits, and the guard over all of them."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import pytest

from pellucid.cohort.store import open_store
from pellucid.ground.errors import InputError, LeakageError
from pellucid.ground.files import read_json, read_tsv, write_tsv
from pellucid.rundir.folder import RunFolder
from pellucid.spec.arms import Arm, Baseline
from pellucid.spec.reading import read_spec
from pellucid.spec.sections import Cohort, Split
from pellucid.spec.spec import Spec
from pellucid.study.plan import Plan
from pellucid.study.steps.cohorts import check_cohorts, cohort_tasks
from pellucid.training.baselines.settings import Kind

TINY = Path(__file__).parents[1] / "tiny.toml"


def test_splits_hold_everybody_once_and_the_guard_has_judged_them(undisturbed: Path) -> None:
    splits = read_tsv(undisturbed / "splits.tsv")
    assert list(splits.columns) == ["cohort", "fold", "participant_id", "group", "role"]
    assert not splits.duplicated(["participant_id"]).any()
    counts = splits.groupby(["cohort", "role"]).size().to_dict()
    assert counts == {
        ("ms", "holdout"): 4,
        ("ms", "train"): 4,
        ("ms", "validation"): 2,
        ("pretraining", "train"): 4,
        ("pretraining", "validation"): 2,
    }
    assert "no participant is in two of the sets" in read_json(undisturbed / "splits.json")["Guard"]


@pytest.fixture(scope="module")
def datasets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two datasets of empty files, the second with a participant of the first; a third group in the first."""
    root = tmp_path_factory.mktemp("bids")
    for name, people in (("one", {"A": "MS", "B": "HC", "C": "ON"}), ("two", {"D": "MS", "A": "HC"})):
        rows = ["participant_id\tgroup", *(f"sub-{who}\t{group}" for who, group in people.items())]
        for who in people:
            path = root / name / f"sub-{who}" / "anat" / f"sub-{who}_FLAIR.nii.gz"
            path.parent.mkdir(parents=True)
            path.touch()
        (root / name / "participants.tsv").write_text("\n".join(rows) + "\n")
    return root


def cohort(path: Path, positive: str = "MS") -> Cohort:
    return Cohort(modality="FLAIR", positive=positive, negative="HC", bids=path)


def test_scans_left_out_are_counted_where_too_few_remain(datasets: Path, tmp_path: Path) -> None:
    root = shutil.copytree(datasets / "one", tmp_path / "one")
    with (root / "participants.tsv").open("a") as people:
        people.write("sub-E\tHC\n")  # without a scan
    alone = dataclasses.replace(
        read_spec(TINY), cohorts={"one": cohort(root)}, splits={"one": Split(holdout=1, validation=1)}
    )
    seen: list[Any] = []
    with pytest.raises(
        InputError, match=r"1 of its scans cannot be used .*, the first: .*sub-E, and there is no folder"
    ):
        check_cohorts(alone, watch=lambda name, found: seen.extend([name, *found.left_out]))
    assert seen[0] == "one"  # everybody is known before the error
    assert [who for who, _ in seen[1:]] == ["sub-E"]


def test_datasets_that_share_participants_are_refused_before_anything_runs(datasets: Path) -> None:
    spec = read_spec(TINY)
    both = {name: cohort(datasets / name) for name in ("one", "two")}
    with pytest.raises(LeakageError, match="sub-A"):
        check_cohorts(dataclasses.replace(spec, cohorts=both))
    # Simulated cohorts are not there yet.
    assert check_cohorts(spec) == {}


def test_a_dataset_too_small_for_its_roles_is_refused_before_anything_runs(datasets: Path) -> None:
    alone = dataclasses.replace(
        read_spec(TINY), cohorts={"one": cohort(datasets / "one")}, splits={"one": Split(holdout=1, validation=1)}
    )
    with pytest.raises(InputError, match=r"\[splits.one\]: `holdout`: 1 of 2 participants leave none"):
        check_cohorts(alone)


@pytest.mark.parametrize(("section", "images"), [("training", "lesion-mask"), ("baselines", "lesion-filled")])
def test_an_arm_that_needs_lesions_is_refused_where_nobody_drew_any(
    one_without_mask: tuple[Path, str], tmp_path: Path, section: str, images: str
) -> None:
    root = tmp_path / "ms"
    shutil.copytree(one_without_mask[0], root)
    spec = read_spec(TINY)
    spec = dataclasses.replace(spec, cohorts={"ms": cohort(root)}, splits={"ms": spec.splits["ms"]})
    baselines = {"all": Baseline(cohort="ms", images="lesion-filled", kind="svm-image")}
    arms = {"arm": Arm(cohort="ms", images="lesion-mask")}
    asking = dataclasses.replace(
        spec, training=arms if section == "training" else {}, baselines=baselines if section == "baselines" else {}
    )
    assert len(check_cohorts(asking)["ms"].rows) == 16  # one without a mask is left out, not a reason to refuse
    shutil.rmtree(root / "derivatives" / "lesions")
    with pytest.raises(InputError, match="it needs a lesion mask, and no scan of cohort 'ms' has one"):
        check_cohorts(asking)


def without(root: Path, tmp_path: Path, *, masks_of: str = "", columns: tuple[str, ...] = ()) -> Spec:
    """Return a study of a copy of a dataset in which a group has no lesion masks and everyone lacks some columns."""
    copy = tmp_path / "ms"
    shutil.copytree(root, copy)
    people = read_tsv(copy / "participants.tsv")
    for who in people.loc[people["group"] == masks_of, "participant_id"]:
        shutil.rmtree(copy / "derivatives" / "lesions" / who)
    write_tsv(copy / "participants.tsv", people.drop(columns=list(columns)))
    spec = read_spec(TINY)
    return dataclasses.replace(spec, cohorts={"ms": cohort(copy)}, splits={"ms": spec.splits["ms"]}, training={})


@pytest.mark.parametrize(
    ("masks_of", "columns", "kind", "words"),
    [
        (
            "HC",
            (),
            "svm-lesion-load",
            "a lesion mask or a stated volume, and",
        ),
        ("", ("age",), "logistic-confounds", "a known age, and no scan of cohort 'ms'"),
        ("", ("sex",), "logistic-confounds", "a known sex, and no scan of cohort 'ms'"),
    ],
)
def test_a_baseline_that_a_group_cannot_feed_is_refused_before_anything_trains(
    one_without_mask: tuple[Path, str],
    tmp_path: Path,
    masks_of: str,
    columns: tuple[str, ...],
    kind: Kind,
    words: str,
) -> None:
    spec = without(one_without_mask[0], tmp_path, masks_of=masks_of, columns=columns)
    baselines = {"it": Baseline(cohort="ms", kind=kind)}
    with pytest.raises(InputError, match=words) as caught:
        check_cohorts(dataclasses.replace(spec, baselines=baselines))
    assert caught.value.where == "[baselines.it]"
    if masks_of:
        assert "no scan of group 'HC' of cohort 'ms' has one" in str(caught.value)
        paper = Baseline(cohort="ms", kind=kind, protocol="paper")  # counts noise where a mask is missing
        check_cohorts(dataclasses.replace(spec, baselines={"it": paper}))


def test_who_is_in_neither_group_is_no_leak(tmp_path: Path) -> None:
    """Two cohorts of one dataset by their groups, and somebody whose group is not known."""
    groups = {f"{group}{n}": group for group in ("MS", "HC", "AD", "CN") for n in range(4)} | {"X": "n/a"}
    for who in groups:
        path = tmp_path / f"sub-{who}" / "anat" / f"sub-{who}_FLAIR.nii.gz"
        path.parent.mkdir(parents=True)
        path.touch()
    rows = ["participant_id\tgroup", *(f"sub-{who}\t{group}" for who, group in groups.items())]
    (tmp_path / "participants.tsv").write_text("\n".join(rows) + "\n")
    spec, how = read_spec(TINY), Split(holdout=2, validation=2)
    both = {"ms": cohort(tmp_path), "ad": Cohort(modality="FLAIR", positive="AD", negative="CN", bids=tmp_path)}
    asking = dataclasses.replace(spec, cohorts=both, splits={"ms": how, "ad": how}, training={}, baselines={})
    assert {name: len(one.left_out) for name, one in check_cohorts(asking).items()} == {"ms": 1, "ad": 1}


def test_who_comes_after_the_division_is_named_and_left_out(undisturbed: Path, tmp_path: Path) -> None:
    """A scan that was mended, a person who was added: a store made again later has only those who were divided."""
    spec, run = read_spec(TINY), RunFolder(tmp_path)
    shutil.copytree(undisturbed / "cohorts" / "ms", run.cohort("ms"))
    splits = read_tsv(undisturbed / "splits.tsv")
    late = str(splits.loc[splits["cohort"] == "ms", "participant_id"].iloc[0])
    write_tsv(run.splits, splits[splits["participant_id"] != late])
    task = next(task for task in cohort_tasks(Plan(spec, run), workers=1) if task.name == "store/ms")
    task.run(lambda *_: None)
    assert task.problems is not None
    assert [one.subject for one in task.problems() if "Begin a new run" in one.message] == [late]
    assert late not in set(open_store(run.store("ms")).table["participant_id"])


@pytest.mark.parametrize(
    ("how", "words"),
    [
        (Split(scheme="cross-validation", folds=7, validation=2), "7 folds, but only 5 participants of group"),
        (Split(holdout=1, validation=2), "leave none for group"),
        (Split(holdout=1, validation=1, stratify=()), "no participant of group"),
    ],
)
def test_a_simulated_cohort_that_cannot_be_divided_is_refused_too(how: Split, words: str) -> None:
    spec = read_spec(TINY)
    with pytest.raises(InputError, match=words) as caught:
        check_cohorts(dataclasses.replace(spec, splits=spec.splits | {"ms": how}))
    assert caught.value.where == "[splits.ms]"
