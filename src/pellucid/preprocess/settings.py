"""What is asked of the preprocessing, the same for every participant."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from pellucid.ground.checked import checked
from pellucid.ground.limits import Seed
from pellucid.image.prepare import Resampling
from pellucid.image.scaling import Scaling
from pellucid.preprocess.brain import SkullStrip
from pellucid.preprocess.filling import Filling

Step = Literal["bias", "crop", "registration", "tissue", "filling", "network"]
STEPS: tuple[Step, ...] = get_args(Step)
"""Steps that can be left out. Without registration, scans are taken to lie in MNI space already."""


@checked
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
    filling: Filling = "local"
    scaling: Scaling = "robust"
    resampling: Resampling = "antialias"
    seed: Seed = 0

    def to_json(self) -> dict[str, Any]:
        """Describe the settings as JSON types."""
        return asdict(self) | {"skip": sorted(self.skip)}
