"""Every section of the page: importing the modules of the folder registers them."""

from __future__ import annotations

from pellucid.ground.registry import import_all
from pellucid.report import sections
from pellucid.report.section_registry import in_order

__all__ = ["in_order"]

import_all(sections.__name__, sections.__path__)
