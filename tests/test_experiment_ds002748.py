"""The real scans of ds002748, laid out as the study of sex takes them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from pellucid.cohort.bids import index_bids
from pellucid.image.nifti import read_volume
from pellucid.spec.reading import find_spec, read_spec
from pellucid.study.steps.cohorts import check_cohorts

SCRIPT = Path(__file__).parents[1] / "experiments" / "lay_out_ds002748.py"


def test_all_but_one_have_a_scan_and_the_study_takes_them(shared_data: Path, tmp_path: Path, monkeypatch) -> None:
    out = tmp_path / "ds002748"
    for _ in range(2):  # a second call changes nothing
        subprocess.run([sys.executable, SCRIPT, shared_data / "healthy", out], check=True)
    rows = index_bids(out, modality="T1w", group="gender")
    assert len(rows) == 72
    assert rows.loc[rows["problem"].notna(), "participant_id"].tolist() == ["sub-27"]  # registered badly, left out
    assert rows["group"].value_counts().to_dict() == {"f": 53, "m": 19}
    assert read_volume(Path(str(rows["image"].iloc[0]))).grid.shape == (91, 109, 91)
    monkeypatch.setenv("DS002748", str(out))
    spec = read_spec(find_spec("sex-ds002748"))
    assert len(check_cohorts(spec)["adults"].rows) == 72
