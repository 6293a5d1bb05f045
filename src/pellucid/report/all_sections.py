"""Every section of the page: importing these modules registers them."""

from __future__ import annotations

from pellucid.report.section_registry import in_order
from pellucid.report.sections import (
    calibration,
    comparisons,
    deletion,
    figures,
    learning,
    ledger,
    lesions,
    limits,
    maps,
    method,
    regions,
    results,
    run,
    subgroups,
    truth,
)

__all__ = ["MODULES", "in_order"]

MODULES = (
    calibration,
    comparisons,
    deletion,
    figures,
    learning,
    ledger,
    lesions,
    limits,
    maps,
    method,
    regions,
    results,
    run,
    subgroups,
    truth,
)
