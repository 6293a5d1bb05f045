"""Pellucid: transparent deep learning for brain MRI.

The names below are loaded when first used, so that `import pellucid` is quick and imports neither
PyTorch nor nilearn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pellucid.ground.lazy import lazy_names

if TYPE_CHECKING:
    from pellucid import maps
    from pellucid.attribution.explain import Explanation, explain, methods
    from pellucid.image.grid import PAPER_GRID, Grid
    from pellucid.network.field_of_view import field_of_view
    from pellucid.network.files import load_model, save_model
    from pellucid.network.fused import FusedSequential
    from pellucid.network.paper import PaperNetwork
    from pellucid.network.whole_brain import WholeBrainNetwork

__version__ = "0.1.0"

__all__ = [
    "PAPER_GRID",
    "Explanation",
    "FusedSequential",
    "Grid",
    "PaperNetwork",
    "WholeBrainNetwork",
    "explain",
    "field_of_view",
    "load_model",
    "maps",
    "methods",
    "save_model",
]

__getattr__ = lazy_names(
    __name__,
    {
        "pellucid.attribution.explain": ("Explanation", "explain", "methods"),
        "pellucid.image.grid": ("Grid", "PAPER_GRID"),
        "pellucid.maps": ("maps",),
        "pellucid.network.field_of_view": ("field_of_view",),
        "pellucid.network.files": ("load_model", "save_model"),
        "pellucid.network.fused": ("FusedSequential",),
        "pellucid.network.paper": ("PaperNetwork",),
        "pellucid.network.whole_brain": ("WholeBrainNetwork",),
    },
)
