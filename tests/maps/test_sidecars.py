"""What a sidecar says: the field of view, and the scan that its map was made from."""

from __future__ import annotations

from pathlib import Path

import pytest

from pellucid.ground.files import write_text
from pellucid.image.grid import MNI_2MM, resized
from pellucid.maps.sidecars import seen_by, source_of


def test_the_field_of_view_is_read_on_its_own_grid() -> None:
    small = resized(MNI_2MM, (10, 12, 10))
    assert seen_by({}, small).all()
    view = {"FieldOfView": {"Stops": [5, 12, 10], "Grid": small.to_json()}}
    own = seen_by(view, small)
    assert own[:5].all()
    assert not own[5:].any()
    # On a grid of twice the resolution the same half of the head is seen.
    fine = resized(MNI_2MM, (20, 24, 20))
    assert seen_by(view, fine).mean() == pytest.approx(0.5, abs=0.06)


def test_a_sidecar_names_the_scan_of_its_map_if_it_can_be_read(tmp_path: Path) -> None:
    assert source_of(tmp_path / "a.nii") is None
    write_text(tmp_path / "a.json", '{"Sources": ["../sub-01_FLAIR.nii"]}')
    assert source_of(tmp_path / "a.nii") == tmp_path / ".." / "sub-01_FLAIR.nii"
    sources = ("5", "[5]", '[""]', "{}", "null")
    for odd in ("[]", '"text"', "null", "{", *(f'{{"Sources": {one}}}' for one in sources)):
        write_text(tmp_path / "a.json", odd)
        assert source_of(tmp_path / "a.nii") is None, odd
