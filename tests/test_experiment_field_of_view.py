"""experiments/field_of_view.py: lesions stay in their part, the counts are right."""

import importlib.util
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from pellucid.image.grid import PAPER_GRID
from pellucid.network.field_of_view import field_of_view
from pellucid.network.paper import PaperNetwork
from pellucid.simulate.anatomy import load_anatomy


@pytest.fixture(scope="module")
def script() -> ModuleType:
    path = Path(__file__).parents[1] / "experiments" / "field_of_view.py"
    spec = importlib.util.spec_from_file_location("experiment_field_of_view", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_lesions_leave_the_other_part_as_it_was_bit_by_bit(script: ModuleType) -> None:
    image = np.zeros((1, *PAPER_GRID.shape), np.float32)
    image[0, 10:90, 10:105, 10:90] = np.random.default_rng(1).normal(size=(80, 95, 80))
    heads = script.Heads(image, image != 0, np.array([-7.0]), np.array([-0.3]))
    anatomy = replace(load_anatomy(2.0), grid=PAPER_GRID)
    for part in script.part_masks().values():
        rng = np.random.default_rng(0)
        out = script.add_lesions(rng, heads, 0, part, anatomy, script.still(anatomy))
        changed = out != image[0]
        assert changed.any()
        assert not changed[~part].any()
        assert (out[changed] > image[0][changed]).all()


def test_labels_are_balanced_and_every_head_has_one_role(script: ModuleType) -> None:
    labels, rows = script.draw_labels(3, 100)
    assert sorted(np.concatenate(list(rows.values()))) == list(range(100))
    assert all(labels[index].mean() == 0.5 for index in rows.values())
    assert not np.array_equal(labels, script.draw_labels(4, 100)[0])


def test_flop_of_the_papers_network_by_hand(script: ModuleType) -> None:
    model = PaperNetwork(2)
    outputs = (69 * 96 * 69, 21 * 30 * 21, 5 * 8 * 5, 3 * 6 * 3)
    taps = (2 * 2, 3 * 4, 3 * 4, 3 * 4)  # passes times channels in times channels out
    by_hand = sum(2 * 27 * n * tap for n, tap in zip(outputs, taps, strict=True)) + 6 * model.fc.in_features
    found = script.gflop_per_step(model, field_of_view(model).stops, 4)
    assert found == pytest.approx(4 * by_hand / 1e9)
