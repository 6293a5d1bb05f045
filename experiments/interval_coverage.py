"""How often the 95 % intervals of scores, and of maps' medians, hold what is true, also of few people.

    python experiments/interval_coverage.py --data 400

First part: people are judged by as many trials of a classifier as are asked for. A logit is the distance of the groups,
plus what a person has in all trials (70 % of the variance), plus what it has in one. The truth is the AUC of one trial,
and its sensitivity and specificity at the threshold between both groups. With 5 folds, people of a class are shared out
evenly and at random; AUCs are within folds. Each cell is how many per cent of the sets of data have an interval that
holds the truth, of those that have an interval at all; `none` is how many per cent have no AUC, for no fold has both a
patient and a control.

Second part: two classifiers judge the same people; a cell is how many per cent of the intervals of the difference of
their AUCs hold the true one, as `comparison.paired` has it, and as DeLong's difference -+ 1.96 SE.

Third part: 5 networks explain 15 people each; of the variance of a person's value the share ICC is its network's. The
truth is the population's mean or median, of normal values and of their exponentials, which are skewed as lifts are.
Beside it is the interval that takes people of one network for independent ones.
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd
from scipy.stats import norm

from pellucid.analysis.classification import over_trials
from pellucid.analysis.clusters import clustered_interval
from pellucid.analysis.comparison import delong, paired

PEOPLE = ((13, 10), (3, 2), (1, 10), (20, 20), (75, 75))
AUCS = (0.8, 0.9, 0.95)
PERSON = 0.7  # of a logit's variance, what a person has in all trials
METRICS = ("auc", "sensitivity", "specificity", "balanced_accuracy")
NETWORKS, EACH = 5, 15
PAIRS = tuple(
    (people, trials, aucs)
    for people in ((13, 10), (3, 2), (20, 20))
    for trials in (1, 10)
    for aucs in ((0.8, 0.8), (0.95, 0.8), (0.98, 0.9))
)


def predictions(
    people: tuple[int, int], *, trials: int, folds: int, auc: float, rng: np.random.Generator
) -> pd.DataFrame:
    """Return one set of data as `over_trials` takes it."""
    label = np.repeat([1, 0], people)
    fold = np.concatenate([(rng.permutation(n) + rng.integers(folds)) % folds for n in people])
    centre = np.sqrt(2.0) * norm.ppf(auc) * (label - 0.5)
    own = np.sqrt(PERSON) * rng.normal(size=(label.size, 1))
    logit = centre[:, None] + own + np.sqrt(1.0 - PERSON) * rng.normal(size=(label.size, trials))
    return pd.DataFrame(
        {
            "trial": np.tile(np.arange(trials), label.size),
            "participant_id": np.repeat([f"sub-{n:03d}" for n in range(label.size)], trials),
            "label": np.repeat(label, trials),
            "fold": np.repeat(fold, trials),
            "logit": logit.ravel(),
        }
    )


def scores_coverage(people: tuple[int, int], *, trials: int, folds: int, auc: float, data: int) -> dict[str, float]:
    """Return for each metric the per cent of intervals that hold the truth, and those without an AUC as `none`."""
    share = float(norm.cdf(norm.ppf(auc) / np.sqrt(2.0)))
    truth = dict.fromkeys(METRICS, share) | {"auc": auc}
    rng = np.random.default_rng([*people, trials, folds, round(1000 * auc)])
    held: dict[str, list[bool]] = {metric: [] for metric in METRICS}
    for _ in range(data):
        table = over_trials(predictions(people, trials=trials, folds=folds, auc=auc, rng=rng)).set_index("metric")
        for metric in METRICS:
            low, high = table.loc[metric, ["low", "high"]]
            if not np.isnan(low):
                held[metric].append(bool(low <= truth[metric] <= high))
    return {metric: 100.0 * float(np.mean(found)) for metric, found in held.items()} | {
        "none": 100.0 * (1.0 - len(held["auc"]) / data)
    }


def differences_coverage(
    people: tuple[int, int], *, trials: int, aucs: tuple[float, float], data: int
) -> tuple[float, float]:
    """Return per cent of intervals that hold the difference of two AUCs: `paired`'s, and DeLong's."""
    rng = np.random.default_rng([*people, trials, *(round(1000 * auc) for auc in aucs)])
    label = np.repeat([1, 0], people)
    held: list[tuple[bool, bool]] = []
    for _ in range(data):
        own = np.sqrt(PERSON) * rng.normal(size=(label.size, 1))
        logits = []
        for auc in aucs:
            centre = np.sqrt(2.0) * norm.ppf(auc) * label[:, None]
            logits.append(centre + own + np.sqrt(1.0 - PERSON) * rng.normal(size=(label.size, trials)))
        rows = pd.DataFrame(
            {
                "trial": np.tile(np.arange(trials), label.size),
                "participant_id": np.repeat([f"sub-{n:03d}" for n in range(label.size)], trials),
                "label": np.repeat(label, trials),
            }
        )
        one, two = (rows.assign(logit=logit.ravel()) for logit in logits)
        row = paired(one, two, permutations=1, seed=0).iloc[0]
        se, truth = delong(label, *logits).se, aucs[0] - aucs[1]
        held.append((bool(row["low"] <= truth <= row["high"]), bool(abs(row["difference"] - truth) <= 1.96 * se)))
    mended, plain = 100.0 * np.mean(held, axis=0)
    return float(mended), float(plain)


def maps_coverage(alike: float, *, data: int) -> dict[str, float]:
    """Return per cent of intervals that hold the truth: of statistic and values, clustered and as of single people."""
    rng = np.random.default_rng([NETWORKS, EACH, round(100 * alike)])
    network = np.repeat(np.arange(NETWORKS), EACH)
    names = [f"trial-{n:02d}" for n in network]
    held: dict[str, list[bool]] = {}
    for _ in range(data):
        own = np.sqrt(alike) * rng.normal(size=NETWORKS)[network]
        normal = own + np.sqrt(1.0 - alike) * rng.normal(size=network.size)
        for words, values, statistic, truth in (
            ("mean", normal, "mean", 0.0),
            ("median", normal, "median", 0.0),
            ("median, skewed", np.exp(normal), "median", 1.0),
        ):
            for whose, given in (("networks", names), ("people alone", None)):
                low, high, _networks = clustered_interval(values, given, statistic=statistic)  # type: ignore[arg-type]
                held.setdefault(f"{words}, {whose}", []).append(low <= truth <= high)
    return {key: 100.0 * float(np.mean(found)) for key, found in held.items()}


def main() -> None:
    """Print the parts as tables in Markdown, a line as soon as it is known."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=int, default=400, help="sets of data a cell")
    data = parser.parse_args().data
    names = [metric.replace("_", " ") for metric in METRICS]
    print(f"| patients v controls | trials | division | true AUC | {' | '.join(names)} | none |")
    print("| --- " * (5 + len(METRICS)) + "|")
    for people in PEOPLE:
        for trials in (1, 10):
            for folds, words in ((1, "one holdout"), (5, "5 folds")):
                for auc in AUCS:
                    found = scores_coverage(people, trials=trials, folds=folds, auc=auc, data=data)
                    cells = " | ".join(f"{found[key]:.1f}" for key in (*METRICS, "none"))
                    print(f"| {people[0]} v {people[1]} | {trials} | {words} | {auc} | {cells} |", flush=True)
    print("\n| patients v controls | trials | true AUCs | difference | by DeLong |\n| --- | --- | --- | --- | --- |")
    for people, trials, aucs in PAIRS:
        mended, plain = differences_coverage(people, trials=trials, aucs=aucs, data=data)
        print(
            f"| {people[0]} v {people[1]} | {trials} | {aucs[0]}, {aucs[1]} | {mended:.1f} | {plain:.1f} |", flush=True
        )
    print("\n| ICC | " + " | ".join(maps_coverage(0.0, data=2)) + " |")
    print("| --- " * 7 + "|")
    for alike in (0.0, 0.3, 0.7):
        cells = " | ".join(f"{value:.1f}" for value in maps_coverage(alike, data=data).values())
        print(f"| {alike} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
