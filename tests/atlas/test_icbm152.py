"""The average brain as nilearn loads it, without nilearn."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from nilearn.datasets import (
    load_mni152_brain_mask,
    load_mni152_gm_template,
    load_mni152_template,
    load_mni152_wm_template,
)

from pellucid.atlas.icbm152 import icbm152, icbm152_brain


@pytest.mark.parametrize(
    ("name", "load"), [("gm", load_mni152_gm_template), ("wm", load_mni152_wm_template), ("t1", load_mni152_template)]
)
def test_maps_are_those_of_nilearn(name, load) -> None:
    data, grid = icbm152(name)
    twin = load(resolution=1)
    assert np.array_equal(data, np.asarray(twin.dataobj, dtype=np.float32))
    assert np.array_equal(grid.affine, twin.affine)


def test_the_brain_is_that_of_nilearn() -> None:
    brain, grid = icbm152_brain()
    twin = load_mni152_brain_mask(resolution=1)
    assert np.array_equal(brain, np.asarray(twin.dataobj) > 0)
    assert np.array_equal(grid.affine, twin.affine)


def test_nothing_heavy_is_imported_for_it() -> None:
    code = (
        "import sys; from pellucid.atlas.icbm152 import icbm152; icbm152('gm'); "
        "assert not {'nilearn', 'sklearn', 'scipy.stats', 'torch'} & set(sys.modules), sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
