"""Every table of a study: importing these modules registers them."""

from __future__ import annotations

from pellucid.study.steps import deleting, map_summaries, map_tables, score_summaries, tables
from pellucid.study.steps.table_registry import table_tasks

__all__ = ["MODULES", "table_tasks"]

MODULES = (tables, score_summaries, map_tables, map_summaries, deleting)
"""In the order in which their tables are made."""
