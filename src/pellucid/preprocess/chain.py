"""The running account of one visit: what was done, how long it took, what was remarked and measured."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pellucid.preprocess.outputs import Outputs
from pellucid.preprocess.settings import Settings

Step = Literal[
    "brain extraction",
    "crop",
    "bias field",
    "registration",
    "writing",
    "to MNI space",
    "tissue",
    "lesion filling",
    "network input",
    "quality measures",
]
"""What can be done to a visit: tables and the methods paragraph go by these."""


@dataclass(slots=True)
class Chain:
    """What a visit's steps share and leave behind.

    Parameters
    ----------
    outputs, settings, threads
        Where files go, what is asked, how many threads a step may use.
    steps
        For each step, in order: which it is, of what (a role or a transform, or nothing), whether it was `given` by
        the user's files, how it was done, and its seconds.
    warnings
        What a human should know.
    measures
        Values of `quality.MEASURES`; None where there is nothing to measure.
    """

    outputs: Outputs
    settings: Settings
    threads: int
    steps: list[dict[str, Any]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    measures: dict[str, float | None] = field(default_factory=dict)

    @contextmanager
    def step(self, step: Step, how: str, *, of: str = "") -> Iterator[None]:
        """Note a step that is done to a role or a transform as `how` says, with its time."""
        with self._noted(step, how, of, given=False):
            yield

    @contextmanager
    def taken(self, step: Step, *files: Path | None, of: str = "") -> Iterator[None]:
        """Note a step whose place files of the user's take."""
        with self._noted(step, f"given: {', '.join(str(path) for path in files)}", of, given=True):
            yield

    @contextmanager
    def _noted(self, step: Step, how: str, of: str, *, given: bool) -> Iterator[None]:
        start = time.perf_counter()
        yield
        seconds = round(time.perf_counter() - start, 2)
        self.steps.append({"step": step, "of": of, "given": given, "how": how, "seconds": seconds})

    def does(self, step: str) -> bool:
        """Tell whether a step is wanted."""
        return step not in self.settings.skip

    def given(self, name: str) -> Path | None:
        """Return the user's file that takes a step's place, if there is one."""
        return self.outputs.visit.given.get(name)

    def raw(self, *roles: str) -> list[str]:
        """Return the BIDS URIs of the visit's raw files of those roles, without those it does not have."""
        visit = self.outputs.visit
        paths = {"t1w": visit.t1w, "flair": visit.flair, "lesions": visit.lesions}
        datasets = {"lesions": "lesions"}
        found = [(datasets.get(role, "raw"), path) for role in roles if (path := paths[role])]
        return [f"bids:{dataset}:{(visit.folder / 'anat' / path.name).as_posix()}" for dataset, path in found]

    def derived(self, *keys: str) -> list[str]:
        """Return the BIDS URIs of files of this derivative dataset."""
        root = self.outputs.root
        return [f"bids::{self.outputs.path(key).relative_to(root).as_posix()}" for key in keys]
