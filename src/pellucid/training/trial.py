"""A trial: one model fitted once on one store, with its files; a finished trial is never run again."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from pellucid.cohort.splits import ROLES
from pellucid.cohort.store import Store
from pellucid.ground.arrays import IndexArray
from pellucid.ground.errors import InputError
from pellucid.ground.files import read_json, read_tsv, write_tsv
from pellucid.ground.progress import Progress
from pellucid.network.architectures import Network, build_network
from pellucid.network.files import load_model, save_model
from pellucid.network.foreign import Maker
from pellucid.network.info import ModelInfo
from pellucid.training.fit import Scans, as_it_starts, fit, logits
from pellucid.training.roles import check_roles, digest_scans, predictions
from pellucid.training.settings import TrialSettings

_FILES = ("history.tsv", "predictions.tsv", "model.safetensors", "model.json")  # in the order in which they are written


@dataclass(frozen=True, eq=False)
class TrialResult:
    """A finished trial.

    Parameters
    ----------
    folder
        Holds model.safetensors, model.json, history.tsv and predictions.tsv.
    history
        One row an epoch, as `pellucid.training.fit.fit` gives it.
    predictions
        One row a scan of every role: participant_id, session_id, group, label, role, logit, and
        probability_not_calibrated, its sigmoid. The diagnosis is positive where that exceeds 0.5.
    trained
        What model.json says of the training: settings, epoch, val_loss and so on, of the epoch whose weights were kept.
    """

    folder: Path
    history: pd.DataFrame
    predictions: pd.DataFrame
    trained: dict[str, Any]

    @property
    def validation_loss(self) -> float:
        """The validation loss of the model that was kept."""
        return float(self.trained["val_loss"])

    def model(self, *, network: str | Maker | None = None) -> Network:
        """Load the model that was kept; of a network that is not Pellucid's the class must be given."""
        return load_model(self.folder, network=network)


def run_trial(
    store: Store,
    rows: Mapping[str, IndexArray],
    settings: TrialSettings,
    folder: Path,
    *,
    initial: Network | None = None,
    architecture: str = "paper",
    channels: int = 64,
    options: Mapping[str, Any] | None = None,
    images: str = "prepared",
    untrained: bool = False,
    progress: Progress | None = None,
) -> TrialResult:
    """Fit a network once and write model, history and predictions; or read them, if that was done before.

    With one seed and one number of threads, two runs on one kind of processor give the same bits.

    Parameters
    ----------
    store
        The scans.
    rows
        Rows of the store by role, as `pellucid.cohort.splits.rows_of` gives them: train, validation and, if there is
        one, holdout, which is predicted but has no influence.
    settings
        All numbers of the trial.
    folder
        Where its files shall lie. model.json is written last: a folder without it is no finished trial.
    initial
        A network to start from, taken whole with its head, nothing frozen, with a fresh optimiser (Eitel 2019's
        transfer); it is left as it is. None starts from random weights drawn by `settings.seed`.
    architecture, channels, options
        Which network, as `pellucid.network.architectures.build_network` takes them; without `initial`.
    images
        What the store's images are, for the model's description.
    untrained
        Keep the network as it starts; the history then has one row, epoch 0.
    progress
        As in `pellucid.training.fit.fit`.

    Raises
    ------
    InputError
        A role that is unknown, empty or of one class, a model of another grid, a network that cannot be made, or
        another trial in the folder.
    LeakageError
        A participant in two roles.
    PellucidError
        The loss is not finite.
    """
    folder = Path(folder)
    _check_rows(store, rows)
    if initial is not None and not initial.grid.matches(store.grid):
        raise InputError(
            "initial", f"the model is for {initial.grid}, the store has {store.grid}", "Prepare both in the same way"
        )
    if initial is None:
        model = build_network(architecture, store.grid, channels=channels, options=options, seed=_seed(settings))
    else:
        model = copy.deepcopy(initial)
    asked = {
        "settings": settings.to_json(),
        "images": images,
        "untrained": untrained,
        "channels": model.channels,
        "initial": None if initial is None else _digest(initial),
        "scans": {role: len(rows[role]) for role in ROLES if role in rows},
        "scans_sha256": digest_scans(store, rows),
    }
    if all((folder / name).exists() for name in _FILES):
        result = read_trial(folder)
        described = read_json(folder / "model.json")
        other = described["architecture"] != model.name or described.get("options") != model.options
        if other or any(result.trained.get(key) != value for key, value in asked.items()):
            raise InputError(folder, "contains a trial with other settings, scans or start", "Name another folder")
        return result
    (folder / "model.json").unlink(missing_ok=True)
    scans = Scans(store.images, store.table["label"].to_numpy(), model.corner)
    if untrained:
        history = as_it_starts(model, scans, rows, settings, penalty=model.penalty)
    else:
        history = fit(model, scans, rows, settings, penalty=model.penalty, progress=progress)
    best = history[history["best"]].iloc[0]
    write_tsv(folder / "history.tsv", history)
    found = {role: logits(model, scans, index, batch_size=settings.batch_size) for role, index in rows.items()}
    write_tsv(folder / "predictions.tsv", predictions(store, rows, found))
    trained = asked | {
        "epoch": int(best["epoch"]),
        "epochs": len(history),
        **{name: float(best[name]) for name in ("val_loss", "val_accuracy", "val_auc")},
        "seconds": float(history["seconds"].sum()),
        "threads": torch.get_num_threads(),
    }
    info = ModelInfo(
        modality=store.modality,
        scaling=store.scaling,
        resampling=store.resampling,
        classes=store.classes,
        trained=trained,
    )
    save_model(folder, model, info)
    return read_trial(folder)


def read_trial(folder: Path) -> TrialResult:
    """Read a finished trial from its folder.

    Raises
    ------
    InputError
        A file of it is missing or damaged.
    """
    folder = Path(folder)
    missing = [name for name in _FILES if not (folder / name).exists()]
    if missing:
        raise InputError(folder, f"is not a finished trial: {', '.join(missing)} missing", "Run the trial again")
    return TrialResult(
        folder=folder,
        history=read_tsv(folder / "history.tsv"),
        predictions=read_tsv(folder / "predictions.tsv"),
        trained=dict(read_json(folder / "model.json")["trained"]),
    )


def selected_trial(results: Sequence[TrialResult]) -> TrialResult:
    """Return the trial of lowest validation loss, the first of them if several tie."""
    # deviates: the paper's code explained the trials that were best on the holdout.
    return min(results, key=lambda result: result.validation_loss)


def _check_rows(store: Store, rows: Mapping[str, IndexArray]) -> None:
    """Refuse roles that cannot be trained on, and participants in two of them."""
    check_roles(store, rows)
    for role in ("train", "validation"):
        groups = sorted(set(store.table["group"].iloc[rows[role]])) if role in rows else []
        if len(groups) < 2:
            found = ", ".join(groups) or "no participants"
            raise InputError(role, f"a study with one class only ({found})", "Give scans of both groups for this role")


def _seed(settings: TrialSettings) -> int:
    """Return the seed of random weights."""
    # Not the first words of the sequence: those seed batch order, augmentation and dropout.
    return int(np.random.SeedSequence(settings.seed).generate_state(4)[3])


def _digest(model: Network) -> str:
    """Return the SHA-256 of a network's weights."""
    content = hashlib.sha256()
    for name, value in model.state_dict().items():
        content.update(name.encode())
        content.update(value.detach().cpu().contiguous().numpy().tobytes())
    return content.hexdigest()
