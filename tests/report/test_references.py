"""What is cited follows from what ran."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from pellucid.ground.files import write_text, write_tsv
from pellucid.report.references import BENJAMINI, DELONG, JHU, NEUROMORPHOMETRICS, PLATT, SCIKIT, atlases, references
from pellucid.rundir.run import open_run


@pytest.mark.parametrize(
    ("table", "reference"), [("comparisons", DELONG), ("calibration", PLATT), ("region_tests", BENJAMINI)]
)
def test_a_method_is_cited_where_its_table_is(empty_run: Path, table: str, reference: str) -> None:
    assert reference not in references(open_run(empty_run))
    write_tsv(empty_run / "tables" / f"{table}.tsv", pd.DataFrame({"a": [1]}))
    assert reference in references(open_run(empty_run))


def test_atlases_and_baselines_are_cited(empty_run: Path) -> None:
    write_text(
        empty_run / "study.toml",
        '[baselines.load]\nkind = "svm-lesion-load"\n[analysis]\natlases = ["jhu-icbm-dti-81", "neuromorphometrics"]\n',
    )
    run = open_run(empty_run)
    assert atlases(run) == ["jhu-icbm-dti-81", "neuromorphometrics"]
    assert SCIKIT in references(run)
    assert not {JHU, NEUROMORPHOMETRICS} & set(references(run))  # named, but no regions were made
    write_tsv(empty_run / "tables" / "regions.tsv", pd.DataFrame({"a": [1]}))
    assert {JHU, NEUROMORPHOMETRICS} <= set(references(open_run(empty_run)))
