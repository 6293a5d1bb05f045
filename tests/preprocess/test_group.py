"""What visits have in common: tables that leave nobody out, verdicts, a human's word, the citation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pellucid.cohort.bids import index_bids
from pellucid.ground.errors import InputError
from pellucid.ground.files import read_json, read_tsv, write_json, write_text, write_tsv
from pellucid.preprocess.citation import citation
from pellucid.preprocess.group import describe_dataset, summarise
from pellucid.preprocess.quality import MEASURES
from pellucid.preprocess.settings import Settings
from pellucid.preprocess.verdicts import Said, refused, said_of

STEPS = [
    {"step": "brain extraction", "of": "t1w", "given": False, "how": "deepbet, --skull-strip auto", "seconds": 1},
    {"step": "bias field", "of": "t1w", "given": False, "how": "N4, niimath", "seconds": 1},
    {
        "step": "registration",
        "of": "t1w_to_mni",
        "given": False,
        "how": "affine, mutual information, SimpleITK",
        "seconds": 1,
    },
    {
        "step": "registration",
        "of": "flair_to_t1w",
        "given": False,
        "how": "rigid, mutual information, SimpleITK",
        "seconds": 1,
    },
    {"step": "tissue", "of": "", "given": False, "how": "Gaussian mixture", "seconds": 1},
    {"step": "lesion filling", "of": "", "given": False, "how": "local", "seconds": 1},
    {"step": "network input", "of": "", "given": False, "how": "antialias, robust", "seconds": 1},
]


def record(participant: str, session: str | None = None, **changed: Any) -> dict[str, Any]:
    return {
        "visit": f"{participant}_{session}" if session else participant,
        "participant_id": participant,
        "session_id": session,
        "state": "done",
        "error": None,
        "verdict": "pass",
        "findings": [],
        "warnings": [],
        "measures": {"brain_dice": 0.95, "lesion_ml": None},
        "steps": STEPS,
        "settings": Settings().to_json(),
        "versions": {"pellucid": "0.1.0"},
        **changed,
    }


FAILED = {"state": "failed", "error": "x.nii: is broken. Mend it.", "verdict": None, "measures": {}, "steps": []}
FLAGGED = {
    "verdict": "fail",
    "findings": [{"measure": "brain_dice", "verdict": "fail", "text": "Dice is 0.3, below 0.88: wrong"}],
}


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    folder = tmp_path / "raw"
    for name in ("sub-01", "sub-02", "sub-03"):
        (folder / name / "anat").mkdir(parents=True)
    people = pd.DataFrame(
        {
            "participant_id": ["sub-01", "sub-02", "sub-03", "sub-09"],
            "group": ["MS", "HC", "MS", "HC"],
            "age": [40, 41, 42, 43],
        }
    )
    write_tsv(folder / "participants.tsv", people)
    write_json(folder / "participants.json", {"age": {"Units": "year"}})
    write_tsv(folder / "sub-02" / "sub-02_sessions.tsv", pd.DataFrame({"session_id": ["ses-1"], "age": [41.5]}))
    return folder


@pytest.fixture
def out(tmp_path: Path, raw: Path) -> Path:
    folder = tmp_path / "out"
    describe_dataset(folder, raw, None)
    for entry in (record("sub-01"), record("sub-02", "ses-1", **FLAGGED), record("sub-03", **FAILED)):
        write_json(folder / "logs" / f"{entry['visit']}.json", entry)
    for name in ("sub-01/anat/sub-01", "sub-02/ses-1/anat/sub-02_ses-1"):
        for kind in (
            "desc-preproc_FLAIR",
            "space-MNI152NLin6Asym_desc-brain_FLAIR",
            "space-MNI152NLin6Asym_desc-filled_FLAIR",
        ):
            write_text(folder / f"{name}_{kind}.nii.gz", "")
    write_text(folder / "sub-01/anat/sub-01_space-MNI152NLin6Asym_res-network_desc-brain_FLAIR.nii.gz", "")
    write_text(folder / "sub-01/anat/sub-01_space-MNI152NLin6Asym_label-lesion_mask.nii.gz", "")
    write_text(folder / "sub-01/anat/sub-01_space-MNI152NLin6Asym_desc-brain_mask.nii.gz", "")
    return folder


def test_nobody_is_left_out_and_nothing_is_made_up(out: Path, raw: Path) -> None:
    table = summarise(out, raw)
    written = read_tsv(out / "quality.tsv")
    assert list(written["participant_id"]) == ["sub-01", "sub-02", "sub-03", "sub-09"]
    assert list(written["state"]) == ["done", "done", "failed", "left out"]
    assert "lists sub-09, and there is no folder" in written["error"][3]
    assert read_json(out / "quality.json")["state"]["Levels"].keys() == {*written["state"], "running"}
    assert table["error"].tolist()[2] == "x.nii: is broken. Mend it."
    assert written["lesion_ml"].isna().all()
    assert written["brain_dice"].tolist()[:2] == [0.95, 0.95]
    assert {"verdict", "override", *MEASURES} <= set(written.columns)
    assert set(read_json(out / "quality.json")) >= set(MEASURES)
    people = read_tsv(out / "participants.tsv")
    assert people.to_dict("list") == {
        "participant_id": ["sub-01", "sub-02", "sub-03"],
        "group": ["MS", "HC", "MS"],
        "age": [40, 41, 42],
    }
    assert read_json(out / "participants.json") == {"age": {"Units": "year"}}
    assert read_tsv(out / "sub-02" / "sub-02_sessions.tsv")["age"].tolist() == [41.5]


def test_participants_are_copied_as_text_and_rows_that_cannot_be_used_are_named(out: Path, raw: Path) -> None:
    """Site 01 stays 01, age 34 stays 34; who has two rows that differ, or a name without its prefix, has no cells."""
    rows = ["sub-01\tMS \t01\t34\tNA", "sub-02\tHC\t02\t\t1e5", "sub-02\tMS\t02\t\t1e5", "03\tMS\t10\t40.0\tTrue"]
    write_text(raw / "participants.tsv", "\n".join(["participant_id\tgroup\tsite\tage\tcode", *rows]))
    (raw / "sub-HC-4" / "anat").mkdir(parents=True)
    (raw / "sub-05").mkdir()
    write_text(raw / ".bidsignore", "sub-05\n")
    table = summarise(out, raw).set_index("participant_id")
    lines = (out / "participants.tsv").read_text().splitlines()
    assert lines[1] == "sub-01\tMS \t01\t34\tNA"
    assert lines[2:] == ["sub-02\tn/a\tn/a\tn/a\tn/a", "sub-03\tn/a\tn/a\tn/a\tn/a"]
    assert "lines 3, 4 with different cells" in table.loc["sub-02", "warnings"]
    assert "has no row in participants.tsv. Did you mean '03'" in table.loc["sub-03", "warnings"]
    left_out = table[table["state"] == "left out"]["error"]
    assert list(left_out.index) == ["03", "sub-05", "sub-HC-4"]
    assert "Did you mean 'sub-03'" in left_out["03"]
    assert "leaves out sub-05/" in left_out["sub-05"]
    assert "for example sub-HC4" in left_out["sub-HC-4"]
    assert read_tsv(out / "quality.tsv")["state"].tolist() == table["state"].tolist()


def test_a_raw_dataset_without_participants_is_no_obstacle(out: Path, tmp_path: Path) -> None:
    summarise(out, tmp_path / "raw2")
    assert list(read_tsv(out / "participants.tsv").columns) == ["participant_id"]


def test_what_failed_quality_control_is_refused_until_a_human_admits_it(out: Path, raw: Path) -> None:
    summarise(out, raw)
    assert set(refused(out)) == {("sub-02", "ses-1"), ("sub-03", None)}
    assert "failed quality control. Dice is 0.3" in refused(out)["sub-02", "ses-1"]
    assert "sub-03 failed in preprocessing. x.nii: is broken" in refused(out)["sub-03", None]
    table = read_tsv(out / "quality.tsv")
    table["override"] = ["Exclude ", "USE", "n/a", None]
    write_tsv(out / "quality.tsv", table)
    assert list(refused(out)) == [("sub-01", None), ("sub-03", None)]
    summarise(out, raw)  # made anew, the human's word is kept
    assert read_tsv(out / "quality.tsv")["override"].tolist()[:2] == ["exclude", "use"]
    table["override"] = ["exlude", None, None, None]
    write_tsv(out / "quality.tsv", table)
    for reader in (lambda: summarise(out, raw), lambda: refused(out)):
        with pytest.raises(InputError, match=r"override of sub-01 is 'exlude'.*'exclude'.*Write use or exclude"):
            reader()


def test_a_stopped_run_loses_no_verdict(out: Path) -> None:
    """quality.tsv is written last; before it is there, the visits' own records speak."""
    assert not (out / "quality.tsv").exists()
    assert set(refused(out)) == {("sub-02", "ses-1"), ("sub-03", None)}
    write_json(out / "logs" / "sub-04.json", record("sub-04", state="running", verdict=None))
    assert "sub-04 was begun in preprocessing and not finished" in refused(out)["sub-04", None]


def test_a_scan_repeats_the_verdict_on_its_visit(out: Path, raw: Path) -> None:
    checked = {"verdict": "check", "findings": [{"measure": "cut_off", "verdict": "check", "text": "too little"}]}
    write_json(out / "logs" / "sub-01.json", record("sub-01", **checked))
    scan = out / "sub-01" / "anat" / "sub-01_space-MNI152NLin6Asym_desc-brain_FLAIR.nii.gz"
    failed = out / "sub-02" / "ses-1" / "anat" / "sub-02_ses-1_space-MNI152NLin6Asym_desc-brain_FLAIR.nii.gz"
    for written in (False, True):  # without and with quality.tsv
        if written:
            summarise(out, raw)
        assert said_of(scan) == Said("sub-01 is to be checked, says quality control. too little", refused=False)
        said = said_of(failed)
        assert said is not None
        assert said.refused
        assert "sub-02_ses-1 failed quality control. Dice is 0.3" in said.text
    table = read_tsv(out / "quality.tsv")
    table["override"] = ["exclude", "use", None, None]
    write_tsv(out / "quality.tsv", table)
    assert said_of(scan) == Said("sub-01 is excluded by its override", refused=True)
    admitted = said_of(failed)
    assert admitted is not None
    assert not admitted.refused
    assert "failed quality control, but its override says `use`" in admitted.text
    assert said_of(out.parent / "elsewhere" / "sub-01_FLAIR.nii.gz") is None
    write_json(out / "logs" / "sub-01.json", record("sub-01"))
    write_tsv(out / "quality.tsv", table.assign(override=None))
    assert said_of(scan) is None


def test_a_cohort_takes_the_scans_in_mni_space_and_none_that_is_refused(out: Path, raw: Path) -> None:
    summarise(out, raw)
    index = index_bids(out, modality="FLAIR")
    assert list(index["participant_id"]) == ["sub-01", "sub-02", "sub-03", "sub-09"]
    assert "left out by preprocessing" in index["problem"][3]  # the raw table lists it, and there is no folder
    assert index["image"][0].endswith("sub-01_space-MNI152NLin6Asym_desc-brain_FLAIR.nii.gz")
    assert index["lesion_mask"][0].endswith("sub-01_space-MNI152NLin6Asym_label-lesion_mask.nii.gz")
    assert pd.isna(index["problem"][0])
    assert pd.isna(index["lesion_mask"][1])
    assert "failed quality control" in index["problem"][1]
    assert "failed in preprocessing. x.nii: is broken" in index["problem"][2]
    assert index["age"].tolist()[:3] == [40.0, 41.5, 42.0]
    filled = index_bids(out, modality="FLAIR", desc="filled")
    assert filled["image"][0].endswith("desc-filled_FLAIR.nii.gz")


def test_a_dataset_is_described_once_and_never_over_another(tmp_path: Path, raw: Path) -> None:
    (raw / "derivatives" / "lesions").mkdir(parents=True)
    out = raw / "derivatives" / "pellucid"
    describe_dataset(out, raw, None)
    content = read_json(out / "dataset_description.json")
    assert content["DatasetType"] == "derivative"
    assert content["DatasetLinks"] == {"raw": "../..", "lesions": "../lesions"}
    describe_dataset(out, raw, None)
    with pytest.raises(InputError, match="is the raw dataset itself"):
        describe_dataset(raw, raw, None)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").touch()
    with pytest.raises(InputError, match="the folder is not empty"):
        describe_dataset(tmp_path / "full", raw, None)
    write_json(tmp_path / "other" / "dataset_description.json", {"GeneratedBy": [{"Name": "fMRIPrep"}]})
    with pytest.raises(InputError, match="contains a dataset made by fMRIPrep"):
        describe_dataset(tmp_path / "other", raw, None)


def test_without_any_visit_there_is_nothing_to_sum_up(tmp_path: Path, raw: Path) -> None:
    with pytest.raises(InputError, match="contains no processed visit"):
        summarise(tmp_path / "none", raw)


def test_the_citation_says_what_ran_and_in_how_many() -> None:
    text = citation([record("sub-01"), record("sub-02", steps=STEPS[:3]), record("sub-03", **FAILED)])
    assert "Of 3 visits, 2 were processed and 1 failed." in text
    assert "FLAIRs were registered to the T1w scans with 6 parameters (in 1 of 2 visits)." in text
    assert "Lesions were filled from the healthy white matter around each" in text
    assert "(Valverde 2014) (in 1 of 2 visits)" in text
    for name in ("Eitel", "Fisch", "Tustison", "Mattes", "Lowekamp", "Valverde", "Zhang"):
        assert text.count(f"- {name}") == 1, name


def test_the_citation_does_not_cite_what_did_not_run() -> None:
    skipped = [{"step": "brain extraction", "of": "t1w", "given": True, "how": "given: mask.nii.gz", "seconds": 0}]
    text = citation([record("sub-01", steps=skipped)])
    assert "existed before were used as given" in text
    for name in ("Fisch", "Tustison", "Mattes", "Valverde", "Zhang"):
        assert name not in text
