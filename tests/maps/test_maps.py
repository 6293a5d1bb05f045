"""Maps on disk: their names, their sidecars, and what a sidecar says of the field of view."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pellucid.ground.errors import InputError
from pellucid.ground.files import read_json
from pellucid.image.grid import MNI_2MM, PAPER_GRID, resized
from pellucid.image.nifti import read_volume, write_volume
from pellucid.maps.maps import (
    Explained,
    describe_sums,
    explain_image,
    map_name,
    mean_explained,
    open_explainer,
    probability,
    read_ledger,
    read_sums,
    relative,
    seen_by,
    write_map,
)
from pellucid.network.files import save_model
from pellucid.network.info import ModelInfo
from pellucid.network.paper import PaperNetwork


@pytest.mark.parametrize(
    ("who", "method", "options", "name"),
    [
        ("sub-01", "lrp-epsilon", {}, "sub-01_space-MNI152NLin6Asym_desc-lrpEpsilon_relevance.nii.gz"),
        ("sub-01", "gradient", {}, "sub-01_space-MNI152NLin6Asym_desc-gradient_relevance.nii.gz"),
        ("a", "input-x-gradient", {"res": "native"},
         "a_space-MNI152NLin6Asym_res-native_desc-inputXGradient_relevance.nii.gz"),
        ("group-MS", "lrp-epsilon", {"statistic": "mean"},
         "group-MS_space-MNI152NLin6Asym_desc-lrpEpsilonMean_relevance.nii.gz"),
    ],
)  # fmt: skip
def test_names_of_maps(who: str, method: str, options: dict, name: str) -> None:
    assert map_name(who, method, **options) == name


def test_probability_is_the_sigmoid_and_never_overflows() -> None:
    for logit in (-3.0, 0.0, 0.5, 20.0):
        assert probability(logit) == pytest.approx(1 / (1 + math.exp(-logit)))
    assert (probability(-1e4), probability(1e4)) == (0.0, 1.0)


def test_paths_are_relative_so_that_a_run_can_be_moved(tmp_path: Path) -> None:
    assert relative(tmp_path / "models" / "a", tmp_path / "maps" / "a") == "../../models/a"


def test_the_field_of_view_is_read_on_its_own_grid() -> None:
    small = resized(MNI_2MM, (10, 12, 10))
    assert seen_by({}, small).all()
    view = {"FieldOfView": {"Stops": [5, 12, 10], "Grid": small.to_json()}}
    own = seen_by(view, small)
    assert own[:5].all()
    assert not own[5:].any()
    # On a grid of twice the resolution the same half of the head is seen.
    fine = resized(MNI_2MM, (20, 24, 20))
    assert seen_by(view, fine).mean() == pytest.approx(0.5, abs=0.06)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model")
    save_model(path, PaperNetwork(channels=2, seed=4), ModelInfo(modality="FLAIR", scaling="robust"))
    return path


def test_a_method_keeps_its_own_epsilon_unless_told(model: Path) -> None:
    assert open_explainer(model, method="lrp-epsilon").parameters == {"epsilon": 1e-3}
    assert open_explainer(model, method="lrp-epsilon", epsilon=0.5).parameters == {"epsilon": 0.5}
    assert open_explainer(model, method="gradient").parameters == {}
    for method, epsilon in (("gradient", 0.1), ("lrp-epsilon", 0.0), ("lrp-epsilon", math.inf), ("lrp", None)):
        with pytest.raises(InputError):
            open_explainer(model, method=method, epsilon=epsilon)


def test_a_map_and_its_ledger_survive_the_disk(model: Path, tmp_path: Path) -> None:
    explainer = open_explainer(model, method="lrp-epsilon", epsilon=0.01)
    image = np.random.default_rng(0).standard_normal(PAPER_GRID.shape).astype(np.float32)
    image.setflags(write=False)  # as the arrays of a store are
    explained = explain_image(explainer, image)
    source = tmp_path / "scan.nii.gz"
    source.write_bytes(b"a scan")
    write_map(tmp_path / "map.nii.gz", [explainer], explained, source=source, source_grid=MNI_2MM)
    np.testing.assert_array_equal(read_volume(tmp_path / "map.nii.gz").data, explained.relevance)
    assert read_ledger(tmp_path / "map.nii.gz") == explained.ledger
    assert read_json(tmp_path / "map.json")["SeedNeuron"] == "logit"
    unseen = replace(explained, head="unknown")
    write_map(tmp_path / "map.nii.gz", [explainer], unseen, source=source, source_grid=MNI_2MM)
    assert "may be a probability" in read_json(tmp_path / "map.json")["SeedNeuron"]


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
