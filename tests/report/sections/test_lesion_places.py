"""Lesions are shown of all scans with a mask, patients first."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pellucid.cohort.store import open_store
from pellucid.ground.files import read_tsv, write_tsv
from pellucid.report.html.blocks import Picture
from pellucid.report.pictures.tiles import Block, Frame, draw_tiles
from pellucid.report.sections.lesion_places import lesion_places, lesion_shares
from pellucid.rundir.run import open_run

ROWS = pd.DataFrame(
    [
        ("sub-0", "HC", "a", 100, 0),
        ("sub-0", "HC", "b", 10, 2),
        ("sub-0", "HC", "c", 0, 0),
        ("sub-1", "MS", "a", 100, 3),
        ("sub-1", "MS", "b", 10, 1),
        ("sub-1", "MS", "c", 0, 0),
        ("sub-2", "MS", "a", 100, 5),
        ("sub-2", "MS", "b", 10, 9),
        ("sub-2", "MS", "c", 0, 0),
    ],
    columns=["participant_id", "group", "area", "voxels", "lesion_voxels"],
)


def test_shares_rank_by_the_mean_of_the_patients() -> None:
    shares = lesion_shares(ROWS, "MS")
    assert shares["area"].unique().tolist() == ["b", "a"]  # c has no voxel on this grid
    of_b = shares[shares["area"] == "b"].sort_values("participant_id")
    assert of_b["share"].tolist() == [0.2, 0.1, 0.9]
    assert of_b["mean"].tolist() == pytest.approx([0.2, 0.5, 0.5])
    assert of_b["place"].tolist() == [0, 0, 0]
    assert lesion_shares(ROWS[ROWS["group"] == "HC"], "MS").empty


def test_groups_share_one_scale_that_ends_where_most_have_a_lesion(
    finished_run: Path, tmp_path: Path, look: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[Block] = []

    def draw(blocks: list[Block], frame: Frame, **how: Any) -> Any:
        found.extend(blocks)
        return draw_tiles(blocks, frame, **how)

    monkeypatch.setattr("pellucid.report.sections.lesion_places.draw_tiles", draw)
    section = lesion_places(open_run(finished_run), tmp_path)
    assert section is not None
    stems = ["lesion-maps", "lesion-shares-neuromorphometrics", "lesion-shares-jhu-made-up"]
    pictures = look.of(section, Picture)
    assert [picture.stem for picture in pictures] == stems
    assert all((tmp_path / f"{stem}.svg").exists() for stem in stems)
    assert all((finished_run / source).exists() for picture in pictures for source in picture.sources)
    store = open_store(finished_run / "stores" / "ms")
    patients = store.masks[(store.table["group"] == "MS").to_numpy()].mean(axis=0)
    assert [block.title for block in found] == ["MS: 5 scans", "HC: 5 scans"]
    top = np.array([patients.max()])
    for block in found:
        assert block.paint is not None
        np.testing.assert_allclose(block.paint(top)[0, :3], 1.0)  # white
        where = tuple(np.rint(store.grid.voxel(block.centres[0])).astype(int))
        assert patients[where] == patients.max()


def test_without_masks_there_is_no_section(copy: Path, empty_run: Path) -> None:
    table = read_tsv(copy / "stores" / "ms" / "table.tsv")
    write_tsv(copy / "stores" / "ms" / "table.tsv", table.assign(has_lesion_mask=False))
    (copy / "tables" / "lesion_regions.tsv").unlink()
    assert lesion_places(open_run(copy), copy / "figures") is None
    assert lesion_places(open_run(empty_run), empty_run / "figures") is None
