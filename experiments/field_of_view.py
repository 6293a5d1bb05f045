"""Does it matter what a network cannot see? Both networks on lesions in the paper's network's seen and blind part.

    python experiments/field_of_view.py --out runs/field-of-view

Heads without lesions are simulated once, brought to the paper's grid and scaled. For each seed and each part of the
brain, half of the heads, drawn anew, become patients: lesions as the simulator grows them are put into their white
matter, only where the paper's network sees (`seen`) or only where it does not (`blind`), `MARGIN` voxels away from the
border. Intensities are not scaled again, so that a patient's other part stays what it was, bit by bit (asserted).
`PaperNetwork` and `WholeBrainNetwork` are then fitted to the same scans with the same settings. There is no
augmentation, for a flip would carry lesions from the blind part into the seen one.

OUT/field-of-view.tsv has one row a network, part and seed; a stopped benchmark goes on where it stopped. The summary
with 95 % t-intervals over seeds, and the networks' cost, go to field-of-view.json, the figure to field-of-view.png, a
picture of what the paper's network sees to field-of-view-brain.png.
"""

from __future__ import annotations

import argparse
import statistics
import time
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from matplotlib.figure import Figure
from scipy import ndimage, stats
from sklearn.metrics import balanced_accuracy_score, roc_auc_score
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits

from pellucid.atlas.template import mni_brain_mask, mni_template
from pellucid.ground.arrays import BoolArray, Float32Array, Float64Array, IndexArray, Int64Array
from pellucid.ground.files import atomic_path, read_tsv, write_json, write_tsv
from pellucid.image.grid import PAPER_GRID
from pellucid.image.nifti import Volume
from pellucid.image.prepare import prepare
from pellucid.image.resample import resample
from pellucid.image.scaling import ROBUST_RANGE
from pellucid.network.architectures import NETWORKS
from pellucid.network.field_of_view import field_of_view, output_shape
from pellucid.network.paper import PaperNetwork
from pellucid.network.volume_network import VolumeNetwork
from pellucid.report.pictures.overlay import field_of_view_figure
from pellucid.report.pictures.style import DPI, INK, MUTED, SERIES, styled, write
from pellucid.simulate.anatomy import Anatomy, load_anatomy
from pellucid.simulate.contrast import flair, smooth_noise
from pellucid.simulate.deformation import Warp, lattice_of
from pellucid.simulate.lesions import grow_lesions
from pellucid.simulate.people import ms_people
from pellucid.simulate.settings import CohortSettings
from pellucid.simulate.subject import Fields, shape_subject
from pellucid.training.fit import Scans, fit, logits
from pellucid.training.optimiser import KerasAdam
from pellucid.training.settings import TrialSettings

PARTS = ("seen", "blind")
NAMES = {"paper": "PaperNetwork", "whole-brain": "WholeBrainNetwork"}
MARGIN = 2  # voxels that a lesion's soft border reaches
SOFT = 0.45  # voxels, the simulator's on coarse grids
VOLUME_ML = (6.0, 8.0)  # of a patient's lesions: the same in either part
ROOM_ML = 9.0  # of white matter that a head must have for lesions in the blind part: small heads have none
BRIGHTNESS = (1.76, 0.15)  # mean and SD over scans, relative to white matter: the simulator's for patients
TRAIN, VALIDATION = 0.55, 0.15  # shares of the heads; the rest is for the test
PLACE = "deep"  # the simulator asks for a class of lesions; here it is all white matter of a part


class Heads(NamedTuple):
    """N heads without lesions on the paper's grid: `images`, `white` (N, X, Y, Z), and how each was scaled."""

    images: Float32Array
    white: BoolArray
    zero: Float64Array  # what the intensity 0 became
    white_matter: Float64Array  # what the white matter's median became


def make_heads(number: int, *, seed: int = 0) -> Heads:
    """Simulate healthy people's heads at 2 mm and prepare them as a store would; leave out those without `ROOM_ML`."""
    anatomy = load_anatomy(2.0)
    fields = Fields.of(anatomy)
    room = inside(part_masks()["blind"])
    people = (p for p in ms_people(CohortSettings(patients=1, controls=4 * number, seed=seed)) if p.group == "HC")
    kept: list[tuple[Float32Array, BoolArray, float, float]] = []
    while len(kept) < number:
        person = next(people)
        rng = np.random.default_rng([seed, 21, int(person.participant_id[-4:])])
        tissues, _ = shape_subject(rng, anatomy, fields, person.traits[0])
        white, brain = (resample(share, anatomy.grid, PAPER_GRID) for share in (tissues.white, tissues.brain))
        white_matter = (white > 0.5 * brain) & (brain > 0.5)
        if np.count_nonzero(white_matter & room) * PAPER_GRID.voxel_volume_ml < ROOM_ML:
            continue
        scan = prepare(Volume(flair(rng, tissues, caps=1.0), anatomy.grid), PAPER_GRID, scaling="robust")
        white_matter &= scan.brain
        uncut = scan.brain & (scan.image > ROBUST_RANGE[0]) & (scan.image < ROBUST_RANGE[1])
        slope, zero = np.polyfit(scan.unscaled[uncut], scan.image[uncut], 1)
        level = zero + slope * np.median(scan.unscaled[white_matter])
        kept.append((scan.image, white_matter, float(zero), float(level)))
        if len(kept) % 20 == 0:
            print(f"{len(kept)} of {number} heads", flush=True)
    return Heads(*(np.array(column) for column in zip(*kept, strict=True)))


def load_heads(path: Path, number: int) -> Heads:
    """Read the heads of an earlier call, or make them."""
    if path.is_file():
        with np.load(path) as content:
            heads = Heads(**content)
        if len(heads.images) == number:
            return heads
    heads = make_heads(number)
    with atomic_path(path) as temporary:
        np.savez(temporary, **heads._asdict())
    return heads


def part_masks() -> dict[str, BoolArray]:
    """Return the two parts of the paper's grid."""
    seen = field_of_view(PaperNetwork(1)).mask()
    return {"seen": seen, "blind": ~seen}


def inside(part: BoolArray) -> BoolArray:
    """Return the voxels of a part from which `MARGIN` voxels in any direction do not lead out of it."""
    return np.asarray(ndimage.distance_transform_cdt(part, metric="chessboard") > MARGIN)


def still(anatomy: Anatomy) -> Warp:
    """Return the warp that moves nothing: white matter is given as the subject has it."""
    lattice = lattice_of(anatomy.grid)
    return Warp.of(np.zeros((3, *lattice.shape), np.float32), anatomy.grid, lattice, np.eye(4))


def add_lesions(
    rng: np.random.Generator, heads: Heads, n: int, part: BoolArray, anatomy: Anatomy, warp: Warp
) -> Float32Array:
    """Return head `n` with lesions whose voxels all lie in the white matter of `part`; the rest stays as it is."""
    inner = heads.white[n] & inside(part)
    priors = replace(anatomy, lesion_prior={PLACE: inner.astype(np.float32)})
    volume = float(rng.uniform(*VOLUME_ML))
    mask, _ = grow_lesions(rng, priors, warp, inner, volume_ml=volume, shares={PLACE: 1.0})
    soft = ndimage.gaussian_filter(mask.astype(np.float32), SOFT)
    brightness = np.clip(rng.normal(*BRIGHTNESS), 1.3, 2.3) * (
        1.0 + 0.09 * smooth_noise(rng, PAPER_GRID, smoothness_mm=5.0)
    )
    image = heads.images[n]
    scaled = heads.zero[n] + brightness * (heads.white_matter[n] - heads.zero[n])
    brighter = np.minimum(image + soft * np.maximum(scaled - image, 0.0), ROBUST_RANGE[1])
    out = np.where((soft > 0) & (image != 0), brighter, image).astype(np.float32)
    assert not np.array_equal(out[part], image[part]), "no lesion was added"
    assert np.array_equal(out[~part], image[~part]), "a lesion reaches into the other part"
    return out


def draw_labels(seed: int, number: int) -> tuple[Int64Array, dict[str, IndexArray]]:
    """Draw who is a patient, and a split by subject, stratified; the same for both parts and networks of a seed."""
    order = np.random.default_rng([seed, 1]).permutation(number)
    labels = np.zeros(number, np.int64)
    labels[order[: number // 2]] = 1
    rows: dict[str, list[IndexArray]] = {"train": [], "validation": [], "test": []}
    for group in (order[: number // 2], order[number // 2 :]):
        first, second = round(TRAIN * len(group)), round((TRAIN + VALIDATION) * len(group))
        for role, some in zip(rows, np.split(group, [first, second]), strict=True):
            rows[role].append(some)
    return labels, {role: np.concatenate(parts) for role, parts in rows.items()}


def run_seed(
    heads: Heads, part: str, seed: int, networks: list[str], settings: TrialSettings, channels: int
) -> list[dict[str, Any]]:
    """Plant lesions in one part, fit the networks, and return a row for each."""
    number = len(heads.images)
    labels, rows = draw_labels(seed, number)
    region, anatomy = part_masks()[part], replace(load_anatomy(2.0), grid=PAPER_GRID)
    warp = still(anatomy)
    images = heads.images.copy()
    for n in np.flatnonzero(labels):
        rng = np.random.default_rng([seed, 2, PARTS.index(part), int(n)])
        images[n] = add_lesions(rng, heads, int(n), region, anatomy, warp)
    results = []
    for name in networks:
        model = NETWORKS[name](channels, PAPER_GRID, seed=seed)
        scans = Scans(images, labels, field_of_view(model).stops)
        start = time.perf_counter()
        history = fit(model, scans, rows, replace(settings, seed=seed), penalty=model.penalty)
        seconds = time.perf_counter() - start
        z, y = logits(model, scans, rows["test"], batch_size=4), labels[rows["test"]]
        best = history[history["best"]].iloc[0]
        results.append(
            {
                "network": name,
                "part": part,
                "seed": seed,
                "channels": channels,
                "epochs": len(history),
                "best_epoch": int(best["epoch"]),
                "train_loss": float(history["train_loss"].iloc[-1]),
                "val_loss": float(best["val_loss"]),
                "auc": float(roc_auc_score(y, z)),
                "balanced_accuracy": float(balanced_accuracy_score(y, z > 0)),
                "seconds": seconds,
            }
        )
    return results


def gflop_per_step(model: VolumeNetwork, shape: tuple[int, ...], batch: int) -> float:
    """Count the multiplications and additions of a training step on inputs of `shape`, in 10^9.

    A convolution does 2 · 27 · channels in · channels out for each output, as often again for the gradient of its
    kernels, and once more for that of its input, which the first layer needs not. Pools and ELUs are not counted.
    """
    total, layers = 0.0, []
    for layer in model.children():
        layers.append(layer)
        if isinstance(layer, nn.Conv3d):
            outputs = prod(output_shape(nn.Sequential(*layers), shape))
            passes = 2 if layer.in_channels == 1 else 3
            total += passes * 2.0 * 27 * layer.in_channels * layer.out_channels * outputs
        elif isinstance(layer, nn.Linear):
            total += 3 * 2.0 * layer.in_features
    return batch * total / 1e9


def measure_cost(channels: int, batch: int, *, steps: int = 9) -> pd.DataFrame:
    """Time training steps of both networks, alternately, and count what they compute and see."""
    generator = torch.Generator().manual_seed(0)
    whole = torch.randn((batch, 1, *PAPER_GRID.shape), generator=generator)
    target = torch.arange(batch, dtype=torch.float32) % 2
    models = {name: kind(channels, PAPER_GRID, seed=0) for name, kind in NETWORKS.items()}
    optimisers = {name: KerasAdam(m.parameters(), learning_rate=1e-4, decay=0.0) for name, m in models.items()}
    seconds: dict[str, list[float]] = {name: [] for name in models}
    for step in range(steps + 2):
        for name, model in models.items():
            i, j, k = field_of_view(model).stops
            x = whole[:, :, :i, :j, :k].contiguous()
            start = time.perf_counter()
            (binary_cross_entropy_with_logits(model(x), target) + 0.01 * model.penalty()).backward()
            optimisers[name].step()
            if step >= 2:
                seconds[name].append(time.perf_counter() - start)
    rows = []
    for name, model in models.items():
        view = field_of_view(model)
        median, computed = statistics.median(seconds[name]), gflop_per_step(model, view.stops, batch)
        uncropped = gflop_per_step(model, PAPER_GRID.shape, batch)
        rows.append(
            {
                "network": name,
                "parameters": sum(p.numel() for p in model.parameters()),
                "seen_voxels": int(view.mask().sum()),
                "seen_share": view.share,
                "step_seconds": median,
                "gflop_per_step": computed,
                "gflop_per_step_uncropped": uncropped,
                "gflop_per_second": computed / median,
                "ns_per_seen_voxel": 1e9 * median / (batch * int(view.mask().sum())),
                "flop_per_seen_voxel": 1e9 * computed / (batch * int(view.mask().sum())),
            }
        )
    return pd.DataFrame(rows)


def interval(values: npt.ArrayLike) -> tuple[float, float, float]:
    """Return the mean and its 95 % t-interval."""
    x = np.asarray(values, dtype=np.float64)
    half = float(stats.t.ppf(0.975, len(x) - 1) * stats.sem(x)) if len(x) > 1 else float("nan")
    return float(x.mean()), float(x.mean()) - half, float(x.mean()) + half


def summarise(table: pd.DataFrame) -> pd.DataFrame:
    """Return mean and interval of each measure for each part and network."""
    rows = []
    for part in PARTS:
        for name in NAMES:
            some = table[(table["part"] == part) & (table["network"] == name)].sort_values("seed")
            for measure in ("auc", "balanced_accuracy"):
                if len(some) > 1:
                    mean, low, high = interval(some[measure])
                    row = {"part": part, "network": name, "measure": measure, "seeds": len(some)}
                    rows.append(row | {"mean": mean, "low": low, "high": high})
    return pd.DataFrame(rows)


@styled
def draw(table: pd.DataFrame, path: Path) -> None:
    """Draw the test AUC of every seed, with mean and interval: a panel for each part, a column for each network."""
    figure = Figure(figsize=(7.2, 3.7), layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    titles = {"seen": "Lesions where the paper's network sees", "blind": "Lesions in its blind part"}
    for ax, part in zip(axes, PARTS, strict=True):
        for column, (name, colour, marker) in enumerate(zip(NAMES, SERIES, "os", strict=False)):
            some = table[(table["part"] == part) & (table["network"] == name)].sort_values("seed")
            if len(some) < 2:
                continue
            mean, low, high = interval(some["auc"])
            x = column - 0.14 + np.linspace(-0.16, 0.16, len(some))
            ax.scatter(x, some["auc"], s=22, color=colour, marker=marker, alpha=0.75, linewidths=0)
            ax.errorbar(
                column + 0.2,
                mean,
                yerr=[[mean - max(low, 0.0)], [min(high, 1.0) - mean]],
                fmt="D",
                ms=5.5,
                color=INK,
                capsize=4,
                elinewidth=1.4,
            )
            ax.annotate(f"{mean:.2f}", (column + 0.2, mean), (7, 5), textcoords="offset points", color=INK)
        ax.axhline(0.5, color=INK, linestyle="--", linewidth=1.1, zorder=1)
        ax.annotate(
            "chance", (1.0, 0.5), (-2, -10), xycoords=("axes fraction", "data"), textcoords="offset points",
            ha="right", color=INK, fontsize=8,
        )  # fmt: skip
        ax.set_xticks(range(len(NAMES)), list(NAMES.values()))
        ax.set_xlim(-0.5, 1.55)
        ax.grid(axis="x", visible=False)
        ax.set_title(titles[part])
    lowest = min([float(table["auc"].min()), *summarise(table).query("measure == 'auc'")["low"]])
    axes[0].set_ylim(max(0.0, min(0.2, np.floor(10 * lowest) / 10)) - 0.02, 1.05)
    axes[0].set_ylabel("AUC on test subjects")
    figure.supxlabel(
        "Dots and squares: one seed each. Diamonds: mean over seeds and its 95 % t-interval, cut at 0 and 1.",
        fontsize=8,
        color=MUTED,
    )
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=DPI, format="png", metadata={"Software": None})


def main() -> None:
    """Run what is missing, then write and print the summary."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/field-of-view"))
    parser.add_argument("--seeds", type=int, default=10, help="how many seeds, from 0")
    parser.add_argument("--heads", type=int, default=100)
    parser.add_argument("--channels", type=int, default=8)
    parser.add_argument("--epochs", type=int, default=16)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    options.out.mkdir(parents=True, exist_ok=True)
    epochs = options.epochs
    settings = TrialSettings(
        learning_rate=1e-3, decay=0.0, batch_size=1, max_epochs=epochs, patience=epochs, l2=0.001, augment=False
    )
    heads = load_heads(options.out / "heads.npz", options.heads)
    path = options.out / "field-of-view.tsv"
    table = read_tsv(path) if path.is_file() else pd.DataFrame()
    if not table.empty and set(zip(table["channels"], table["epochs"], strict=True)) != {(options.channels, epochs)}:
        parser.error(f"{path} has rows of other --channels or --epochs; choose another --out")
    for seed in range(options.seeds):
        for part in PARTS:
            done = set() if table.empty else set(table["network"][(table["part"] == part) & (table["seed"] == seed)])
            if missing := [name for name in NAMES if name not in done]:
                new = run_seed(heads, part, seed, missing, settings, options.channels)
                table = pd.concat([table, pd.DataFrame(new)], ignore_index=True)
                write_tsv(path, table)
                said = ", ".join(f"{row['network']} AUC {row['auc']:.2f} ({row['seconds']:.0f} s)" for row in new)
                print(f"seed {seed}, {part}: {said}", flush=True)
    summary, cost = summarise(table), measure_cost(options.channels, 4)
    masks = part_masks()
    brain = mni_brain_mask(PAPER_GRID)
    shares = {
        part: {
            "grid": float(mask.mean()),
            "mni_brain": float(brain[mask].sum() / brain.sum()),
            "white_matter_of_heads": float(heads.white[:, mask].sum() / heads.white.sum()),
        }
        for part, mask in masks.items()
    }
    write_json(
        options.out / "field-of-view.json",
        {
            "options": {"seeds": options.seeds, "heads": options.heads, "channels": options.channels},
            "settings": settings.to_json(),
            "scans": {role: len(rows) for role, rows in draw_labels(0, options.heads)[1].items()},
            "shares": shares,
            "cost": cost.to_dict("records"),
            "summary": summary.to_dict("records"),
            "rows": table.to_dict("records"),
        },
    )
    draw(table, options.out / "field-of-view.png")
    figure = field_of_view_figure(
        mni_template(PAPER_GRID),
        PAPER_GRID,
        masks["seen"],
        title=f"What the paper's network sees: {100 * float(masks['seen'].mean()):.1f} % of its grid",
        centre=(-20.0, -20.0, 15.0),
    )
    write(figure, options.out / "field-of-view-brain.png")
    print(table.pivot_table(index="seed", columns=["part", "network"], values="auc").round(2).to_string())
    print(summary.round(3).to_string(index=False))
    print(cost.round(3).T.to_string(header=False))
    print(pd.DataFrame(shares).round(3).to_string())


if __name__ == "__main__":
    main()
