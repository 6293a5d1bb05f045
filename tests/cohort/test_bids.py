from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from pellucid.cohort.bids import COLUMNS, index_bids
from pellucid.errors import InputError
from pellucid.files import read_tsv, write_json, write_text, write_tsv


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")
    return path


def change(root: Path, function: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    path = root / "participants.tsv"
    write_tsv(path, function(read_tsv(path)))


def test_one_row_a_scan(dataset: Path) -> None:
    table = index_bids(dataset, modality="FLAIR")
    assert tuple(table.columns) == COLUMNS
    assert table["participant_id"].tolist() == [f"sub-{n:02d}" for n in range(6)]
    assert table["group"].tolist() == ["MS", "HC"] * 3
    assert table["problem"].isna().all()
    assert table["session_id"].isna().all()
    assert table["lesion_volume_ml"].isna().all()
    assert table["lesion_mask"].notna().tolist() == [True, False, True, False, False, False]
    assert table["age"].isna().tolist() == [False, False, True, False, False, False]
    assert table["modality"].eq("FLAIR").all()
    for path in [*table["image"], *table["lesion_mask"].dropna()]:
        assert Path(path).is_absolute()
        assert Path(path).is_file()


def test_sessions_and_age_at_visit(tmp_path: Path) -> None:
    write_tsv(
        tmp_path / "participants.tsv",
        pd.DataFrame({"participant_id": ["sub-A", "sub-B"], "group": ["AD", "CN"], "age": [70.0, 71.0]}),
    )
    for session in ("ses-01", "ses-02", "ses-03"):
        touch(tmp_path / "sub-A" / session / "anat" / f"sub-A_{session}_T1w.nii.gz")
    touch(tmp_path / "sub-B" / "ses-01" / "anat" / "sub-B_ses-01_T1w.nii")
    touch(tmp_path / "sub-B" / "ses-01" / "anat" / "sub-B_ses-01_FLAIR.nii")
    write_tsv(
        tmp_path / "sub-A" / "sub-A_sessions.tsv",
        pd.DataFrame({"session_id": ["ses-01", "ses-02"], "age": [None, 71.5], "edss": [3.0, None]}),
    )
    table = index_bids(tmp_path, modality="T1w")
    assert table["session_id"].tolist() == ["ses-01", "ses-02", "ses-03", "ses-01"]
    assert table["age"].tolist() == [70.0, 71.5, 70.0, 71.0]
    assert table["edss"].iloc[0] == 3.0
    assert table["edss"].iloc[1:].isna().all()


def test_a_hidden_half_written_file_is_no_scan(dataset: Path) -> None:
    touch(dataset / "sub-00" / "anat" / ".0f0f0f0f-sub-00_FLAIR.nii.gz")
    assert index_bids(dataset, modality="FLAIR")["problem"].isna().all()


def test_what_is_missing_is_listed_not_fatal(dataset: Path) -> None:
    (dataset / "sub-01" / "anat" / "sub-01_FLAIR.nii.gz").unlink()
    touch(dataset / "sub-02" / "anat" / "sub-02_acq-second_FLAIR.nii.gz")
    touch(dataset / "sub-99" / "anat" / "sub-99_FLAIR.nii.gz")
    change(dataset, lambda table: table.assign(group=table["group"].where(table["participant_id"] != "sub-03")))
    table = index_bids(dataset, modality="FLAIR").set_index("participant_id")
    assert len(table) == 7
    assert "has no FLAIR image" in table.loc["sub-01", "problem"]
    assert "more than one FLAIR image" in table.loc["sub-02", "problem"]
    assert "sub-03 has no group" in table.loc["sub-03", "problem"]
    assert "no row in participants.tsv" in table.loc["sub-99", "problem"]
    assert table["problem"].isna().sum() == 3


def test_lesion_masks_elsewhere(dataset: Path, tmp_path: Path) -> None:
    (dataset / "derivatives" / "lesions").rename(tmp_path / "masks")
    assert index_bids(dataset, modality="FLAIR")["lesion_mask"].isna().all()
    table = index_bids(dataset, modality="FLAIR", lesions=tmp_path / "masks")
    assert table["lesion_mask"].notna().sum() == 2
    with pytest.raises(InputError, match="folder of lesion masks does not exist"):
        index_bids(dataset, modality="FLAIR", lesions=tmp_path / "nowhere")


def test_no_participants_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"participants\.tsv: the file does not exist"):
        index_bids(tmp_path, modality="FLAIR")


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda t: pd.concat([t, t.iloc[[1, 4]]]), r"lists sub-01, sub-04 more than once \(2 participants\)"),
        (lambda t: t.drop(columns="group"), "has no column 'group'"),
        (lambda t: t.rename(columns={"participant_id": "id"}), "has no column 'participant_id'"),
        (lambda t: t.iloc[:0], "lists nobody"),
        (lambda t: t.assign(age=["89+", *t["age"][1:]]), "age '89\\+' is not a number"),
        (
            lambda t: t.assign(participant_id=t["participant_id"].str.removeprefix("sub-")),
            "'00' is no BIDS participant",
        ),
        (lambda t: t.assign(participant_id=t["participant_id"].where(t.index != 2)), "no BIDS participant"),
    ],
)
def test_a_participants_file_that_cannot_be_used(
    dataset: Path, function: Callable[[pd.DataFrame], pd.DataFrame], message: str
) -> None:
    change(dataset, function)
    with pytest.raises(InputError, match=message):
        index_bids(dataset, modality="FLAIR")


def test_sex_in_every_way_that_bids_writes_it(dataset: Path) -> None:
    change(dataset, lambda table: table.assign(sex=["f", "Female", "MALE", "other", "N/A", "intersex"]))
    sex = index_bids(dataset, modality="FLAIR")["sex"]
    assert sex.isna().tolist() == [False] * 4 + [True, False]
    assert sex.dropna().tolist() == ["F", "F", "M", "O", "intersex"]
    change(dataset, lambda table: table.assign(sex=None))
    assert index_bids(dataset, modality="FLAIR")["sex"].isna().all()


def test_a_column_of_groups_keeps_its_own_words_even_for_sex(dataset: Path) -> None:
    change(dataset, lambda table: table.assign(sex=["f", "m"] * 3))
    table = index_bids(dataset, modality="FLAIR", group="sex")
    assert table["group"].tolist() == ["f", "m"] * 3
    assert table["sex"].tolist() == ["F", "M"] * 3


def test_groups_of_digits_are_names(dataset: Path) -> None:
    people = [f"sub-{n:02d}\t{group}" for n, group in enumerate(["1", "0", "n/a", "1", "0", "01"])]
    write_text(dataset / "participants.tsv", "\n".join(["participant_id\tarm_of_trial", *people, ""]))
    table = index_bids(dataset, modality="FLAIR", group="arm_of_trial")
    assert table["group"].dropna().tolist() == ["1", "0", "1", "0", "01"]


def test_a_derivative_dataset_of_other_names_is_told_so(dataset: Path) -> None:
    write_json(dataset / "dataset_description.json", {"DatasetType": "derivative"})
    anat = dataset / "sub-01" / "anat"
    wanted = r"named sub-X\[_ses-Y\]_space-MNI152NLin6Asym_desc-brain_FLAIR\.nii\[\.gz\], without res-"
    with pytest.raises(InputError, match=rf"{wanted}; there is sub-00_FLAIR\.nii\.gz\. Run"):
        index_bids(dataset, modality="FLAIR")
    assert index_bids(dataset, modality="T1w")["problem"].str.contains("has no T1w image").all()
    (anat / "sub-01_FLAIR.nii.gz").rename(anat / "sub-01_space-MNI152NLin6Asym_desc-brain_FLAIR.nii.gz")
    table = index_bids(dataset, modality="FLAIR")
    assert table["problem"].isna().tolist() == [name == "sub-01" for name in table["participant_id"]]
