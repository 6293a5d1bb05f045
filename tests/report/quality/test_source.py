"""Images are read once, and each that is not there has a reason."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pellucid.ground.files import read_json
from pellucid.preprocess.outputs import FILES
from pellucid.report.quality.source import WORDS, Source


def test_every_file_of_a_visit_has_words() -> None:
    assert list(WORDS) == list(FILES)


def test_an_image_is_read_once_and_a_mask_is_0_and_1(visits: Path) -> None:
    source = Source(visits, read_json(visits / "logs/sub-01.json"))
    assert source.volume("t1w_mni") is source.volume("t1w_mni")
    mask = source.volume("lesions_mni")
    assert mask is not None
    assert set(np.unique(mask.data)) == {0.0, 1.0}
    assert source.files("t1w_mni", "t1w_to_mni") == ["sub-01/anat/sub-01_t1w_mni.nii.gz"]


@pytest.mark.parametrize(
    ("key", "record", "why"),
    [
        ("t1w_mni", {"inputs": [{"role": "flair"}]}, "the visit has no T1w"),
        ("flair_brain", {"inputs": [{"role": "t1w"}]}, "the visit has no FLAIR"),
        ("lesions_mni", {}, "the visit has no lesion mask"),
        ("t1w_mni", {"state": "failed"}, "the visit failed before it was made"),
        ("t1w_mni", {"state": "running"}, "the visit is unfinished"),
        ("white", {"inputs": [{"role": "white"}]}, "come from another dataset"),
        ("white", {"settings": {"skip": ["tissue"]}}, "tissue was skipped"),
        ("filled_mni", {"inputs": [{"role": "flair"}]}, "the visit has no lesion mask"),
        ("filled_mni", {"inputs": [{"role": "flair"}], "settings": {"skip": ["filling"]}}, "filling was skipped"),
        (
            "filled_mni",
            {"inputs": [{"role": "flair"}, {"role": "lesions"}], "settings": {"skip": ["tissue"]}},
            "tissue was skipped",
        ),
        ("t1w_network", {"inputs": [{"role": "t1w"}], "settings": {"skip": ["network"]}}, "input was skipped"),
        ("white", {"files": {"white": "gone.nii.gz"}}, "the file gone.nii.gz no longer exists"),
        ("white", {}, "the record does not name such a file"),
    ],
)
def test_reasons(tmp_path: Path, key: str, record: dict[str, Any], why: str) -> None:
    source = Source(tmp_path, {"visit": "sub-1", "state": "done"} | record)
    assert source.volume(key) is None
    assert why in source.absent(key)
    assert source.absent(key).startswith(f"Not shown: {WORDS[key]}; ")
