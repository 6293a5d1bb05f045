"""How often the 95 % interval of an AUC misses 50 % where there is no effect: one holdout, and pooled over folds.

    python benchmarks/coverage.py --data 600

Each set of data is noise of 300 features in two groups of equal size; the classifier is the difference of the groups'
means. Nothing depends on how good it is: there is nothing to be found.
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedKFold

from pellucid.analysis.classification import over_trials

DESIGNS = {  # people, folds, how many of the folds are judged
    "one holdout of 40 of 80": (80, 2, 1),
    "2 folds, 40 people": (40, 2, 2),
    "5 folds, 60 people": (60, 5, 5),
}


def misses(people: int, folds: int, judged: int, seed: int) -> bool:
    """Tell whether the interval over the judged people misses 0.5 for one set of data."""
    rng = np.random.default_rng([7, seed])
    label = np.repeat([0, 1], people // 2)
    x = rng.normal(size=(people, 300)) / np.sqrt(np.arange(1, 301))
    parts = []
    for train, test in list(StratifiedKFold(folds, shuffle=True, random_state=seed).split(x, label))[:judged]:
        direction = x[train][label[train] == 1].mean(axis=0) - x[train][label[train] == 0].mean(axis=0)
        parts.append(
            pd.DataFrame({"trial": 0, "participant_id": test, "label": label[test], "logit": x[test] @ direction})
        )
    row = over_trials(pd.concat(parts), resamples=1000, seed=1).set_index("metric").loc["auc"]
    return not row["low"] <= 0.5 <= row["high"]


def main() -> None:
    """Print a line a design."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=int, default=600, help="how many sets of data")
    number = parser.parse_args().data
    for name, design in DESIGNS.items():
        share = np.mean([misses(*design, seed) for seed in range(number)])
        print(f"{name}: missed in {100 * share:.1f} % of {number}", flush=True)


if __name__ == "__main__":
    main()
