"""How a brain lies: its orientation, turn and size against the template's, found in the image and not in its header."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import permutations, product

import numpy as np
from scipy import ndimage, optimize
from scipy.spatial.transform import Rotation

from pellucid.atlas.template import mni_brain_mask
from pellucid.atlas.tissue_priors import tissue_priors
from pellucid.gate import bounds
from pellucid.gate.finding import PREPROCESS, RECONVERT, Finding
from pellucid.gate.shape import TEMPLATE_ML
from pellucid.ground.arrays import BoolArray, Float32Array, Float64Array
from pellucid.image.grid import Grid, resized
from pellucid.image.prepare import MNI_BRAIN_CENTRE
from pellucid.image.resample import resample

_COARSE_MM = 4.0  # of the image that poses are tried on
_SMOOTH = 0.8  # its voxels: points are 10 mm apart
_STEP_MM = 10.0  # between the template's points
_AROUND_MM = 12.0  # of the template's brain: points of the background, where its outline shows
_SIZES = (1.0, 1.1)  # of what the volume says: a tight mask has less volume than its brain's extent promises
_TILTS = (-25.0, 25.0)  # degrees about each axis
_SURE = 1.3  # own orientation over the best other: then no tilt is tried
_REFINED = 130  # evaluations of the refinement
_LETTERS = ("right", "left", "front", "back", "top", "bottom")
_SHOWN_TURNED = 65.0  # degrees: beyond, a pose is another orientation rather than a turned head


@dataclass(frozen=True, slots=True)
class Coarse:
    """An image in voxels of about 4 mm along its own axes, (X, Y, Z) each.

    `covered` is the share of brain in a voxel, `values` the mean brightness of that share (0 below one half), `ratio`
    the brain's volume over the template's.
    """

    values: Float32Array
    covered: Float32Array
    grid: Grid
    ratio: float

    @property
    def inside(self) -> BoolArray:
        """The voxels that are brain by half and more."""
        return np.asarray(self.covered >= 0.5)


def coarsen(data: Float32Array, brain: BoolArray, grid: Grid) -> Coarse:
    """Return an image and its brain, (X, Y, Z) on `grid`, in voxels of about 4 mm."""
    i, j, k = (max(2, round((n - 1) * s / _COARSE_MM) + 1) for n, s in zip(grid.shape, grid.voxel_sizes, strict=True))
    coarse = resized(grid, (i, j, k))
    covered = resample(brain, grid, coarse)
    values = np.zeros_like(covered)
    sums = resample(np.where(brain, data.clip(min=0.0), np.float32(0.0)), grid, coarse)
    np.divide(sums, covered, out=values, where=covered >= 0.5)
    ratio = float(np.count_nonzero(brain)) * grid.voxel_volume_ml / TEMPLATE_ML
    return Coarse(values, covered, coarse, ratio)


@dataclass(frozen=True, slots=True)
class Fit:
    """Where the template lies in an image: the template's point p (mm from its centre) at `linear @ p + centre`.

    Parameters
    ----------
    score
        Share of the image's variance within 12 mm of the template's brain that the template explains, in [0, 1].
    linear, centre
        (3, 3) and (3,), in the image's world millimetres.
    own, other
        The best score of the orientation that the header states, and of the 23 others, before refinement.
    """

    score: float
    linear: Float64Array
    centre: Float64Array
    own: float
    other: float

    @property
    def turn(self) -> Float64Array:
        """The rotation of the template into the image; of a mirrored pose, that of its mirror image."""
        linear = self.linear / np.cbrt(abs(np.linalg.det(self.linear)))
        left, _, right = np.linalg.svd(linear * ([1.0, 1.0, 1.0] if np.linalg.det(linear) > 0 else [-1.0, 1.0, 1.0]))
        return np.asarray(left @ right)

    @property
    def degrees(self) -> float:
        """The angle of `turn`."""
        return float(np.degrees(Rotation.from_matrix(self.turn).magnitude()))


def fit_template(coarse: Coarse) -> Fit:
    """Find the similarity that lays the MNI template over an image's brain.

    A pose is scored by the share R² of the image's variance that a linear model of the template explains: at points 10
    mm apart, within 12 mm of the template's brain, the image (brain 1 + brightness from 0 to 1, background 0) is
    regressed on a constant, the brain, and the probabilities of grey and white matter. Any contrast is welcome, for the
    regression finds it. Tried are the 24 orientations that differ by more than left and right (of the 48 that keep the
    axes), both centres of mass on each other, in two sizes; where none is clearly best, each also tilted by 25 degrees.
    The best is refined by the simplex method: 3 angles, 3 shifts and the size.

    Left and right are not among what is found: brains are too symmetric. The same image gives the same fit, bit for
    bit.
    """
    image = _image(coarse)
    centre = np.asarray(coarse.grid.world(ndimage.center_of_mass(coarse.covered)))
    points, basis = _template()
    inverse = np.linalg.inv(coarse.grid.affine)
    size = coarse.ratio ** (1.0 / 3.0)

    def score(linear: Float64Array, at: Float64Array) -> float:
        where = (points @ linear.T + at) @ inverse[:3, :3].T + inverse[:3, 3]
        values = ndimage.map_coordinates(image, where.T, order=1, mode="grid-constant")
        values = values - values.mean()
        total = float(values @ values)
        return float(((basis.T @ values) ** 2).sum()) / total if total > 0.0 else 0.0

    tried = [(score(o * size * s, centre), n, o * size * s) for n, o in enumerate(_ORIENTATIONS) for s in _SIZES]
    own, other = _best(tried)
    if own[0] < _SURE * other[0]:
        tried += [
            (score(t @ o * size * s, centre), n, t @ o * size * s)
            for (n, o), t, s in product(enumerate(_ORIENTATIONS), _tilts(), _SIZES)
        ]
        own, other = _best(tried)
    start = max(own, other, key=lambda entry: entry[0])[2]

    def moved(step: Float64Array) -> tuple[Float64Array, Float64Array]:
        turn = Rotation.from_rotvec(step[:3]).as_matrix()
        return turn @ start * np.exp(step[6]), centre + 100.0 * step[3:6]

    simplex = np.vstack([np.zeros(7), np.diag([0.15, 0.15, 0.15, 0.06, 0.06, 0.06, 0.06])])
    options = {"maxfev": _REFINED, "initial_simplex": simplex, "xatol": 1e-3, "fatol": 1e-4}
    found = optimize.minimize(lambda step: -score(*moved(step)), np.zeros(7), method="Nelder-Mead", options=options)
    return Fit(-float(found.fun), *moved(found.x), own=own[0], other=other[0])


def judge_pose(fit: Fit) -> list[Finding]:
    """Judge how a brain lies. A brain that cannot be laid on the template has no pose, but no whole brain's shape."""
    if fit.score < bounds.SHAPE_FIT:
        seen = (
            f"it does not have the shape of a whole brain: the template explains {fit.score:.2f} of it, where it "
            "explains 0.81 and more of brains"
        )
        return [Finding("coverage", seen, True, PREPROCESS)]
    odd = []
    if fit.score < bounds.ODD_FIT:
        seen = (
            f"it hardly has the shape of a brain: the template explains {fit.score:.2f} of it, where it explains 0.81"
        )
        odd = [Finding("coverage", f"{seen} and more of brains", False, PREPROCESS)]
    if fit.score < bounds.POSE_FIT:
        return odd
    if fit.other > fit.own and fit.degrees > _SHOWN_TURNED:
        return [Finding("pose", _named(fit.turn), True, RECONVERT)]
    if fit.degrees > bounds.TILTED_DEGREES:
        seen = f"its brain is rotated by {fit.degrees:.0f} degrees relative to the template's"
        return [Finding("pose", seen, fit.degrees > bounds.TURNED_DEGREES, PREPROCESS), *odd]
    return odd


def _named(turn: Float64Array) -> str:
    """Name the orientation nearest to a rotation: where the brain's top and front lie by the header."""
    lies = {}
    for axis, name in ((1, "front"), (2, "top")):
        world = int(np.abs(turn[:, axis]).argmax())
        lies[name] = _LETTERS[2 * world + int(turn[world, axis] < 0)]
    known = {
        ("front", "bottom"): "its brain is upside down",
        ("back", "top"): "its brain lies back to front",
        ("back", "bottom"): "its brain is upside down and lies back to front",
    }
    where = f"according to its header, its top is at the {lies['top']} and its front at the {lies['front']}"
    word = known.get((lies["front"], lies["top"]), "its brain is turned by 90 degrees")
    return f"{word}: {where}"


def _best(
    tried: list[tuple[float, int, Float64Array]],
) -> tuple[tuple[float, int, Float64Array], tuple[float, int, Float64Array]]:
    """Return the best try of the orientation that the header states, and of the others."""
    own = max((entry for entry in tried if entry[1] == 0), key=lambda entry: entry[0])
    return own, max((entry for entry in tried if entry[1] != 0), key=lambda entry: entry[0])


def _orientations() -> list[Float64Array]:
    """Return the 24 ways to lay the template's axes along an image's that differ by more than left and right."""
    found = []
    for axes, front, top in product(permutations(range(3)), (1.0, -1.0), (1.0, -1.0)):
        matrix = np.zeros((3, 3))
        for axis, (world, sign) in enumerate(zip(axes, (1.0, front, top), strict=True)):
            matrix[world, axis] = sign
        found.append(matrix)
    return found


_ORIENTATIONS = _orientations()  # the first is the identity


def _tilts() -> list[Float64Array]:
    return [Rotation.from_euler(a, d, degrees=True).as_matrix() for a, d in product("xyz", _TILTS)]


def _image(coarse: Coarse) -> Float32Array:
    """Return what poses are scored on: in the brain 1 + its brightness from 0 to 1, in the background 0; smoothed."""
    bright = coarse.values[coarse.inside]
    low, high = np.percentile(bright, (2.0, 98.0)) if bright.size else (0.0, 0.0)
    spread = max(float(high - low), float(np.finfo(np.float32).tiny))
    image = (1.0 + (coarse.values.clip(low, high) - low) / spread) * coarse.covered.clip(0.0, 1.0)
    return np.asarray(ndimage.gaussian_filter(image.astype(np.float32), _SMOOTH))


@cache
def _template() -> tuple[Float64Array, Float64Array]:
    """Return the template's points (n, 3), in mm from its centre, and an orthonormal basis (n, 4) of what it shows."""
    n = 24
    affine = np.diag([_STEP_MM, _STEP_MM, _STEP_MM, 1.0])
    affine[:3, 3] = np.array(MNI_BRAIN_CENTRE) - _STEP_MM * (n - 1) / 2.0
    grid = Grid.of((n, n, n), affine)
    brain = mni_brain_mask(grid)
    around = ndimage.distance_transform_edt(~brain, sampling=_STEP_MM) <= _AROUND_MM
    _, grey, white = tissue_priors(grid)
    inside = brain[around].astype(np.float64)
    columns = [np.ones_like(inside), inside, inside * grey[around], inside * white[around]]
    basis, _ = np.linalg.qr(np.stack(columns, axis=1))
    return grid.world(np.argwhere(around)) - MNI_BRAIN_CENTRE, basis
