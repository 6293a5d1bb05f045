"""The baseline that nobody has to ask for: which studies get it, on which scans, and who is told of one without."""

from __future__ import annotations

from pathlib import Path

import pytest

from pellucid.ground.errors import InputError
from pellucid.rundir.stores import stores_of
from pellucid.spec.reading import find_spec, parse_spec, read_spec
from pellucid.spec.rivals import without_bright_voxels
from pellucid.spec.spec import Spec

FILE = Path("study.toml")
FLAIR = """
[study]
name = "one"
[cohorts.ms.simulate]
kind = "ms"
[splits.ms]
holdout = 20
[training.network]
cohort = "ms"
"""
T1W = """
[study]
name = "two"
[cohorts.ad.simulate]
kind = "pretraining"
[splits.ad]
holdout = 20
[training.network]
cohort = "ad"
"""


def counted(spec: Spec) -> dict[str, tuple[str, str | None]]:
    return {
        name: (one.cohort, one.scaling) for name, one in spec.baselines.items() if one.settings.kind == "bright-voxels"
    }


@pytest.mark.parametrize("name", ["demo", "eitel2019", "revised", "transfer"])
def test_every_shipped_study_on_flair_has_it_and_says_so_in_its_file(name: str) -> None:
    spec = read_spec(find_spec(name))
    assert "ms" in [cohort for cohort, _ in counted(spec).values()]
    assert parse_spec(spec.to_toml(), file=FILE) == spec
    assert "[baselines.bright-voxels" in spec.to_toml()


def test_a_study_on_t1w_has_none_and_says_so_once() -> None:
    spec = parse_spec(T1W, file=FILE)
    assert counted(spec) == {}
    (remark,) = without_bright_voxels(spec)
    assert remark.startswith("cohort ad: no bright-voxels baseline, because it is T1w")
    assert without_bright_voxels(parse_spec(FLAIR, file=FILE)) == []


def test_a_cohort_that_only_pretrains_is_not_spoken_of() -> None:
    spec = parse_spec(
        FLAIR + T1W.partition('name = "two"')[2].replace("network", "start").replace("20", "0"), file=FILE
    )
    assert counted(spec) == {"bright-voxels": ("ms", None)}
    assert without_bright_voxels(spec) == []


def test_one_that_is_asked_for_takes_its_place() -> None:
    own = '[baselines.count]\ncohort = "ms"\nkind = "bright-voxels"\n'
    assert list(counted(parse_spec(FLAIR + own, file=FILE))) == ["count"]
    filled = parse_spec(FLAIR + own + 'images = "lesion-filled"\n', file=FILE)  # without the lesions it is no rival
    assert list(counted(filled)) == ["bright-voxels", "count"]


def test_a_scaling_that_cuts_bright_voxels_off_is_not_used() -> None:
    spec = parse_spec(FLAIR + '[preparation]\nscaling = "percentile"\n', file=FILE)
    assert counted(spec) == {"bright-voxels": ("ms", "robust")}
    assert [store.name for store in stores_of(spec)] == ["ms", "ms_robust"]
    own = '[baselines.count]\ncohort = "ms"\nkind = "bright-voxels"\nscaling = "percentile"\n'
    with pytest.raises(InputError, match=r"baselines.count.*'percentile' cuts off the brightest"):
        parse_spec(FLAIR + own, file=FILE)


def test_two_cohorts_have_one_each() -> None:
    two = FLAIR.replace(
        "[splits.ms]", '[cohorts.other.simulate]\nkind = "ms"\n[splits.other]\nholdout = 20\n[splits.ms]'
    )
    two += '[training.another]\ncohort = "other"\n'
    expected = {"bright-voxels-ms": ("ms", None), "bright-voxels-other": ("other", None)}
    assert counted(parse_spec(two, file=FILE)) == expected


@pytest.mark.parametrize("section", ["training", "baselines"])
def test_its_name_is_its_own(section: str) -> None:
    taken = f'[{section}.bright-voxels]\ncohort = "ms"\n' + 'kind = "svm-image"\n' * (section == "baselines")
    with pytest.raises(InputError, match=rf"{section}.bright-voxels.*has\. Rename it"):
        parse_spec(FLAIR + taken, file=FILE)
