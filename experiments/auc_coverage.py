"""How often the 95 % interval of an AUC misses what is true: of one holdout, and over folds, also corrected.

    python experiments/auc_coverage.py --data 600

Each set of data is noise of 300 features in two groups of equal size, the classifier the difference of the groups'
means. Without an effect the truth is 0.5, however good the classifier. With one, the first ten features differ between
the groups, and the truth is the mean AUC over all sets of data of a design.
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedKFold

from pellucid.analysis.classification import over_trials
from pellucid.analysis.crossed import correction

DESIGNS = {  # people, folds, how many of the folds are judged
    "one holdout of 40 of 80": (80, 2, 1),
    "2 folds, 40 people": (40, 2, 2),
    "5 folds, 60 people": (60, 5, 5),
    "10 folds, 60 people": (60, 10, 10),
}
EFFECTS = (0.0, 0.5)  # difference of the groups in the first ten features, in standard deviations


def auc(people: int, folds: int, judged: int, *, effect: float, seed: int) -> pd.DataFrame:
    """Return the AUC over the judged people of one set of data with both intervals: one row, `wide_low`, `wide_high`.

    The wide one is corrected for what folds share, if more than one is judged.
    """
    rng = np.random.default_rng([7, seed])
    label = np.repeat([0, 1], people // 2)
    x = rng.normal(size=(people, 300))
    x[label == 1, :10] += effect
    x /= np.sqrt(np.arange(1, 301))
    parts = []
    division = StratifiedKFold(folds, shuffle=True, random_state=seed).split(x, label)
    for fold, (train, test) in list(enumerate(division))[:judged]:
        direction = x[train][label[train] == 1].mean(axis=0) - x[train][label[train] == 0].mean(axis=0)
        parts.append(pd.DataFrame({"participant_id": test, "label": label[test], "logit": x[test] @ direction}))
        parts[-1]["fold"] = fold
    predictions = pd.concat(parts).assign(trial=0)
    factor = correction(folds) if judged > 1 else 1.0
    plain, wide = (over_trials(predictions, correction=by).query("metric == 'auc'") for by in (1.0, factor))
    return plain.assign(wide_low=wide["low"], wide_high=wide["high"])


def misses(table: pd.DataFrame, truth: float, *, ends: str = "") -> float:
    """Return the share of intervals, in per cent, that do not hold the truth."""
    return 100.0 * float(((table[f"{ends}low"] > truth) | (table[f"{ends}high"] < truth)).mean())


def main() -> None:
    """Print a line an effect and design."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=int, default=600, help="how many sets of data")
    number = parser.parse_args().data
    for effect in EFFECTS:
        for name, design in DESIGNS.items():
            table = pd.concat([auc(*design, effect=effect, seed=seed) for seed in range(number)])
            truth = float(table["mean"].mean()) if effect else 0.5
            words = f"effect {effect}, {name}: AUC {truth:.3f}, missed in {misses(table, truth):.1f} % of {number}"
            if design[2] > 1:
                words += f"; corrected by {correction(design[1]):.2f}, in {misses(table, truth, ends='wide_'):.1f} %"
            print(words, flush=True)


if __name__ == "__main__":
    main()
