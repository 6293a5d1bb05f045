"""A study of networks that are not Pellucid's, from its specification to its maps, and on after a stop."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from pellucid.ground.errors import InputError
from pellucid.ground.files import read_json, read_tsv, sha256, write_json
from pellucid.image.grid import PAPER_GRID
from pellucid.image.nifti import read_volume
from pellucid.maps.explainer import open_explainer
from pellucid.maps.sidecars import seen_by
from pellucid.network.files import load_model
from pellucid.network.paper import PaperNetwork
from pellucid.rundir.folder import RunFolder
from pellucid.spec.reading import parse_spec, read_spec
from pellucid.spec.spec import Spec
from pellucid.study.estimate import network_bytes
from pellucid.study.plan import Plan
from pellucid.study.run import run_study
from pellucid.study.steps.trials import cohort_rows
from pellucid.training.trial import run_trial

FILE = Path(__file__).parent / "foreign.toml"
OWN = Path(__file__).parents[1] / "own"
SMALL = "smallnets:SmallNet"


@pytest.fixture(scope="module", autouse=True)
def importable() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(OWN))
        yield


def spec(old: str = "", new: str = "", *, everywhere: bool = False) -> Spec:
    text = FILE.read_text(encoding="utf-8")
    assert old in text
    return parse_spec(text.replace(old, new, -1 if everywhere else 1) if old else text, file=FILE)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, counter) -> Path:
    root = tmp_path_factory.mktemp("foreign") / "run"
    results = run_study(spec(), root, watcher=counter(), command=["test"])
    assert [result.error for result in results if result.state != "done"] == []
    return root


def test_models_say_what_they_are_and_predict_what_was_written(finished: Path) -> None:
    store, _ = cohort_rows("mine", Plan(spec(), RunFolder(finished)))
    for arm, trials in (("mine", 1), ("tuned", 2)):
        folders = sorted((finished / "models" / arm).glob("trial-*"))
        assert len(folders) == trials
        for folder in folders:
            described = read_json(folder / "model.json")
            assert (described["architecture"], described["options"]) == (SMALL, {"width": 3})
            model = load_model(folder, network=SMALL)
            assert int(model.network.norm.num_batches_tracked) > 0
            table = read_tsv(folder / "predictions.tsv").set_index("participant_id")
            logits = table["logit"].loc[store.table["participant_id"]].to_numpy()
            with torch.no_grad():
                found = model(torch.from_numpy(np.array(store.images))[:, None]).numpy()
            np.testing.assert_allclose(found, logits, atol=1e-5)


def test_the_record_says_which_code_ran(finished: Path) -> None:
    (go,) = read_json(finished / "record.json")["runs"]
    assert go["code"][SMALL] == sha256(OWN / "smallnets.py")
    assert set(go["code"]) == {arm.own_network for arm in spec().training.values() if arm.own_network}


def test_an_arm_starts_from_the_weights_of_another(finished: Path) -> None:
    first, second = (
        read_json(finished / "models" / "tuned" / name / "model.json") for name in ("trial-00", "trial-01")
    )
    assert first["trained"]["initial"] == second["trained"]["initial"]
    assert first["trained"]["initial"] is not None
    assert first["sha256"] != second["sha256"]


def test_maps_have_a_ledger_and_say_that_the_field_of_view_is_not_known(finished: Path) -> None:
    ledger = read_tsv(finished / "tables" / "ledger.tsv")
    assert set(ledger["arm"]) == {"tuned", "plain"}
    assert list(ledger[ledger["arm"] == "tuned"]["layer"].unique()) == [
        *("network.conv1", "network.norm", "network.conv2", "network.pool", "network.fc"),
    ]
    for arm, known in (("tuned", False), ("plain", True)):
        paths = sorted((finished / "maps" / arm / "lrp-epsilon").glob("sub-*_relevance.nii.gz"))
        assert len(paths) == 4
        for path in paths:
            volume, sidecar = read_volume(path), read_json(path.with_name(path.name.replace(".nii.gz", ".json")))
            rows = ledger[(ledger["arm"] == arm) & (ledger["participant_id"] == path.name.split("_")[0])]
            arrived = rows.iloc[0]["relevance_in"]
            assert float(volume.data.sum(dtype=np.float64)) == pytest.approx(arrived, rel=1e-3, abs=1e-5)
            assert ("FieldOfView" in sidecar) is known
            assert ("FieldOfViewUnknown" in sidecar) is not known
            # A chain of 12-voxel steps leaves 6 of the 114 planes unread; of the other network nothing is known.
            assert seen_by(sidecar, volume.grid).sum() == (96 * 108 * 96 if known else 96 * 114 * 96)


def test_a_stopped_study_goes_on_and_ends_with_the_same_numbers(finished: Path, tmp_path: Path, counter) -> None:
    out = tmp_path / "copy"
    shutil.copytree(finished, out)
    weights = out / "models" / "mine" / "trial-00" / "model.safetensors"
    before, maps = weights.read_bytes(), out / "maps" / "tuned" / "lrp-epsilon"
    lost = sorted(maps.glob("sub-*_relevance.nii.gz"))[0]
    expected = lost.read_bytes()
    weights.unlink()
    lost.unlink()
    (maps / "ledger.tsv").unlink()
    with pytest.raises(KeyboardInterrupt):
        run_study(spec(), out, watcher=counter(stop="explain/tuned"), command=["test"])
    watcher = counter()
    run_study(spec(), out, watcher=watcher, command=["test"])
    assert watcher.begun[0] == "explain/tuned"
    assert {name.partition("/")[0] for name in watcher.begun[1:]} == {"table"}  # of maps that were not all there
    assert weights.read_bytes() == before
    assert lost.read_bytes() == expected
    again = counter()
    run_study(read_spec(out / "study.toml"), out, watcher=again, command=["test"])
    assert again.begun == []


def test_other_options_make_another_study(finished: Path, counter) -> None:
    text = FILE.read_text(encoding="utf-8").replace("width = 3", "width = 4")
    with pytest.raises(InputError, match=r"training.mine.options.width: 4 here, 3 there"):
        run_study(parse_spec(text, file=FILE), finished, watcher=counter(), command=["test"])


def test_a_finished_trial_of_another_network_or_other_options_is_refused(finished: Path, tmp_path: Path) -> None:
    asked, folder = spec(), RunFolder(finished)
    store, rows = cohort_rows("mine", Plan(asked, folder))
    trial = tmp_path / "trial"
    shutil.copytree(folder.trial("mine", 0), trial)
    settings = replace(
        asked.training["mine"].settings, seed=read_json(trial / "model.json")["trained"]["settings"]["seed"]
    )
    same = run_trial(store, rows, settings, trial, architecture=SMALL, options={"width": 3})
    assert same.model(network=SMALL).options == {"width": 3}
    for architecture, options in ((SMALL, {"width": 2}), ("smallnets:Grouped", {"width": 3}), ("paper", {})):
        with pytest.raises(InputError, match="contains a trial with other settings"):
            run_trial(store, rows, settings, trial, architecture=architecture, options=options, channels=2)


def test_what_is_written_reads_back_equal_and_names_only_what_the_network_takes() -> None:
    asked = spec()
    text = asked.to_toml()
    assert parse_spec(text, file=FILE) == asked
    assert "channels" not in text
    assert text.count("width = 3") == 2
    many = 'width = 3\nact = ["PRELU", {init = 0.25}]\n[training.mine.options.deep]\na = [1, 2]'
    changed = FILE.read_text(encoding="utf-8").replace('start_from = "mine"\n', "").replace("width = 3", many, 1)
    nested = parse_spec(changed, file=FILE)
    assert nested.training["mine"].options == {"width": 3, "act": ["PRELU", {"init": 0.25}], "deep": {"a": [1, 2]}}
    assert parse_spec(nested.to_toml(), file=FILE) == nested
    json.dumps(nested.training["mine"].options)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"smallnets:SmallNet"', '"smallnets.SmallNet"', ["line 18", "`training.mine.network`", "package.module:Name"]),
        ("max_epochs = 2", "channels = 8", ["line 19", "`training.mine.channels` is 8", "Set `options` instead"]),
        ("width = 3", "born = 2020-01-01", ["`training.mine.options`: born is datetime.date", "Give text, finite"]),
        ("[training.mine.options]\nwidth = 3", "options = 3", ["`training.mine.options` is 3", "table"]),
        ('network = "smallnets:SmallNet"', 'network = "paper"', ["`training.mine.options`", "Set `channels`"]),
        (
            "options = { width = 3 }",
            "options = { width = 4 }",
            ["`training.tuned.options` is {'width': 4}, but it starts from `mine` with {'width': 3}"],
        ),
        (
            'network = "smallnets:SmallNet"\noptions',
            'network = "smallnets:Grouped"\noptions',
            ["`training.tuned.network` is smallnets:Grouped, but it starts from `mine` with smallnets:SmallNet"],
        ),
    ],
)
def test_a_wrong_specification_is_refused_with_its_line(old: str, new: str, words: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        spec(old, new)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "where", "words"),
    [
        ("smallnets:Chain", "nowhere:Net", "training.plain.network", ["no module nowhere", "PYTHONPATH"]),
        ("smallnets:Chain", "smallnets:Chian", "training.plain.network", ["no class Chian", "Did you mean Chain?"]),
        ("smallnets:Chain", "smallnets:TwoUnits", "training.plain.network", ["(1, 2), which is not one logit"]),
        ("smallnets:Chain", "smallnets:WithSigmoid", "training.plain.network", ["ends in a sigmoid"]),
        (
            "smallnets:Chain",
            "smallnets:Grouped",
            "training.plain.network",
            ["no rule for GroupNorm", "input-x-gradient"],
        ),
        (
            "smallnets:Chain",
            "smallnets:WithSoftmax",
            "training.plain.network",
            ["ends in a softmax"],
        ),
        (
            "smallnets:Chain",
            "smallnets:Branching",
            "training.plain.network",
            ["does not record the model's own computation", "behind its last layer"],
        ),
        ("width = 3", "depth = 3", "training.mine.options", ["'depth'", "takes (width"]),
        ("[explain]", '[explain]\nmethods = ["gradient:epsilon=0.1"]', "explain.methods", ["takes no parameters"]),
    ],
)
def test_what_is_wrong_with_a_network_is_known_before_anything_runs(
    old: str, new: str, where: str, words: list[str], tmp_path: Path, counter
) -> None:
    asked = spec(old, new, everywhere=True)
    with pytest.raises(InputError) as caught:
        run_study(asked, tmp_path / "run", watcher=counter(), command=["test"])
    assert caught.value.where == where
    for word in words:
        assert word in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_gradients_do_without_rules(finished: Path, tmp_path: Path, counter) -> None:
    out = tmp_path / "run"
    asked = spec('network = "smallnets:Chain"', 'network = "smallnets:Grouped"')
    assert asked.explain is not None
    asked = replace(asked, explain=replace(asked.explain, arms=("plain",), methods=("input-x-gradient",)))
    asked = replace(asked, training={"plain": asked.training["plain"]})
    shutil.copytree(finished / "cohorts", out / "cohorts")
    shutil.copytree(finished / "stores", out / "stores")
    for name in ("splits.tsv", "splits.json"):
        shutil.copy(finished / name, out / name)
    (out / "study.toml").write_text(asked.to_toml(), encoding="utf-8")
    results = run_study(asked, out, watcher=counter(), command=["test"])
    assert [result.error for result in results if result.state != "done"] == []
    for path in (out / "maps" / "plain" / "input-x-gradient").glob("sub-*_relevance.nii.gz"):
        assert np.abs(read_volume(path).data).sum() > 0


def test_the_bytes_of_such_a_network_are_known() -> None:
    asked = spec()
    model, step = network_bytes("mine", asked.training["mine"], PAPER_GRID)
    assert model == 4 * (3 * 125 + 3 + 3 + 3 + 3 * 3 * 27 + 3 + 3 + 1)
    # Batch norm has the whole batch of four at once; of each scan at least the input and conv1's output are kept.
    assert step > 4 * 4 * (96 * 114 * 96 + 3 * 23 * 28 * 23)
    assert step < 40 * 4 * 4 * 96 * 114 * 96


def test_a_map_can_be_made_by_who_hands_the_class_over(finished: Path) -> None:
    folder = finished / "models" / "mine" / "trial-00"
    with pytest.raises(InputError, match="pass it"):
        open_explainer(folder, method="lrp-epsilon")
    assert open_explainer(folder, method="lrp-epsilon", network=SMALL).view.known is False


def test_a_name_of_pellucid_s_own_is_never_taken_for_the_user_s(finished: Path, tmp_path: Path) -> None:
    folder = tmp_path / "trial"
    shutil.copytree(finished / "models" / "mine" / "trial-00", folder)
    content = read_json(folder / "model.json")
    write_json(folder / "model.json", content | {"architecture": PaperNetwork.__name__, "channels": 3})
    with pytest.raises(InputError, match="missing or unknown tensors"):
        load_model(folder)
