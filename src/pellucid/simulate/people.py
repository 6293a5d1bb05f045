"""Who takes part: group, age, sex, EDSS and disease duration, and the traits that follow from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri

from pellucid.simulate.lesions import control_volume, patient_volume
from pellucid.simulate.settings import CohortSettings, PretrainingSettings
from pellucid.simulate.subject import Traits

_CONTROL_AGE = (38.23, 13.10)  # mean and SD in years, Eitel 2019, Table 1
_PATIENT_AGE = (43.32, 11.99)
_AGE_RANGE = (18.0, 69.0)  # Eitel 2019, §2.1
_PATIENT_LESION, _CONTROL_LESION = 1.76, 1.58  # FLAIR intensity relative to white matter; those of age are fainter
_FEMALE = {"MS": 0.55, "HC": 0.65, "AD": 0.48, "CN": 0.51}


@dataclass(frozen=True, slots=True)
class Person:
    """One participant: what the tables say, and the traits that the images show."""

    participant_id: str
    group: str
    sex: str
    ages: tuple[float, ...]  # at each visit
    traits: tuple[Traits, ...]  # at each visit
    edss: float | None = None
    disease_duration_months: float | None = None

    def row(self) -> dict[str, Any]:
        """Return the participant's row of participants.tsv, lesion volume apart."""
        return {
            "participant_id": self.participant_id,
            "group": self.group,
            "age": self.ages[0],
            "sex": self.sex,
            "edss": self.edss,
            "disease_duration_months": self.disease_duration_months,
        }


def _groups(rng: np.random.Generator, first: str, n_first: int, second: str, n_second: int) -> list[str]:
    """Return the groups in random order, so that a participant's number tells nothing."""
    return [str(group) for group in rng.permutation([first] * n_first + [second] * n_second)]


def _truncated_normal(rng: np.random.Generator, mean: float, sd: float, low: float, high: float) -> float:
    from scipy import stats

    return float(stats.truncnorm.rvs((low - mean) / sd, (high - mean) / sd, mean, sd, random_state=rng))


def _aging(age: float) -> float:
    """Return an age as standard deviations of Table 1's controls from 40 years."""
    return (age - 40.0) / 13.0


def ms_people(settings: CohortSettings) -> list[Person]:
    """Draw a cohort with the distributions of Eitel 2019, Table 1; person n depends on the seed and n alone."""
    order = np.random.default_rng([settings.seed, 1])
    people = []
    for number, group in enumerate(_groups(order, "MS", settings.patients, "HC", settings.controls), start=1):
        rng = np.random.default_rng([settings.seed, 2, number])
        patient = group == "MS"
        gap = settings.age_gap if patient else 0.0
        mean, sd = (c + gap * (p - c) for c, p in zip(_CONTROL_AGE, _PATIENT_AGE, strict=True))
        age = _truncated_normal(rng, mean, max(sd, 1.0), *_AGE_RANGE)
        u = rng.uniform()
        control = float(control_volume(u))
        volume = control + (settings.lesions if patient else 0.0) * (float(patient_volume(u)) - control)
        aging = settings.aging * _aging(age)
        shift = 1.0 if patient else 0.0
        traits = Traits(
            ventricles_mm=float(np.clip(0.4 + rng.normal(0.0, 0.9) + 0.7 * aging, -1.5, 4.0)),
            sulci=0.7 + rng.normal(0.0, 0.3) + 0.2 * aging,
            callosum_mm=rng.normal(0.0, 0.5) - 0.4 * settings.callosum * shift,
            thalamus_mm=rng.normal(0.0, 0.5) - 0.4 * settings.thalamus * shift,
            hippocampus_mm=rng.normal(0.0, 0.3),
            lesion_volume_ml=volume,
            lesion_brightness=_CONTROL_LESION + settings.lesions * shift * (_PATIENT_LESION - _CONTROL_LESION),
        )
        edss = duration = None
        if patient:
            # EDSS rises with lesion volume, loosely: a Gaussian copula with a correlation of 0.3.
            z = 0.3 * ndtri(u) + np.sqrt(1.0 - 0.3**2) * rng.standard_normal()
            low, high = ndtr([(0.0 - 2.6) / 1.6, (6.5 - 2.6) / 1.6])
            raw = 2.6 + 1.6 * ndtri(low + ndtr(z) * (high - low))
            edss = float(np.round(2.0 * raw) / 2.0)
            duration = round(float(rng.gamma(1.47, 149.65 / 1.47)), 1)
        female = _FEMALE["HC"] + (settings.sex_gap if patient else 0.0) * (_FEMALE["MS"] - _FEMALE["HC"])
        sex = "F" if rng.uniform() < female else "M"
        people.append(Person(f"sub-{number:04d}", group, sex, (round(age, 1),), (traits,), edss, duration))
    return people


def pretraining_people(settings: PretrainingSettings) -> list[Person]:
    """Draw patients with Alzheimer's disease and controls, 55 to 90 years old, each with 1 to `visits` visits."""
    order = np.random.default_rng([settings.seed, 11])
    people = []
    for number, group in enumerate(_groups(order, "AD", settings.patients, "CN", settings.controls), start=1):
        rng = np.random.default_rng([settings.seed, 12, number])
        patient = 1.0 if group == "AD" else 0.0
        age = _truncated_normal(rng, 75.0, 7.0, 55.0, 90.0)
        ventricles, sulci = rng.normal(0.0, 0.7), rng.normal(0.0, 0.2)
        callosum, thalamus, hippocampus = rng.normal(0.0, 0.4, 3)
        ages, traits = [], []
        for visit in range(int(rng.integers(1, settings.visits + 1))):
            years = float(visit)
            aging = settings.aging * (age + years - 75.0) / 13.0
            wide = 1.8 + ventricles + 0.7 * aging + settings.ventricles * patient * (1.2 + 0.2 * years)
            ages.append(round(age + years, 1))
            traits.append(
                Traits(
                    ventricles_mm=float(np.clip(wide, -1.0, 6.0)),
                    sulci=0.8 + sulci + 0.2 * aging + settings.cortex * patient * (0.35 + 0.05 * years),
                    callosum_mm=callosum,
                    thalamus_mm=thalamus,
                    hippocampus_mm=hippocampus - settings.hippocampus * patient * (1.6 + 0.3 * years),
                )
            )
        sex = "F" if rng.uniform() < _FEMALE[group] else "M"
        people.append(Person(f"sub-P{number:04d}", group, sex, tuple(ages), tuple(traits)))
    return people
