"""Which stores of prepared scans a study needs, and which of them an arm or a baseline reads."""

from __future__ import annotations

from typing import NamedTuple

from pellucid.spec.arms import Arm, Baseline
from pellucid.spec.spec import Spec

_FILLED = "filled"


class Prepared(NamedTuple):
    """A cohort's scans, prepared one way: with lesions filled or not, under the study's scaling (None) or another.

    >>> Prepared("ms", filled=True, scaling="max").name
    'ms_filled_max'
    """

    cohort: str
    filled: bool = False
    scaling: str | None = None

    @property
    def name(self) -> str:
        """The store's folder; a cohort's name has no underscore."""
        return "_".join([self.cohort, *([_FILLED] if self.filled else []), *([self.scaling] if self.scaling else [])])


def store_of(user: Arm | Baseline, spec: Spec) -> Prepared:
    """Return what an arm or a baseline reads."""
    other = user.scaling if user.scaling != spec.preparation.scaling else None
    return Prepared(user.cohort, user.images == "lesion-filled", other)


def stores_of(spec: Spec) -> list[Prepared]:
    """Return every store of a study: of each cohort its own first, whoever reads it."""
    read = [store_of(spec.arm(name), spec) for name in (*spec.training, *spec.baselines)]
    cohorts = list(spec.cohorts)
    return sorted(
        dict.fromkeys([*map(Prepared, cohorts), *read]),
        key=lambda one: (cohorts.index(one.cohort), one.filled, one.scaling or ""),
    )
