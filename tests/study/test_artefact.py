"""A scanner's fault in one group only, and no disease: the network takes it for one, the controls and the maps show it.

What each of them can know (docs/simulation.md): the fault brightens one place smoothly. `svm-image` sees it, for it
weighs places. The brain mask cannot, for the shape is everybody's. Mean brightness hardly does under `robust`, for few
voxels are brighter and median and spread stay; under `percentile` it does, for the brightest percentile rises and all
else falls. `logistic-confounds` has brightness under the study's own scaling, `robust`: with 100 scans its interval
held 0.5, with these 56 it was 0.58 to 0.96, 0.44 to 0.90 and 0.83 to 1 with seeds 1 to 3. It is not relied on.

With these seeds the network's AUC was 0.98, 0.97 and 1 (lowest bound 0.90), that of `svm-image` 0.90, 0.99 and 0.90
(0.72), and that of the brain mask 0.56, 0.45 and 0.34 (every interval held 0.5). At strength 1 neither the network nor
`svm-image` learned the fault from 24 to 32 scans.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import pellucid
from pellucid.cohort.store import Store, open_store
from pellucid.ground.files import read_json, read_tsv
from pellucid.image.nifti import read_volume
from pellucid.image.resample import resample
from pellucid.spec.reading import read_spec
from pellucid.study.run import run_study
from pellucid.trust.lesions import lesion_table
from pellucid.trust.nulls import Learned, null_maps

TRUTH = "cohorts/ms/derivatives/truth"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, counter) -> Path:
    root = tmp_path_factory.mktemp("artefact") / "run"
    spec = read_spec(Path(__file__).with_name("artefact.toml"))
    results = run_study(spec, root, watcher=counter(), command=["pellucid", "test"])
    assert [result.error for result in results if result.state != "done"] == []
    return root


@pytest.fixture(scope="module")
def lifts(run: Path) -> pd.DataFrame:
    """Lift of the planted region, a row a held-out scan and map: LRP, the scan, its edges and noise."""
    store = open_store(run / "stores" / "ms")
    model = pellucid.load_model(run / "models" / "scratch" / "trial-00")
    seen, planted = pellucid.field_of_view(model).mask(), region(run, store)
    splits = read_tsv(run / "splits.tsv").set_index("participant_id")["role"]
    tables = []
    for n in np.flatnonzero(store.table["participant_id"].map(splits) == "holdout"):
        image, brain = np.array(store.images[n]), np.array(store.brain[n], dtype=bool)
        map_ = pellucid.explain(model, torch.from_numpy(image)[None, None], method="lrp-epsilon", epsilon=1e-3)
        nulls = null_maps(image, brain, seen, Learned(), voxel_sizes=store.grid.voxel_sizes, seed=int(n)).maps
        relevance = map_.relevance[0, 0].numpy()
        table = lesion_table({"lrp-epsilon": relevance, **nulls}, planted, brain, seen)
        tables.append(table.assign(group=store.table["group"].iloc[n], scan=n))
    return pd.concat(tables, ignore_index=True)


def region(run: Path, store: Store) -> np.ndarray:
    """Return where the coil is at least half as much too sensitive as at its worst, on the store's grid."""
    where = read_json(run / TRUTH / "truth.json")["differs_between_groups"]["artefact"]["where"]
    volume = read_volume(run / TRUTH / f"tpl-MNI152NLin6Asym_desc-{where}_probseg.nii.gz")
    return np.asarray(resample(volume.data, volume.grid, store.grid) > 0.5)


def auc(run: Path, arm: str) -> pd.Series:
    table = read_tsv(run / "tables" / "table2.tsv")
    return table[(table["metric"] == "auc") & (table["arm"] == arm)].iloc[0]


@pytest.mark.slow
def test_the_network_takes_the_scanner_for_the_disease(run: Path) -> None:
    differs = read_json(run / TRUTH / "truth.json")["differs_between_groups"]
    assert {name for name, effect in differs.items() if effect["strength"] > 0} == {"artefact"}
    assert auc(run, "scratch")["low"] > 0.5


@pytest.mark.slow
def test_a_control_that_weighs_places_exposes_it(run: Path) -> None:
    assert auc(run, "svm-flair")["low"] > 0.5


@pytest.mark.slow
def test_the_shape_of_the_brain_knows_nothing_of_it(run: Path) -> None:
    shape = auc(run, "brain-mask")
    assert shape["low"] < 0.5 < shape["high"]


@pytest.mark.slow
def test_mean_brightness_shows_it_where_the_brightest_voxels_set_the_scale(run: Path) -> None:
    table = read_tsv(run / "tables" / "brightness.tsv").set_index("scaling")
    assert table.loc["percentile", "high"] < 0.5  # all but the planted place looks darker in patients
    assert table.loc["robust", "separability"] < table.loc["percentile", "separability"]


@pytest.mark.slow
def test_the_maps_of_patients_point_to_the_coil(lifts: pd.DataFrame) -> None:
    lift = lifts.pivot_table(index=["group", "scan"], columns="map", values="lift").loc["MS"]
    half = lift.median()
    assert half["lrp-epsilon"] > 2.5, half.to_string()  # 3.6, 4.7 and 5.4 with seeds 1 to 3
    # The planted place is bright, so the scan itself has a lift too (2.9, 2.8, 2.9); the map has more in nearly all.
    assert half["lrp-epsilon"] > 1.1 * half["intensity"]
    assert (lift["lrp-epsilon"] > lift["intensity"]).mean() > 0.8
    assert half["random"] == pytest.approx(1.0, abs=0.1)
    assert half["edge"] < 1.5


@pytest.mark.slow
def test_the_maps_of_controls_point_there_less(lifts: pd.DataFrame) -> None:
    half = lifts[lifts["map"] == "lrp-epsilon"].groupby("group")["lift"].median()
    assert half["MS"] > 1.5 * half["HC"]
