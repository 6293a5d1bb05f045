"""How a model is explained: the method's parameters, and the mean of several models' maps."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from pellucid.ground.errors import InputError
from pellucid.image.grid import MNI_2MM, resized
from pellucid.image.nifti import write_volume
from pellucid.maps.explainer import Explained, mean_explained, open_explainer, probability
from pellucid.maps.sidecars import describe_sums, read_sums
from pellucid.network.files import save_model
from pellucid.network.info import ModelInfo
from pellucid.network.paper import PaperNetwork


def test_probability_is_the_sigmoid_and_never_overflows() -> None:
    for logit in (-3.0, 0.0, 0.5, 20.0):
        assert probability(logit) == pytest.approx(1 / (1 + math.exp(-logit)))
    assert (probability(-1e4), probability(1e4)) == (0.0, 1.0)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model")
    save_model(path, PaperNetwork(channels=2, seed=4), ModelInfo(modality="FLAIR", scaling="robust"))
    return path


def test_a_method_keeps_its_own_epsilon_unless_told(model: Path) -> None:
    assert open_explainer(model, method="lrp-epsilon").method.parameters == {"epsilon": 1e-3}
    assert open_explainer(model, method="lrp-epsilon:epsilon=0.5").method.parameters == {"epsilon": 0.5}
    assert open_explainer(model, method="gradient").method.parameters == {}
    for method in ("gradient:epsilon=0.1", "lrp-epsilon:epsilon=0", "lrp-epsilon:epsilon=inf", "lpr"):
        with pytest.raises(InputError):
            open_explainer(model, method=method)


def test_a_mean_counts_the_networks_whose_own_map_has_an_alarm(tmp_path: Path) -> None:
    def one(total: float, logit: float, bias: float) -> Explained:
        row = {"layer": "fc", "relevance_out": logit, "relevance_in": total, "absorbed_bias": bias}
        relevance = np.zeros((2, 2, 2), dtype=np.float32)
        relevance[0, 0] = total + 2.0, -2.0
        return Explained(
            relevance=relevance,
            logit=logit,
            ledger=[row | {"absorbed_epsilon": 0.0}],
        )

    found = [one(3.0, 3.0, 0.0), one(-1.0, 1.0, 2.0), one(4.0, 5.0, 1.0)]
    assert [each.sums.code for each in found] == ["none", "sign+bias", "none"]
    mean = mean_explained(found)
    assert mean.sums.code == "networks"
    assert mean.sums.total == pytest.approx(2.0)
    said = describe_sums(mean.sums)
    assert said["Alarms"] == ["1 of the 3 networks' own maps have an alarm"]
    assert (said["Sums"]["Networks"], said["Sums"]["AlarmedNetworks"]) == (3, 1)
    assert said["Sums"]["AbsorbedBias"] == pytest.approx(1.0)
    assert mean_explained(found[:1]) is found[0]

    path = tmp_path / "map.nii.gz"
    write_volume(
        path, mean.relevance, resized(MNI_2MM, (2, 2, 2)), sidecar=said | {"Logit": 3.0, "Ledger": mean.ledger}
    )
    assert read_sums(path, mean.relevance) == mean.sums
