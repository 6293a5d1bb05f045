"""Areas are summed up as a loop would, and the unseen ones counted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pellucid.ground.files import read_tsv
from pellucid.report.sections.regions import region_means, regions
from pellucid.rundir.run import open_run


def test_what_is_missing_is_named_and_nothing_is_drawn(empty_run: Path, look: Any) -> None:
    section = regions(open_run(empty_run), empty_run / "figures")
    assert any("tables/regions.tsv" in note for note in look.notes(section))
    look.nothing_was_made(section, empty_run)


def test_region_means_equal_a_loop_over_areas(finished_run: Path) -> None:
    table = read_tsv(finished_run / "tables" / "regions.tsv")
    summary = region_means(table, ["MS", "HC"]).set_index("area")
    assert summary.index.tolist() == list(dict.fromkeys(table["area"]))
    assert len(summary) == 68
    for area, row in summary.iterrows():
        rows = table[table["area"] == area]
        for group in ("MS", "HC"):
            sums = [value for value, name in zip(rows["sum"], rows["group"], strict=True) if name == group]
            assert row[f"sum_{group}"] == pytest.approx(sum(sums) / len(sums), nan_ok=True)
        strength = sum(abs(value) for value in rows["sum"] if not np.isnan(value))
        assert row["strength"] == pytest.approx(strength if rows["sum"].notna().any() else np.nan, nan_ok=True)


def test_regions_say_how_many_areas_are_unseen(copy: Path, look: Any) -> None:
    section = regions(open_run(copy), copy / "figures")
    table = read_tsv(copy / "tables" / "regions.tsv").groupby("area")["seen_share"].first()
    blind, partly = int((table == 0).sum()), int(((table > 0) & (table < 1)).sum())
    assert f"{blind} cannot be seen at all and {partly} only in part" in look.words(section)
    assert read_tsv(copy / "tables" / "regions_summary.tsv")["area"].nunique() == 68
