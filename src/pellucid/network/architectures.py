"""The networks that a trial can fit and a file can hold, by the names that studies give them."""

from __future__ import annotations

from collections.abc import Mapping

from pellucid.network.info import Architecture
from pellucid.network.paper import PaperNetwork
from pellucid.network.volume_network import VolumeNetwork
from pellucid.network.whole_brain import WholeBrainNetwork

NETWORKS: Mapping[Architecture, type[VolumeNetwork]] = {"paper": PaperNetwork, "whole-brain": WholeBrainNetwork}
