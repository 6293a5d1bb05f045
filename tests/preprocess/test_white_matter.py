from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pellucid.ground.errors import InputError
from pellucid.image.grid import MNI_2MM, Grid
from pellucid.image.nifti import Volume
from pellucid.preprocess.white_matter import find_white_matter
from pellucid.simulate.anatomy import load_anatomy
from pellucid.simulate.contrast import flair
from pellucid.simulate.people import ms_people
from pellucid.simulate.settings import CohortSettings
from pellucid.simulate.subject import Fields, shape_subject


@pytest.fixture(scope="module")
def simulated() -> tuple[Volume, np.ndarray]:
    """A FLAIR of 2 mm, and where its white matter truly is."""
    anatomy, rng = load_anatomy(2.0), np.random.default_rng(0)
    person = next(p for p in ms_people(CohortSettings(patients=1, controls=2)) if p.group == "HC")
    tissues, _ = shape_subject(rng, anatomy, Fields.of(anatomy), person.traits[0])
    return Volume(flair(rng, tissues, caps=1.0), anatomy.grid), np.asarray(tissues.white > 0.5)


def test_white_matter_of_a_simulated_flair_is_found(simulated: tuple[Volume, np.ndarray]) -> None:
    volume, truth = simulated
    found = find_white_matter(volume, np.zeros(volume.grid.shape, dtype=bool))
    assert 2 * (found & truth).sum() / (found.sum() + truth.sum()) > 0.7  # from FLAIR alone; FLAIRs of people 0.79


def test_a_scan_off_mni_space_is_refused(simulated: tuple[Volume, np.ndarray]) -> None:
    volume, _ = simulated
    affine = volume.grid.affine.copy()
    affine[2, 3] += 80.0
    moved = replace(volume, grid=Grid.of(volume.grid.shape, affine))
    with pytest.raises(InputError, match="not in MNI space"):
        find_white_matter(moved, np.zeros(MNI_2MM.shape, dtype=bool))
