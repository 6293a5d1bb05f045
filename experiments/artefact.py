"""What can see a planted fault of the receive coil: the table of docs/simulation.md.

    python experiments/artefact.py --out runs/artefact

50 patients and 50 controls of 4 mm, every true effect at 0, robustly scaled; classifiers by two-fold cross-validation.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold

from pellucid.analysis.brightness import brightness_alone
from pellucid.analysis.classification import over_trials
from pellucid.cohort.bids import index_bids
from pellucid.cohort.store import Store, build_store
from pellucid.image.grid import PAPER_GRID
from pellucid.image.scaling import SCALINGS
from pellucid.simulate.artefact import coil_excess
from pellucid.simulate.cohort import simulate_cohort
from pellucid.simulate.settings import CohortSettings
from pellucid.training.baselines.logistic import fit_logistic
from pellucid.training.baselines.search import Data, participant_folds
from pellucid.training.baselines.svm import fit_svm

NONE = {"lesions": 0.0, "callosum": 0.0, "thalamus": 0.0, "age_gap": 0.0, "sex_gap": 0.0}
SEED = 1


def cohort(out: Path, strength: float) -> Store:
    """Simulate a cohort and prepare it; what is there is taken."""
    settings = CohortSettings(patients=50, controls=50, seed=SEED, voxel_size=4.0, artefact=strength, **NONE)
    simulate_cohort(out / "ms", settings)
    rows = index_bids(out / "ms", modality="FLAIR", lesions=out / "ms" / "derivatives" / "lesions")
    return build_store(rows, out / "store", PAPER_GRID, scaling="robust")


def crossed(store: Store, x: np.ndarray, names: list[str] | None) -> pd.DataFrame:
    """Predict everybody by two-fold cross-validation: logistic on named confounds, or the machine on images."""
    label, who = store.table["label"].to_numpy(), store.table["participant_id"].to_numpy(dtype=object)
    decision = np.zeros(len(store))
    for train, test in StratifiedKFold(2, shuffle=True, random_state=SEED).split(x, label):
        data = Data(x=x, labels=label, participants=who, fit=train, other=test)
        folds = participant_folds(data, 5, SEED)
        fit = fit_logistic(data, names, folds) if names else fit_svm(data, folds, (0,), lambda: None)
        decision[test] = fit.decision[len(train) :]
    return pd.DataFrame({"trial": 0, "participant_id": who, "label": label, "logit": decision})


def interval(predictions: pd.DataFrame) -> str:
    """Write an AUC with its interval."""
    row = over_trials(predictions, seed=SEED).set_index("metric").loc["auc"]
    return f"{row['mean']:.2f} ({row['low']:.2f} to {row['high']:.2f})"


def main() -> None:
    """Print a line a control, for strengths 1 and 2."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    out = parser.parse_args().out
    for strength in (1.0, 2.0):
        store = cohort(out / f"{strength:g}", strength)
        table, label = store.table, store.table["label"].to_numpy()
        place = coil_excess(store.grid) > 0.5
        means = [store.images[n][place & store.brain[n]].mean() for n in range(len(store))]
        print(f"strength {strength:g}\n  the planted place, known beforehand: {roc_auc_score(label, means):.2f}")
        print(f"  svm-image: {interval(crossed(store, store.images.reshape(len(store), -1), None))}")
        scores = table[["participant_id", "session_id", "label"]].assign(
            **{scaling: table[f"brightness_{scaling}"] for scaling in SCALINGS}
        )
        for row in brightness_alone(scores, seed=SEED).itertuples():
            print(f"  mean brightness, {row.scaling}: {row.auc:.2f} ({row.low:.2f} to {row.high:.2f})")
        volumes = [float(np.count_nonzero(brain)) for brain in store.brain]
        for scaling in ("robust", "max"):
            confounds = [table["age"], table["sex"] == "M", volumes, table[f"brightness_{scaling}"]]
            x = np.column_stack(confounds).astype(np.float64)
            print(f"  confounds under {scaling}: {interval(crossed(store, x, ['age', 'sex', 'volume', 'brightness']))}")


if __name__ == "__main__":
    main()
