"""`pellucid simulate`."""

from __future__ import annotations

from pathlib import Path

from pellucid.ground.files import read_json, read_tsv


def test_simulating_takes_options_and_refuses_those_of_the_other_kind(tmp_path: Path, pellucid) -> None:
    out = tmp_path / "cohort"
    some = ("--controls", 1, "--voxel-size", 4, "--lesions", 0.5, "--sex-gap", 0, "--artefact", 1.5)
    shown = pellucid("simulate", out, "--patients", 1, *some, "--workers", 1)
    assert shown.code == 0
    settings = read_json(out / "derivatives" / "truth" / "settings.json")
    assert (settings["patients"], settings["controls"], settings["lesions"]) == (1, 1, 0.5)
    assert (settings["sex_gap"], settings["artefact"]) == (0.0, 1.5)
    assert sorted(read_tsv(out / "participants.tsv")["group"]) == ["HC", "MS"]
    for arguments, words in (
        (["--visits", 2], "--visits"),
        (["--kind", "ad"], "pretraining"),
        (["--patients", 0], "--patients: is 0. Give a whole number from 1 to 10,000"),
        (["--sex-gap", 9], "--sex-gap: is 9.0. Give a strength from 0"),
        (["--workers", 0], "--workers"),
        (["--patients", 3], "other settings"),
        (["--artefact", 0], "artefact: 1.5 there, 0.0 asked"),
    ):
        wrong = pellucid("simulate", out, *some, *arguments)
        assert wrong.code == 2
        assert words in wrong.err
