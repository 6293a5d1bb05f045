"""What the networks of a finished run follow: rank correlation of held-out logits with lesion volume and brightness.

    python experiments/what_logits_follow.py runs/transfer

A line an arm: Spearman's rho, the mean over trials, of the logit with the lesion volume and with the mean brightness of
the brain after division by the maximum, over everybody held out and inside each group.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd
from scipy.stats import spearmanr

from pellucid.cohort.store import open_store
from pellucid.rundir.folder import RunFolder
from pellucid.spec.reading import read_spec
from pellucid.study.plan import Plan
from pellucid.study.steps.trials import holdout_predictions

MEASURES = {"lesion_volume_ml": "lesion volume", "brightness_max": "brightness"}


def followed(predictions: pd.DataFrame, people: pd.DataFrame) -> dict[str, float]:
    """Return rho for each measure and set of people, the mean over trials."""
    found: dict[str, list[float]] = {}
    for _, trial in predictions.groupby("trial"):
        table = trial.merge(people, on="participant_id")
        for name, some in {"all": table, **dict(list(table.groupby("group")))}.items():
            for column, words in MEASURES.items():
                rho = float(spearmanr(some["logit"], some[column], nan_policy="omit").statistic)
                found.setdefault(f"{words} {name}", []).append(rho)
    return {name: sum(values) / len(values) for name, values in found.items()}


def main() -> None:
    """Print a line an arm."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    folder = RunFolder(parser.parse_args().run.resolve())
    spec = read_spec(folder.spec)
    for name, arm in spec.training.items():
        if spec.splits[arm.cohort].judges:
            people = open_store(folder.store(arm.cohort)).table.drop_duplicates("participant_id")
            rho = followed(holdout_predictions(name, Plan(spec, folder)), people[["participant_id", *MEASURES]])
            print(f"{name}: " + ", ".join(f"{words} {value:+.2f}" for words, value in rho.items()))


if __name__ == "__main__":
    main()
