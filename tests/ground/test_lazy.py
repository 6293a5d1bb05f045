"""Names that are loaded when first used."""

from __future__ import annotations

import subprocess
import sys

import pytest

import pellucid

CODE = """
import sys
import pellucid
from pellucid import maps
names = sorted([*pellucid.__all__, *maps.__all__])
assert not {"torch", "nilearn", "pandas", "numpy", "matplotlib"} & set(sys.modules), sys.modules
from pellucid.maps import explain_scan
assert pellucid.maps.explain_scan is explain_scan
for name in pellucid.__all__:
    getattr(pellucid, name)
for name in maps.__all__:
    getattr(maps, name)
import pellucid.simulate.cohort
assert not {"nilearn", "sklearn", "scipy.stats", "matplotlib"} & set(sys.modules), sys.modules
"""


def test_every_public_name_is_there_and_none_is_loaded_before() -> None:
    subprocess.run([sys.executable, "-c", CODE], check=True, timeout=120)


def test_a_name_that_is_not_there_is_answered_with_those_that_are() -> None:
    with pytest.raises(AttributeError, match=r"module 'pellucid' has no attribute 'explode'; it has .*explain, "):
        pellucid.explode  # noqa: B018
