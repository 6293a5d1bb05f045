"""Planted places are summed up over patients alone, the scan beside the map."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pellucid.files import read_tsv, write_tsv
from pellucid.report.blocks import Table
from pellucid.report.run import open_run
from pellucid.report.section_truth import PLACES, truth, truth_summary

ROWS = pd.DataFrame(
    [
        {
            "arm": "finetuned",
            "participant_id": f"sub-{group}{n}",
            "group": group,
            "map": name,
            "place": place,
            "seen_share": 0.99999,
            "mean": sign * (n - 0.5),
            "lift": lift * (1 + n),
        }
        for group, sign in (("MS", 1.0), ("HC", -1.0))
        for n in range(3)
        for name, lift in (("lrp-epsilon", 4.0), ("intensity", 2.0))
        for place in ("lesionprior", "elsewhere")
    ]
)


def test_medians_are_those_of_the_patients() -> None:
    summary = truth_summary(ROWS[ROWS["group"] == "MS"], {}, seed=0).set_index("place")
    assert summary.index.tolist() == ["lesionprior", "elsewhere"]
    row = summary.loc["lesionprior"]
    assert (row["subjects"], row["lift"], row["lift_of_scan"]) == (3, 8.0, 4.0)
    assert row["above_zero"] == pytest.approx(2 / 3)
    assert (row["low"], row["high"]) == (4.0, 12.0)


def test_a_map_is_measured_against_those_of_untaught_networks_subject_by_subject() -> None:
    patients = ROWS[ROWS["group"] == "MS"]
    # 1, 3 and 2 less for the three subjects, in another order, and one subject whose own map was never made.
    less = patients["participant_id"].map({"sub-MS0": 1.0, "sub-MS1": 3.0, "sub-MS2": 2.0})
    other = patients.assign(arm="untrained", lift=patients["lift"] - less)[::-1]
    lone = other[:4].assign(participant_id="sub-MS9", lift=1e6)
    summary = truth_summary(patients, {"untrained": pd.concat([other, lone])}, seed=0).set_index("place")
    row = summary.loc["lesionprior"]
    assert row["more_than_untrained"] == 2.0
    assert (row["more_than_untrained_low"], row["more_than_untrained_high"]) == (1.0, 3.0)
    assert row["lift_of_untrained"] == np.median([3.0, 5.0, 10.0, 1e6])


def test_untaught_networks_that_were_explained_stand_beside_the_map(copy: Path, look: Any) -> None:
    text = (copy / "study.toml").read_text(encoding="utf-8")
    (cohort,) = {arm["cohort"] for name, arm in tomllib.loads(text)["training"].items() if name == "finetuned"}
    arms = "".join(
        f'\n[training.{name}]\ncohort = "{of}"\nfit = false\n{more}'
        for name, of, more in (
            ("untrained", cohort, ""),
            ("old", cohort, 'start_from = "pretraining"\n'),
            ("filled", cohort, 'images = "lesion-filled"\n'),
            ("silent", cohort, ""),
            ("taught", cohort, 'start_from = "scratch"\n'),
        )
    )
    explained = 'arms = ["finetuned", "untrained", "old", "filled", "taught"]'
    (copy / "study.toml").write_text(text.replace('arms = ["finetuned"]', explained) + arms, encoding="utf-8")
    run = open_run(copy)
    assert run.untaught == {
        "untrained": "random weights",
        "old": "a network trained as pretraining alone",
    }
    (copy / "study.toml").write_text(
        text.replace('arms = ["finetuned"]', 'arms = ["untrained"]') + arms, encoding="utf-8"
    )
    assert list(open_run(copy).untaught) == []  # no arm is a null to itself
    (copy / "study.toml").write_text(text.replace('arms = ["finetuned"]', explained) + arms, encoding="utf-8")
    tables = [ROWS, *(ROWS.assign(arm=name, lift=ROWS["lift"] / 2) for name in ("untrained", "old"))]
    write_tsv(copy / "tables" / "truth.tsv", pd.concat(tables))
    section = truth(run)
    assert section is not None
    (table,) = look.of(section, Table)
    assert [cell for cell in table.header if "untrained" in cell or "old" in cell] == [
        "Lift of untrained; the map has more",
        "Lift of old; the map has more",
    ]
    assert all(str(cell).startswith("4.00<br>4.0<br>[") for cell in table.rows[0][4:6])
    assert "trained as pretraining alone" in look.words(section)


def test_the_section_says_what_was_planted(copy: Path, look: Any) -> None:
    write_tsv(copy / "tables" / "truth.tsv", ROWS)
    section = truth(open_run(copy))
    assert section is not None
    (table,) = look.of(section, Table)
    assert table.rows[0][:3] == ["lesionprior", PLACES["lesionprior"], "99 %"]
    assert table.rows[1][1] == "an effect of the simulation"
    assert len(read_tsv(copy / "tables" / "truth_summary.tsv")) == 2


def test_a_study_of_real_people_has_no_section(finished_run: Path) -> None:
    assert truth(open_run(finished_run)) is None
