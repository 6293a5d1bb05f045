"""Every structure has a brightness of its own, drawn per scan around what real FLAIRs show."""

from __future__ import annotations

import numpy as np
import pytest

from pellucid.atlas.find import find_atlas
from pellucid.simulate.brightness import CORTEX, NUCLEI, structure_brightness

REGIONS = find_atlas("neuromorphometrics").regions


def label(name: str) -> int:
    return int(REGIONS.set_index("name").loc[name, "index"])


def draws(n: int = 400) -> tuple[np.ndarray, np.ndarray]:
    tables = [structure_brightness(np.random.default_rng(seed), REGIONS) for seed in range(n)]
    return tuple(np.stack(part) for part in zip(*tables, strict=True))


def test_every_word_names_a_structure_of_the_atlas() -> None:
    for word in (*NUCLEI, *CORTEX):
        assert any(word in name for name in REGIONS["name"]), word


@pytest.mark.parametrize(("name", "mean"), [("Left Pallidum", 0.88), ("Right Hippocampus", 1.20), ("Brain Stem", 1.01)])
def test_nuclei_scatter_around_their_mean(name: str, mean: float) -> None:
    nucleus, cortex = draws()
    assert nucleus[:, label(name)].mean() == pytest.approx(mean, abs=0.015)
    assert 0.05 < nucleus[:, label(name)].std() < 0.09
    assert np.all(cortex[:, label(name)] == 1.0)


def test_cortex_is_relative_to_its_mean_and_is_no_nucleus() -> None:
    nucleus, cortex = draws()
    assert np.isnan(nucleus[:, label("Left AIns anterior insula")]).all()
    assert cortex[:, label("Left AIns anterior insula")].mean() == pytest.approx(1.06, abs=0.015)
    assert cortex[:, label("Right MFG middle frontal gyrus")].mean() == pytest.approx(1.0, abs=0.015)


def test_left_and_right_are_alike_but_not_the_same() -> None:
    nucleus, _ = draws()
    left, right = nucleus[:, label("Left Thalamus Proper")], nucleus[:, label("Right Thalamus Proper")]
    assert not np.any(left == right)
    assert 0.6 < np.corrcoef(left, right)[0, 1] < 0.95
    other = nucleus[:, label("Left Putamen")]
    assert abs(np.corrcoef(left, other)[0, 1]) < 0.2


def test_the_background_has_no_brightness_of_its_own() -> None:
    nucleus, cortex = structure_brightness(np.random.default_rng(0), REGIONS)
    assert np.isnan(nucleus[0])
    assert cortex[0] == 1.0
