"""How a scan is named that `pellucid preprocess` has prepared."""

from __future__ import annotations

from collections.abc import Mapping

SPACE = "MNI152NLin6Asym"
"""The space of all prepared scans and of all maps: FSL's MNI152 template."""

PREPARED: Mapping[str, object] = {"desc": "brain", "space": SPACE, "res": None}
"""The entities of a prepared scan's name: the brain alone, in template space, at full resolution."""
