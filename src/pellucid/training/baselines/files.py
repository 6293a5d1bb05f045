"""The files of a baseline: history, weight map, predictions and, last, the description that says all are there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from pellucid.cohort.store import Store
from pellucid.ground.arrays import Float64Array
from pellucid.ground.errors import InputError
from pellucid.ground.files import read_json, read_tsv, write_json, write_tsv
from pellucid.image.nifti import sidecar_path, write_volume
from pellucid.training.baselines.features import VOXELS, Features
from pellucid.training.baselines.search import Fit

_FILES = ("history.tsv", "predictions.tsv", "model.json")  # in the order in which they are written
_MAP = "weights.nii.gz"  # before the predictions, where there is one


@dataclass(frozen=True, eq=False)
class BaselineResult:
    """A finished baseline.

    Parameters
    ----------
    folder
        Holds history.tsv, predictions.tsv, model.json and, for a linear machine on images, weights.nii.gz with its
        sidecar.
    history
        One row a point of the grid: what it is, metric, mean and sd over the inner folds, chosen (`history_of`).
    predictions
        One row a scan of every role, but for those left out: participant_id, session_id, group, label, role, logit,
        probability. The logit is the decision value; of a support vector machine it is a margin, which is no log-odds,
        and the probability is missing.
    described
        What model.json says.
    """

    folder: Path
    history: pd.DataFrame
    predictions: pd.DataFrame
    described: dict[str, Any]

    @property
    def excluded(self) -> list[dict[str, Any]]:
        """Scans left out: participant_id, session_id, role, reason."""
        return list(self.described["excluded"])


def write_baseline(
    folder: Path, store: Store, features: Features, fit: Fit, predictions: pd.DataFrame, described: dict[str, Any]
) -> None:
    """Write a baseline's files, model.json last; what an earlier baseline left there goes first.

    `predictions` are as `BaselineResult` describes them; `described` is what model.json shall say besides what the fit
    says.
    """
    import sklearn

    for name in ("model.json", _MAP, sidecar_path(Path(_MAP)).name):
        (folder / name).unlink(missing_ok=True)
    write_tsv(folder / "history.tsv", fit.history)
    if features.names == VOXELS and fit.weights is not None:
        _write_map(folder / _MAP, store, fit.weights, fit.intercept)
    write_tsv(folder / "predictions.tsv", predictions)
    said = {
        "chosen": _chosen(fit),
        "features": features.names,
        "weights": _weights(fit, features),
        "intercept": fit.intercept,
        "probability_not_calibrated": "sigmoid of the decision value; missing where that is a margin, no log-odds",
        "scikit_learn": sklearn.__version__,
    }
    write_json(folder / "model.json", described | said | fit.details)


def read_baseline(folder: Path) -> BaselineResult:
    """Read a finished baseline from its folder.

    Raises
    ------
    InputError
        A file of it is missing or damaged.
    """
    result = finished_baseline(Path(folder))
    if result is None:
        raise InputError(folder, f"is not a finished baseline: it needs {', '.join(_FILES)}", "Run the baseline again")
    return result


def finished_baseline(folder: Path) -> BaselineResult | None:
    """Return the finished baseline in a folder, or None; raise InputError if a file of it is damaged."""
    if not all((folder / name).exists() for name in _FILES):
        return None
    described = dict(read_json(folder / "model.json"))
    if described["weights"] == _MAP and not (folder / _MAP).exists():
        return None
    return BaselineResult(folder, read_tsv(folder / "history.tsv"), read_tsv(folder / "predictions.tsv"), described)


def _write_map(path: Path, store: Store, weights: Float64Array, intercept: float | None) -> None:
    """Write the weights of a linear machine as an image."""
    sidecar = {
        "Description": "logit = sum over voxels of weight x prepared image + Intercept",
        "Intercept": intercept,
        "Scaling": store.scaling,
    }
    image = weights.reshape(store.grid.shape)
    write_volume(path, image, store.grid, description="SVM weights", sidecar=sidecar)


def _chosen(fit: Fit) -> dict[str, Any]:
    """Return the chosen row of the history as JSON types."""
    row = fit.history[fit.history["chosen"]].drop(columns="chosen").astype(object)
    return dict(row.where(row.notna(), None).to_dict("records")[0])  # type: ignore[arg-type]


def _weights(fit: Fit, features: Features) -> str | dict[str, float] | None:
    """Return the weight of each feature, or the file that holds them, or None."""
    if fit.weights is None:
        return None
    if features.names == VOXELS:
        return _MAP
    return dict(zip(features.names, fit.weights.tolist(), strict=True))
