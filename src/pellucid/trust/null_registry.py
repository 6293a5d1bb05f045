"""Null maps by name: what a map that knows nothing of the network may be made of, and how one is registered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from pellucid.ground.arrays import BoolArray, Float32Array
from pellucid.ground.registry import Registry
from pellucid.trust.lesion_chance import Logistic, Sizes, smooth_prior

PERCENT = 1.0
"""The brightest share of the seen brain, in percent, where no training participant says how much of it is lesion."""

NO_LESIONS = "no lesion masks of training participants are known"


@dataclass(frozen=True, slots=True, kw_only=True)
class Learned:
    """What the nulls may know of a model's training participants, and of nobody else.

    Parameters
    ----------
    mean_lesion
        The mean of their lesion masks (X, Y, Z), None where there is none or all are empty.
    percent
        For `brightest-percent`.
    logistic
        For `logistic`; None where it could not be fitted.
    missing
        Why there is no mean lesion map, or no regression; empty if there are both.
    """

    mean_lesion: Float32Array | None = None
    percent: float = PERCENT
    logistic: Logistic | None = None
    missing: str = NO_LESIONS


@dataclass(frozen=True, kw_only=True)
class Known:
    """What null maps of one subject are made of; all arrays are (X, Y, Z).

    Parameters
    ----------
    image
        The scaled image x as the network sees it, 0 outside the brain; None if it is not at hand.
    brain, seen
        The brain mask and the field of view.
    learned
        What training participants tell.
    voxel_sizes
        Of the grid, in millimetres.
    seed
        For noise.
    """

    image: Float32Array | None
    brain: BoolArray
    seen: BoolArray
    learned: Learned
    voxel_sizes: Sizes
    seed: int

    @cached_property
    def prior(self) -> Float32Array | None:
        """The mean lesion map smoothed by 3.8 mm, None where there is none."""
        mean = self.learned.mean_lesion
        return None if mean is None else smooth_prior(mean, self.voxel_sizes)

    def lacks(self, needs: tuple[Need, ...]) -> Need | None:
        """Return the first of what a null needs that is not known; None if all is."""
        known = {"image": self.image, "mean-lesion": self.learned.mean_lesion, "logistic": self.learned.logistic}
        return next((need for need in needs if known[need] is None), None)


Need = Literal["image", "mean-lesion", "logistic"]
"""What a null may need that is not always known: the scan; the mean lesion map; the regression."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NullMap:
    """A null map.

    Parameters
    ----------
    make
        The function that makes it, (X, Y, Z); its docstring has the formula.
    meaning
        What it is, for a table of maps.
    rival
        What a map that is no better than it may follow, in a sentence: `no better than RIVAL`.
    needs
        Without what it cannot be made.
    deletion
        Whether its first voxels are filled too, in a test by deletion.
    """

    make: Callable[[Known], Float32Array]
    meaning: str
    rival: str
    needs: tuple[Need, ...] = ()
    deletion: bool = True


NULLS: Registry[NullMap] = Registry("null map")
"""Every null map by name: each map of a network is compared with all of them."""


def null_map(
    name: str, *, meaning: str, rival: str, needs: tuple[Need, ...] = (), deletion: bool = True
) -> Callable[[Callable[[Known], Float32Array]], Callable[[Known], Float32Array]]:
    """Register the function below as a null map; parameters as in `NullMap`.

    It is given what is `Known` and returns a map (X, Y, Z), of which only the brain counts.

    Raises
    ------
    InputError
        If the name is taken or is none (`Registry.register`).
    """

    def register(make: Callable[[Known], Float32Array]) -> Callable[[Known], Float32Array]:
        NULLS.register(name, NullMap(make=make, meaning=meaning, rival=rival, needs=needs, deletion=deletion))
        return make

    return register
