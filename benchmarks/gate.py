"""What the gate sees in good scans and in broken ones, beside its bounds.

    python benchmarks/gate.py ../shared/data [DERIVATIVES ...]

Takes the real scans of the test data, and the prepared scans of datasets that `pellucid preprocess` wrote; turns and
scales the good ones; turns over, cuts, empties and shrinks them; and prints a line for each: its measures, the largest
face, and the verdict. The last lines say which good scans were remarked on, and which broken ones passed.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import permutations, product
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.spatial.transform import Rotation

from pellucid.atlas.tissue_priors import tissue_priors
from pellucid.errors import InputError
from pellucid.gate.finding import refusals, words
from pellucid.gate.look import look
from pellucid.gate.shape import faces
from pellucid.image.grid import Grid
from pellucid.image.nifti import Volume, read_volume
from pellucid.image.prepare import MNI_BRAIN_CENTRE, find_brain


class Case(NamedTuple):
    """An image, what it is, what it is given as, and whether it is good, broken, or may be either."""

    name: str
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
    yield case._replace(name=f"{case.name} x 1.1", grid=moved(case.grid, 1.1 * np.eye(3)))
    # Below 0.53 of the template's volume a scan is remarked on: real rigidly aligned brains, made smaller, are.
    yield case._replace(name=f"{case.name} x 0.9", grid=moved(case.grid, 0.9 * np.eye(3)), good=None)


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
        yield Case(name, np.ascontiguousarray(turned), grid, case.modality, False)


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
    yield case._replace(name=f"{case.name} voxels x 0.5", grid=moved(case.grid, 0.5 * np.eye(3)), good=False)
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
        return Case(path.name.split(".")[0], volume.data, volume.grid, modality, good)

    prepared = [
        *sorted((data / "ms_real/open_ms_data").glob("*_FLAIR*")),
        *sorted((data / "ms_real/open_ms_data").glob("*_T1.*")),
    ]
    prepared += sorted((data / "templates").glob("*descr-brain*"))
    for root in derivatives:
        prepared += sorted(root.glob("sub-*/**/anat/*space-MNI152NLin6Asym_desc-brain_[FT]*.nii.gz"))
    for path in prepared:
        one = case(path, True)
        yield one
        yield from posed(one)
        yield from broken(one)
        yield from oriented(one)
    for path in sorted((data / "healthy/ds002748_T1_mni2mm").glob("*.nii.gz")):
        one = case(path, None if "sub-45" in path.name else True)  # sub-45 registered badly
        yield one
        yield from posed(one)
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
            ):
                yield case(path, False, "FLAIR")


def main() -> None:
    """Print the table, then what is not as it should be."""
    wrong = []
    for case in cases(Path(sys.argv[1]), [Path(path) for path in sys.argv[2:]]):
        try:
            brain = find_brain(case.data)
        except InputError as error:
            print(f"{case.name:<60} refused: {error.what}")
            continue
        seen = look(case.data, brain, case.grid, modality=case.modality)
        verdict = "refused" if refusals(seen.findings) else "remark" if seen.findings else "pass"
        numbers = " ".join(f"{name} {value:.3f}" for name, value in seen.measures().items())
        face = max(found.area for found in faces(brain, case.grid))
        print(f"{case.name:<60} {verdict:<8} face {face:.0f} {numbers} | {words(seen.findings) or ''}", flush=True)
        if case.good is not None and case.good != (verdict == "pass"):
            wrong.append(f"{'good' if case.good else 'broken'}, and yet {verdict}: {case.name}")
    print("\n".join(["", f"{len(wrong)} are not as they should be", *wrong]))


if __name__ == "__main__":
    main()
