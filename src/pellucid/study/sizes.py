"""How much there will be of a study: scans of each role, and epochs of a trial."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

from pellucid.simulate.people import people_of
from pellucid.spec.spec import Spec
from pellucid.training.settings import TrialSettings

BEST_SHARE = 0.36
"""Of the epochs that patience leaves, how many pass until the lowest validation loss; see `expected_epochs`."""


class Sizes(NamedTuple):
    """Scans of a cohort: all, and those of each role in one division; and how many people the training scans show."""

    scans: int
    train: int
    validation: int
    holdout: int
    learners: int


def cohort_sizes(spec: Spec, name: str, scans: Mapping[str, int]) -> Sizes:
    """Return how many scans a cohort has, and about how many have each role."""
    simulate, how = spec.cohorts[name].simulate, spec.splits[name]
    drawn = people_of(simulate) if simulate else []
    total = sum(len(person.ages) for person in drawn) if simulate else scans[name]
    people = len(drawn) if simulate else total
    crossed = how.scheme == "cross-validation"
    held = round(people / how.folds) if crossed else _number(how.holdout, people)
    validation = _number(how.validation, people - held)
    each = total / max(people, 1)
    holdout, validating = round(held * each), round(validation * each)
    learners = max(people - held - validation, 1)
    return Sizes(total, max(total - holdout - validating, 0), validating, holdout, learners)


def expected_epochs(settings: TrialSettings) -> float:
    """Return how many epochs a trial is expected to train for: `patience + 0.36 * (max_epochs - patience)`.

    A trial stops `patience` epochs after its lowest validation loss. In the 40 trials whose epochs the paper's
    notebooks print, that came after 35 (from scratch), 23 (fine-tuned), 51 (lesions filled) and 34 % (pre-training) of
    the epochs that `max_epochs` leaves when `patience` is taken off: 36 % on average. A share of `max_epochs` alone
    (29 to 54 % there) could be fewer epochs than patience allows.

    >>> expected_epochs(TrialSettings(max_epochs=200, patience=15))
    81.6
    >>> expected_epochs(TrialSettings(max_epochs=2, patience=15))
    2.0
    """
    patience = min(settings.patience, settings.max_epochs)
    return patience + BEST_SHARE * (settings.max_epochs - patience)


def _number(size: float, people: int) -> int:
    """Return what a share or a whole number of people means, as `pellucid.cohort.splits.split` takes it."""
    return size if isinstance(size, int) else math.floor(size * people + 0.5)
