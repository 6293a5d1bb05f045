from __future__ import annotations

from typing import get_args

from pellucid.network.architectures import NETWORKS
from pellucid.network.info import Architecture


def test_every_name_has_a_network_of_its_own() -> None:
    assert tuple(NETWORKS) == get_args(Architecture)
    assert len({kind.__name__ for kind in NETWORKS.values()}) == len(NETWORKS)
