"""What the gate sees in good scans and in broken ones, beside its bounds.

    python experiments/gate.py ../shared/data [DATASET ...]

Takes the real scans of the test data, and the scans of datasets that `pellucid preprocess` or `pellucid simulate`
wrote; turns and scales the real good ones; turns over, cuts, empties and shrinks them; and prints a line for each: its
measures, and the verdict. Then comes, for each measure, how far good scans reach towards its bound: those of the half
of the participants that the bounds were chosen on, and those of the other half. The last lines say which good scans
were remarked on, and which broken ones passed.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from itertools import permutations, product
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.spatial.transform import Rotation

from pellucid.atlas.tissue_priors import tissue_priors
from pellucid.gate.finding import refusals, words
from pellucid.gate.look import Look, look
from pellucid.gate.shape import faces
from pellucid.ground.errors import InputError
from pellucid.image.grid import Grid
from pellucid.image.nifti import Volume, read_volume
from pellucid.image.prepare import MNI_BRAIN_CENTRE, find_brain, mni_offset


class Case(NamedTuple):
    """An image, what it is, what it is given as, and whether it is good, broken, or may be either."""

    name: str
    chosen: bool  # whether bounds were chosen on this participant
    data: np.ndarray
    grid: Grid
    modality: str
    good: bool | None


def moved(grid: Grid, linear: np.ndarray) -> Grid:
    """Return a grid turned or scaled about the centre of the MNI brain."""
    about, matrix = np.eye(4), np.eye(4)
    about[:3, 3] = MNI_BRAIN_CENTRE
    matrix[:3, :3] = linear
    return Grid.of(grid.shape, about @ matrix @ np.linalg.inv(about) @ grid.affine)


def posed(case: Case) -> Iterator[Case]:
    """Yield a good scan turned by 10 degrees, and scaled by 10 %."""
    for axis, degrees in product("xyz", (-10, 10)):
        turn = Rotation.from_euler(axis, degrees, degrees=True).as_matrix()
        yield case._replace(name=f"{case.name} turned {degrees:+d} {axis}", grid=moved(case.grid, turn))
    for size in (0.9, 1.1):
        yield case._replace(name=f"{case.name} x {size}", grid=moved(case.grid, size * np.eye(3)))


def oriented(case: Case) -> Iterator[Case]:
    """Yield a scan in the 47 other orientations, its header unchanged; mirrored in left and right it may pass."""
    side = max(case.data.shape)
    pads = [((side - n) // 2, side - n - (side - n) // 2) for n in case.data.shape]
    cube = np.pad(case.data, pads)
    affine = case.grid.affine
    affine[:3, 3] = case.grid.world([-before for before, _ in pads])
    grid = Grid.of(cube.shape, affine)
    for axes, flips in product(permutations(range(3)), product((False, True), repeat=3)):
        turned = cube.transpose(axes)
        turned = np.flip(turned, [a for a in range(3) if flips[a]])
        if axes == (0, 1, 2) and not any(flips[1:]):
            continue
        along, over = ("".join("xyz"[a] for a in chosen) for chosen in (axes, np.flatnonzero(flips)))
        name = f"{case.name} axes {along} flipped {over or '-'}"
        yield case._replace(name=name, data=np.ascontiguousarray(turned), grid=grid, good=False)


def broken(case: Case) -> Iterator[Case]:
    """Yield a scan cut, halved, emptied and replaced by other things in its own place."""
    brain = find_brain(case.data)
    for axis in range(3):
        inside = np.flatnonzero(brain.any(axis=tuple(a for a in range(3) if a != axis)))
        middle = (inside[0] + inside[-1]) // 2
        for name, kept in (("first", slice(None, middle)), ("second", slice(middle, None))):
            data = np.zeros_like(case.data)
            where = (slice(None),) * axis + (kept,)
            data[where] = case.data[where]
            yield case._replace(name=f"{case.name} {name} half of axis {axis}", data=data, good=False)
        data = case.data.copy()
        data[(slice(None),) * axis + (slice(None, None, 2),)] = 0
        yield case._replace(name=f"{case.name} every second slice of axis {axis}", data=data, good=False)
    inside = np.flatnonzero(brain.any(axis=(0, 1)))
    size = case.grid.voxel_sizes[2]
    for name, millimetres in (("top", 12), ("top", 20), ("top", 35), ("bottom", 20)):
        data, slices = case.data.copy(), round(millimetres / size)
        data[..., inside[-1] + 1 - slices :] *= name != "top"
        data[..., : inside[0] + slices] *= name != "bottom"
        yield case._replace(name=f"{case.name} {millimetres} mm off the {name}", data=data, good=False)
    for size in (0.3, 0.5, 0.7, 0.8, 1.4):
        yield case._replace(name=f"{case.name} voxels x {size}", grid=moved(case.grid, size * np.eye(3)), good=False)
    for axis in "xyz":
        turn = Rotation.from_euler(axis, 40, degrees=True).as_matrix()
        yield case._replace(name=f"{case.name} turned 40 {axis}", grid=moved(case.grid, turn), good=False)
    for axis in range(3):
        shifted = case.grid.affine
        shifted[axis, 3] += 22.0
        grid = Grid.of(case.grid.shape, shifted)
        yield case._replace(name=f"{case.name} moved 22 mm along {axis}", grid=grid, good=False)
    random = np.random.default_rng(0)
    shapes = {
        "mask": brain.astype(np.float32),
        "noise in its shape": np.where(brain, random.normal(100.0, 10.0, brain.shape), 0.0),
        "one voxel of 1e38": case.data.copy(),
    }
    shapes["one voxel of 1e38"][tuple(np.argwhere(brain)[999])] = 1e38
    fluid, grey, white = tissue_priors(case.grid)
    shapes |= {
        "T2w": np.where(brain, 150 * fluid + 90 * grey + 70 * white + random.normal(0, 4, brain.shape), 0).clip(0)
    }
    shapes |= {f"probability of {name}": np.where(brain, p, 0) for name, p in (("grey", grey), ("white", white))}
    for name, data in shapes.items():
        yield case._replace(name=f"{case.name} as {name}", data=data.astype(np.float32), good=False)
    other = "T1w" if case.modality == "FLAIR" else "FLAIR"
    yield case._replace(name=f"{case.name} given as {other}", modality=other, good=False)


def cases(data: Path, derivatives: list[Path]) -> Iterator[Case]:
    """Yield every case."""

    def case(path: Path, good: bool | None, modality: str = "") -> Case:
        volume: Volume = read_volume(path)
        modality = modality or ("FLAIR" if "FLAIR" in path.name else "T1w")
        name = path.name.split(".")[0]
        return Case(name, chosen_on(name), volume.data, volume.grid, modality, good)

    prepared = [
        *sorted((data / "ms_real/open_ms_data").glob("*_FLAIR*")),
        *sorted((data / "ms_real/open_ms_data").glob("*_T1.*")),
    ]
    prepared += sorted((data / "templates").glob("*descr-brain*"))
    for root in derivatives:
        prepared += sorted(root.glob("sub-*/**/anat/*space-MNI152NLin6Asym_desc-brain_[FT]*.nii.gz"))
    aligned = sorted((data / "healthy/ds002748_T1_mni2mm").glob("*.nii.gz"))
    for path in [*prepared, *aligned]:
        one = case(path, None if "sub-45" in path.name else True)  # sub-45 registered badly
        yield one
        yield from posed(one)
    for root in derivatives:
        for path in sorted(root.glob("sub-*/anat/*.nii.gz")) if (root / "derivatives" / "truth").is_dir() else []:
            yield case(path, True)
    raw = [
        *sorted((data / "raw_pairs").rglob("*study*")),
        *sorted((data / "healthy").glob("py_*")),
        *sorted((data / "healthy/ds002748").glob("*.nii.gz")),
    ]
    raw += [*sorted((data / "templates").glob("*2x2x2_T1w.nii.gz")), *sorted((data / "label_maps").rglob("*.nii.gz"))]
    for path in raw:
        yield case(path, False)
    for root in derivatives:
        for path in sorted(root.glob("sub-*/**/anat/*.nii.gz")):
            if (
                "desc-brain_FLAIR" not in path.name
                and "desc-brain_T1w" not in path.name
                and "desc-filled" not in path.name
                and not (root / "derivatives" / "truth").is_dir()
            ):
                yield case(path, False, "FLAIR")
    for path in prepared:
        one = case(path, True)
        yield from broken(one)
        yield from oriented(one)


def chosen_on(name: str) -> bool:
    """Return whether bounds were chosen on a participant: those with odd numbers, but for the patients 03 and 07."""
    number = re.search(r"\d+", name)
    held_out = name.startswith(("patient07", "patient03", "sub-03_space-MNI152NLin6Asym"))
    return number is not None and int(number.group()) % 2 == 1 and not held_out


def reaches(seen: Look, case: Case, brain: np.ndarray) -> dict[str, float]:
    """Return a good scan's measures such that the largest is the nearest to its bound."""
    reached = {"ratio, small": -seen.ratio, "ratio, large": seen.ratio, "far": seen.far}
    reached["off, mm"] = float(np.linalg.norm(mni_offset(brain, case.grid)))
    reached["face, cm2"] = max(found.area for found in faces(brain, case.grid))
    if seen.fit is not None:
        reached |= {"fit": -seen.fit.score, "fit - far / 2": seen.far / 2 - seen.fit.score, "turned": seen.fit.degrees}
    if seen.tissues is not None:
        grey = seen.tissues.grey
        reached |= {"anatomy": -seen.tissues.share, f"fluid, {case.modality}": seen.tissues.fluid}
        reached[f"grey, {case.modality}"] = grey if case.modality == "T1w" else -grey
    return reached


def main() -> None:
    """Print the table, then what is not as it should be."""
    wrong = []
    nearest: dict[tuple[str, bool], tuple[float, str]] = {}
    for case in cases(Path(sys.argv[1]), [Path(path) for path in sys.argv[2:]]):
        try:
            brain = find_brain(case.data)
        except InputError as error:
            print(f"{case.name:<60} refused: {error.what}")
            continue
        seen = look(case.data, brain, case.grid, modality=case.modality)
        verdict = "refused" if refusals(seen.findings) else "remark" if seen.findings else "pass"
        numbers = " ".join(f"{name} {value:.3f}" for name, value in seen.measures().items())
        print(f"{case.name:<60} {verdict:<8} {numbers} | {words(seen.findings) or ''}", flush=True)
        for measure, value in reaches(seen, case, brain).items() if case.good else ():
            nearest[measure, case.chosen] = max(nearest.get((measure, case.chosen), (-np.inf, "")), (value, case.name))
        if case.good is not None and case.good != (verdict == "pass"):
            wrong.append(f"{'good' if case.good else 'broken'}, and yet {verdict}: {case.name}")
    for measure in sorted({measure for measure, _ in nearest}):
        halves = [nearest.get((measure, chosen), (np.nan, "")) for chosen in (True, False)]
        print(f"{measure:<16}" + "".join(f" | {abs(value):7.3f} {name}" for value, name in halves))
    print("\n".join(["", f"{len(wrong)} are not as they should be", *wrong]))


if __name__ == "__main__":
    main()
