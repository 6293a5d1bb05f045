"""Files, folders and masks as the user names them."""

from __future__ import annotations

from pathlib import Path

import pytest

from pellucid.cli.inputs import check_there, expand, expand_masks
from pellucid.ground.errors import InputError


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


def test_the_brain_is_no_lesion(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    brain = "sub-01/anat/sub-01_space-MNI152NLin6Asym_desc-brain_mask.nii.gz"
    touch(tmp_path, brain)
    with pytest.raises(InputError, match=r"the folder holds no lesion mask\. Do not give --lesions"):
        expand_masks([tmp_path])
    assert expand_masks([tmp_path / brain]) == [tmp_path / brain]  # who names a file means it
    for name in ("desc-brain_mask", "space-FLAIR_desc-brain_mask", "desc-preproc_FLAIR", "label-WM_probseg"):
        touch(tmp_path, f"sub-01/anat/sub-01_{name}.nii.gz")
    with pytest.raises(InputError, match="holds no lesion mask"):
        expand_masks([tmp_path])
    touch(tmp_path, "sub-02/anat/sub-02_dseg.nii.gz")
    assert [path.name for path in expand_masks([tmp_path])] == ["sub-02_dseg.nii.gz"]
    touch(tmp_path, "sub-01/anat/sub-01_label-lesion_mask.nii.gz")
    capsys.readouterr()
    assert [path.name for path in expand_masks([tmp_path])] == ["sub-01_label-lesion_mask.nii.gz"]
    assert "sub-02_dseg.nii.gz" in capsys.readouterr().err  # named, for it may have been meant


def test_a_folder_without_images_does_not_refuse_the_others(tmp_path: Path) -> None:
    touch(tmp_path, "a.nii", "empty/notes.txt")
    assert expand([tmp_path / "empty", tmp_path / "a.nii"]) == [tmp_path / "empty", tmp_path / "a.nii"]
    with pytest.raises(InputError, match=r"holds no .nii or .nii.gz file"):
        expand([tmp_path / "empty"])


def test_whoever_of_a_dataset_is_not_taken_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    touch(
        tmp_path,
        "dataset_description.json",
        "sub-01/anat/sub-01_FLAIR.nii.gz",
        "sub-02/anat/sub-02_flair.nii.gz",
        "sub-03/anat/sub-03_FLAIR.nii.gz",
        "sub-04/anat/sub-04_FLAIR.nii.gz",
        "sub-04/anat/sub-01_T1w.nii.gz",
        "sub-HC-5/anat/sub-HC-5_FLAIR.nii.gz",
        "sub-06/sub-06_scans.tsv",
        "sub-07/Ses-2/anat/sub-07_FLAIR.nii.gz",
        "13/anat/sub-13_FLAIR.nii.gz",
        "sub-08_FLAIR.nii.gz",
    )
    (tmp_path / "dataset_description.json").write_text("{}")
    (tmp_path / ".bidsignore").write_text("sub-03\n")
    assert [path.name for path in expand([tmp_path], modality="FLAIR")] == ["sub-01_FLAIR.nii.gz"]
    said = capsys.readouterr().err
    for words in (
        "sub-02_flair.nii.gz: BIDS ends its name in _FLAIR.nii.gz",
        "sub-02/anat: holds no FLAIR that can be used",
        "sub-06: it holds no folder 'anat'",
        "sub-07/Ses-2/anat/sub-07_FLAIR.nii.gz: it lies in no folder sub-07[/ses-<label>]/anat",
        "13: Labels in BIDS are letters and digits, behind sub-",
        "sub-08_FLAIR.nii.gz: it is a file",
        "leaves out sub-03/",
        "its name says sub-01, and it lies in the folder of sub-04",
        "for example sub-HC5",
    ):
        assert words in said
    assert said.count("excluded: ") == 9
    touch(tmp_path / "loose", "a.nii.gz", "b.NII.GZ", "c.mgz", ".d.nii")
    assert expand([tmp_path / "loose"]) == [tmp_path / "loose" / "a.nii.gz"]
    assert "end in .nii or .nii.gz: b.NII.GZ, c.mgz\n" in capsys.readouterr().err


def test_one_file_counts_once_however_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path, "x/a.nii", "y/a.nii")
    monkeypatch.chdir(tmp_path)
    assert expand([Path("x/a.nii"), tmp_path / "x" / "a.nii", Path("x"), Path("y/../x/a.nii")]) == [Path("x/a.nii")]
    assert expand([Path("x"), Path("y")]) == [Path("x/a.nii"), Path("y/a.nii")]


def test_nothing_of_what_is_named_is_there(tmp_path: Path) -> None:
    touch(tmp_path, "a.nii")
    check_there([tmp_path / "a.nii", tmp_path / "none.nii"])
    with pytest.raises(InputError, match=r"none\.nii: the file does not exist"):
        check_there([tmp_path / "none.nii"])
