"""Figure 3 averages right verdicts alone, over the scans that were not held out."""

from __future__ import annotations

from pathlib import Path

from tests.report.figures import material, pixels, words

from pellucid.report.paper.groups import figure3


def test_it_is_drawn_of_right_verdicts(root: Path, tmp_path: Path) -> None:
    drawing = figure3(material(root))
    assert drawing.data.groupby("group", sort=False)["participants"].first().to_dict() == {"MS": 2, "HC": 1}
    assert (drawing.data["limit"] == 0.02).all()
    assert drawing.data["plane"].tolist() == ["axial", "coronal", "sagittal"] * 2
    assert "true positives above" in drawing.caption
    assert {"MS: mean of 2 participants", "HC: mean of 1 participants"} <= set(words(drawing.figure))
    assert pixels(drawing.figure, tmp_path / "figure.png").std() > 20


def test_maps_that_do_not_add_up_are_counted_below_the_picture(root: Path) -> None:
    found = material(root)
    opened = found.relevance("finetuned")
    assert "do not add up" not in figure3(found).caption
    opened.table["alarms"] = [["another sign"] if n < 3 else [] for n in range(len(opened.table))]
    drawing = figure3(found)
    said = f"3 of {len(opened.table)} maps of arm finetuned do not add up."
    assert said in drawing.caption
    assert said in " ".join(" ".join(words(drawing.figure)).split())
