"""The baseline that every study on FLAIR is judged beside, asked for or not: a count of bright voxels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from pellucid.ground.errors import InputError
from pellucid.spec.arms import Baseline
from pellucid.spec.spec import Spec
from pellucid.training.baselines.bright import SCALINGS
from pellucid.training.baselines.settings import Kind

NAME = "bright-voxels"
KIND: Kind = "bright-voxels"
_MODALITY = "FLAIR"


def with_bright_voxels(spec: Spec, *, file: Path) -> Spec:
    """Return a study with a baseline `bright-voxels` on each FLAIR cohort that its arms are judged on.

    A cohort whose prepared scans have such a baseline already gets none. With several cohorts each baseline is named
    `bright-voxels-COHORT`. Where the study's scaling cuts off the brightest voxels, the baseline counts on scans of
    another scaling.

    Raises
    ------
    InputError
        An arm or another baseline has the name.
    """
    wanted = [name for name in _judged(spec) if spec.cohorts[name].modality == _MODALITY]
    added = {}
    for cohort in wanted:
        if _has_one(spec, cohort):
            continue
        name = NAME if len(wanted) == 1 else f"{NAME}-{cohort}"
        for section in ("training", "baselines"):
            if name in getattr(spec, section):
                what = f"`{section}.{name}` has the name of the baseline that every study on {_MODALITY} has"
                raise InputError(file, what, "Rename it")
        scaling = None if spec.preparation.scaling in SCALINGS else SCALINGS[0]
        added[name] = Baseline(cohort=cohort, scaling=scaling, kind=KIND)
    return replace(spec, baselines=added | spec.baselines) if added else spec


def without_bright_voxels(spec: Spec) -> list[str]:
    """Say of which cohorts that arms are judged on no bright voxels are counted, and why."""
    return [
        f"cohort {name}: no {NAME} baseline, because it is {spec.cohorts[name].modality}, and lesions are bright on "
        "FLAIR only"
        for name in _judged(spec)
        if not _has_one(spec, name)
    ]


def _judged(spec: Spec) -> list[str]:
    """Return the cohorts that an arm learns from and is judged on."""
    return list(dict.fromkeys(arm.cohort for arm in spec.training.values() if spec.splits[arm.cohort].judges))


def _has_one(spec: Spec, cohort: str) -> bool:
    """Tell whether a baseline counts the bright voxels of a cohort's prepared scans."""
    return any((one.kind, one.cohort, one.images) == (KIND, cohort, "prepared") for one in spec.baselines.values())
