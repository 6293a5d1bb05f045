"""Files, folders, subjects and masks as the user names them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid.cli.inputs import expand, expand_masks, find_model, match_masks, owner, participant, unique_names
from pellucid.errors import InputError


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_a_folder_stands_for_the_images_in_it(tmp_path: Path) -> None:
    touch(
        tmp_path,
        "b.nii.gz",
        "a.nii",
        "a.json",
        ".hidden.nii.gz",
        "group-MS_relevance.nii.gz",
        "a_res-native_map.nii",
        "in/c.nii",
    )
    assert expand([tmp_path]) == [tmp_path / "a.nii", tmp_path / "b.nii.gz"]
    assert expand([tmp_path / "b.nii.gz", tmp_path]) == [tmp_path / "b.nii.gz", tmp_path / "a.nii"]
    assert expand([tmp_path / "none.nii"]) == [tmp_path / "none.nii"]


def test_a_folder_of_folders_is_searched_where_masks_are_wanted(tmp_path: Path) -> None:
    touch(tmp_path, "sub-02/anat/sub-02_mask.nii.gz", "sub-01/anat/sub-01_mask.nii.gz")
    assert [path.name for path in expand([tmp_path], deep=True)] == ["sub-01_mask.nii.gz", "sub-02_mask.nii.gz"]
    with pytest.raises(InputError, match=r"holds no .nii or .nii.gz file"):
        expand([tmp_path])


def test_masks_are_picked_from_a_folder_that_holds_scans_too(tmp_path: Path) -> None:
    touch(tmp_path, "patient07_FLAIR.nii.gz", "patient07_T1.nii.gz", "patient07_lesions.nii.gz")
    assert [path.name for path in expand_masks([tmp_path])] == ["patient07_lesions.nii.gz"]
    # Where no name says mask, all count; a file that is named counts whatever its name.
    touch(tmp_path / "plain", "patient07.nii.gz")
    assert [path.name for path in expand_masks([tmp_path / "plain"])] == ["patient07.nii.gz"]
    assert expand_masks([tmp_path / "patient07_T1.nii.gz"]) == [tmp_path / "patient07_T1.nii.gz"]


def test_the_brain_is_no_lesion(tmp_path: Path) -> None:
    brain = "sub-01/anat/sub-01_space-MNI152NLin6Asym_desc-brain_mask.nii.gz"
    touch(tmp_path, brain)
    with pytest.raises(InputError, match=r"the folder holds no lesion mask\. Leave --lesions out"):
        expand_masks([tmp_path])
    assert expand_masks([tmp_path / brain]) == [tmp_path / brain]  # who names a file means it
    for name in ("desc-brain_mask", "space-FLAIR_desc-brain_mask", "desc-preproc_FLAIR", "label-WM_probseg"):
        touch(tmp_path, f"sub-01/anat/sub-01_{name}.nii.gz")
    with pytest.raises(InputError, match="holds no lesion mask"):
        expand_masks([tmp_path])
    touch(tmp_path, "sub-02/anat/sub-02_dseg.nii.gz")
    assert [path.name for path in expand_masks([tmp_path])] == ["sub-02_dseg.nii.gz"]
    touch(tmp_path, "sub-01/anat/sub-01_label-lesion_mask.nii.gz")
    assert [path.name for path in expand_masks([tmp_path])] == ["sub-01_label-lesion_mask.nii.gz"]


@pytest.mark.parametrize(
    ("name", "who"),
    [
        ("sub-01_FLAIR.nii.gz", "sub-01"),
        ("sub-01_ses-2_space-MNI152NLin6Asym_desc-lrpEpsilon_relevance.nii.gz", "sub-01_ses-2"),
        ("sub-01_space-MNI152NLin6Asym_label-lesion_mask.nii.gz", "sub-01"),
        ("patient07_FLAIR.nii.gz", "patient07"),
        ("patient07_lesions.nii", "patient07"),
        ("patient07_FLAIR_space-MNI152NLin6Asym_desc-lrpEpsilon_relevance.nii.gz", "patient07"),
        ("FLAIR.nii.gz", "FLAIR"),
    ],
)
def test_a_file_name_says_whose_it_is(name: str, who: str) -> None:
    assert owner(Path("folder") / name) == who
    assert participant(Path(name)) == ("sub-01" if who.startswith("sub-01") else None)


PARTS = st.lists(st.sampled_from(["a", "b"]), min_size=1, max_size=4)


@given(st.lists(PARTS, min_size=1, max_size=6, unique_by=tuple))
def test_output_names_are_all_different(folders: list[list[str]]) -> None:
    paths = [Path("/data", *folder, "scan.nii.gz") for folder in folders]
    names = unique_names(paths)
    assert len(set(names.values())) == len(paths)
    assert all("/" not in name for name in names.values())


def test_output_names_are_the_inputs_own_where_they_can_be() -> None:
    paths = [Path("/a/x/sub-01_FLAIR.nii.gz"), Path("/a/y/sub-01_FLAIR.nii.gz"), Path("/a/x/sub-02_FLAIR.nii")]
    assert list(unique_names(paths).values()) == ["x-sub-01_FLAIR", "y-sub-01_FLAIR", "sub-02_FLAIR"]
    twins = [Path("/a/s.nii"), Path("/a/s.nii.gz")]
    assert len(set(unique_names(twins).values())) == 2


def test_masks_find_their_images() -> None:
    images = [Path("sub-01_FLAIR.nii.gz"), Path("sub-02_FLAIR.nii.gz")]
    mask = Path("sub-02_label-lesion_mask.nii.gz")
    assert match_masks(images, [mask]) == {images[0]: None, images[1]: mask}
    assert match_masks(images, []) == {images[0]: None, images[1]: None}
    # One image and one mask belong together whatever they are called.
    assert match_masks(images[:1], [Path("drawn.nii")]) == {images[0]: Path("drawn.nii")}


def test_masks_of_nobody_and_two_masks_of_one_are_refused() -> None:
    images = [Path("sub-01_FLAIR.nii.gz"), Path("sub-02_FLAIR.nii.gz")]
    with pytest.raises(InputError, match="no mask belongs to an image"):
        match_masks(images, [Path("sub-03_mask.nii"), Path("sub-04_mask.nii")])
    with pytest.raises(InputError, match="belongs to sub-01, as"):
        match_masks(images, [Path("a/sub-01_mask.nii"), Path("b/sub-01_mask.nii")])


def test_an_arm_stands_for_its_selected_trial(tmp_path: Path) -> None:
    (tmp_path / "selected.json").write_text('{"trial": "trial-03"}')
    assert find_model(tmp_path) == tmp_path / "trial-03"
    assert find_model(tmp_path / "trial-00") == tmp_path / "trial-00"
