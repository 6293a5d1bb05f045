"""Names and folders of BIDS."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid.bids import naming
from pellucid.ground.files import write_json

labels = st.text("abcXYZ019", min_size=1, max_size=4)
named = st.dictionaries(st.sampled_from([e for e in naming.ENTITIES if e not in ("sub", "ses")]), labels, max_size=5)


@given(labels, st.none() | labels, named)
def test_a_name_says_what_it_was_made_of(label: str, session: str | None, pairs: dict[str, str]) -> None:
    name = naming.file_name(f"sub-{label}", f"ses-{session}" if session else None, "FLAIR", ".nii.gz", **pairs)
    said = naming.entities(Path(name))
    assert said == {"sub": label, **({"ses": session} if session else {}), **pairs, "suffix": "FLAIR"}
    order = [naming.ENTITIES.index(key) for key in said if key != "suffix"]
    assert order == sorted(order)


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    for name in (
        "sub-02/anat/sub-02_FLAIR.nii",
        "sub-01/ses-b/anat/sub-01_ses-b_acq-3d_run-1_FLAIR.nii.gz",
        "sub-01/ses-b/anat/sub-01_ses-b_acq-2d_FLAIR.nii.gz",
        "sub-01/ses-a/anat/sub-01_ses-a_T1w.nii.gz",
        "sub-01/ses-a/anat/sub-01_ses-a_T1w.json",
        "sub-3_x/anat/sub-3_T1w.nii",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def test_participants_and_their_visits(dataset: Path) -> None:
    assert naming.participants(dataset) == ["sub-01", "sub-02"]
    assert [session for session, _ in naming.visits(dataset, "sub-01")] == ["ses-a", "ses-b"]
    assert naming.visits(dataset, "sub-02") == [(None, dataset / "sub-02" / "anat")]
    assert naming.visits(dataset, "sub-99") == []


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"suffix": "FLAIR"}, ["2d", "3d"]),
        ({"suffix": "FLAIR", "acquisition": "3d"}, ["3d"]),
        ({"suffix": "FLAIR", "acq": ["2d", "9"]}, ["2d"]),
        ({"suffix": "FLAIR", "run": None}, ["2d"]),
        ({"suffix": "FLAIR", "run": 1}, ["3d"]),
        ({"suffix": "T1w"}, []),
    ],
)
def test_images_are_chosen_by_their_entities(dataset: Path, wanted: dict[str, object], found: list[str]) -> None:
    folder = dataset / "sub-01" / "ses-b" / "anat"
    assert [naming.entities(path)["acq"] for path in naming.images(folder, wanted)] == found


@pytest.mark.parametrize(
    ("scan", "beside", "drawn", "taken"),
    [
        ("FLAIR", [], ["label-lesion", "run-1_label-lesion"], 0),
        ("acq-3d_FLAIR", [], ["label-lesion"], 0),
        ("acq-3d_FLAIR", [], ["label-lesion", "acq-3d_label-lesion", "acq-2d_label-lesion"], 1),
        ("acq-3d_FLAIR", ["acq-2d_FLAIR"], ["label-lesion"], None),
        ("acq-3d_FLAIR", ["acq-2d_FLAIR"], ["acq-2d_label-lesion"], None),
        ("run-1_FLAIR", [], ["label-lesion"], 0),
        ("run-2_FLAIR", [], ["label-lesion"], None),
        ("run-2_FLAIR", ["run-1_FLAIR"], ["run-01_label-lesion", "run-02_label-lesion"], 1),
        ("run-1_FLAIR", ["run-2_FLAIR"], ["label-lesion"], 0),
    ],
)
def test_a_mask_is_of_the_scan_that_it_names(scan: str, beside: list[str], drawn: list[str], taken: int | None) -> None:
    own, others = Path(f"sub-1_{scan}.nii"), [Path(f"sub-1_{name}.nii") for name in beside]
    masks = [Path(f"sub-1_{name}_mask.nii") for name in drawn]
    found, words = naming.masks_of(masks, [own], [own, *others])
    assert found == ([] if taken is None else [masks[taken]])
    assert len(words) == len(masks) - len(found)
    assert all(str(mask) in "".join(words) for mask in masks if mask not in found)


def test_a_dataset_says_whether_it_is_derived(tmp_path: Path) -> None:
    assert not naming.is_derivative(tmp_path)
    write_json(tmp_path / "dataset_description.json", naming.description("a", "raw", License="CC0"))
    assert not naming.is_derivative(tmp_path)
    write_json(tmp_path / "dataset_description.json", naming.description("a", "derivative"))
    assert naming.is_derivative(tmp_path)


@pytest.mark.parametrize(
    ("path", "pattern", "fits"),
    [
        ("sub-01/anat/a.nii", "*.nii", True),
        ("sub-01/anat/a.nii", "sub-01/*.nii", False),
        ("sub-01/anat/a.nii", "sub-01/**/a.nii", True),
        ("sub-01/anat/a.nii", "sub-01/**", True),
        ("sub-01/anat/a.nii", "s?b-0[!2-9]/", True),
        ("sub-01/anat/a.nii", "sub-0[z-a]", False),
        ("sub-0[/a", "sub-0[", True),
        ("sub-01/" + "a" * 200, "**/" * 50 + "*a" * 50 + "b", False),
        ("sub-01/" + "a" * 200, "**/" * 50 + "*a" * 50, True),
    ],
)
def test_patterns_of_bidsignore_are_those_of_git_and_never_try_for_ever(path: str, pattern: str, fits: bool) -> None:
    assert naming.is_ignored(path, [pattern]) is fits
