"""Maps of a study: one a held-out subject, their ledger and their averages."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pellucid.files import read_json, read_tsv
from pellucid.image.nifti import read_volume


def test_every_held_out_subject_has_a_map_that_sums_up_as_its_ledger_says(undisturbed: Path) -> None:
    splits = read_tsv(undisturbed / "splits.tsv")
    held_out = set(splits.loc[splits["role"] == "holdout", "participant_id"])
    ledger = read_tsv(undisturbed / "tables" / "ledger.tsv")
    assert set(ledger["participant_id"]) == held_out
    selected = read_json(undisturbed / "models" / "finetuned" / "selected.json")["trial"]
    predictions = read_tsv(undisturbed / "models" / "finetuned" / selected / "predictions.tsv")
    logits = predictions.set_index("participant_id")["logit"]
    for who in held_out:
        path = undisturbed / "maps" / "finetuned" / "lrp-epsilon"
        path = path / f"{who}_space-MNI152NLin6Asym_desc-lrpEpsilon_relevance.nii.gz"
        volume, sidecar = read_volume(path), read_json(path.with_name(path.name.replace(".nii.gz", ".json")))
        first = ledger[(ledger["participant_id"] == who) & (ledger["layer"] == "conv1")].iloc[0]
        assert float(volume.data.sum(dtype=np.float64)) == pytest.approx(first["relevance_in"], rel=1e-3, abs=1e-5)
        assert sidecar["Logit"] == pytest.approx(logits[who], rel=1e-4, abs=1e-6)
        assert sidecar["SeedNeuron"] == "logit"
        assert sidecar["Parameters"] == {"epsilon": 1e-3}
        stops = sidecar["FieldOfView"]["Stops"]
        assert stops == [71, 98, 71]
        outside = volume.data.copy()
        outside[: stops[0], : stops[1], : stops[2]] = 0
        assert not outside.any()


def test_group_averages_are_the_mean_of_their_maps(undisturbed: Path) -> None:
    folder = undisturbed / "maps" / "finetuned" / "lrp-epsilon"
    splits = read_tsv(undisturbed / "splits.tsv")
    for group in ("MS", "HC"):
        whose = splits[(splits["role"] == "holdout") & (splits["group"] == group)]["participant_id"]
        maps = [read_volume(next(folder.glob(f"{who}_*.nii.gz"))).data for who in whose]
        mean = read_volume(next(folder.glob(f"group-{group}_*.nii.gz"))).data
        np.testing.assert_allclose(mean, np.mean(maps, axis=0), atol=1e-6)
