"""What the verbs print of lesion tables: each map beside the best null, and no number that nobody measured."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from pellucid.cli.judgement import show_people, show_scan
from pellucid.trust.lesion_measures import MEASURES
from pellucid.trust.lesion_summary import compare_with_nulls, in_words
from pellucid.trust.lesions import columns


def rows(values: dict[str, float], who: str = "sub-01", **more: Any) -> pd.DataFrame:
    """One lesion table: map to the number that each of its measures has."""
    return pd.DataFrame(
        [
            {"map": name, "participant_id": who} | dict.fromkeys(columns()[:-1], value) | {"reason": ""} | more
            for name, value in values.items()
        ]
    )


def test_one_scan_shows_the_map_beside_the_best_null_of_each_measure(capsys: pytest.CaptureFixture[str]) -> None:
    table = rows({"lrp": 0.25, "|lrp|": 0.125, "intensity": 0.5, "logistic": 0.375})
    table.loc[table["map"] == "logistic", "auroc"] = 0.75
    table["lift_ceiling"] = 400.0
    show_scan("scan", table)
    lines = {line.split("  ")[0]: line.split() for line in capsys.readouterr().out.splitlines() if line}
    assert lines["scan"][-9:] == ["scan", "lrp", "|lrp|", "best", "null", "its", "value", "lift's", "ceiling"]
    assert lines["AUROC"][1:] == ["0.250", "0.125", "logistic", "0.750"]
    assert lines["average precision"][2:] == ["0.250", "0.125", "intensity", "0.500"]
    assert lines["lift"][1:] == ["0.2", "0.1", "intensity", "0.5", "400.0"]


def test_a_scan_without_lesions_says_why_and_has_no_number(capsys: pytest.CaptureFixture[str]) -> None:
    nothing = rows({"lrp": np.nan, "|lrp|": np.nan, "intensity": np.nan}, reason="no lesion in the seen brain")
    show_scan("scan", nothing)
    assert capsys.readouterr().out.strip() == "scan: n/a, no lesion in the seen brain"


def test_a_map_that_could_not_be_measured_stands_beside_one_that_could(capsys: pytest.CaptureFixture[str]) -> None:
    table = rows({"lrp": np.nan, "|lrp|": 0.25, "intensity": 0.5}, lift_ceiling=9.0)
    table.loc[table["map"] == "lrp", "reason"] = "the map has no positive relevance in the seen brain"
    show_scan("scan", table)
    show_people(table)
    out = capsys.readouterr().out
    assert "nan" not in out
    lines = [line.split() for line in out.splitlines() if line.startswith("AUROC")]
    assert lines[0][1:] == ["n/a", "0.250", "intensity", "0.500"]
    assert lines[1][1:5] == ["lrp", "n/a", "n/a", "n/a"]
    assert out.count("n/a: lrp: the map has no positive relevance in the seen brain") == 2


def test_a_file_whose_name_tells_no_participant_is_judged_all_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    values = {"lrp": 0.25, "|lrp|": 0.125, "intensity": 0.5}
    unnamed = [rows(values, None, image=name, lift_ceiling=9.0) for name in ("patient07_FLAIR.nii.gz", "b.nii.gz")]  # type: ignore[arg-type]
    show_scan("scan", unnamed[0])
    assert "intensity" in capsys.readouterr().out
    show_people(pd.concat(unnamed))
    assert "0 of 2" in capsys.readouterr().out


def test_people_are_shown_as_they_are_compared(capsys: pytest.CaptureFixture[str]) -> None:
    generator = np.random.default_rng(0)
    names = ("lrp", "intensity", "brightest-percent")
    tables = [rows(dict(zip(names, generator.random(3), strict=True)), f"sub-{n}") for n in range(9)]
    tables.append(rows(dict.fromkeys(names, np.nan), "sub-9", reason="no lesion mask"))
    missing = rows({"logistic": np.nan}, "sub-0", reason="nobody fitted it")
    table = pd.concat([*tables, missing])
    show_people(table)
    out = capsys.readouterr().out
    for row in compare_with_nulls(table).to_dict("records"):
        (line,) = [one for one in out.splitlines() if one.startswith(f"{MEASURES[row['measure']].title} ")]
        assert in_words(row) in line
        assert f"{row['wins']} of 9" in line
        assert row["best_null"] in line
    assert "n/a and excluded: 1 participant" in out
    assert "n/a: logistic: nobody fitted it" in out
    assert all(f"{name} " in out for name in (measure.title for measure in MEASURES.values()))
