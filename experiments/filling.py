"""Are filled lesions white matter to a detector, and in mean and spread? On real patients and on simulated ones.

    python experiments/filling.py --real ../shared/data/ms_real/open_ms_data --simulated 3 --pictures runs/filling

--real names a folder with NAME_FLAIR, NAME_T1 and NAME_lesions of each patient. White matter comes from the T1w, which
lies on the FLAIR: the brightest of three clusters of intensities two voxels inside the brain, or with `--white tissue`
what `segment_tissue` finds.

- found: lesion voxels brighter than 99 % of the healthy white matter, before and after filling, on the FLAIR; on the
  T1w, whose lesions are dark, those darker than 99 % of it.
- mean, sd: of the former lesion voxels, against the white matter around, 3 to 10 mm from the lesions; the rim is left
  out, for it may become cortex.
- rough: median absolute difference of neighbouring lesion voxels, against the same white matter: 1 is as noisy.
- outside: voxels that were not to be replaced and were.

Healthy white matter is white on all six sides and lies 3 mm or more from every lesion.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
from scipy import ndimage

from pellucid.ground.arrays import BoolArray, Float32Array
from pellucid.image.grid import Grid
from pellucid.image.nifti import Volume, read_mask, read_volume
from pellucid.image.planes import planes, to_ras
from pellucid.image.prepare import find_brain
from pellucid.preprocess.filling import METHODS, RIM_MM, Filled, dilate, dilate_original, fill_lesions
from pellucid.simulate.cohort import simulate_cohort
from pellucid.simulate.settings import CohortSettings

ASKED = {"found_after": 0.05, "mean_off": 0.05, "sd_off": 0.25, "outside": 0}
"""The most that is allowed of each."""


def clusters_white(t1: Volume, lesions: BoolArray) -> BoolArray:
    """Return the brightest of three clusters (k-means) of the T1w's intensities, two voxels inside the brain."""
    inner = ndimage.binary_erosion(find_brain(t1.data), iterations=2)
    x = t1.data[inner & ~lesions]
    centres = np.percentile(x, (5.0, 40.0, 85.0))
    for _ in range(50):
        nearest = np.abs(x[:, None] - centres).argmin(axis=1)
        centres = np.array([x[nearest == k].mean() for k in range(3)])
    return np.asarray(inner & (t1.data > centres[1:].mean()))


def tissue_white(t1: Volume, lesions: BoolArray) -> BoolArray:
    """Return where `segment_tissue` finds white matter the most probable tissue of the T1w."""
    from pellucid.preprocess.tissue import segment_tissue

    tissue = segment_tissue(t1.data, find_brain(t1.data), t1.grid, lesions=lesions)
    return np.asarray((tissue.white > tissue.csf) & (tissue.white > tissue.grey))


def measure(
    image: Float32Array, filled: Filled, lesions: BoolArray, white: BoolArray, grid: Grid, *, bright: bool
) -> dict[str, float]:
    """Return the figures of one filled image; those that end in `_off` are relative to the white matter around."""
    healthy = white & ndimage.binary_erosion(white) & ~dilate(lesions, grid, 3.0)
    around = healthy & dilate(lesions, grid, 10.0)
    sign = 1.0 if bright else -1.0
    threshold = np.percentile(sign * image[healthy], 99.0)
    new, old = filled.image[lesions], image[around]
    allowed = dilate(lesions, grid, RIM_MM) | dilate_original(lesions)
    return {
        "found_before": float((sign * image[lesions] > threshold).mean()),
        "found_after": float((sign * filled.image[lesions] > threshold).mean()),
        "mean_off": float(new.mean() / old.mean() - 1.0),
        "sd_off": float(new.std() / old.std() - 1.0),
        "rough": _roughness(filled.image, lesions) / _roughness(image, around),
        "outside": int(np.count_nonzero((filled.image != image) & ~allowed)),
        "wide": int(filled.wide.sum() + filled.whole_brain.sum()),
        "unfilled": int(filled.unfilled.sum()),
    }


def _roughness(image: Float32Array, mask: BoolArray) -> float:
    """Return the median absolute difference of neighbours along the axes within a mask."""
    steps = []
    for axis in range(3):
        both = np.moveaxis(mask, axis, 0)[1:] & np.moveaxis(mask, axis, 0)[:-1]
        steps.append(np.abs(np.diff(np.moveaxis(image, axis, 0), axis=0)[both]))
    return float(np.median(np.concatenate(steps)))


def real_patients(folder: Path) -> Iterator[tuple[str, Path, Path, Path]]:
    """Yield name, FLAIR, T1w and mask of every patient in a folder."""
    for mask in sorted(folder.glob("*_lesions.nii.gz")):
        name = mask.name.removesuffix("_lesions.nii.gz")
        yield name, folder / f"{name}_FLAIR.nii.gz", folder / f"{name}_T1.nii.gz", mask


def simulated_patients(folder: Path, patients: int) -> Iterator[tuple[str, Path, Path, Path]]:
    """Simulate patients into a folder; yield name, FLAIR, T1w and mask of each."""
    simulate_cohort(folder, CohortSettings(patients=patients, controls=1, seed=11), workers=1)
    table = pd.read_csv(folder / "participants.tsv", sep="\t")
    for name in table.loc[table["group"] == "MS", "participant_id"]:
        anat = folder / name / "anat"
        mask = next((folder / "derivatives" / "lesions" / name).rglob("*_mask.nii.gz"))
        yield f"simulated {name}", anat / f"{name}_FLAIR.nii.gz", anat / f"{name}_T1w.nii.gz", mask


def draw(path: Path, image: Float32Array, filled: Filled, lesions: BoolArray, grid: Grid) -> None:
    """Draw before, after and difference, axial, coronal and sagittal, through the largest lesion."""
    mpl.use("Agg")
    from matplotlib import pyplot as plt

    parts, _ = ndimage.label(lesions)
    sizes = np.bincount(parts[lesions])
    largest = np.argwhere(parts == sizes.argmax())
    centre = grid.world(largest[np.linalg.norm(largest - largest.mean(axis=0), axis=1).argmin()])
    top = float(np.percentile(image[image > 0], 99.5))
    figure, axes = plt.subplots(3, 3, figsize=(12, 13), facecolor="black", layout="constrained")
    ras = to_ras(image, grid)[1]
    for row, plane in zip(axes, planes(ras, centre), strict=True):
        before, after = (plane.cut(to_ras(values, grid)[0]) for values in (image, filled.image))
        shown = {"cmap": "gray", "vmin": 0.0, "vmax": top, "origin": "lower", "extent": plane.extent}
        row[0].imshow(before, **shown)
        row[1].imshow(after, **shown)
        row[2].imshow(after - before, **shown | {"cmap": "coolwarm", "vmin": -top / 2, "vmax": top / 2})
        for axis in row:
            axis.axis("off")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=80)
    plt.close(figure)


def main() -> None:
    """Fill every patient by both methods and print what was asked and what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--real", type=Path, help="folder of real patients")
    parser.add_argument("--simulated", type=int, default=0, help="how many patients to simulate")
    parser.add_argument("--white", choices=("clusters", "tissue"), default="clusters")
    parser.add_argument("--pictures", type=Path, help="folder for before, after and difference of each")
    options = parser.parse_args()
    find_white = {"clusters": clusters_white, "tissue": tissue_white}[options.white]
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        patients = list(real_patients(options.real)) if options.real else []
        if options.simulated:
            patients += simulated_patients(Path(scratch) / "cohort", options.simulated)
        for name, flair, t1w, mask in patients:
            t1 = read_volume(t1w)
            lesions = read_mask(mask, t1.grid).data
            white = find_white(t1, lesions)
            for contrast, volume in (("FLAIR", read_volume(flair)), ("T1w", t1)):
                for method in METHODS:
                    start = time.perf_counter()
                    filled = fill_lesions(volume.data, lesions, white, t1.grid, seed=0, method=method)
                    seconds = time.perf_counter() - start
                    figures = measure(volume.data, filled, lesions, white, t1.grid, bright=contrast == "FLAIR")
                    kept = all(abs(figures[key]) <= most for key, most in ASKED.items())
                    ml = lesions.sum() * t1.grid.voxel_volume_ml
                    what = {"patient": name, "contrast": contrast, "method": method, "ml": ml}
                    rows.append(what | figures | {"seconds": seconds, "kept": "yes" if kept else "no"})
                    if options.pictures:
                        picture = options.pictures / f"{name.replace(' ', '-')}_{contrast}_{method}.png"
                        draw(picture, volume.data, filled, lesions, t1.grid)
    asked = {key: f"<= {most:g}" for key, most in ASKED.items()} | {"seconds": "<= 8", "patient": "asked"}
    table = pd.DataFrame(rows).round({"ml": 1, "seconds": 1}).round(3).astype(str)
    print(pd.concat([pd.DataFrame([asked]), table])[table.columns].fillna("").to_string(index=False))


if __name__ == "__main__":
    main()
