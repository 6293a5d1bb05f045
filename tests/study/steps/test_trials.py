"""Trials of a study: their seeds, the one that is selected, and what lies beside it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pellucid.ground.files import read_json, read_tsv
from pellucid.ground.seeds import derive_seed
from pellucid.image.nifti import read_volume
from pellucid.rundir.folder import RunFolder
from pellucid.spec.reading import find_spec, read_spec
from pellucid.study.plan import Plan
from pellucid.study.run import study_tasks


def test_trials_of_all_arms_are_paired_by_seed(undisturbed: Path) -> None:
    seeds = {
        path.parent.relative_to(undisturbed / "models").as_posix(): read_json(path)["trained"]["settings"]["seed"]
        for path in undisturbed.glob("models/*/trial-*/model.json")
    }
    expected = {number: derive_seed(3, "trial", number) for number in (0, 1)}
    assert seeds == {
        "pretraining/trial-00": expected[0],
        "finetuned/trial-00": expected[0],
        "finetuned/trial-01": expected[1],
        "scratch/trial-00": expected[0],
    }


def test_the_first_trial_of_every_arm_runs_before_the_second_of_any(tmp_path: Path) -> None:
    """Whoever stops a run early has arms to compare. An arm that others start from comes to its end before them."""
    spec = read_spec(find_spec("eitel2019")).at_most(2)
    names = [task.name for task in study_tasks(Plan(spec, RunFolder(tmp_path))) if task.name.startswith("train/")]
    numbers = {arm: [n for n, name in enumerate(names) if f"/{arm}/" in name] for arm in spec.training}
    later = {arm: found for arm, found in numbers.items() if arm != "pretraining"}
    assert max(found[0] for found in later.values()) < min(found[1] for found in later.values() if len(found) > 1)
    assert max(numbers["pretraining"]) < min(numbers["finetuned"])


def test_the_selected_trial_has_the_lowest_validation_loss(undisturbed: Path) -> None:
    losses = {
        path.parent.name: float(read_tsv(path)["val_loss"].min())
        for path in (undisturbed / "models" / "finetuned").glob("*/history.tsv")
    }
    selected = read_json(undisturbed / "models" / "finetuned" / "selected.json")
    assert selected["trial"] == min(losses, key=lambda name: losses[name])
    assert selected["validation_loss"] == pytest.approx(losses, rel=1e-12)


def test_the_population_map_is_of_training_subjects_only(undisturbed: Path) -> None:
    splits = read_tsv(undisturbed / "splits.tsv").set_index("participant_id")["role"]
    table = read_tsv(undisturbed / "stores" / "ms" / "table.tsv")
    masks = np.load(undisturbed / "stores" / "ms" / "lesions.npy")
    train = [n for n, who in enumerate(table["participant_id"]) if splits[who] == "train"]
    found = read_volume(undisturbed / "models" / "finetuned" / "population_lesions.nii.gz")
    np.testing.assert_allclose(found.data, masks[train].mean(axis=0), atol=1e-7)
