"""A scan and a model to a prediction and a map on disk, and back. It knows nothing of studies.

`explain_scan`, `predict_scan` and `judge_map` do for one scan what the verbs of the command line do, `explain_scans`,
`predict_scans` and `judge_maps` for many. They are loaded when first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pellucid.ground.lazy import lazy_names

if TYPE_CHECKING:
    from pellucid.maps.explaining import ExplainedScan, explain_scan, explain_scans
    from pellucid.maps.judging import judge_map, judge_maps
    from pellucid.maps.predicting import Prediction, predict_scan, predict_scans

__all__ = [
    "ExplainedScan",
    "Prediction",
    "explain_scan",
    "explain_scans",
    "judge_map",
    "judge_maps",
    "predict_scan",
    "predict_scans",
]

__getattr__ = lazy_names(
    __name__,
    {
        "pellucid.maps.explaining": ("ExplainedScan", "explain_scan", "explain_scans"),
        "pellucid.maps.judging": ("judge_map", "judge_maps"),
        "pellucid.maps.predicting": ("Prediction", "predict_scan", "predict_scans"),
    },
)
