"""All areas are shown, and the unseen ones counted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from tests.report.figures import words
from tests.runs import change_spec, cross_validated

from pellucid.ground.files import read_tsv, write_tsv
from pellucid.report.html.blocks import Picture, Table
from pellucid.report.pictures.regions import filled_figure, region_figure
from pellucid.report.sections.regions import SHOWN, TESTS, group_means, regions
from pellucid.rundir.run import open_run


def test_what_is_missing_is_named_and_nothing_is_drawn(empty_run: Path, look: Any) -> None:
    section = regions(open_run(empty_run), empty_run / "figures")
    assert any("tables/regions.tsv" in note for note in look.notes(section))
    look.nothing_was_made(section, empty_run)


def test_regions_say_how_many_areas_are_unseen(copy: Path, look: Any) -> None:
    section = regions(open_run(copy), copy / "figures")
    table = read_tsv(copy / "tables" / "regions.tsv").query("atlas == 'neuromorphometrics'")
    table = table.groupby("area")["seen_share"].first()
    blind, partly = int((table == 0).sum()), int(((table > 0) & (table < 1)).sum())
    assert f"{blind} cannot be seen at all and {partly} only in part" in look.words(section)
    shown, white = look.of(section, Table)
    assert len(shown.rows) == 68
    assert len(white.rows) == 6
    assert shown.header[-3:] == list(TESTS.values())


def test_the_areas_of_most_relevance_are_drawn_by_the_patients_mean() -> None:
    summary = pd.DataFrame(
        {"area": ["a", "b", "c", "unseen"], "seen_share": [1.0, 0.5, 1.0, 0.0], "strength": [9.0, 8.0, 1.0, None]}
        | {"q": [0.01, 0.5, 0.5, None], "sum_MS": [-4.0, 4.0, 0.1, None], "low_MS": -5.0, "high_MS": 5.0}
        | {"sum_HC": [1.0, 2.0, 3.0, None], "low_HC": 0.0, "high_HC": 6.0}
    )
    means = group_means(summary, ["MS", "HC"], shown=2)
    assert means["area"].tolist() == ["b", "a", "b", "a"]
    assert means["place"].tolist() == [0, 1, 0, 1]
    assert means["group"].tolist() == ["MS", "MS", "HC", "HC"]
    assert means["mean"].tolist() == [4.0, -4.0, 2.0, 1.0]
    assert means[["low", "high"]].to_numpy().tolist() == [[-5, 5], [-5, 5], [0, 6], [0, 6]]
    assert means["q"].tolist() == [0.5, 0.01, 0.5, 0.01]


def test_charts_have_the_tables_numbers(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: dict[str, list[Any]] = {"region_figure": [], "filled_figure": []}
    for name, make in (("region_figure", region_figure), ("filled_figure", filled_figure)):

        def draw(*given: Any, name: str = name, make: Any = make) -> Any:
            drawn[name].append(given)
            return make(*given)

        monkeypatch.setattr(f"pellucid.report.sections.regions.{name}", draw)
    path = copy / "tables" / "regions_summary.tsv"
    write_tsv(path, read_tsv(path).assign(q=lambda table: [0.01, 0.4] * (len(table) // 2)))
    regions(open_run(copy), copy / "figures")
    assert len(drawn["region_figure"]) == len(drawn["filled_figure"]) == 2
    summary = read_tsv(path).query("arm == 'finetuned'").set_index(["atlas", "area"])
    people, means, colours = drawn["region_figure"][0]
    assert means["area"].nunique() == SHOWN
    assert list(colours) == ["MS", "HC"]
    assert set(people["participant_id"]) == {"sub-0001", "sub-0002", "sub-0007", "sub-0010"}
    for row in means.to_dict("records"):
        one = summary.loc[("neuromorphometrics", row["area"])]
        assert row["mean"] == one[f"sum_{row['group']}"]
        assert row["q"] == one["q"]
    assert any(word.endswith(" *") for word in words(region_figure(people, means, colours)))
    filled = read_tsv(copy / "tables" / "regions_filled.tsv").query("arm == 'finetuned' and atlas == 'jhu-made-up'")
    (bars,) = drawn["filled_figure"][1]
    assert bars["images"].unique().tolist() == ["finetuned: scans as they are", "lesion-filled: lesions filled"]
    with_lesions, without = (one.set_index("area")["mean"] for _, one in bars.groupby("images", sort=False))
    expected = filled.set_index("area")
    assert with_lesions.to_dict() == expected["mean"].to_dict()
    assert without.to_dict() == expected["mean_filled"].to_dict()
    assert (with_lesions + without).is_monotonic_decreasing


def test_without_a_lesion_filled_arm_there_is_no_such_chart(copy: Path, look: Any) -> None:
    (copy / "tables" / "regions_filled.tsv").unlink()
    stems = [picture.stem for picture in look.of(regions(open_run(copy), copy / "figures"), Picture)]
    assert stems == ["regions-neuromorphometrics", "regions-jhu-made-up"]


def test_of_a_cross_validation_it_is_said_that_intervals_are_wider(copy: Path, look: Any) -> None:
    def said() -> list[bool]:
        pictures = look.of(regions(open_run(copy), copy / "figures"), Picture)
        return ["Intervals are 1.50 times as wide" in picture.caption for picture in pictures]

    assert said() == [False] * 4
    change_spec(copy, cross_validated)
    assert said() == [True] * 4
