"""Masks and scans: paired by all that their names say, or not at all."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest

from pellucid.bids.pairing import match_masks, owner, pairs_said, participant
from pellucid.ground.errors import InputError


def pair(scans: list[str], masks: list[str]) -> dict[str, str | None]:
    found = match_masks([Path(name) for name in scans], [Path(name) for name in masks])
    return {str(scan): mask and str(mask) for scan, mask in found.items()}


@pytest.mark.parametrize(
    ("name", "who"),
    [
        ("sub-01_FLAIR.nii.gz", "sub-01"),
        ("sub-01_ses-2_space-MNI152NLin6Asym_desc-lrpEpsilon_relevance.nii.gz", "sub-01_ses-2"),
        ("sub-01_space-MNI152NLin6Asym_label-lesion_mask.nii.gz", "sub-01"),
        ("sub-01_acq-3d_run-01_echo-002_T2w.nii", "sub-01_acq-3d_run-1_echo-2"),
        ("sub-HC-1_FLAIR.nii.gz", "sub-HC-1"),
        ("sub-0_1_FLAIR.nii.gz", "sub-0_1"),
        ("patient07_FLAIR.nii.gz", "patient07"),
        ("patient07_lesions.nii", "patient07"),
        ("patient07_FLAIR_space-MNI152NLin6Asym_desc-lrpEpsilon_relevance.nii.gz", "patient07"),
        ("P1_T1_FLAIR.nii.gz", "P1_T1"),
        ("training01_01_mask1.nii", "training01_01"),
        ("FLAIR.nii.gz", "FLAIR"),
    ],
)
def test_a_file_name_says_whose_it_is(name: str, who: str) -> None:
    assert owner(Path("folder") / name) == who
    first = who.split("_")[0]
    assert participant(Path(name)) == (first if first.startswith("sub-") else None)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("sub-01_run-1", "sub-01_run-2"),
        ("sub-01", "sub-01_run-2"),
        ("sub-01_ses-1", "sub-01_ses-2"),
        ("sub-01", "sub-01_ses-2"),
        ("sub-01_ses-1_run-1", "sub-01_ses-1_run-2"),
        ("sub-01_acq-2d", "sub-01_acq-3d"),
        ("sub-01", "sub-01_acq-3d"),
        ("sub-01_echo-1", "sub-01_echo-2"),
        ("sub-01_rec-norm", "sub-01"),
        ("sub-01_ce-gad", "sub-01"),
        ("sub-HC-1", "sub-HC-2"),
        ("sub-1", "sub-01"),
        ("sub-0_1", "sub-0_2"),
        ("P1_T1", "P1_T2"),
        ("P1_T1", "P2_T1"),
        ("training01_01", "training01_02"),
        ("01016SACH", "01038PAGU"),
    ],
)
def test_the_mask_of_one_is_never_the_other_s(one: str, other: str) -> None:
    for (first, second), suffix in product(((one, other), (other, one)), ("label-lesion_mask", "lesions", "MASK")):
        scans, masks = (
            [f"{first}_FLAIR.nii.gz", f"{second}_FLAIR.nii.gz"],
            [f"{name}_{suffix}.nii.gz" for name in (first, second)],
        )
        assert pair(scans, masks[:1]) == {scans[0]: masks[0], scans[1]: None}
        assert pair(scans, masks) == dict(zip(scans, masks, strict=True))
        assert pair(scans, masks[::-1]) == dict(zip(scans, masks, strict=True))
        with pytest.raises(InputError, match="its name says that it belongs to"):  # alone with the other's mask
            pair(scans[1:], masks[:1])
        with pytest.raises(InputError, match="no mask belongs to an image"):
            pair([scans[1], "sub-99_FLAIR.nii.gz"], masks[:1])


@pytest.mark.parametrize(
    ("scan", "mask"),
    [
        ("sub-01_FLAIR.nii.gz", "drawn.nii"),
        ("sub-01_run-1_FLAIR.nii.gz", "sub-01_run-01_label-lesion_mask.nii.gz"),
        (
            "sub-01_space-MNI152NLin6Asym_desc-brain_FLAIR.nii.gz",
            "sub-01_space-MNI152NLin6Asym_label-lesion_mask.nii.gz",
        ),
        ("FLAIR_preprocessed.nii.gz", "Consensus.nii.gz"),
        ("training01_01_flair_pp.nii", "training01_01_mask1.nii"),
        ("patient07_T1.nii.gz", "patient07_lesions.nii.gz"),
        ("patient07_FLAIR.nii.gz", "patient07_lesions.nii.gz"),
        ("P1_T1_FLAIR.nii.gz", "P1_T1_MASK.nii.gz"),
        ("scan.nii.gz", "sub-01_mask.nii.gz"),
    ],
)
def test_a_scan_and_its_mask_belong_together(scan: str, mask: str) -> None:
    assert pair([scan], [mask]) == {scan: mask}


def test_a_contrast_in_the_name_of_a_t1w_is_no_time() -> None:
    scans = ["patient07_T1.nii.gz", "patient19_T1.nii.gz"]
    assert pair(scans, ["patient19_lesions.nii.gz"]) == {scans[0]: None, scans[1]: "patient19_lesions.nii.gz"}
    assert pair(scans, ["patient19_T1_lesions.nii.gz"])[scans[1]] == "patient19_T1_lesions.nii.gz"
    assert pair(["P1_T1_FLAIR.nii", "P1_T2_FLAIR.nii"], ["P1_T2_MASK.nii"])["P1_T1_FLAIR.nii"] is None
    with pytest.raises(InputError, match="no mask belongs"):
        pair(["P1_T1_FLAIR.nii", "P1_T2_FLAIR.nii"], ["P1_MASK.nii"])


def test_what_is_ambiguous_is_refused_by_name_and_both_are_named() -> None:
    scans = ["sub-01_FLAIR.nii.gz", "sub-02_FLAIR.nii.gz"]
    with pytest.raises(InputError, match=r"b/sub-01_mask\.nii: it belongs to sub-01, as a/sub-01_mask\.nii does"):
        pair(scans, ["a/sub-01_mask.nii", "b/sub-01_mask.nii"])
    with pytest.raises(
        InputError, match=r"sub-01_mask\.nii: it fits x/sub-01_FLAIR\.nii, y/sub-01_FLAIR\.nii, and nobody"
    ):
        pair(["x/sub-01_FLAIR.nii", "y/sub-01_FLAIR.nii"], ["sub-01_mask.nii"])
    with pytest.raises(InputError, match=r"it fits p7_FLAIR\.nii, p7_T1\.nii"):
        pair(["p7_FLAIR.nii", "p7_T1.nii"], ["p7_lesions.nii", "p8_lesions.nii"])


def test_maps_go_by_the_scan_that_they_were_made_from_and_may_share_a_mask() -> None:
    maps = [Path(f"sub-01_space-MNI_desc-{method}_relevance.nii") for method in ("lrpEpsilon", "gradient")]
    masks = [Path("sub-01_run-1_mask.nii"), Path("sub-01_run-2_mask.nii")]
    sources = dict.fromkeys(maps, Path("raw/sub-01_run-2_FLAIR.nii"))
    assert match_masks(maps, masks, sources=sources, shared=True) == dict.fromkeys(maps, masks[1])
    with pytest.raises(InputError, match="nobody can tell"):
        match_masks(maps, masks, sources=sources)


def test_who_got_which_and_who_none_is_told() -> None:
    scans = [Path("sub-01_FLAIR.nii"), Path("sub-02_run-2_FLAIR.nii")]
    masks = [Path("sub-01_mask.nii"), Path("sub-02_run-1_mask.nii"), *(Path(f"sub-{n}_mask.nii") for n in range(3, 8))]
    assert pairs_said(match_masks(scans, masks), masks) == [
        "lesion mask of sub-01_FLAIR.nii: sub-01_mask.nii",
        "without a lesion mask: sub-02_run-2_FLAIR.nii",
        "of another run, session or acquisition of theirs: sub-02_run-1_mask.nii",
        "of none of these scans: sub-3_mask.nii, sub-4_mask.nii, sub-5_mask.nii and 2 more",
    ]
