"""What a simulated cohort is made of: sizes, seeds, and one strength for each effect.

A strength of 1 is the default effect, 0 removes it, values between and above scale it; `artefact` alone is absent by
default. With every strength at 0 the groups are drawn from one distribution, so that any classifier above chance has
found a leak.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from pellucid.ground.errors import InputError
from pellucid.ground.limits import MOST_SEED, check_whole

MOST_PEOPLE, MOST_VISITS = 10_000, 100
"""Of a group, and of a participant: drawing them takes a millisecond each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CohortSettings:
    """A cohort of patients with multiple sclerosis and healthy controls, as in Eitel 2019, Table 1."""

    patients: int = 76
    controls: int = 71
    seed: int = 0
    voxel_size: float = 1.0
    """Spacing of the written images in mm (1 mm: FSL's MNI152 grid)."""
    lesions: float = 1.0
    """Volumes, places and brightness of patients' lesions; at 0 patients have the lesions of controls."""
    callosum: float = 1.0
    """Thinning of the corpus callosum in patients."""
    thalamus: float = 1.0
    """Shrinking of the thalami in patients."""
    age_gap: float = 1.0
    """Patients are some five years older than controls (Table 1); at 0 both have the controls' ages."""
    sex_gap: float = 1.0
    """Patients are less often female than controls (Table 1); at 0 both are as often as controls."""
    aging: float = 1.0
    """Ventricles and sulci widen with age, in everybody."""
    caps: float = 1.0
    """Hyperintense caps at the frontal horns, in everybody."""
    artefact: float = 0.0
    """Patients are scanned with a faulty coil (`pellucid.simulate.artefact`): no disease, but learnable."""

    def __post_init__(self) -> None:
        _check(self, counts=("patients", "controls"))


@dataclass(frozen=True, slots=True, kw_only=True)
class PretrainingSettings:
    """A cohort of patients with Alzheimer's disease and controls, T1w, several visits a subject."""

    # deviates: the paper's were ADNI's, z-scored voxel by voxel by the training subjects' mean and SD, on a grid of
    # 2.02 mm, warped nonlinearly, 117 of them repeats of one day; its start was chosen of ten.

    patients: int = 223
    controls: int = 166
    visits: int = 3
    """At most this many visits a subject, a year apart."""
    seed: int = 0
    voxel_size: float = 1.0
    """Spacing of the written images in mm."""
    hippocampus: float = 1.0
    """Hippocampal atrophy in patients."""
    ventricles: float = 1.0
    """Wider ventricles in patients."""
    cortex: float = 1.0
    """Wider sulci in patients."""
    aging: float = 1.0
    """Ventricles and sulci widen with age, in everybody."""

    def __post_init__(self) -> None:
        _check(self, counts=("patients", "controls", "visits"))


def _check(settings: CohortSettings | PretrainingSettings, *, counts: tuple[str, ...]) -> None:
    """Refuse sizes and strengths that no cohort can have."""
    name = type(settings).__name__
    for field in fields(settings):
        value = getattr(settings, field.name)
        if field.name in counts:
            check_whole(f"{name}.{field.name}", value, 1, MOST_VISITS if field.name == "visits" else MOST_PEOPLE)
        elif field.name == "voxel_size":
            if not 0.5 <= value <= 8.0:
                raise InputError(f"{name}.voxel_size", f"is {value} mm", "Give a spacing from 0.5 to 8 mm")
        elif field.name == "seed":
            check_whole(f"{name}.seed", value, 0, MOST_SEED)
        elif not 0.0 <= value <= 5.0:
            raise InputError(f"{name}.{field.name}", f"is {value}", "Give a strength from 0 (absent) to 5; 1 is usual")
