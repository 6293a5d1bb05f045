from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from pellucid.cohort.bids import COLUMNS, index_bids, masks_of_nobody
from pellucid.ground.errors import InputError
from pellucid.ground.files import read_tsv, write_json, write_text, write_tsv


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
    assert table["remark"].isna().all()
    write_text(
        tmp_path / "sub-A" / "sub-A_sessions.tsv", "session_id\tage\nses-01\t-1\nses-9\t70\nses-02\t7\nses-02\t8\n"
    )
    table = index_bids(tmp_path, modality="T1w")
    assert table["age"].tolist() == [70.0, 70.0, 70.0, 71.0]  # nothing in the sessions table can be used
    assert "age '-1' does not lie between 0 and 130" in table["remark"][0]
    assert "sub-A_sessions.tsv lists ses-9, of which there is no folder" in table["remark"][0]
    assert "ses-02 stands there twice" in table["remark"][1]


def test_a_disease_s_duration_is_in_months_whether_months_or_years_are_given(dataset: Path) -> None:
    def spell(**columns: list[object]) -> pd.DataFrame:
        change(dataset, lambda table: table[["participant_id", "group"]].assign(**columns))
        return index_bids(dataset, modality="FLAIR").set_index("participant_id")

    n = len(pd.read_csv(dataset / "participants.tsv", sep="\t"))
    months, years = [30.0, *[None] * (n - 1)], [2.5, *[None] * (n - 1)]
    for table in (spell(disease_duration_months=months), spell(disease_duration_years=years)):
        assert table["disease_duration_months"].iloc[0] == 30.0
        assert table["disease_duration_months"].iloc[1:].isna().all()
        assert table["remark"].isna().all()
    both = spell(disease_duration_months=months, disease_duration_years=[30.0, *[None] * (n - 1)]).iloc[0]
    assert both["disease_duration_months"] == 30.0
    assert both["remark"] == "30 months and 30 years of disease differ; the months are used"
    bare = spell(disease_duration=[4.0, *[None] * (n - 1)])
    assert bare["disease_duration_months"].isna().all()
    assert "disease_duration has no unit and is not used" in bare["remark"].iloc[0]


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
        (lambda t: t.drop(columns="group"), "has no column 'group'"),
        (lambda t: t.rename(columns={"participant_id": "id"}), "has no column 'participant_id'"),
        (lambda t: t.iloc[:0], "lists no participants"),
    ],
)
def test_a_participants_file_that_cannot_be_used(
    dataset: Path, function: Callable[[pd.DataFrame], pd.DataFrame], message: str
) -> None:
    change(dataset, function)
    with pytest.raises(InputError, match=message):
        index_bids(dataset, modality="FLAIR")


def test_rows_that_cannot_be_used_are_named_and_cost_nobody_else(dataset: Path) -> None:
    """Two rows of one person that differ, an id without its prefix, nobody's row, a lost zero, a folder's odd name."""
    (dataset / "sub-05").rename(dataset / "sub-HC-5")
    (dataset / "sub-04").rename(dataset / "sub-004")
    lines = ["sub-00\tMS", "sub-00\tHC", "01\tHC", "sub-02\tMS", "sub-02\tMS", "\tMS", "sub-03\tHC\t3", "sub-4\tMS"]
    write_text(dataset / "participants.tsv", "\n".join(["participant_id\tgroup", *lines, "sub-HC-5\tHC"]))
    table = index_bids(dataset, modality="FLAIR").set_index("participant_id")
    words = {
        "sub-00": r"stands in lines 2, 3 with different cells \(group 'MS' and 'HC'\)",
        "01": "'01' in line 4 is no BIDS participant.*Did you mean 'sub-01'",
        "sub-01": "has no row in participants.tsv. Did you mean '01'",
        "(nobody)": "line 7 names nobody",
        "sub-03": "line 8 has 3 cells and the header 2",
        "sub-4": "there is no folder .*sub-4. Did you mean 'sub-004'",
        "sub-004": "has no row in participants.tsv. Did you mean 'sub-4'",
        "sub-HC-5": "Labels in BIDS are letters and digits. Rename .* sub-HC5",
    }
    assert set(table.index) == {*words, "sub-02"}
    for who, said in words.items():
        assert re.search(said, table.loc[who, "problem"]), who
    assert pd.isna(table.loc["sub-02", "problem"])
    assert "it stands 2 times in participants.tsv, with equal cells" in table.loc["sub-02", "remark"]


def test_a_number_that_is_none_is_missing_for_that_person_and_is_reported(dataset: Path) -> None:
    ages = ["inf", "-5", "1e308", "34,5", "89+", "NaN"]
    change(dataset, lambda table: table.assign(age=ages, edss=["2", "N/A", "11", "x", "", None]))
    table = index_bids(dataset, modality="FLAIR")
    assert table["problem"].isna().all()
    assert table["age"].tolist()[4] == 89.0
    assert table["age"].isna().tolist() == [True, True, True, True, False, True]
    assert table["edss"].isna().tolist() == [False, *[True] * 5]
    said = table["remark"].tolist()
    for n, age in enumerate(ages[:5]):
        assert f"age {age!r}" in said[n]
    assert "edss '11' does not lie between 0 and 10" in said[2]
    assert pd.isna(said[5])  # a word for "not known" is no mistake


def test_blanks_around_names_and_groups_are_trimmed_and_reported(dataset: Path) -> None:
    people = ["sub-00 \tMS", "sub-01\t HC", "sub-02\tMS\u200b", "sub-03\tHC", "sub-04\tMS", "sub-05\tHC"]
    write_text(dataset / "participants.tsv", "\r\n".join(["participant_id\tgroup ", *people]))
    table = index_bids(dataset, modality="FLAIR")
    assert table["group"].tolist() == ["MS", "HC"] * 3
    assert table["problem"].isna().all()
    for n, words in enumerate(("name 'sub-00 '", "group ' HC'", "group 'MS\\u200b'")):
        assert f"{words} were trimmed" in table["remark"][n]
    assert table["remark"].isna().tolist() == [False] * 3 + [True] * 3


def test_a_quotation_mark_swallows_no_rows(dataset: Path) -> None:
    people = ["sub-00\tMS", 'sub-01\t"HC', "sub-02\tMS", 'sub-03\tHC"', "sub-04\tMS", 'sub-05\t"HC"']
    write_text(dataset / "participants.tsv", "\n".join(["participant_id\tgroup", *people]))
    assert index_bids(dataset, modality="FLAIR")["group"].tolist() == ["MS", '"HC', "MS", 'HC"', "MS", "HC"]


def test_what_bidsignore_leaves_out_is_named(dataset: Path) -> None:
    touch(dataset / "sub-04" / "anat" / "sub-04_acq-bad_FLAIR.nii.gz")
    write_text(dataset / ".bidsignore", "# ours\nsub-03/\n*_acq-bad_*\nsub-05/**/*_FLAIR.nii.gz\n")
    table = index_bids(dataset, modality="FLAIR").set_index("participant_id")
    assert "leaves out sub-03/" in table.loc["sub-03", "problem"]
    assert "leaves out sub-05/anat/sub-05_FLAIR.nii.gz" in table.loc["sub-05", "problem"]
    assert "leaves out sub-04/anat/sub-04_acq-bad_FLAIR.nii.gz" in table.loc["sub-04", "remark"]
    assert table["problem"].notna().sum() == 2


def test_files_of_others_in_a_folder_are_a_mix_up(dataset: Path) -> None:
    touch(dataset / "sub-00" / "anat" / "sub-01_T1w.nii.gz")
    anat = dataset / "sub-02" / "anat"
    (anat / "sub-02_FLAIR.nii.gz").rename(anat / "sub-02_ses-2_FLAIR.nii.gz")
    (dataset / "sub-03" / "anat" / "sub-03_FLAIR.nii.gz").rename(dataset / "sub-03" / "anat" / "sub-03_flair.nii.gz")
    touch(dataset / "sub-04" / "anat" / "sub-04_acq-t_2_FLAIR.nii.gz")
    touch(dataset / "sub-05" / "anat" / "sub-05_T1w_defaced.nii.gz")  # not a scan by its name, and so no obstacle
    problem = index_bids(dataset, modality="FLAIR").set_index("participant_id")["problem"]
    assert "its name says sub-01, and it lies in the folder of sub-00" in problem["sub-00"]
    assert "its name says ses-2, and it lies in a folder without a session" in problem["sub-02"]
    assert "there is sub-03/anat/sub-03_flair.nii.gz: BIDS ends its name in _FLAIR" in problem["sub-03"]
    assert "'2' is no label of BIDS" in problem["sub-04"]
    assert problem.notna().sum() == 4


def test_scans_where_nobody_looks_are_named_beside_those_that_are_taken(dataset: Path) -> None:
    odd = {
        "sub-00": "sub-00/ses-2/anat/sub-00_ses-2_flair.nii.gz",
        "sub-01": "sub-01/Ses-2/anat/sub-01_FLAIR.nii.gz",
        "sub-02": "sub-02/ses-2/sub-02_ses-2_FLAIR.nii.gz",
        "sub-03": "sub-03/anat/sub-03_acq-1.5T_FLAIR.nii.gz",
        "sub-04": "sub-04/anat/sub-04_run-2_FLAIR.NII.GZ",
    }
    for name in odd.values():
        touch(dataset / name)
    (dataset / "sub-05" / "ses-2").mkdir()
    write_text(dataset / "sub-05" / "sub-05_sessions.tsv", "session\tage\nses-2\t9\n")  # no session_id
    table = index_bids(dataset, modality="FLAIR").set_index("participant_id")
    assert table["problem"].isna().all()
    for who, name in odd.items():
        assert f"not used: there is {name}: " in table.loc[who, "remark"]
    assert "there is sub-05/ses-2: a session without a folder 'anat'" in table.loc["sub-05", "remark"]
    assert "no column 'session_id'" in table.loc["sub-05", "remark"]
    write_text(dataset / ".bidsignore", "sub-0*/[sS]es-2/\n*.NII.GZ\n*1.5T*\n")
    remarks = index_bids(dataset, modality="FLAIR")["remark"]
    assert not remarks.dropna().str.contains("there is").any()


def test_masks_of_nobody_are_named(dataset: Path) -> None:
    drawn = dataset / "derivatives" / "lesions"
    touch(drawn / "sub-99" / "anat" / "sub-99_label-lesion_mask.nii.gz")
    touch(drawn / "sub-01" / "ses-1" / "anat" / "sub-01_ses-1_label-lesion_mask.nii.gz")
    touch(drawn / "sub-03" / "sub-03_label-lesion_mask.nii.gz")
    said = dict(masks_of_nobody(dataset, index_bids(dataset, modality="FLAIR")))
    assert set(said) == {"sub-01", "sub-03", "sub-99"}
    assert "there is no scan of that visit: " in said["sub-99"]


def test_masks_of_another_run_or_another_name_are_not_taken_and_named(dataset: Path) -> None:
    place = "derivatives/lesions/{0}/anat/{0}"
    for n, run in ((0, "run-2"), (2, "run-02")):
        anat = dataset / f"sub-0{n}" / "anat"
        (anat / f"sub-0{n}_FLAIR.nii.gz").rename(anat / f"sub-0{n}_{run}_FLAIR.nii.gz")
        mask = dataset / place.format(f"sub-0{n}")
        old = mask.with_name(f"sub-0{n}_space-MNI152NLin6Asym_label-lesion_mask.nii.gz")
        old.rename(mask.with_name(f"sub-0{n}_run-{n or 1}_label-lesion_mask.nii.gz"))
    touch(dataset / f"{place.format('sub-04')}_label-lesion_roi.nii.gz")
    touch(dataset / "sub-05" / "anat" / "sub-05_label-lesion_mask.nii.gz")
    table = index_bids(dataset, modality="FLAIR").set_index("participant_id")
    assert table["lesion_mask"].notna().tolist() == [False, False, True, False, False, False]
    assert "named run-1, which sub-00_run-2_FLAIR.nii.gz is not" in table.loc["sub-00", "remark"]
    assert "not taken as its lesion mask" in table.loc["sub-04", "remark"]
    assert "sub-04_label-lesion_roi.nii.gz" in table.loc["sub-04", "remark"]
    assert "sub-05/anat/sub-05_label-lesion_mask.nii.gz" in table.loc["sub-05", "remark"]
    assert table["remark"].notna().sum() == 3


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
