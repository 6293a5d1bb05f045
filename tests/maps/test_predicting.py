"""`predict_scan`: what the command says of a scan, in Python."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

import pellucid
from pellucid.ground.errors import InputError
from pellucid.ground.files import read_tsv
from pellucid.image.nifti import read_volume, write_volume
from pellucid.maps import predict_scan, predict_scans
from pellucid.network.files import load_model


def test_a_prediction_is_the_row_that_the_batch_writes(arm: Path, scans: Path, tmp_path: Path) -> None:
    path = scans / "images" / "sub-01_FLAIR.nii.gz"
    found = predict_scan(path, arm)
    assert found == predict_scan(str(path), load_model(arm / "trial-00"))
    assert found.probability == pytest.approx(1 / (1 + math.exp(-found.logit)))
    assert found.group == ("MS" if found.logit > 0 else "HC")
    assert (found.participant, found.problems) == ("sub-01", None)
    done = predict_scans([path], arm, out=tmp_path)
    assert done.rows == [found.row()]
    row = read_tsv(tmp_path / "predictions.tsv").iloc[0]
    assert row["logit"] == pytest.approx(found.logit)
    assert row["image"] == str(path)


def test_a_scan_that_is_refused_raises_and_is_marked_where_forced(arm: Path, scans: Path, tmp_path: Path) -> None:
    scan = read_volume(scans / "images" / "sub-01_FLAIR.nii.gz")
    path = tmp_path / "sub-01_FLAIR.nii.gz"
    write_volume(path, np.flip(scan.data, 2), scan.grid)
    with pytest.raises(InputError, match="upside down"):
        pellucid.maps.predict_scan(path, arm)
    forced = predict_scan(path, arm, force=True)
    assert forced.problems is not None
    assert forced.problems.startswith("FORCED")
