"""What a simulated cohort is made of: sizes, seeds, and one strength for each effect.

A strength of 1 is the default effect, 0 removes it, values between and above scale it; `artefact` alone is absent by
default. With every strength at 0 the groups are drawn from one distribution, so that any classifier above chance has
found a leak.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from pellucid.ground.checked import checked
from pellucid.ground.limits import Number, Seed, Whole

People = Annotated[int, Whole(1, 10_000)]
"""Of a group: drawing one takes a millisecond."""

Spacing = Annotated[float, Number(least=0.5, most=8, words="a spacing from 0.5 to 8 mm")]
Strength = Annotated[float, Number(least=0, most=5, words="a strength from 0 (absent) to 5; 1 is usual")]


@checked
@dataclass(frozen=True, slots=True, kw_only=True)
class CohortSettings:
    """A cohort of patients with multiple sclerosis and healthy controls, as in Eitel 2019, Table 1.

    Parameters
    ----------
    kind
        Which simulation.
    patients, controls
        How many people of the group.
    seed
        The same seed gives the same cohort.
    voxel_size
        Spacing of the written images in mm (1 mm: FSL's MNI152 grid).
    lesions
        Volumes, places and brightness of patients' lesions; at 0 patients have the lesions of controls.
    callosum
        Thinning of the corpus callosum in patients.
    thalamus
        Shrinking of the thalami in patients.
    age_gap
        Patients are some five years older than controls (Table 1); at 0 both have the controls' ages.
    sex_gap
        Patients are less often female than controls (Table 1); at 0 both are as often as controls.
    aging
        Ventricles and sulci widen with age, in everybody.
    caps
        Hyperintense caps at the frontal horns, in everybody.
    artefact
        Patients are scanned with a faulty coil (`pellucid.simulate.artefact`): no disease, but learnable.
    """

    MODALITY: ClassVar = "FLAIR"
    POSITIVE: ClassVar = "MS"
    NEGATIVE: ClassVar = "HC"

    kind: Literal["ms"] = "ms"
    patients: People = 76
    controls: People = 71
    seed: Seed = 0
    voxel_size: Spacing = 1.0
    lesions: Strength = 1.0
    callosum: Strength = 1.0
    thalamus: Strength = 1.0
    age_gap: Strength = 1.0
    sex_gap: Strength = 1.0
    aging: Strength = 1.0
    caps: Strength = 1.0
    artefact: Strength = 0.0


@checked
@dataclass(frozen=True, slots=True, kw_only=True)
class PretrainingSettings:
    """A cohort of patients with Alzheimer's disease and controls, T1w, several visits a participant.

    Parameters
    ----------
    kind
        Which simulation.
    patients, controls
        How many people of the group.
    visits
        At most this many visits a participant, a year apart.
    seed
        The same seed gives the same cohort.
    voxel_size
        Spacing of the written images in mm.
    hippocampus
        Hippocampal atrophy in patients.
    ventricles
        Wider ventricles in patients.
    cortex
        Wider sulci in patients.
    aging
        Ventricles and sulci widen with age, in everybody.
    """

    # deviates: the paper's were ADNI's, z-scored voxel by voxel by the training subjects' mean and SD, on a grid of
    # 2.02 mm, warped nonlinearly, 117 of them repeats of one day; its start was chosen of ten.

    MODALITY: ClassVar = "T1w"
    POSITIVE: ClassVar = "AD"
    NEGATIVE: ClassVar = "CN"

    kind: Literal["pretraining"] = "pretraining"
    patients: People = 223
    controls: People = 166
    visits: Annotated[int, Whole(1, 100)] = 3
    seed: Seed = 0
    voxel_size: Spacing = 1.0
    hippocampus: Strength = 1.0
    ventricles: Strength = 1.0
    cortex: Strength = 1.0
    aging: Strength = 1.0


Settings = CohortSettings | PretrainingSettings

SETTINGS: Mapping[str, type[Settings]] = {"ms": CohortSettings, "pretraining": PretrainingSettings}
"""By kind; each says by `MODALITY`, `POSITIVE` and `NEGATIVE` what a study takes of it."""
