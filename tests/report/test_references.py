"""What is cited follows from what ran."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from tests.runs import WHITE, write_rows

from pellucid.report.references import BENJAMINI, DELONG, JHU, NEUROMORPHOMETRICS, PLATT, SCIKIT, atlases, references
from pellucid.rundir.run import open_run


@pytest.mark.parametrize(
    ("table", "reference"), [("comparisons", DELONG), ("calibration", PLATT), ("region_tests", BENJAMINI)]
)
def test_a_method_is_cited_where_its_table_is(empty_run: Path, table: str, reference: str) -> None:
    assert reference not in references(open_run(empty_run))
    write_rows(empty_run, table, pd.DataFrame())
    assert reference in references(open_run(empty_run))


def test_atlases_and_baselines_are_cited(copy: Path) -> None:
    run = open_run(copy)
    assert atlases(run) == ["neuromorphometrics", WHITE]
    assert {SCIKIT, JHU, NEUROMORPHOMETRICS} <= set(references(run))
    (copy / "tables" / "regions.tsv").unlink()
    assert not {JHU, NEUROMORPHOMETRICS} & set(references(open_run(copy)))  # named, but no regions were made
