"""People have Table 1's distributions; with every effect at 0 the groups are one."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from scipy import stats

from pellucid.ground.errors import InputError
from pellucid.simulate.people import ms_people, pretraining_people
from pellucid.simulate.settings import CohortSettings, PretrainingSettings


@cache
def full():
    """Many of each group, with every effect: drawn once for all tests."""
    return ms_people(CohortSettings(patients=2000, controls=2000))


@cache
def alike():
    """Two groups without any effect, not even that of sex."""
    nothing = dict.fromkeys(("lesions", "callosum", "thalamus", "age_gap", "sex_gap"), 0.0)
    return ms_people(CohortSettings(patients=1000, controls=1000, **nothing))


def by_group(people, value):
    groups = {}
    for person in people:
        groups.setdefault(person.group, []).append(value(person))
    return {group: np.array(values) for group, values in groups.items()}


def test_table_1():
    people = full()
    age = by_group(people, lambda p: p.ages[0])
    # Ages are cut to 18-69, the paper's inclusion, which narrows the distributions a little.
    assert age["MS"].mean() == pytest.approx(43.3, abs=1.0)
    assert age["HC"].mean() == pytest.approx(38.9, abs=1.0)
    assert age["HC"].min() >= 18.0
    assert age["MS"].max() <= 69.0
    female = by_group(people, lambda p: p.sex == "F")
    assert female["MS"].mean() == pytest.approx(0.55, abs=0.03)
    assert female["HC"].mean() == pytest.approx(0.65, abs=0.03)
    volume = by_group(people, lambda p: p.traits[0].lesion_volume_ml)
    assert volume["MS"].mean() == pytest.approx(7.28, rel=0.1)
    assert volume["HC"].mean() == pytest.approx(0.57, rel=0.25)
    edss = np.array([p.edss for p in people if p.group == "MS"])
    assert np.median(edss) == pytest.approx(2.5, abs=0.5)
    assert 0.0 <= edss.min() <= edss.max() <= 6.5
    assert np.all(edss * 2 == np.round(edss * 2))
    assert stats.spearmanr(edss, volume["MS"]).statistic == pytest.approx(0.3, abs=0.08)
    assert all(p.edss is None for p in people if p.group == "HC")
    months = np.array([p.disease_duration_months for p in people if p.group == "MS"])
    assert months.mean() == pytest.approx(149.65, rel=0.1)
    assert months.std() == pytest.approx(123.35, rel=0.1)


def test_effects_at_zero_leave_no_difference():
    people = alike()
    for value in (
        lambda p: p.ages[0],
        lambda p: p.traits[0].lesion_volume_ml,
        lambda p: p.traits[0].lesion_brightness,
        lambda p: p.traits[0].callosum_mm,
        lambda p: p.traits[0].thalamus_mm,
        lambda p: p.traits[0].ventricles_mm,
    ):
        groups = by_group(people, value)
        assert stats.ks_2samp(groups["MS"], groups["HC"]).pvalue > 0.01
    female = by_group(people, lambda p: p.sex == "F")
    assert stats.fisher_exact([[g.sum(), (~g).sum()] for g in female.values()]).pvalue > 0.01


def test_without_a_sex_gap_patients_are_female_as_often_as_controls():
    """Nothing in an image follows from sex, but `logistic-confounds` is given it."""
    for people, share in ((full(), 0.55), (alike(), 0.65)):
        female = by_group(people, lambda p: p.sex == "F")
        assert female["MS"].mean() == pytest.approx(share, abs=0.04)
        assert female["HC"].mean() == pytest.approx(0.65, abs=0.04)


@pytest.mark.parametrize("effect", ["lesions", "callosum", "thalamus", "age_gap"])
def test_each_effect_can_be_removed_alone(effect):
    trait = {
        "lesions": lambda p: p.traits[0].lesion_volume_ml,
        "callosum": lambda p: p.traits[0].callosum_mm,
        "thalamus": lambda p: p.traits[0].thalamus_mm,
        "age_gap": lambda p: p.ages[0],
    }[effect]
    present = by_group(full(), trait)
    absent = by_group(ms_people(CohortSettings(patients=400, controls=400, **{effect: 0.0})), trait)
    assert stats.ks_2samp(present["MS"], present["HC"]).pvalue < 1e-6
    assert stats.ks_2samp(absent["MS"], absent["HC"]).pvalue > 0.01


def test_a_person_depends_on_the_seed_and_the_number_alone():
    few, many = ms_people(CohortSettings(seed=5)), ms_people(CohortSettings(seed=5))
    assert few == many
    assert few != ms_people(CohortSettings(seed=6))


def test_pretraining_visits_grow_older_and_shrink():
    people = pretraining_people(PretrainingSettings(patients=200, controls=200, visits=3))
    visits = [len(p.ages) for p in people]
    assert set(visits) == {1, 2, 3}
    for person in people:
        assert np.allclose(np.diff(person.ages), 1.0)
        if person.group == "AD":
            assert np.all(np.diff([t.hippocampus_mm for t in person.traits]) < 0.0)
    size = by_group(people, lambda p: p.traits[0].hippocampus_mm)
    assert size["AD"].mean() < size["CN"].mean() - 1.0


@pytest.mark.parametrize(
    ("settings", "wrong"),
    [
        (CohortSettings, {"patients": 0}),
        (CohortSettings, {"voxel_size": 0.1}),
        (CohortSettings, {"lesions": -1.0}),
        (CohortSettings, {"artefact": 5.1}),
        (CohortSettings, {"seed": -1}),
        (PretrainingSettings, {"visits": 0}),
    ],
)
def test_impossible_settings_are_refused(settings, wrong):
    with pytest.raises(InputError, match=next(iter(wrong))):
        settings(**wrong)
