"""Pellucid: transparent deep learning for brain MRI.

The names below are loaded when first used, so that `import pellucid` is quick and imports neither
PyTorch nor nilearn.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pellucid.attribution.explain import Explanation, explain, methods
    from pellucid.image.grid import PAPER_GRID, Grid
    from pellucid.network.field_of_view import field_of_view
    from pellucid.network.files import load_model, save_model
    from pellucid.network.fused import FusedSequential
    from pellucid.network.paper import PaperNetwork
    from pellucid.network.whole_brain import WholeBrainNetwork

__version__ = "0.1.0"

_HOMES = {
    "Explanation": "pellucid.attribution.explain",
    "FusedSequential": "pellucid.network.fused",
    "Grid": "pellucid.image.grid",
    "PAPER_GRID": "pellucid.image.grid",
    "PaperNetwork": "pellucid.network.paper",
    "WholeBrainNetwork": "pellucid.network.whole_brain",
    "explain": "pellucid.attribution.explain",
    "field_of_view": "pellucid.network.field_of_view",
    "load_model": "pellucid.network.files",
    "methods": "pellucid.attribution.explain",
    "save_model": "pellucid.network.files",
}

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
    "methods",
    "save_model",
]


def __getattr__(name: str) -> Any:
    """Import a public name from its home at first use (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module 'pellucid' has no attribute {name!r}; it has {', '.join(__all__)}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value
