"""A run directory is read as it is."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pellucid.analysis.crossed import correction
from pellucid.ground.errors import InputError
from pellucid.ground.files import read_json, write_json
from pellucid.image.grid import Grid
from pellucid.rundir.run import Trial, open_run, scan_name, seen_on, sidecar_sources


def test_everything_is_found(finished_run: Path) -> None:
    run = open_run(finished_run)
    assert [(trial.arm, trial.name) for trial in run.trials][:2] == [
        ("pretraining", "trial-00"),
        ("finetuned", "trial-00"),
    ]
    assert len(run.trials) == 6
    assert run.maps is not None
    assert (run.maps.arm, run.maps.method) == ("finetuned", "lrp-epsilon")
    assert run.maps.trial is not None
    assert run.maps.trial.name == "trial-00"
    assert run.positive == "MS"
    assert run.simulated == ["ms"]
    assert run.verdict is not None
    assert run.maps.of("sub-0001") is not None
    assert run.maps.of("sub-000") is None
    assert sidecar_sources(run)[0].startswith("maps/finetuned/lrp-epsilon/sub-0001_")


def test_the_field_of_view_is_what_the_sidecars_say(finished_run: Path) -> None:
    run = open_run(finished_run)
    assert run.maps is not None
    store = run.store(run.maps)
    assert store is not None
    seen = run.seen(store.grid)
    assert run.field_of_view is not None
    assert seen.mean() == pytest.approx(run.field_of_view["SeenShare"])
    stops = run.field_of_view["Stops"]
    assert seen[tuple(stop - 1 for stop in stops)]
    assert not seen[stops[0] :].any()


@pytest.mark.parametrize(
    ("arm", "name"),
    [
        ('scaling = "robust"', "ms"),
        ('scaling = "max"', "ms_max"),
        ('images = "lesion-mask"', "ms"),
        ('images = "lesion-filled"\nscaling = "max"', "ms_filled_max"),
    ],
)
def test_the_store_is_that_of_the_explained_arm(copy: Path, arm: str, name: str) -> None:
    """Though another holds the same participants."""
    spec = copy / "study.toml"
    spec.write_text(spec.read_text().replace("[training.finetuned]", f"[training.finetuned]\n{arm}"))
    for other in ("a", "ms_max", "ms_filled", "ms_filled_max"):
        shutil.copytree(copy / "stores" / "ms", copy / "stores" / other)
    run = open_run(copy)
    assert run.maps is not None
    store = run.store(run.maps)
    assert store is not None
    assert store.folder.name == name
    shutil.rmtree(store.folder)
    assert run.store(run.maps) is None


def test_without_a_specification_the_store_is_chosen_by_its_participants(copy: Path) -> None:
    other = shutil.copytree(copy / "stores" / "ms", copy / "stores" / "a-pretraining")
    table = (other / "table.tsv").read_text().replace("sub-0", "sub-9")
    (other / "table.tsv").write_text(table)
    (copy / "study.toml").unlink()
    run = open_run(copy)
    assert [name for name, _ in run.stores()] == ["a-pretraining", "ms"]
    assert run.maps is not None
    chosen = run.store(run.maps)
    assert chosen is not None
    assert chosen.folder.name == "ms"
    shutil.rmtree(chosen.folder)
    assert run.store(run.maps) is None


def test_the_explained_trial_is_the_one_that_all_sidecars_name(copy: Path, restate: Any) -> None:
    folder = copy / "maps" / "finetuned" / "lrp-epsilon"

    def explained() -> str | None:
        maps = open_run(copy).maps
        assert maps is not None
        return maps.trial.name if maps.trial else None

    assert explained() == "trial-00"
    restate(folder, Model="../../../models/finetuned/trial-02")  # selected.json names trial-00
    assert explained() == "trial-02"
    restate(folder, "sub-0001", Model="../../../models/finetuned/trial-01")
    assert explained() is None
    restate(folder, Model=["../../../models/finetuned/trial-01", "../../../models/finetuned/trial-02"])
    assert explained() is None


def test_patients_are_those_of_the_explained_arm_whichever_trials_were_explained(copy: Path, restate: Any) -> None:
    path = copy / "models" / "pretraining" / "trial-00" / "model.json"
    write_json(path, read_json(path) | {"classes": {"0": "CN", "1": "AD"}})
    restate(copy / "maps" / "finetuned" / "lrp-epsilon", Model=["trial-00", "trial-01"])
    assert open_run(copy).positive == "MS"
    shutil.rmtree(copy / "maps")
    assert open_run(copy).positive == "MS"


def test_only_a_cross_validated_arm_is_corrected(copy: Path) -> None:
    spec = copy / "study.toml"
    spec.write_text(f'{spec.read_text()}\n[splits.ms]\nscheme = "cross-validation"\nfolds = 2\nrepeats = 3\n')
    run = open_run(copy)
    assert run.correction("finetuned") == correction(2)
    assert run.correction("pretraining") == 1.0
    assert "a trial is a repeat" in run.spread_of_trials(["pretraining", "finetuned"])
    assert run.spread_of_trials(["pretraining"]) == "the optimiser's chance alone"


def test_drawn_training_subjects_are_part_of_the_spread_of_trials(copy: Path) -> None:
    spec = copy / "study.toml"
    spec.write_text(spec.read_text().replace("[training.scratch]", "[training.scratch]\nsubjects = 4"))
    run = open_run(copy)
    assert run.correction("scratch") == 1.0
    assert run.spread_of_trials(["finetuned"]) == "the optimiser's chance alone"
    assert "drawn to train on" in run.spread_of_trials(["finetuned", "scratch"])


def test_an_empty_run_has_nothing_and_says_so(tmp_path: Path) -> None:
    (tmp_path / "record.json").write_text("{}")
    run = open_run(tmp_path)
    assert run.spec == {}
    assert run.spec_text == ""
    assert run.trials == []
    assert run.maps is None
    assert run.positive is None
    assert run.field_of_view is None
    assert run.splits is None
    assert run.verdict is None
    assert run.table("table2") is None
    assert sidecar_sources(run) == []


def test_without_sidecars_everything_counts_as_seen(copy: Path) -> None:
    for path in (copy / "maps").rglob("*.json"):
        path.unlink()
    run = open_run(copy)
    assert run.maps is not None
    store = run.store(run.maps)
    assert store is not None
    assert run.field_of_view is None
    assert np.all(run.seen(store.grid))


def test_maps_of_another_arm_than_the_asked_one_are_not_taken(copy: Path) -> None:
    shutil.copytree(copy / "maps" / "finetuned", copy / "maps" / "another")
    maps = open_run(copy).maps
    assert maps is not None
    assert maps.arm == "finetuned"
    (copy / "study.toml").unlink()
    first = open_run(copy).maps
    assert first is not None
    assert first.arm == "another"
    assert first.trial is None


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("record.json", "{", "not valid JSON"),
        ("record.json", "[" * 100_000, "nested too deep"),
        ("study.toml", "a = " + "[" * 100_000, "nested too deep"),
        ("study.toml", "a = " + "1" * 5000, "a number of thousands of digits"),
        ("record.json", "[]", "not a record"),
        ("study.toml", "a =", "not valid TOML"),
    ],
)
def test_a_damaged_directory_is_refused(tmp_path: Path, name: str, text: str, words: str) -> None:
    (tmp_path / "record.json").write_text(json.dumps({}))
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=words):
        open_run(tmp_path)


def test_a_folder_without_a_record_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no run directory"):
        open_run(tmp_path)


def test_the_main_arm_is_the_first_that_is_explained(empty_run: Path) -> None:
    for text, arm in (('arms = ["b", "a"]', "b"), ("arms = []", None), ("", None)):
        (empty_run / "study.toml").write_text(f"[explain]\n{text}\n", encoding="utf-8")
        assert open_run(empty_run).main_arm == arm


def test_scans_are_named_as_in_bids() -> None:
    assert scan_name({"participant_id": "sub-01", "session_id": float("nan")}) == "sub-01"
    assert scan_name({"participant_id": "sub-01", "session_id": "ses-2"}) == "sub-01_ses-2"
    assert scan_name({"participant_id": "sub-01"}) == "sub-01"


def test_the_field_of_view_is_what_the_sidecar_says() -> None:
    grid = Grid.of((4, 4, 4), np.eye(4))
    mask = seen_on(grid, {"FieldOfView": {"Stops": [1, 2, 4]}})
    assert mask.sum() == 8
    assert mask[0, 1, 3]
    assert not mask[1, 0, 0]
    assert seen_on(grid, {}).all()


@pytest.mark.parametrize(
    ("file", "damage", "read", "words"),
    [
        ("predictions.tsv", lambda text: text.replace("role", "rule"), "predictions", "lacks the column role"),
        ("predictions.tsv", lambda text: text[:-5], "predictions", "the table is cut off in its last line"),
        ("predictions.tsv", lambda text: text.replace("\t0.", "\tx."), "predictions", "in column logit, no number"),
        ("history.tsv", lambda text: "\0" * len(text), "history", "history.tsv: "),
        ("history.tsv", lambda _: "", "history", "not a tab-separated table"),
    ],
)
def test_a_damaged_table_of_a_trial_is_named(
    file: str, damage: Callable[[str], str], read: str, words: str, tmp_path: Path
) -> None:
    columns = {
        "predictions.tsv": "participant_id\tgroup\tlabel\trole\tlogit\nsub-1\tMS\t1\ttrain\t0.5\n",
        "history.tsv": "epoch\ttrain_loss\tval_loss\n1\t0.5\t0.5\n",
    }
    trial = Trial("arm", "trial-00", tmp_path, {})
    (tmp_path / file).write_text(columns[file])
    assert len(getattr(trial, read)) == 1
    (tmp_path / file).write_text(damage(columns[file]))
    with pytest.raises(InputError, match=words) as caught:
        getattr(trial, read)
    assert caught.value.where == str(tmp_path / file)
