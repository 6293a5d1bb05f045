"""The sections of registration, with and without what they need."""

from __future__ import annotations

from pathlib import Path

import pytest

from pellucid.ground.files import read_json
from pellucid.report.html.blocks import Flicker, Picture, Section
from pellucid.report.quality.gallery import Gallery
from pellucid.report.quality.registration import alignment, brains, registration, thumbnail
from pellucid.report.quality.source import Source


@pytest.fixture
def gallery(tmp_path: Path) -> Gallery:
    return Gallery(tmp_path, Path("figures"), "v")


def _source(visits: Path, name: str, *without: str) -> Source:
    record = read_json(visits / f"logs/{name}.json")
    return Source(visits, record | {"files": {k: v for k, v in record["files"].items() if k not in without}})


def _kinds(section: Section) -> list[str]:
    return [block.kind for block in section.blocks]


def test_each_scan_flickers_with_the_template_which_is_written_once(visits: Path, gallery: Gallery) -> None:
    section = registration(_source(visits, "sub-01"), gallery)
    assert _kinds(section) == ["text", "flicker", "flicker"]
    one, other = (block for block in section.blocks if isinstance(block, Flicker))
    assert one.names == ("T1w", "Template")
    assert one.stems[1] == other.stems[1]
    assert len(list((gallery.root / "figures").iterdir())) == 3


def test_without_tissue_the_scans_still_flicker(visits: Path, gallery: Gallery) -> None:
    assert _kinds(alignment(_source(visits, "sub-01", "csf"), gallery)) == ["note", "flicker"]
    assert _kinds(alignment(_source(visits, "sub-01", "t1w_mni"), gallery)) == ["note"]


def test_brains_are_shown_where_there_is_a_scan_and_a_mask(visits: Path, gallery: Gallery) -> None:
    section = brains(_source(visits, "sub-01", "t1w_brain"), gallery)
    assert _kinds(section) == ["note", "picture"]
    picture = section.blocks[1]
    assert isinstance(picture, Picture)
    assert "60x70x30 at 3x3x6 mm" in picture.caption
    assert "carried over" not in picture.caption


def test_a_thumbnail_is_of_the_flair_or_else_the_t1w(visits: Path, gallery: Gallery) -> None:
    thumbnail(_source(visits, "sub-01", "flair_mni", "t1w_mni"), gallery)
    assert not (gallery.root / "figures").exists()
    thumbnail(_source(visits, "sub-01", "flair_mni"), gallery)
    assert (gallery.root / "figures/v_desc-thumbnail.png").is_file()
