"""Maps of a study: one a held-out subject, their ledger and their averages."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pellucid.ground.files import read_json, read_tsv, write_tsv
from pellucid.image.nifti import read_volume
from pellucid.rundir.folder import RunFolder
from pellucid.spec.reading import read_spec
from pellucid.study.plan import Plan
from pellucid.study.steps.explaining import explain_holdout, explained_trials


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


def test_the_trial_that_is_best_on_the_holdout_is_explained_if_asked(undisturbed: Path, tmp_path: Path) -> None:
    spec = read_spec(undisturbed / "study.toml")
    assert spec.explain is not None
    folder = RunFolder(tmp_path / "run")
    shutil.copytree(undisturbed / "models", folder.root / "models")
    logits = {0: [1.0, 1.0, -1.0, 1.0], 1: [1.0, 1.0, -1.0, -1.0]}  # the second trial is right about everybody
    for number, values in logits.items():
        path = folder.trial("finetuned", number) / "predictions.tsv"
        table = read_tsv(path)
        held_out = table["role"] == "holdout"
        assert held_out.sum() == 4
        ordered = table[held_out].sort_values("label", ascending=False).index
        table.loc[ordered, "logit"] = values
        write_tsv(path, table)
    asked = replace(spec.explain, choose="holdout")
    assert explained_trials(Plan(spec, folder), asked, "finetuned", 0) == ["trial-01"]
    selected = read_json(folder.arm("finetuned") / "selected.json")["trial"]
    assert explained_trials(Plan(spec, folder), spec.explain, "finetuned", 0) == [selected]


def test_averages_may_be_of_the_correct_ones(undisturbed: Path, tmp_path: Path) -> None:
    root = tmp_path / "run"
    shutil.copytree(undisturbed, root)
    folder = root / "maps" / "finetuned" / "lrp-epsilon"
    for path in folder.glob("group-*"):
        path.unlink()
    spec = read_spec(root / "study.toml")
    assert spec.explain is not None
    explain_holdout(
        Plan(spec, RunFolder(root)), replace(spec.explain, averages="correct"), "finetuned", lambda *_: None
    )
    groups = read_tsv(root / "splits.tsv").set_index("participant_id")["group"]
    for group, sign in (("MS", 1.0), ("HC", -1.0)):
        maps = []
        for path in sorted(folder.glob("sub-*.nii.gz")):
            right = sign * read_json(path.with_name(path.name.replace(".nii.gz", ".json")))["Logit"] > 0
            if right and groups[path.name.split("_")[0]] == group:
                maps.append(read_volume(path).data)
        found = list(folder.glob(f"group-{group}_*.nii.gz"))
        assert len(found) == bool(maps)
        if maps:
            np.testing.assert_allclose(read_volume(found[0]).data, np.mean(maps, axis=0), atol=1e-6)
            sidecar = read_json(found[0].with_name(found[0].name.replace(".nii.gz", ".json")))
            assert sidecar["Scans"] == len(maps)
            assert "correctly classified" in sidecar["Description"]
