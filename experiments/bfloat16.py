"""Is training in bfloat16 quicker, and are the trained networks as good? Both precisions, paired by seed.

    python experiments/bfloat16.py demo --arm finetuned --out runs/bfloat16

An arm of a finished run is trained again with other seeds, once in either precision, on the run's own scans and splits,
from the run's own start. OUT/bfloat16.tsv has one row a precision and seed; a stopped benchmark goes on where it
stopped. Then steps of both precisions are timed alternately. Everything goes to OUT/bfloat16.json: per measure the mean
of either precision and the mean paired difference with its 95 % t-interval over seeds.
"""

from __future__ import annotations

import argparse
import statistics
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy import stats
from sklearn.metrics import balanced_accuracy_score, roc_auc_score
from torch.nn.functional import binary_cross_entropy_with_logits

from pellucid.ground.files import read_tsv, write_json, write_tsv
from pellucid.network.architectures import NETWORKS
from pellucid.network.field_of_view import field_of_view
from pellucid.network.files import load_model
from pellucid.network.fused_functions import bfloat16_convolutions, bfloat16_obstacle
from pellucid.network.paper import PaperNetwork
from pellucid.rundir.folder import RunFolder
from pellucid.spec.reading import read_spec
from pellucid.study.plan import Plan
from pellucid.study.steps.trials import cohort_rows, read_selected
from pellucid.training.fit import Scans, fit, logits

PRECISIONS = ("float32", "bfloat16")
MEASURES = ("auc", "balanced_accuracy", "val_loss", "train_loss")


def train(run: Path, arm_name: str, precision: str, seed: int, epochs: int) -> dict[str, Any]:
    """Train an arm of a run once more and judge it on the run's holdout."""
    folder = RunFolder(run)
    spec = read_spec(folder.spec)
    arm = spec.training[arm_name]
    store, rows = cohort_rows(arm_name, Plan(spec, folder))
    if arm.start_from:
        model = load_model(folder.arm(arm.start_from) / read_selected(arm.start_from, folder))
    else:
        model = NETWORKS[arm.network](arm.channels, store.grid, seed=seed)
    scans = Scans(store.images, store.table["label"].to_numpy(), field_of_view(model).stops)
    settings = replace(arm.settings, seed=seed, precision=precision, max_epochs=epochs, patience=epochs)
    start = time.perf_counter()
    history = fit(model, scans, rows, settings, penalty=model.penalty)
    seconds = time.perf_counter() - start
    best = history[history["best"]].iloc[0]
    z, y = logits(model, scans, rows["holdout"], batch_size=4), scans.labels[rows["holdout"]]
    return {
        "precision": precision,
        "seed": seed,
        "epochs": epochs,
        "best_epoch": int(best["epoch"]),
        "auc": float(roc_auc_score(y, z)),
        "balanced_accuracy": float(balanced_accuracy_score(y, z > 0)),
        "val_loss": float(best["val_loss"]),
        "train_loss": float(history["train_loss"].iloc[-1]),
        "seconds": seconds,
    }


def time_steps(steps: int = 15) -> dict[str, float]:
    """Return the median seconds of a training step on 4 scans in either precision, taken alternately."""
    model = PaperNetwork(seed=0)
    x = torch.randn((4, 1, *model.grid.shape), generator=torch.Generator().manual_seed(0))
    target = torch.tensor([0.0, 1.0, 0.0, 1.0])
    seconds: dict[str, list[float]] = {precision: [] for precision in PRECISIONS}
    for step in range(steps + 2):
        for precision in PRECISIONS:
            start = time.perf_counter()
            if precision == "bfloat16":
                with bfloat16_convolutions():
                    logit = model(x)
            else:
                logit = model(x)
            binary_cross_entropy_with_logits(logit, target).backward()
            if step >= 2:
                seconds[precision].append(time.perf_counter() - start)
    return {precision: statistics.median(values) for precision, values in seconds.items()}


def compare(table: pd.DataFrame) -> pd.DataFrame:
    """Return for each measure the means and the mean paired difference with its 95 % t-interval."""
    rows = []
    for measure in MEASURES:
        wide = table.pivot_table(index="seed", columns="precision", values=measure).dropna()
        change = (wide["bfloat16"] - wide["float32"]).to_numpy()
        half = float(stats.t.ppf(0.975, len(change) - 1) * stats.sem(change)) if len(change) > 1 else float("nan")
        rows.append(
            {
                "measure": measure,
                "seeds": len(change),
                **{precision: float(wide[precision].mean()) for precision in PRECISIONS},
                "difference": float(np.mean(change)),
                "low": float(np.mean(change)) - half,
                "high": float(np.mean(change)) + half,
            }
        )
    return pd.DataFrame(rows)


def main() -> None:
    """Train what is missing, time the steps, write and print the comparison."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="a finished run, such as that of `pellucid demo`")
    parser.add_argument("--arm", default="finetuned")
    parser.add_argument("--out", type=Path, default=Path("runs/bfloat16"))
    parser.add_argument("--seeds", type=int, default=5, help="how many seeds, from 100")
    parser.add_argument("--epochs", type=int, default=12)
    options = parser.parse_args()
    if (why := bfloat16_obstacle()) is not None:
        parser.error(f"bfloat16 gains nothing here: {why}")
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / "bfloat16.tsv"
    table = read_tsv(path) if path.is_file() else pd.DataFrame(columns=["precision", "seed"])
    for seed in range(100, 100 + options.seeds):
        for precision in PRECISIONS:
            if not ((table["seed"] == seed) & (table["precision"] == precision)).any():
                row = train(options.run, options.arm, precision, seed, options.epochs)
                table = (
                    pd.concat([table, pd.DataFrame([row])], ignore_index=True) if len(table) else pd.DataFrame([row])
                )
                write_tsv(path, table)
                print(f"seed {seed}, {precision}: AUC {row['auc']:.3f}, {row['seconds']:.0f} s", flush=True)
    compared, seconds = compare(table), time_steps()
    write_json(
        options.out / "bfloat16.json",
        {"step_seconds": seconds, "compared": compared.to_dict("records"), "rows": table.to_dict("records")},
    )
    print(compared.round(4).to_string(index=False))
    print(f"a step: {seconds['float32']:.3f} s in float32, {seconds['bfloat16']:.3f} s in bfloat16")


if __name__ == "__main__":
    main()
