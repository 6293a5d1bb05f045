"""Fit one network once: batches, loss, early stopping, the best epoch's weights. No files."""

from __future__ import annotations

import math
import mmap
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits

from pellucid.cohort import augment
from pellucid.ground.arrays import BoolArray, Float32Array, Float64Array, IndexArray, Int64Array
from pellucid.ground.errors import InputError, PellucidError
from pellucid.ground.progress import Progress
from pellucid.network.allocator import keep_freed_memory
from pellucid.network.fused_functions import bfloat16_convolutions, bfloat16_obstacle
from pellucid.training.optimiser import KerasAdam
from pellucid.training.settings import Checkpoint, TrialSettings

History = list[dict[str, Any]]

_AT_ONCE = 4  # scans; the paper's network needs some 0.35 GB a scan in training


@dataclass(frozen=True, eq=False, slots=True)
class Scans:
    """What a network is fitted to.

    Parameters
    ----------
    images
        (N, X, Y, Z), in memory or memory-mapped; read batch by batch.
    labels
        (N,) of 0 and 1.
    stops
        The corner of the images that the network sees, `field_of_view(model).stops`; nothing else is read. Augmentation
        acts on the whole image before the corner is taken. None takes the whole image.
    """

    images: Float32Array
    labels: Int64Array
    stops: tuple[int, ...] | None = None


def fit(
    model: nn.Module,
    scans: Scans,
    rows: Mapping[str, IndexArray],
    settings: TrialSettings,
    *,
    penalty: Callable[[], torch.Tensor],
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Fit `model` in place, leave it with the weights of its best epoch, and return the history.

    The loss of a batch, and likewise of the validation scans, is the mean binary cross-entropy of the logits plus
    `l2 * penalty()`. Each epoch shuffles the training scans; the last batch may be short. Training stops after
    `patience` epochs without a lower validation loss. The best epoch is the first of lowest validation loss or of
    highest validation accuracy, as `settings.checkpoint` says (docs/original.md, 1.2).

    Parameters
    ----------
    model
        Any network from (B, 1, X, Y, Z) to logits (B,); its device and data type are used.
    scans, rows
        The scans, and which of them have the roles `train` and `validation`.
    settings
        All numbers of the trial.
    penalty
        Returns what `l2` weighs, of the model as it is.
    progress
        Called after each batch with batches done, batches at most, and the last epoch's result.

    Returns
    -------
    DataFrame
        One row an epoch: epoch (from 1), steps (in all, so far), learning_rate (of the last step), train_loss and
        train_accuracy (means over the epoch, while the weights move, dropout on), val_loss, val_accuracy, val_auc,
        seconds, best.

    Raises
    ------
    InputError
        bfloat16 is asked for, and this processor is no quicker with it.
    PellucidError
        The loss is not finite.
    """
    keep_freed_memory()
    if settings.precision == "bfloat16" and (why := bfloat16_obstacle()) is not None:
        raise InputError("precision", f"bfloat16 gains nothing here: {why}", 'Give "float32"')
    seeds = np.random.SeedSequence(settings.seed).generate_state(3)
    shuffle, draw = np.random.default_rng(seeds[0]), np.random.default_rng(seeds[1])
    optimiser = KerasAdam(model.parameters(), learning_rate=settings.learning_rate, decay=settings.decay)
    steps = math.ceil(len(rows["train"]) / settings.batch_size)
    total = steps * settings.max_epochs
    history: History = []
    weights: dict[str, torch.Tensor] = {}
    device = next(model.parameters()).device
    # Dropout draws from PyTorch's global generator: seed it for the trial, then leave it as it was found.
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(int(seeds[2]))
        for epoch in range(1, settings.max_epochs + 1):
            started = time.perf_counter()
            order = shuffle.permutation(rows["train"])
            loss_sum = size = 0.0
            correct = 0
            model.train()
            for step in range(steps):
                batch = order[step * settings.batch_size : (step + 1) * settings.batch_size]
                moved = augment.draw(draw, len(batch)) if settings.augment else augment.untouched(len(batch))
                loss, right = _accumulate(model, scans, batch, moved, settings, penalty)
                loss_sum += _finite(loss, "training", epoch, settings) * len(batch)
                correct += right
                size = optimiser.step()
                if progress is not None and step < steps - 1:
                    progress((epoch - 1) * steps + step + 1, total, _state(history, settings))
            means = {"train_loss": loss_sum / len(order), "train_accuracy": correct / len(order)}
            means |= _validate(model, scans, rows["validation"], settings, penalty, epoch=epoch)
            seconds = time.perf_counter() - started
            history.append(
                {"epoch": epoch, "steps": epoch * steps, "learning_rate": size} | means | {"seconds": seconds}
            )
            if best_epoch(history, settings.checkpoint) == epoch:
                weights = {name: value.detach().clone() for name, value in model.state_dict().items()}
            stop = epoch - best_epoch(history, "validation-loss") >= settings.patience
            if progress is not None:
                progress(total if stop else epoch * steps, total, _state(history, settings))
            if stop:
                break
    model.load_state_dict(weights)
    table = pd.DataFrame(history)
    return table.assign(best=table["epoch"] == best_epoch(history, settings.checkpoint))


def as_it_starts(
    model: nn.Module,
    scans: Scans,
    rows: Mapping[str, IndexArray],
    settings: TrialSettings,
    *,
    penalty: Callable[[], torch.Tensor],
) -> pd.DataFrame:
    """Return the history of a network that is not trained: one row, epoch 0, with the columns of `fit`'s."""
    started = time.perf_counter()
    keep_freed_memory()
    validated = _validate(model, scans, rows["validation"], settings, penalty, epoch=0)
    nothing = {"learning_rate": math.nan, "train_loss": math.nan, "train_accuracy": math.nan}
    row = {"epoch": 0, "steps": 0} | nothing | validated | {"seconds": time.perf_counter() - started, "best": True}
    return pd.DataFrame([row])


def _accumulate(
    model: nn.Module,
    scans: Scans,
    batch: IndexArray,
    moved: tuple[BoolArray, Int64Array],
    settings: TrialSettings,
    penalty: Callable[[], torch.Tensor],
) -> tuple[float, int]:
    """Add the gradient of a batch's loss to the model's; return the loss and how many scans were right.

    The batch goes through the network a few scans at a time, which changes nothing (no layer looks across scans) and
    keeps the memory at that of a few; a network with batch norm, which does look, gets the batch whole.
    """
    at_once = scans_at_once(model, settings.batch_size)
    flip, shift = moved
    loss = settings.l2 * penalty()
    loss.backward()  # type: ignore[no-untyped-call]
    total, correct = loss.item(), 0
    for first in range(0, len(batch), at_once):
        part = slice(first, first + at_once)
        x = _input(model, scans, batch[part], (flip[part], shift[part]))
        with bfloat16_convolutions() if settings.precision == "bfloat16" else nullcontext():
            logit = model(x)
        target = torch.as_tensor(scans.labels[batch[part]], dtype=logit.dtype, device=logit.device)
        share = binary_cross_entropy_with_logits(logit, target, reduction="sum") / len(batch)
        share.backward()  # type: ignore[no-untyped-call]
        total += share.item()
        correct += int(((logit.detach() > 0) == (target > 0.5)).sum())
    return total, correct


def scans_at_once(model: nn.Module, batch_size: int) -> int:
    """Return how many scans of a batch go through a network together in training: 4, or all if it has batch norm."""
    across = any(isinstance(layer, nn.modules.batchnorm._BatchNorm) for layer in model.modules())
    return batch_size if across else min(batch_size, _AT_ONCE)


def best_epoch(history: History, checkpoint: Checkpoint) -> int:
    """Return the epoch, from 1, that is the first of lowest validation loss or of highest validation accuracy."""
    if checkpoint == "validation-loss":
        return 1 + int(np.argmin([row["val_loss"] for row in history]))
    return 1 + int(np.argmax([row["val_accuracy"] for row in history]))


def logits(model: nn.Module, scans: Scans, rows: IndexArray, *, batch_size: int) -> Float64Array:
    """Return the logits (n,) of the scans in `rows`: no augmentation, no dropout."""
    was_training = model.training
    model.eval()
    found = [np.zeros(0)]
    with torch.no_grad():
        for first in range(0, len(rows), batch_size):
            batch = rows[first : first + batch_size]
            x = _input(model, scans, batch, augment.untouched(len(batch)))
            found.append(model(x).double().cpu().numpy())
    model.train(was_training)
    return np.concatenate(found)


def _input(model: nn.Module, scans: Scans, rows: IndexArray, moved: tuple[BoolArray, Int64Array]) -> torch.Tensor:
    """Return scans as x: (B, 1, X, Y, Z) of the model's data type, on its device."""
    volumes = augment.apply(scans.images, rows, *moved, stops=scans.stops)
    _forget_pages(scans.images)
    parameter = next(model.parameters())
    return torch.from_numpy(volumes)[:, None].to(device=parameter.device, dtype=parameter.dtype)


def _forget_pages(images: Float32Array) -> None:
    """Unmap what was read of a memory-mapped array: the system's cache keeps it, this process need not hold it too."""
    mapping = getattr(images, "_mmap", None)
    if mapping is not None and hasattr(mmap, "MADV_DONTNEED"):
        mapping.madvise(mmap.MADV_DONTNEED)


def _validate(
    model: nn.Module,
    scans: Scans,
    rows: IndexArray,
    settings: TrialSettings,
    penalty: Callable[[], torch.Tensor],
    *,
    epoch: int,
) -> dict[str, float]:
    """Return loss, accuracy and AUC on the validation scans; the AUC is NaN if they are of one class."""
    from sklearn.metrics import roc_auc_score

    # deviates: Keras clips probabilities at 1e-7 in its loss; logits need none, and differ only beyond +-16.
    z = logits(model, scans, rows, batch_size=settings.batch_size)
    y = scans.labels[rows]
    _finite(float(np.abs(z).max()), "validation", epoch, settings)
    with torch.no_grad():
        l2 = settings.l2 * float(penalty())
    both = 0 < y.sum() < len(y)
    return {
        "val_loss": float(np.mean(np.logaddexp(0.0, z) - y * z)) + l2,
        "val_accuracy": float(np.mean((z > 0) == (y == 1))),
        "val_auc": float(roc_auc_score(y, z)) if both else math.nan,
    }


def _finite(loss: float, what: str, epoch: int, settings: TrialSettings) -> float:
    """Return the loss; raise PellucidError if it is not finite."""
    if not math.isfinite(loss):
        raise PellucidError(
            f"Training diverged: the {what} loss is {loss} in epoch {epoch}. "
            f"Lower learning_rate ({settings.learning_rate:g}), or check the intensity scaling of the scans."
        )
    return loss


def _state(history: History, settings: TrialSettings) -> str:
    """Say how far training is: `epoch 3/20: val loss 0.41, val acc 0.83`."""
    if not history:
        return f"epoch 1/{settings.max_epochs}"
    last = history[-1]
    values = f"val loss {last['val_loss']:.2f}, val acc {last['val_accuracy']:.2f}"
    return f"epoch {last['epoch']}/{settings.max_epochs}: {values}"
