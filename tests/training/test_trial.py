from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from pellucid.cohort.store import Store
from pellucid.ground.errors import InputError, LeakageError
from pellucid.ground.files import read_json, sha256
from pellucid.image.grid import MNI_1MM, resized
from pellucid.network.files import load_model
from pellucid.network.paper import PaperNetwork
from pellucid.network.whole_brain import WholeBrainNetwork
from pellucid.training import trial
from pellucid.training.settings import TrialSettings
from pellucid.training.trial import TrialResult, read_trial, run_trial, selected_trial

Rows = dict[str, np.ndarray]
FILES = ["history.tsv", "model.json", "model.safetensors", "predictions.tsv"]


def settings(**changes: Any) -> TrialSettings:
    return TrialSettings(**({"learning_rate": 5e-3, "max_epochs": 2, "batch_size": 4, "seed": 1} | changes))


def run(store: Store, rows: Rows, folder: Path, **changes: Any) -> TrialResult:
    return run_trial(store, rows, settings(**changes), folder, channels=2)


@pytest.fixture(scope="module")
def finished(store: Store, rows: Rows, tmp_path_factory: pytest.TempPathFactory) -> TrialResult:
    return run(store, rows, tmp_path_factory.mktemp("trial") / "trial-00")


def test_files(finished: TrialResult, store: Store) -> None:
    assert sorted(path.name for path in finished.folder.iterdir()) == FILES
    assert finished.history.columns.tolist() == [
        *("epoch", "steps", "learning_rate", "train_loss", "train_accuracy"),
        *("val_loss", "val_accuracy", "val_auc", "seconds", "best"),
    ]
    assert finished.history["steps"].tolist() == [3, 6]
    best = finished.history[finished.history["best"]]
    assert best["val_loss"].tolist() == [finished.validation_loss] == [finished.history["val_loss"].min()]
    described = read_json(finished.folder / "model.json")
    assert described["scaling"] == "robust"
    assert described["resampling"] == store.resampling == "cubic"
    assert described["modality"] == "FLAIR"
    assert described["classes"] == {"0": "HC", "1": "MS"}
    assert described["trained"]["epoch"] == best["epoch"].iloc[0]
    assert described["trained"]["settings"] == settings().to_json()
    assert described["trained"]["scans"] == {"train": 10, "validation": 4, "holdout": 4}
    assert described["trained"]["initial"] is None
    assert "sub-" not in (finished.folder / "model.json").read_text()


def test_predictions_are_the_kept_model_s_on_whole_images(finished: TrialResult, store: Store, rows: Rows) -> None:
    table = finished.predictions
    assert table.columns.tolist() == [
        *("participant_id", "session_id", "group", "label", "role", "logit", "probability_not_calibrated"),
    ]
    assert table["participant_id"].tolist() == store.table["participant_id"].tolist()
    assert table["role"].tolist() == ["train"] * 10 + ["validation"] * 4 + ["holdout"] * 4
    model = finished.model()
    with torch.no_grad():
        z = model(torch.from_numpy(store.images)[:, None]).double().numpy()
    np.testing.assert_allclose(table["logit"], z, atol=1e-5)
    np.testing.assert_allclose(table["probability_not_calibrated"], 1 / (1 + np.exp(-table["logit"])))
    held = table[table["role"] == "validation"]
    accuracy = ((held["probability_not_calibrated"] > 0.5) == (held["label"] == 1)).mean()
    assert accuracy == finished.trained["val_accuracy"]
    cross_entropy = -np.log(
        np.where(held["label"] == 1, held["probability_not_calibrated"], 1 - held["probability_not_calibrated"])
    ).mean()
    l2 = 0.01 * sum(layer.weight.detach().square().sum().item() for layer in (model.conv3, model.conv4))
    assert finished.validation_loss == pytest.approx(cross_entropy + l2, rel=1e-6)


def test_same_seed_same_bits(finished: TrialResult, store: Store, rows: Rows, tmp_path: Path) -> None:
    again = run(store, rows, tmp_path / "again")
    for name in ("model.safetensors", "predictions.tsv"):
        assert sha256(again.folder / name) == sha256(finished.folder / name)
    pd.testing.assert_frame_equal(
        again.history.drop(columns="seconds"), finished.history.drop(columns="seconds"), check_exact=True
    )
    other = run(store, rows, tmp_path / "other", seed=2)
    assert sha256(other.folder / "model.safetensors") != sha256(finished.folder / "model.safetensors")


def test_a_finished_trial_is_read_not_run(
    finished: TrialResult, store: Store, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError

    monkeypatch.setattr(trial, "fit", never)
    again = run(store, rows, finished.folder)
    pd.testing.assert_frame_equal(again.predictions, finished.predictions)
    assert again.trained == finished.trained
    with pytest.raises(InputError, match="other settings, scans or start"):
        run(store, rows, finished.folder, seed=9)
    with pytest.raises(InputError, match="other settings, scans or start"):
        run(store, rows | {"holdout": rows["holdout"][:2]}, finished.folder)
    with pytest.raises(InputError, match="other settings, scans or start"):
        run_trial(store, rows, settings(), finished.folder, channels=3)
    with pytest.raises(InputError, match="other settings, scans or start"):
        run_trial(store, rows, settings(), finished.folder, initial=finished.model())


@pytest.mark.parametrize("at", ["write_tsv", "predictions", "save_model"])
def test_stopped_and_run_again(
    finished: TrialResult, store: Store, rows: Rows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    folder = tmp_path / "trial-00"
    with monkeypatch.context() as patch:
        patch.setattr(trial, at, stop)
        with pytest.raises(KeyboardInterrupt):
            run(store, rows, folder)
    with pytest.raises(InputError, match=r"is not a finished trial: .*model\.json missing"):
        read_trial(folder)
    assert sha256(run(store, rows, folder).folder / "predictions.tsv") == sha256(finished.folder / "predictions.tsv")


def test_a_trial_that_lost_a_file_is_run_again_from_nothing(store: Store, rows: Rows, tmp_path: Path) -> None:
    first = run(store, rows, tmp_path)
    (tmp_path / "predictions.tsv").unlink()
    with pytest.raises(InputError, match=r"predictions\.tsv missing"):
        read_trial(tmp_path)
    second = run(store, rows, tmp_path)
    pd.testing.assert_frame_equal(first.predictions, second.predictions)


def test_transfer_takes_the_whole_model_and_leaves_it_as_it_was(store: Store, rows: Rows, tmp_path: Path) -> None:
    initial = PaperNetwork(2, store.grid, seed=11)
    before = {name: value.clone() for name, value in initial.state_dict().items()}
    # With a vanishing step the result is the start itself, head and all.
    still = run_trial(store, rows, settings(learning_rate=1e-12), tmp_path / "still", initial=initial)
    for name, value in still.model().state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=1e-9)
    moved = run_trial(store, rows, settings(), tmp_path / "moved", initial=initial)
    assert all(torch.equal(value, before[name]) for name, value in initial.state_dict().items())
    for name, value in moved.model().state_dict().items():
        assert not torch.equal(value, before[name]), name  # nothing is frozen
    assert moved.trained["initial"] is not None
    assert moved.trained["initial"] == still.trained["initial"]
    assert not moved.model().training


def test_a_loaded_model_can_be_a_start(finished: TrialResult, store: Store, rows: Rows, tmp_path: Path) -> None:
    result = run_trial(store, rows, settings(max_epochs=1), tmp_path, initial=load_model(finished.folder))
    assert result.model().info.trained["initial"] == result.trained["initial"]


def test_a_whole_brain_network_can_be_fitted_and_be_a_start(
    finished: TrialResult, store: Store, rows: Rows, tmp_path: Path
) -> None:
    def fitted(folder: Path, **options: Any) -> TrialResult:
        return run_trial(store, rows, settings(max_epochs=1), folder, channels=2, **options)

    first = fitted(tmp_path / "first", architecture="whole-brain")
    model = first.model()
    assert type(model) is WholeBrainNetwork
    with torch.no_grad():
        z = model(torch.from_numpy(store.images)[:, None]).double().numpy()
    np.testing.assert_allclose(first.predictions["logit"], z, atol=1e-5)
    assert fitted(tmp_path / "first", architecture="whole-brain").trained == first.trained  # read, not run
    assert type(fitted(tmp_path / "second", initial=model).model()) is WholeBrainNetwork
    for folder, options in (("first", {}), ("second", {"initial": finished.model()})):
        with pytest.raises(InputError, match="other settings, scans or start"):
            fitted(tmp_path / folder, **options)
    with pytest.raises(InputError, match="other settings, scans or start"):
        run_trial(store, rows, settings(), finished.folder, channels=2, architecture="whole-brain")


def test_without_holdout(store: Store, rows: Rows, tmp_path: Path) -> None:
    few = {"train": rows["train"], "validation": rows["validation"], "holdout": np.arange(0)}
    result = run(store, few, tmp_path, max_epochs=1)
    assert sorted(set(result.predictions["role"])) == ["train", "validation"]
    assert len(result.predictions) == 14


def test_it_learns(store: Store, rows: Rows, tmp_path: Path) -> None:
    result = run(store, rows, tmp_path, max_epochs=12, learning_rate=1e-2, seed=2)
    held = result.predictions[result.predictions["role"] != "train"]
    assert held["logit"][held["label"] == 1].min() > held["logit"][held["label"] == 0].max()
    assert result.history["train_loss"].iloc[-1] < result.history["train_loss"].iloc[0]


def test_selected_trial(finished: TrialResult) -> None:
    losses = [0.5, 0.3, 0.3, 0.4]
    results = [
        TrialResult(Path(f"trial-{n:02d}"), finished.history, finished.predictions, {"val_loss": loss})
        for n, loss in enumerate(losses)
    ]
    assert selected_trial(results) is results[1]


def test_what_cannot_be_trained_on(store: Store, rows: Rows, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"train: a study with one class only \(HC\)"):
        run(store, rows | {"train": np.array([0, 2, 4])}, tmp_path)
    with pytest.raises(InputError, match=r"validation: a study with one class only \(MS\)"):
        run(store, rows | {"validation": np.array([11, 13])}, tmp_path)
    with pytest.raises(InputError, match=r"validation: a study with one class only \(no participants\)"):
        run(store, {"train": rows["train"]}, tmp_path)
    with pytest.raises(InputError, match="the role 'test' is unknown"):
        run(store, {"train": rows["train"], "validation": rows["validation"], "test": rows["holdout"]}, tmp_path)
    with pytest.raises(LeakageError, match=r"ms/train and ms/holdout share sub-09 \(1\)"):
        run(store, rows | {"holdout": np.array([9, 14])}, tmp_path)
    other = PaperNetwork(2, resized(MNI_1MM, (72, 74, 72)), seed=0)
    with pytest.raises(InputError, match="the model is for 72x74x72"):
        run_trial(store, rows, settings(), tmp_path, initial=other)
    assert list(tmp_path.iterdir()) == []
