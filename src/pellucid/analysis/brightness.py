"""How well a brain's mean brightness alone classifies: what a scaling gives away before any network looks."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from pellucid.analysis.classification import over_trials
from pellucid.ground.errors import InputError
from pellucid.image.scaling import SCALINGS, scale


def mean_brightness(image: npt.ArrayLike, brain: npt.ArrayLike) -> dict[str, float]:
    """Return the mean over the brain of one unscaled image under each scaling of SCALINGS.

    Parameters
    ----------
    image
        The image before scaling, (X, Y, Z).
    brain
        The brain mask, bool, same shape.
    """
    inside = np.asarray(brain, dtype=bool)
    return {name: float(scale(np.asarray(image), inside, name)[inside].mean(dtype=np.float64)) for name in SCALINGS}


def brightness_alone(means: pd.DataFrame) -> pd.DataFrame:
    """Score "brighter means patient" for each scaling, with intervals over people (`over_trials`).

    Parameters
    ----------
    means
        One row a scan: participant_id, label (0 or 1), and one column of mean brightness for each scaling.

    Returns
    -------
    One row a scaling found in `means`: scaling, auc, low, high, few, reason, separability. An AUC below 0.5 stays
    below 0.5: patients are then the darker ones. separability = max(auc, 1 - auc), what a classifier could make of it.

    Raises
    ------
    InputError
        If a class or every scaling's column is missing.
    """
    rows = []
    for name in [scaling for scaling in SCALINGS if scaling in means]:
        table = means.assign(trial=0, logit=means[name])
        auc = over_trials(table).set_index("metric").loc["auc"]
        rows.append(
            (name, auc["mean"], auc["low"], auc["high"], auc["few"], auc["reason"], max(auc["mean"], 1.0 - auc["mean"]))
        )
    if not rows:
        raise InputError("brightness", "there is no column of mean brightness", f"Give one of {', '.join(SCALINGS)}")
    return pd.DataFrame(rows, columns=["scaling", "auc", "low", "high", "few", "reason", "separability"])
