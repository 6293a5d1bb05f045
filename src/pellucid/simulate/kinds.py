"""The kinds of cohorts that can be simulated, by the name that their settings give."""

from __future__ import annotations

from collections.abc import Mapping

from pellucid.simulate.kind import Kind
from pellucid.simulate.ms import MS
from pellucid.simulate.people import Person
from pellucid.simulate.pretraining import PRETRAINING
from pellucid.simulate.settings import Settings

KINDS: Mapping[str, Kind] = {"ms": MS, "pretraining": PRETRAINING}


def people_of(settings: Settings) -> list[Person]:
    """Draw everybody of a cohort, whichever its kind."""
    return KINDS[settings.kind].people(settings)
