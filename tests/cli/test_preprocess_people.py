"""Whom `pellucid preprocess` does not process, and what it says of them; the scans here are text, and so all fail."""

from __future__ import annotations

from pathlib import Path

import pytest

from pellucid.ground.files import read_json, read_tsv, write_text


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """Five folders: one of them ignored, one with a hyphen in its label, one with somebody else's scan."""
    for name in ("sub-01", "sub-002", "sub-03", "sub-HC-1", "sub-05"):
        write_text(tmp_path / "raw" / name / "anat" / f"{name}_T1w.nii.gz", "no image")
    write_text(tmp_path / "raw" / "sub-05" / "anat" / "sub-01_FLAIR.nii.gz", "no image")
    write_text(tmp_path / "raw" / ".bidsignore", "sub-03/\n")
    rows = ["sub-01\t01", "sub-2\t02", "sub-03\t03", "HC-1\t04", "sub-05 \t05"]
    write_text(tmp_path / "raw" / "participants.tsv", "\n".join(["participant_id\tsite", *rows]))
    return tmp_path / "raw"


def test_everybody_is_named_in_the_terminal_and_in_the_table(raw: Path, tmp_path: Path, pellucid) -> None:
    out = tmp_path / "out"
    shown = pellucid("preprocess", raw, out, "participant", "--n-procs", 1)
    assert shown.code == 1
    for who, words in {
        "sub-2": "there is no folder",
        "sub-03": ".bidsignore: leaves out sub-03/",
        "HC-1": "is no BIDS participant",
        "sub-HC-1": "Rename the folder and the files in it, for example sub-HC1",
    }.items():
        assert any(line.startswith(f"excluded: {who}: ") and words in line for line in shown.err.splitlines()), who
    assert "Did you mean 'sub-002'?" in shown.err
    assert "sub-002: participants.tsv has no usable entry for it" in shown.err
    assert "sub-05: blanks around the participant's name 'sub-05 ' were trimmed" in shown.err
    for who in ("sub-01", "sub-002", "sub-05"):
        assert any(line.startswith("failed: ") and f"/{who}/" in line for line in shown.err.splitlines()), who
    assert "3 of 3 failed; nothing was done" in shown.err
    table = read_tsv(out / "quality.tsv").set_index("participant_id")
    assert table["state"].to_dict() == {
        "HC-1": "left out",
        "sub-002": "failed",
        "sub-01": "failed",
        "sub-03": "left out",
        "sub-05": "failed",
        "sub-2": "left out",
        "sub-HC-1": "left out",
    }
    assert "its name says sub-01, and it lies in the folder of sub-05" in table.loc["sub-05", "error"]
    assert "Did you mean 'sub-2'" in table.loc["sub-002", "warnings"]
    people = (out / "participants.tsv").read_text().splitlines()
    assert people == ["participant_id\tsite", "sub-002\tn/a", "sub-01\t01", "sub-05\t05"]
    assert read_json(out / "quality.json")["state"]["Levels"].keys() >= set(table["state"])

    only = pellucid("preprocess", raw, out, "participant", "--participant-label", "01", "--n-procs", 1)
    assert "excluded" not in only.err  # who asks for one is told of that one
    refused = pellucid("preprocess", raw, out, "participant", "--participant-label", "03")
    assert refused.code == 2
    assert ".bidsignore: leaves out sub-03" in refused.err


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("participant_id,site\nsub-01,01\n", "its cells are separated by commas"),
        ("Participant_ID\tsite\nsub-01\t01\n", "has no column 'participant_id'. Did you mean 'Participant_ID'"),
        ("", "is empty"),
    ],
)
def test_a_table_that_cannot_be_read_is_told_before_the_first_visit(
    content: str, words: str, raw: Path, tmp_path: Path, pellucid
) -> None:
    write_text(raw / "participants.tsv", content)
    shown = pellucid("preprocess", raw, tmp_path / "out", "participant", "--n-procs", 1)
    assert shown.code == 2
    assert words in shown.err
    assert "Traceback" not in shown.err
    assert not (tmp_path / "out").exists()
