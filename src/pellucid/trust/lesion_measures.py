"""How well a map finds lesions: by the order of its voxels, and by how much of its relevance lies inside.

Within the seen brain B, with the map R and the lesion mask L.
"""

from __future__ import annotations

import numpy as np

from pellucid.trust.measure_registry import MEASURES, Measure, SeenBrain, lesion_measure

__all__ = ["MEASURES", "Measure", "SeenBrain", "lesion_measure"]


@lesion_measure(
    "average_precision",
    title="average precision",
    meaning="Average precision depends only on the ranking of voxels: 1 if every lesion voxel is ranked before all "
    "others; its chance level is the lesions' share of the seen brain.",
)
def average_precision(of: SeenBrain) -> float:
    """Return the average precision of R's order of voxels (`ranks.rank_measures`)."""
    return of.ranks.average_precision


@lesion_measure(
    "precision_at_k",
    title="precision at k",
    meaning="Precision at k also depends only on the ranking: it is the share of lesion among the first k voxels, "
    "where k is the number of lesion voxels.",
)
def precision_at_k(of: SeenBrain) -> float:
    """Return the share of L among the k voxels of greatest R, k = voxels of L in B (`ranks.rank_measures`)."""
    return of.ranks.precision_at_k


@lesion_measure(
    "auroc",
    title="AUROC",
    meaning="AUROC also depends only on the ranking: it is how often a lesion voxel is ranked before another voxel, "
    "0.5 by chance; with small lesions it is too optimistic.",
)
def auroc(of: SeenBrain) -> float:
    """Return the area under the ROC curve of R's order of voxels (`ranks.rank_measures`)."""
    return of.ranks.auroc


@lesion_measure(
    "lift",
    title="lift",
    meaning="Lift is the share of positive relevance inside lesions divided by their share of the seen brain: 1 "
    "means no preference. Sharpening a map raises its lift; its maximum is the volume of the seen brain divided by "
    "that of the lesions.",
    ceiling=lambda voxels, lesion: voxels / lesion,
    most=np.inf,
    digits=1,
)
def lift(of: SeenBrain) -> float:
    """Return positive_share / volume_share, volume_share = voxels of L / voxels of B.

    Its ceiling is voxels of B / voxels of L: the lift of a map with all its positive relevance in L. Sharpening a map
    raises it, which moves no measure of ranks.
    """
    return positive_share(of) * of.lesion.size / int(np.count_nonzero(of.lesion))


@lesion_measure(
    "positive_share",
    title="positive relevance in lesions",
    meaning="Positive relevance in lesions is the share of positive relevance that lies inside lesions.",
)
def positive_share(of: SeenBrain) -> float:
    """Return the sum of max(R, 0) in L / sum of max(R, 0)."""
    positive = np.maximum(of.relevance, 0.0)
    return float(positive[of.lesion].sum(dtype=np.float64)) / float(positive.sum(dtype=np.float64))


@lesion_measure(
    "strongest_in_lesion",
    title="strongest voxel in a lesion",
    meaning="The strongest voxel lies in a lesion or not; over participants, this is the share in whom it does.",
    summary="mean",
)
def strongest_in_lesion(of: SeenBrain) -> float:
    """Return the share of the voxels of greatest R that lie in L: 1 or 0 unless several tie."""
    return float(of.lesion[of.relevance == of.relevance.max()].mean())
