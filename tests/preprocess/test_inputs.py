"""Which scans a raw dataset holds, and what is wrong with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from pellucid.ground.errors import InputError
from pellucid.ground.files import write_json
from pellucid.preprocess.inputs import Visit, find_visits, read_filters


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    root = tmp_path / "raw"
    touch(
        root,
        "sub-01/anat/sub-01_T1w.nii.gz",
        "sub-01/anat/sub-01_FLAIR.nii.gz",
        "sub-02/ses-1/anat/sub-02_ses-1_T1w.nii",
        "sub-02/ses-2/anat/sub-02_ses-2_FLAIR.nii.gz",
        "sub-03/anat/sub-03_acq-a_FLAIR.nii.gz",
        "sub-03/anat/sub-03_acq-b_FLAIR.nii.gz",
        "sub-03/anat/sub-03_T1w.nii.gz",
        "sub-04/func/sub-04_task-rest_bold.nii.gz",
        "sub-05/anat/sub-05_T2w.nii.gz",
        "derivatives/lesions/sub-01/anat/sub-01_label-lesion_mask.nii.gz",
        "derivatives/lesions/sub-02/ses-3/anat/sub-02_ses-3_label-lesion_mask.nii.gz",
    )
    return root


def names(visits: list[Visit]) -> list[str]:
    return [visit.name for visit in visits]


def test_every_visit_is_listed_with_what_it_has_or_what_is_wrong(dataset: Path) -> None:
    visits = {visit.name: visit for visit in find_visits(dataset)}
    assert list(visits) == ["sub-01", "sub-02_ses-1", "sub-02_ses-2", "sub-02_ses-3", "sub-03", "sub-04", "sub-05"]
    one = visits["sub-01"]
    assert one.problem is None
    assert [path and path.name for path in (one.t1w, one.flair, one.lesions)] == [
        "sub-01_T1w.nii.gz",
        "sub-01_FLAIR.nii.gz",
        "sub-01_label-lesion_mask.nii.gz",
    ]
    assert (visits["sub-02_ses-1"].flair, visits["sub-02_ses-2"].t1w) == (None, None)
    assert visits["sub-02_ses-1"].problem is visits["sub-02_ses-2"].problem is None
    assert visits["sub-02_ses-2"].folder == Path("sub-02/ses-2")
    for name, words in {
        "sub-02_ses-3": "holds a lesion mask, and the dataset no scan",
        "sub-03": r"has 2 FLAIR images (sub-03_acq-a_FLAIR.nii.gz, sub-03_acq-b_FLAIR.nii.gz). Keep one, or choose",
        "sub-04": "holds no folder 'anat'",
        "sub-05": "holds neither a T1w nor a FLAIR",
    }.items():
        assert words in (visits[name].problem or "")


def test_two_flairs_are_told_apart_by_a_filter_file(dataset: Path, tmp_path: Path) -> None:
    write_json(tmp_path / "filter.json", {"flair": {"acquisition": "b"}})
    (visit,) = find_visits(dataset, participants=["03"], filters=read_filters(tmp_path / "filter.json"))
    assert visit.problem is None
    assert visit.flair is not None
    assert visit.flair.name == "sub-03_acq-b_FLAIR.nii.gz"


@pytest.mark.parametrize("run", [1, "1", "01", [1, 3]])
def test_a_run_is_a_number_however_it_is_written(run: object, tmp_path: Path) -> None:
    touch(tmp_path, "sub-01/anat/sub-01_run-01_FLAIR.nii.gz", "sub-01/anat/sub-01_run-02_FLAIR.nii.gz")
    (visit,) = find_visits(tmp_path, filters={"flair": {"run": run, "datatype": "anat", "extension": "nii.gz"}})
    assert visit.problem is None
    assert visit.flair is not None
    assert visit.flair.name == "sub-01_run-01_FLAIR.nii.gz"


def test_what_a_filter_takes_away_is_named(dataset: Path) -> None:
    (visit,) = find_visits(dataset, participants=["01"], filters={"flair": {"run": 2}})
    assert (visit.flair, visit.problem) == (None, None)
    assert visit.remarks == ("--bids-filter-file leaves no FLAIR image of sub-01_FLAIR.nii.gz",)


def test_what_lies_there_under_another_name_is_named(dataset: Path) -> None:
    """Masks in other names or places, a mask of another run, a FLAIR in small letters, a file of somebody else."""
    touch(
        dataset,
        "sub-01/anat/sub-01_label-lesion_roi.nii.gz",
        "derivatives/lesions/sub-03/anat/sub-03_acq-c_label-lesion_mask.nii.gz",
        "sub-06/anat/sub-06_T1w.nii.gz",
        "sub-06/anat/sub-06_flair.nii.gz",
        "sub-06/anat/sub-06_dseg.nii.gz",
        "sub-07/anat/sub-07_T1w.nii.gz",
        "sub-07/anat/sub-01_FLAIR.nii.gz",
    )
    visits = {visit.name: visit for visit in find_visits(dataset, filters={"flair": {"acq": [None, "b"]}})}
    assert visits["sub-01"].remarks == ()  # it has a mask
    assert visits["sub-03"].lesions is None
    assert "named acq-c, which" in visits["sub-03"].remarks[0]
    masks, flair = visits["sub-06"].remarks
    assert "sub-06_dseg.nii.gz: lesion masks lie in" in masks
    assert "not used: sub-06_flair.nii.gz" in flair
    assert "its name says sub-01, and it lies in the folder of sub-07" in (visits["sub-07"].problem or "")


def test_bidsignore_leaves_out_participants_and_files(dataset: Path) -> None:
    (dataset / ".bidsignore").write_text("sub-02/\n/sub-03/anat/*_acq-a_*\n")
    visits = {visit.name: visit for visit in find_visits(dataset)}
    assert not any(name.startswith("sub-02") for name in visits)
    assert visits["sub-03"].problem is None
    assert visits["sub-03"].remarks == (".bidsignore leaves out sub-03/anat/sub-03_acq-a_FLAIR.nii.gz",)
    with pytest.raises(InputError, match="excludes sub-02"):
        find_visits(dataset, participants=["02"])


@pytest.mark.parametrize("content", [["flair"], {"flair": "b"}, {"bold": {"run": "1"}}, {"flair": {"runn": 1}}])
def test_a_filter_file_must_map_roles_to_entities(content: object, tmp_path: Path) -> None:
    write_json(tmp_path / "filter.json", content)
    with pytest.raises(InputError, match=r"filter\.json"):
        read_filters(tmp_path / "filter.json")


def test_participants_and_sessions_are_chosen_with_or_without_prefix(dataset: Path) -> None:
    assert names(find_visits(dataset, participants=["sub-02", "01"])) == [
        "sub-01",
        "sub-02_ses-1",
        "sub-02_ses-2",
        "sub-02_ses-3",
    ]
    assert names(find_visits(dataset, sessions=["1"])) == ["sub-02_ses-1"]
    with pytest.raises(InputError, match=r"does not contain sub-99.*Its participants are sub-01, sub-02"):
        find_visits(dataset, participants=["99"])
    with pytest.raises(InputError, match="no visit is one of ses-9"):
        find_visits(dataset, sessions=["9"])


def test_files_that_the_user_has_take_a_steps_place(dataset: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    anat = "sub-01/anat/sub-01_"
    touch(
        first,
        f"{anat}from-T1w_to-MNI152NLin6Asym_mode-image_xfm.h5",
        f"{anat}desc-brain_mask.nii.gz",
        f"{anat}space-MNI152NLin6Asym_desc-brain_mask.nii.gz",
        f"{anat}space-MNI152NLin2009cAsym_label-WM_probseg.nii.gz",
    )
    touch(
        second,
        f"{anat}from-T1w_to-MNI152NLin6Asym_mode-image_xfm.txt",
        f"{anat}space-FLAIR_desc-brain_mask.nii.gz",
        f"{anat}space-MNI152NLin6Asym_label-WM_probseg.nii.gz",
        f"{anat}from-FLAIR_to-T1w_mode-image_xfm.json",
    )
    (visit,) = find_visits(dataset, participants=["01"], derivatives=[first, second])
    assert {name: path.relative_to(tmp_path).parts[0] for name, path in visit.given.items()} == {
        "t1w_brain": "first",
        "flair_brain": "second",
        "t1w_to_mni": "first",
        "white": "second",
    }
    assert visit.given["t1w_brain"].name == "sub-01_desc-brain_mask.nii.gz"
    assert find_visits(dataset, participants=["01"])[0].given == {}


def test_masks_of_another_folder(dataset: Path, tmp_path: Path) -> None:
    touch(tmp_path / "drawn", "sub-01/anat/sub-01_space-T1w_label-lesion_mask.nii.gz")
    (visit,) = find_visits(dataset, participants=["01"], lesions=tmp_path / "drawn")
    assert visit.lesions == tmp_path / "drawn/sub-01/anat/sub-01_space-T1w_label-lesion_mask.nii.gz"
    touch(tmp_path / "drawn", "sub-01/anat/sub-01_desc-b_label-lesion_mask.nii.gz")
    (visit,) = find_visits(dataset, participants=["01"], lesions=tmp_path / "drawn")
    assert "has 2 lesion masks" in (visit.problem or "")


def test_what_is_no_dataset_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the folder does not exist"):
        find_visits(tmp_path / "none")
    with pytest.raises(InputError, match="holds no folder sub-"):
        find_visits(tmp_path)
    touch(tmp_path, "sub-01/anat/sub-01_T1w.nii")
    with pytest.raises(InputError, match="the folder does not exist"):
        find_visits(tmp_path, derivatives=[tmp_path / "none"])
