"""What is asked of the preprocessing, the same for every participant."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from pellucid.ground.errors import InputError
from pellucid.image.prepare import RESAMPLINGS, Resampling
from pellucid.image.scaling import SCALINGS, Scaling
from pellucid.preprocess.brain import SKULL_STRIP, SkullStrip
from pellucid.preprocess.filling import METHODS

Step = Literal["bias", "crop", "registration", "tissue", "filling", "network"]
STEPS: tuple[Step, ...] = get_args(Step)
"""Steps that can be left out. Without registration, scans are taken to lie in MNI space already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What to do with each visit.

    Parameters
    ----------
    skull_strip
        As `extract_brain`.
    skip
        Steps to leave out.
    filling
        As `fill_lesions`: local or slice.
    scaling, resampling
        How the network's input is made of the scan in MNI space, as `prepare`.
    seed
        Of the lesion filling.
    """

    skull_strip: SkullStrip = "auto"
    skip: tuple[Step, ...] = ()
    filling: str = "local"
    scaling: Scaling = "robust"
    resampling: Resampling = "antialias"
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what is none of the choices."""
        for option, given, choices in (
            ("--skull-strip", [self.skull_strip], SKULL_STRIP),
            ("--skip", self.skip, STEPS),
            ("--filling", [self.filling], METHODS),
            ("--scaling", [self.scaling], SCALINGS),
            ("--resampling", [self.resampling], RESAMPLINGS),
        ):
            for value in given:
                if value not in choices:
                    raise InputError(option, f"is {value!r}", f"Give {' or '.join(str(choice) for choice in choices)}")
        if self.seed < 0:
            raise InputError("--seed", f"is {self.seed}", "Give a whole number of at least 0")

    def to_json(self) -> dict[str, Any]:
        """Describe the settings as JSON types."""
        return asdict(self) | {"skip": sorted(self.skip)}
