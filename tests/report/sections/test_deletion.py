"""The section on deletion says where the map is ahead, where it is not, and how close it is to input times gradient."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tests.runs import change_explain, change_spec, write_rows

from pellucid.report.html.blocks import Note, Picture, Table
from pellucid.report.sections.deletion import deletion, sentences
from pellucid.rundir.run import open_run
from pellucid.trust.deletion_summary import COLUMNS

METHOD = "lrp-epsilon"


def summary(**changes: Any) -> pd.DataFrame:
    rows = []
    for fill in ("local-white-matter", "brain-median"):
        for k, low, high in ((50, 1.0, 3.0), (500, -1.0, 1.0), (5000, -3.0, -1.0)):
            middle = (low + high) / 2
            base = {"fill": fill, "k": k, "people": 24, "networks": 1, "voxels": k, "logit": 5.3}
            own = {"fall": 3.0 + middle, "low": 2.0, "high": 6.0, "correlation": 1.0, "rival": "logistic"}
            own |= {"compared": 24, "rival_fall": 3.0, "difference": middle}
            rows.append(base | own | {"ranking": METHOD, "difference_low": low, "difference_high": high})
            rows.append(
                base | {"ranking": "input-x-gradient", "fall": 3.0, "low": 2.0, "high": 4.0, "correlation": 0.998}
            )
            rows.append(base | {"ranking": "logistic", "fall": 3.0, "low": 2.0, "high": 4.0, "correlation": 0.2})
        lesions = {"ranking": "lesions", "fill": fill, "k": np.nan, "people": 20, "networks": 1, "voxels": 630}
        rows.append(lesions | {"logit": 5.3, "fall": 5.84, "low": 5.0, "high": 6.5})
    return pd.DataFrame(rows, columns=list(COLUMNS)).assign(arm="finetuned", method=METHOD, **changes)


def test_a_study_that_tests_no_map_has_no_section(copy: Path) -> None:
    change_spec(copy, lambda spec: change_explain(spec, deletion=()))
    assert deletion(open_run(copy), copy / "figures") is None


def test_a_table_that_is_missing_is_named(copy: Path, look: Any) -> None:
    (copy / "tables" / "deletion_summary.tsv").unlink()
    section = deletion(open_run(copy), copy / "figures")
    assert section is not None
    assert any("tables/deletion_summary.tsv" in note for note in look.notes(section))


def test_both_ways_are_said() -> None:
    local, median, lesions = sentences(summary(), METHOD)
    assert local == (
        "Filled with local white matter, the map's voxels lower the logit more than those of its best rival at k = "
        "50 (5.00 against 3.00 of logistic); they carry less at k = 5000 (1.00 against 3.00 of logistic); no "
        "significant difference at k = 500 (3.00 against 3.00 of logistic)."
    )
    assert median.startswith("Filled with brain median, ")
    assert lesions == (
        "All lesion voxels filled (median of 630 voxels), the logit falls by 5.84 (local white matter) or 5.84 (brain "
        "median), from a median of 5.30."
    )


def test_an_interval_that_is_missing_decides_nothing() -> None:
    (local, *_) = sentences(summary(difference_low=np.nan), METHOD)
    assert "no comparison was possible at k = 50" in local
    assert "carry" not in local


def test_chart_table_and_caption_of_an_arm(copy: Path, look: Any) -> None:
    write_rows(copy, "deletion_summary", summary())
    section = deletion(open_run(copy), copy / "figures")
    assert section is not None
    (picture,) = look.of(section, Picture)
    assert (copy / "figures" / "deletion-finetuned-lrp-epsilon.svg").is_file()
    assert "lrp-epsilon is close to input times gradient here: Pearson's r 0.998" in picture.caption
    assert "one network, and hold for this network only" in picture.caption
    (table,) = look.of(section, Table)
    assert len(table.rows) == 2 * (3 * 3 + 1)
    assert [str(cell) for cell in table.rows[0]] == [
        METHOD, "local white matter", "50", "5.00<br>[2.00, 6.00]", "logistic: 3.00", "2.00<br>[1.00, 3.00]", "24",
    ]  # fmt: skip
    assert table.rows[9][2] == "all"


@pytest.mark.parametrize(("r", "words"), [(0.42, "is not the same as input times gradient"), (0.96, "is close to")])
def test_closeness_is_as_measured(copy: Path, look: Any, r: float, words: str) -> None:
    table = summary()
    table.loc[table["ranking"] == "input-x-gradient", "correlation"] = r
    write_rows(copy, "deletion_summary", table)
    section = deletion(open_run(copy), copy / "figures")
    assert section is not None
    (picture,) = look.of(section, Picture)
    assert f"{words}" in picture.caption
    assert f"{r:.3f}" in picture.caption


def test_what_could_not_be_measured_is_said(copy: Path, look: Any) -> None:
    write_rows(copy, "deletion_summary", summary(fall=np.nan))
    section = deletion(open_run(copy), copy / "figures")
    assert section is not None
    assert not look.of(section, Picture)
    assert "Nothing could be measured" in look.of(section, Note)[0].text
