"""A synthetic run with all that the paper's figures are drawn from: six arms, two atlases, lesions of two groups."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image
from scipy import ndimage
from tests.report.conftest import with_method

from pellucid.analysis.classification import over_trials
from pellucid.analysis.regions import regional_relevance
from pellucid.analysis.roc import roc
from pellucid.atlas.template import mni_template
from pellucid.ground.files import write_json, write_text, write_tsv
from pellucid.image.grid import MNI_1MM, Grid, resized
from pellucid.image.nifti import write_volume
from pellucid.report.paper.material import Material
from pellucid.rundir.run import open_run

HELD_OUT, TRAINED = 7, 3  # of each group
METHOD = "lrp-epsilon"
EXPLAINED = {"finetuned": 3.0, "scratch": 1.2, "untrained": 0.0, "pretrained-only": 0.1, "lesion-filled": 1.5}
"""Arm to how far apart it holds the groups."""
ATLASES = {"neuromorphometrics": 36, "jhu-icbm-dti-81": 12}
"""Atlas to its number of areas."""
WRONG = ("sub-0004", "sub-0013")
"""A patient and a control whom the main arm takes for the other."""
NO_MASK = "sub-0002"


def make_figure_run(root: Path, *, shape: tuple[int, int, int] = (31, 37, 31), atlases: Any = None) -> Path:
    """Write the run; `atlases` replaces the made-up label maps: name to labels (X, Y, Z) and table index, area."""
    generator = np.random.default_rng(11)
    grid = resized(MNI_1MM, shape)
    stops = tuple(int(np.ceil(0.74 * n)) for n in shape)
    seen = np.zeros(shape, dtype=bool)
    seen[tuple(slice(stop) for stop in stops)] = True
    people = _people()
    brain = ndimage.binary_fill_holes(mni_template(grid) > 500)
    lesions = np.array([_lesions(grid, brain, row, generator) for row in people.to_dict("records")])
    base = np.where(brain, mni_template(grid) / 11000, 0.0)
    noise = [ndimage.gaussian_filter(generator.normal(size=shape), 0.6) for _ in range(len(people))]
    images = [
        np.where(brain, np.clip(base + 0.02 * n + 0.25 * m, 0.01, 1), 0) for n, m in zip(noise, lesions, strict=True)
    ]

    write_text(root / "study.toml", SPEC)
    write_json(root / "record.json", {"study": "figures"})
    write_tsv(root / "splits.tsv", people[["participant_id", "group", "role"]].assign(cohort="ms", fold=0))
    _write_store(root / "stores" / "ms", people, grid, np.array(images, dtype=np.float32), brain, lesions)
    made = {
        name: atlases[name] if atlases else _atlas(brain, grid, count, generator) for name, count in ATLASES.items()
    }
    regions = [
        table
        for arm, gap in EXPLAINED.items()
        for table in _write_arm(root, arm, gap, people, lesions, brain & seen, grid, stops, made, generator)
    ]
    table = pd.concat(regions, ignore_index=True)
    write_tsv(root / "tables" / "regions.tsv", table)
    write_tsv(root / "tables" / "region_tests.tsv", _tests(table))
    write_tsv(root / "tables" / "lesion_regions.tsv", _lesion_regions(people, lesions, made))
    _write_scores(root, people, generator)
    with_method(root / "tables")
    return root


def shared_run(temporary: pytest.TempPathFactory) -> Path:
    """Return one run for all test modules of a session; tests that change it must copy it first."""
    if not _MADE:
        _MADE.append(make_figure_run(temporary.mktemp("figures") / "run"))
    return _MADE[0]


_MADE: list[Path] = []


def material(root: Path) -> Material:
    """Open a run for the figures."""
    return Material(open_run(root))


def pixels(figure: Figure, path: Path) -> Any:
    """Write a figure small, open it, and return its pixels (rows from the top, columns, RGB) in 0-255."""
    figure.savefig(path, dpi=50)
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB")).astype(int)


def words(figure: Figure) -> list[str]:
    """Return all text of a figure, wherever it stands."""
    figure.draw_without_rendering()
    return [str(text.get_text()) for text in figure.findobj(Text) if text.get_text()]


def _people() -> pd.DataFrame:
    rows = []
    for n in range(2 * (HELD_OUT + TRAINED)):
        patient, number = n < HELD_OUT + TRAINED, n % (HELD_OUT + TRAINED)
        role = "holdout" if number < HELD_OUT else "train"
        rows.append((f"sub-{n + 1:04d}", "MS" if patient else "HC", int(patient), role))
    return pd.DataFrame(rows, columns=["participant_id", "group", "label", "role"])


def _lesions(grid: Grid, brain: Any, row: dict[str, Any], generator: np.random.Generator) -> Any:
    """Some blobs around the right and left ventricle, more of them on the subject's right."""
    mask = np.zeros(grid.shape, dtype=bool)
    xyz = grid.world(np.moveaxis(np.indices(grid.shape), 0, -1))
    for _ in range(10 if row["group"] == "MS" else int(generator.integers(0, 2))):
        x = generator.choice((-1, 1, 1)) * generator.uniform(16, 34)
        point = np.array([x, generator.uniform(-55, 25), generator.uniform(8, 32)])
        mask |= np.linalg.norm(xyz - point, axis=-1) < generator.uniform(4, 8)
    return mask & brain


def _write_store(folder: Path, people: pd.DataFrame, grid: Grid, images: Any, brain: Any, lesions: Any) -> None:
    folder.mkdir(parents=True)
    np.save(folder / "images.npy", images)
    np.save(folder / "brain.npy", np.repeat(brain[None], len(people), axis=0))
    np.save(folder / "lesions.npy", lesions)
    has_mask = people["participant_id"] != NO_MASK
    table = people.drop(columns="role").assign(session_id=pd.NA, has_lesion_mask=has_mask)
    write_tsv(folder / "table.tsv", table)
    about = {"grid": grid.to_json(), "scaling": "max", "modality": "FLAIR", "classes": {"0": "HC", "1": "MS"}}
    write_json(folder / "store.json", about | {"resampling": "antialias", "problems": [], "remarks": []})


def _atlas(brain: Any, grid: Grid, count: int, generator: np.random.Generator) -> tuple[Any, pd.DataFrame]:
    """Cut the brain into areas, each what is nearest to its seed."""
    voxels = np.argwhere(brain)
    seeds = voxels[generator.choice(len(voxels), count, replace=False)]
    labels = np.zeros(grid.shape, dtype=int)
    labels[tuple(voxels.T)] = np.linalg.norm(voxels[:, None] - seeds[None], axis=-1).argmin(axis=1) + 1
    areas = [f"{'Superior inferior posterior' if n % 7 == 0 else 'Some'} gyrus {n:02d}" for n in range(1, count + 1)]
    return labels, pd.DataFrame({"index": range(1, count + 1), "area": areas})


def _write_arm(
    root: Path,
    arm: str,
    gap: float,
    people: pd.DataFrame,
    lesions: Any,
    seen: Any,
    grid: Grid,
    stops: tuple[int, ...],
    atlases: Any,
    generator: np.random.Generator,
) -> list[pd.DataFrame]:
    out, tables = root / "maps" / arm / METHOD, []
    view = np.zeros(grid.shape, dtype=bool)
    view[tuple(slice(stop) for stop in stops)] = True
    common = ndimage.gaussian_filter(generator.normal(size=grid.shape), 1.5)
    for n, row in people[people["role"] == "holdout"].iterrows():
        side = 1.0 if row["label"] else -0.6
        wrong = arm == "finetuned" and row["participant_id"] in WRONG
        signal = gap * ndimage.gaussian_filter(lesions[n].astype(float), 0.7)  # type: ignore[call-overload]
        spread = generator.standard_t(4, size=grid.shape) * 0.15 + 0.4 * common * gap
        own = ndimage.gaussian_filter(generator.normal(size=grid.shape), 3.0) * np.sqrt(grid.voxel_volume_ml / 0.2)
        spread += 2.0 * gap * own
        values = 0.012 * (signal * (-1 if wrong else 1) + 0.3 * spread + 0.004 * side * gap) * seen
        logit = (gap + 0.3) * (1 if bool(row["label"]) != wrong else -1) * float(generator.uniform(0.4, 1.2))
        sidecar = {"Method": METHOD, "Logit": logit, "FieldOfView": {"Stops": list(stops), "SeenShare": 0.4}}
        name = f"{row['participant_id']}_space-MNI152NLin6Asym_desc-lrpEpsilon_relevance.nii.gz"
        write_volume(out / name, values.astype(np.float32), grid, sidecar=sidecar)
        for atlas, (labels, areas) in atlases.items():
            table = regional_relevance(values, labels, areas, view)
            who = {"arm": arm, "participant_id": row["participant_id"], "session_id": pd.NA, "group": row["group"]}
            tables.append(
                table.assign(**who, networks=f"{arm}/trial-00", correct=(logit > 0) == bool(row["label"]), atlas=atlas)
            )
    return tables


def _tests(regions: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for (arm, atlas, area), some in regions.groupby(["arm", "atlas", "area"], sort=False):
        mean = some.groupby("group")["sum"].mean()
        far = bool(abs(mean["MS"] - mean["HC"]) > some["sum"].std())
        rows.append((arm, atlas, area, mean["MS"] - mean["HC"], 0.01 if far else 0.5, 0.02 if far else 0.6))
    return pd.DataFrame(rows, columns=["arm", "atlas", "area", "difference", "p", "q"])


def _lesion_regions(people: pd.DataFrame, lesions: Any, atlases: Any) -> pd.DataFrame:
    rows = []
    for n, row in people.iterrows():
        if row["participant_id"] == NO_MASK:
            continue
        for atlas, (labels, areas) in atlases.items():
            for area, some in areas.groupby("area", sort=False):
                inside = np.isin(labels, some["index"])
                count = int(inside[lesions[n]].sum() if lesions[n].any() else 0)  # type: ignore[call-overload]
                who = {"participant_id": row["participant_id"], "session_id": pd.NA, "group": row["group"]}
                rows.append(who | {"atlas": atlas, "area": area, "voxels": int(inside.sum()), "lesion_voxels": count})
    return pd.DataFrame(rows)


def _write_scores(root: Path, people: pd.DataFrame, generator: np.random.Generator) -> None:
    held_out, curves, scores = people[people["role"] == "holdout"], [], []
    for arm in ("finetuned", "scratch"):
        parts = []
        for trial in range(4):
            logit = (2 * held_out["label"] - 1) + generator.normal(0, 1, len(held_out))
            parts.append(held_out[["participant_id", "label"]].assign(trial=trial, logit=logit))
            classes = {"classes": {"0": "HC", "1": "MS"}}
            write_json(root / "models" / arm / f"trial-{trial:02d}" / "model.json", classes)
        table = pd.concat(parts, ignore_index=True)
        curves.append(roc(table).assign(arm=arm))
        scores.append(over_trials(table).assign(arm=arm))
    write_tsv(root / "tables" / "roc.tsv", pd.concat(curves, ignore_index=True))
    write_tsv(root / "tables" / "table2.tsv", pd.concat(scores, ignore_index=True))


SPEC = """
[study]
name = "figures"
seed = 3

[splits.ms]
scheme = "holdout"

[training.pretraining]
cohort = "other"

[training.scratch]
cohort = "ms"
images = "prepared"
fit = true

[training.finetuned]
cohort = "ms"
images = "prepared"
fit = true
start_from = "pretraining"

[training.lesion-filled]
cohort = "ms"
images = "lesion-filled"
fit = true
start_from = "pretraining"

[training.untrained]
cohort = "ms"
fit = false

[training.pretrained-only]
cohort = "ms"
start_from = "pretraining"
fit = false

[explain]
arms = ["finetuned", "scratch", "untrained", "pretrained-only", "lesion-filled"]
methods = ["lrp-epsilon"]

[analysis]
bootstrap = 200
"""
