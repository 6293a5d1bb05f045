"""Arms that are given other images than the prepared scans, and arms that are not trained."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import ndimage

from pellucid.cohort.store import Store, open_store
from pellucid.engine.tasks import Result
from pellucid.ground.files import read_json, read_tsv
from pellucid.image.nifti import sidecar_path
from pellucid.network.files import load_model
from pellucid.spec.reading import parse_spec
from pellucid.study.run import run_study

ARM = """
[training.{name}]
cohort = "ms"
channels = 2
max_epochs = 1
"""
SPEC = """
[study]
name = "images"
seed = 1

[cohorts.ms]
bids = "ms"
modality = "FLAIR"
positive = "MS"
negative = "HC"

[splits.ms]
holdout = 4
validation = 2

[analysis]
bootstrap = 100

[explain]
arms = ["filled"]
""" + "".join(
    ARM.format(name=name) + more + "\n"
    for name, more in {
        "plain": "",
        "filled": 'images = "lesion-filled"',
        "lesions": 'images = "lesion-mask"',
        "shape": 'images = "brain-mask"',
        "untrained": "fit = false",
        "pretrained-only": 'fit = false\nstart_from = "plain"',
    }.items()
)
WITHOUT = "sub-0002"  # of `one_without_mask`


@pytest.fixture(scope="module")
def finished(
    tmp_path_factory: pytest.TempPathFactory, one_without_mask: tuple[Path, str], counter
) -> tuple[Path, list[Result]]:
    out = tmp_path_factory.mktemp("images") / "run"
    spec = parse_spec(SPEC, file=one_without_mask[0].parent / "images.toml")
    return out, run_study(spec, out, watcher=counter(), command=["pellucid", "test"])


@pytest.fixture(scope="module")
def run(finished: tuple[Path, list[Result]]) -> Path:
    assert [result.error for result in finished[1] if result.state != "done"] == []
    return finished[0]


@pytest.fixture(scope="module")
def stores(run: Path) -> tuple[Store, Store]:
    return open_store(run / "stores" / "ms"), open_store(run / "stores" / "ms_filled")


def test_filled_scans_differ_in_and_around_lesions_alone(stores: tuple[Store, Store]) -> None:
    plain, filled = stores
    changed = 0
    for n, who in enumerate(filled.table["participant_id"]):
        (m,) = np.flatnonzero(plain.table["participant_id"] == who)
        both = plain.brain[m] & filled.brain[n]
        uncut = (np.abs(plain.images[m]) < 0.99 * np.abs(plain.images[m]).max()) & both
        near = ndimage.binary_dilation(plain.masks[m], iterations=8)  # 4 mm scans: a rim is wide
        # Scaling follows the whole brain: where nothing was filled, one line leads from one scan to the other.
        away = uncut & ~near
        slope, shift = np.polyfit(plain.images[m][away], filled.images[n][away], 1)
        rest = np.abs(slope * plain.images[m] + shift - filled.images[n])
        assert np.quantile(rest[away], 0.99) < 0.02
        inside = both & plain.masks[m]
        if inside.sum() > 20:
            changed += 1
            assert rest[inside].mean() > 0.2
            assert filled.images[n][inside].mean() < plain.images[m][inside].mean()
    assert changed >= 5


def test_who_has_no_mask_is_named_and_takes_no_part_where_one_is_needed(
    finished: tuple[Path, list[Result]], run: Path
) -> None:
    (problem,) = [problem for result in finished[1] for problem in result.problems if problem.left_out]
    assert problem.subject == WITHOUT
    assert "no lesion mask" in problem.message
    taking_part = {}
    for arm in ("plain", "filled", "lesions", "shape"):
        predictions = read_tsv(run / "models" / arm / "trial-00" / "predictions.tsv")
        taking_part[arm] = set(predictions["participant_id"])
    assert taking_part["plain"] == taking_part["shape"]
    assert taking_part["filled"] == taking_part["lesions"] == taking_part["plain"] - {WITHOUT}
    roles = read_tsv(run / "splits.tsv").set_index("participant_id")["role"]
    n = read_tsv(run / "tables" / "table2.tsv").groupby("arm")["n_subjects"].first()
    assert n["plain"] - n["filled"] == int(roles[WITHOUT] == "holdout")


def test_masks_alone_are_seen_as_0_and_1(run: Path) -> None:
    """The logit of a control arm is that of its network on the mask."""
    store = open_store(run / "stores" / "ms")
    for arm, masks in (("lesions", store.masks), ("shape", store.brain)):
        model = load_model(run / "models" / arm / "trial-00")
        assert model.info.scaling == "none"
        row = read_tsv(run / "models" / arm / "trial-00" / "predictions.tsv").iloc[0]
        (n,) = np.flatnonzero(store.table["participant_id"] == row["participant_id"])
        with torch.no_grad():
            logit = model(torch.from_numpy(masks[n].astype(np.float32))[None, None])
        assert float(logit) == pytest.approx(row["logit"], abs=1e-5)


def test_what_is_not_trained_stays_as_it_starts(run: Path) -> None:
    plain, same = (load_model(run / "models" / arm / "trial-00") for arm in ("plain", "pretrained-only"))
    assert all(torch.equal(one, two) for one, two in zip(plain.parameters(), same.parameters(), strict=True))
    untrained = load_model(run / "models" / "untrained" / "trial-00")
    assert not torch.count_nonzero(untrained.conv1.bias)
    assert not torch.equal(untrained.conv1.weight, plain.conv1.weight)
    history = read_tsv(run / "models" / "untrained" / "trial-00" / "history.tsv")
    assert history[["epoch", "steps", "best"]].to_numpy().tolist() == [[0, 0, True]]


def test_maps_of_filled_scans_say_so(run: Path) -> None:
    maps = sorted((run / "maps" / "filled" / "lrp-epsilon").glob("sub-*_relevance.nii.gz"))
    assert maps
    assert {read_json(sidecar_path(path))["Images"] for path in maps} == {"lesion-filled"}
