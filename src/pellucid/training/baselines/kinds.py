"""The kinds of baselines, by kind and protocol."""

from __future__ import annotations

from collections.abc import Mapping

from pellucid.training.baselines.bright import BRIGHT_VOXELS
from pellucid.training.baselines.kind import BaselineKind
from pellucid.training.baselines.logistic import CONFOUNDS_ALONE
from pellucid.training.baselines.paper_svm import PAPER_IMAGE, PAPER_LESION_LOAD
from pellucid.training.baselines.settings import BaselineSettings
from pellucid.training.baselines.svm import IMAGE, LESION_LOAD

KINDS: Mapping[tuple[str, str], BaselineKind] = {
    ("bright-voxels", "revised"): BRIGHT_VOXELS,
    ("svm-lesion-load", "revised"): LESION_LOAD,
    ("svm-lesion-load", "paper"): PAPER_LESION_LOAD,
    ("svm-image", "revised"): IMAGE,
    ("svm-image", "paper"): PAPER_IMAGE,
    ("logistic-confounds", "revised"): CONFOUNDS_ALONE,
}


def kind_of(settings: BaselineSettings) -> BaselineKind:
    """Return the kind that settings are of; which protocols a kind has, they have checked."""
    return KINDS[settings.kind, settings.protocol]
