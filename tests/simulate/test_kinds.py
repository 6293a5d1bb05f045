"""Every kind of simulation is whole: settings, people of its two groups, scans of what a study takes, and a truth."""

from __future__ import annotations

import numpy as np
import pytest

from pellucid.simulate.anatomy import load_anatomy
from pellucid.simulate.kind import Head
from pellucid.simulate.kinds import KINDS, people_of
from pellucid.simulate.settings import SETTINGS
from pellucid.simulate.subject import Fields, shape_subject


def test_each_kind_has_settings_that_name_it() -> None:
    assert list(KINDS) == list(SETTINGS)
    assert {name: settings().kind for name, settings in SETTINGS.items()} == {name: name for name in KINDS}


@pytest.mark.parametrize("name", KINDS)
def test_a_kind_brings_its_groups_its_scans_and_its_truth(name: str) -> None:
    kind = KINDS[name]
    settings = SETTINGS[name](patients=2, controls=1, seed=3, voxel_size=4.0)
    people = people_of(settings)
    assert sorted(person.group for person in people) == sorted([settings.POSITIVE] * 2 + [settings.NEGATIVE])
    anatomy = load_anatomy(4.0)
    rng, scanner = np.random.default_rng(0), np.random.default_rng(1)
    tissues, warp = shape_subject(rng, anatomy, Fields.of(anatomy), people[0].traits[0])
    scans = kind.scans(settings, Head(people[0], people[0].traits[0], anatomy, tissues, warp, rng, scanner))
    assert settings.MODALITY in scans.images
    assert all(image.shape == anatomy.grid.shape for image in scans.images.values())
    assert (scans.lesions is not None) == kind.lesions == ("lesion_volume_ml" in scans.noted)
    truth = kind.truth(settings, anatomy)
    assert all(values.shape == anatomy.grid.shape for values in truth.maps.values())
    assert all({"where", "strength"} <= set(effect) for effect in (*truth.differs.values(), *truth.same.values()))
