from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from pellucid.ground.errors import InputError
from pellucid.image.grid import PAPER_GRID
from pellucid.network.architectures import NETWORKS, build_network
from pellucid.network.foreign import ForeignNetwork
from pellucid.network.info import Architecture
from pellucid.network.paper import PaperNetwork


def test_every_name_has_a_network_of_its_own() -> None:
    assert tuple(NETWORKS) == get_args(Architecture)
    assert len({kind.__name__ for kind in NETWORKS.values()}) == len(NETWORKS)


def test_a_network_is_built_from_the_words_of_a_study(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "own"))
    own = build_network("smallnets:SmallNet", PAPER_GRID, options={"width": 3}, seed=1)
    assert isinstance(own, ForeignNetwork)
    assert (own.options, own.name, own.corner) == ({"width": 3}, "smallnets:SmallNet", None)
    paper = build_network("paper", PAPER_GRID, channels=2, seed=1)
    assert isinstance(paper, PaperNetwork)
    assert (paper.channels, paper.name, paper.corner) == (2, "PaperNetwork", (71, 98, 71))
    with pytest.raises(InputError, match='"whole-brain"'):
        build_network("unet", PAPER_GRID)
