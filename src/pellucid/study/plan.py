"""What is to be run, and where its files go."""

from __future__ import annotations

from dataclasses import dataclass

from pellucid.rundir.folder import RunFolder
from pellucid.spec.spec import Spec


@dataclass(frozen=True, slots=True)
class Plan:
    """A specification and the run directory that takes it: what every task of a study is made from.

    Parameters
    ----------
    spec
        What is asked.
    folder
        Where each file lies.
    """

    spec: Spec
    folder: RunFolder
