"""Arms whose networks never learned from the people of another: what their maps show too was not learned there."""

from __future__ import annotations

from pellucid.rundir.stores import store_of
from pellucid.spec.spec import Spec


def untaught_arms(spec: Spec, arm: str) -> list[str]:
    """Return the explained arms that see the same scans as an arm, and never learned from its cohort."""
    if spec.explain is None:
        return []
    cohort, one = spec.training[arm].cohort, spec.training[arm]
    return [
        name
        for name in spec.explain.arms
        if name != arm
        and store_of(spec.training[name], spec) == store_of(one, spec)
        and spec.training[name].images == one.images
        and cohort not in _learned_from(spec, name)
    ]


def _learned_from(spec: Spec, arm: str) -> set[str]:
    """Return the cohorts that an arm was fitted to, and those before that it started from."""
    cohorts, name = set(), str(arm)
    while name in spec.training:
        one = spec.training[name]
        cohorts |= {one.cohort} if one.fit else set()
        name = one.start_from or ""
    return cohorts
