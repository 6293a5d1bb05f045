"""A run directory is read as it is."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.runs import change_arm, change_explain, change_spec, cross_validated

from pellucid.analysis.crossed import correction
from pellucid.ground.errors import InputError
from pellucid.ground.files import read_tsv, write_tsv
from pellucid.rundir.run import Trial, open_run, sidecar_sources
from pellucid.spec.spec import Spec


def test_everything_is_found(finished_run: Path) -> None:
    run = open_run(finished_run)
    assert [(trial.arm, trial.name) for trial in run.trials][:2] == [
        ("pretraining", "trial-00"),
        ("finetuned", "trial-00"),
    ]
    assert len(run.trials) == 8
    assert run.spec is not None
    assert run.spec_problem == ""
    assert run.spec.to_toml() == run.spec_text
    assert (run.name, run.title) == ("tiny", "A small study for tests")
    assert [start.finished is None for start in run.log.starts] == [False, False]
    assert {task.state for task in run.log.tasks.values()} == {"done"}
    assert run.maps is not None
    assert (run.maps.arm, run.maps.method) == ("finetuned", "lrp-epsilon")
    assert run.maps.trial is not None
    assert run.maps.trial == run.selected("finetuned")
    assert run.positive == "MS"
    assert run.simulated == ["ms", "pretraining"]
    assert list(run.untaught) == ["untrained", "pretrained-only"]
    assert run.verdict is not None
    assert run.maps.of("sub-0001") is not None
    assert run.maps.of("sub-000") is None
    assert sidecar_sources(run)[0].startswith("maps/finetuned/lrp-epsilon/sub-0001_")


def test_the_field_of_view_is_what_the_sidecars_say(finished_run: Path) -> None:
    run = open_run(finished_run)
    assert run.maps is not None
    store = run.store(run.maps)
    assert store is not None
    seen = run.maps.seen(store.grid)
    assert run.field_of_view is not None
    assert seen.mean() == pytest.approx(run.field_of_view["SeenShare"])
    stops = run.field_of_view["Stops"]
    assert seen[tuple(stop - 1 for stop in stops)]
    assert not seen[stops[0] :].any()


@pytest.mark.parametrize(
    ("arm", "name"),
    [
        ({"scaling": "robust"}, "ms"),
        ({"scaling": "max"}, "ms_max"),
        ({"images": "lesion-mask"}, "ms"),
        ({"images": "lesion-filled", "scaling": "max"}, "ms_filled_max"),
    ],
)
def test_the_store_is_that_of_the_explained_arm(copy: Path, arm: dict[str, Any], name: str) -> None:
    """Though another holds the same participants."""
    change_spec(copy, lambda spec: change_arm(spec, "finetuned", **arm))
    for other in ("a", "ms_max", "ms_filled_max"):
        shutil.copytree(copy / "stores" / "ms", copy / "stores" / other)
    run = open_run(copy)
    assert run.maps is not None
    store = run.store(run.maps)
    assert store is not None
    assert store.folder.name == name
    shutil.rmtree(store.folder)
    assert run.store(run.maps) is None


def test_without_a_specification_the_store_is_chosen_by_its_participants(copy: Path) -> None:
    shutil.rmtree(copy / "stores" / "ms_filled")
    (copy / "study.toml").unlink()
    run = open_run(copy)
    assert run.spec is None
    assert [name for name, _ in run.stores()] == ["ms", "pretraining"]
    assert run.maps is not None
    chosen = run.store(run.maps)
    assert chosen is not None
    assert chosen.folder.name == "ms"
    shutil.rmtree(chosen.folder)
    assert run.store(run.maps) is None


def test_the_explained_trial_is_the_one_that_all_sidecars_name(copy: Path, restate: Any) -> None:
    folder = copy / "maps" / "finetuned" / "lrp-epsilon"

    def explained() -> str | None:
        maps = open_run(copy).maps
        assert maps is not None
        return maps.trial.name if maps.trial else None

    assert explained() == "trial-01"
    restate(folder, Model="../../../models/finetuned/trial-00")  # selected.json names trial-01
    assert explained() == "trial-00"
    restate(folder, "sub-0001", Model="../../../models/finetuned/trial-01")
    assert explained() is None
    restate(folder, Model=["../../../models/finetuned/trial-01", "../../../models/finetuned/trial-00"])
    assert explained() is None


def test_patients_are_those_of_the_explained_arm_whichever_trials_were_explained(copy: Path, restate: Any) -> None:
    assert open_run(copy).trials[0].groups == ("AD", "CN")
    restate(copy / "maps" / "finetuned" / "lrp-epsilon", Model=["trial-00", "trial-01"])
    assert open_run(copy).positive == "MS"
    shutil.rmtree(copy / "maps")
    assert open_run(copy).positive == "MS"


def test_only_a_cross_validated_arm_is_corrected(copy: Path) -> None:
    change_spec(copy, lambda spec: cross_validated(spec, folds=2, repeats=3))
    run = open_run(copy)
    assert run.correction("finetuned") == correction(2)
    assert run.correction("pretraining") == 1.0
    assert "a trial is a repeat" in run.spread_of_trials(["pretraining", "finetuned"])
    assert run.spread_of_trials(["pretraining"]) == "due to the seeds of training only"


def test_drawn_training_subjects_are_part_of_the_spread_of_trials(copy: Path) -> None:
    change_spec(copy, lambda spec: change_arm(spec, "scratch", subjects=4))
    run = open_run(copy)
    assert run.correction("scratch") == 1.0
    assert run.spread_of_trials(["finetuned"]) == "due to the seeds of training only"
    assert "random choice of training participants" in run.spread_of_trials(["finetuned", "scratch"])


def test_an_empty_run_has_nothing_and_says_so(empty_run: Path) -> None:
    run = open_run(empty_run)
    assert run.spec is None
    assert "study.toml: the file does not exist" in run.spec_problem
    assert run.spec_text == ""
    assert (run.arms, run.explain, run.main_arm, run.untaught) == ({}, None, None, {})
    assert run.name == empty_run.name
    assert not run.is_cross_validated()
    assert (run.log.starts, run.log.tasks, run.log.environment) == ((), {}, {})
    assert run.trials == []
    assert run.maps is None
    assert run.positive is None
    assert run.field_of_view is None
    assert run.splits is None
    assert run.verdict is None
    assert run.table("table2") is None
    assert sidecar_sources(run) == []


def test_without_sidecars_everything_counts_as_seen(copy: Path) -> None:
    for path in (copy / "maps").rglob("*.json"):
        path.unlink()
    run = open_run(copy)
    assert run.maps is not None
    store = run.store(run.maps)
    assert store is not None
    assert run.field_of_view is None
    assert np.all(run.maps.seen(store.grid))


def test_maps_of_another_arm_than_the_asked_one_are_not_taken(copy: Path) -> None:
    change_spec(copy, lambda spec: change_explain(spec, arms=("scratch",), deletion=()))
    maps = open_run(copy).maps
    assert maps is not None
    assert maps.arm == "scratch"
    (copy / "study.toml").unlink()
    shutil.copytree(copy / "maps" / "finetuned", copy / "maps" / "another")
    first = open_run(copy).maps
    assert first is not None
    assert first.arm == "another"
    assert first.trial is None


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("record.json", "{", "not valid JSON"),
        ("record.json", "[" * 100_000, "nested too deep"),
        ("record.json", "[]", "not a record"),
        ("record.json", '{"tasks": {"a": {"seconds": "long"}}}', "not a record of a run: it lacks `tasks.a.state`"),
    ],
)
def test_a_damaged_record_is_refused(tmp_path: Path, name: str, text: str, words: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=words):
        open_run(tmp_path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a = " + "[" * 100_000, "nested too deep"),
        ("a = " + "1" * 5000, "a number with thousands of digits"),
        ("a =", "not valid TOML"),
        ("[study]\nnmae = 'x'", "unknown key `study.nmae`"),
    ],
)
def test_a_specification_that_cannot_be_read_is_missing_with_its_reason(copy: Path, text: str, words: str) -> None:
    (copy / "study.toml").write_text(text)
    run = open_run(copy)
    assert run.spec is None
    assert words in run.spec_problem
    assert run.spec_text == text
    assert len(run.trials) == 8


def test_a_foreign_run_opens_without_its_data_and_its_network(copy: Path) -> None:
    """Of cohorts whose paths are gone, a class and a method not installed here: nothing is looked for or imported."""

    def elsewhere(spec: Spec) -> Spec:
        own = change_arm(spec, "scratch", network="nowhere.nets:Small", channels=64, options={"width": 8})
        cohort = replace(spec.cohorts["ms"], simulate=None, bids=Path("/gone/away"), lesions=Path("/gone/masks"))
        explained = change_explain(own, methods=("nowhere.methods:Power:p=2",))
        return replace(explained, cohorts={**own.cohorts, "ms": cohort})

    change_spec(copy, elsewhere)
    run = open_run(copy)
    assert run.spec_problem == ""
    assert run.arms["scratch"].own_network == "nowhere.nets:Small"
    assert run.simulated == ["pretraining"]


@pytest.mark.parametrize("path", sorted((Path(__file__).parents[2] / "docs" / "runs").glob("*/record.json")))
def test_a_run_of_an_earlier_version_opens_and_says_what_of_its_specification_is_unknown(path: Path) -> None:
    run = open_run(path.parent)
    assert run.spec is None
    assert "unknown key `preparation.grid`" in run.spec_problem
    assert run.log.environment["pellucid"]
    assert all(task.state == "done" for task in run.log.tasks.values())


def test_a_folder_without_a_record_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a run directory"):
        open_run(tmp_path)


def test_the_main_arm_is_the_first_that_is_explained(copy: Path) -> None:
    change_spec(copy, lambda spec: change_explain(spec, arms=("untrained", "finetuned")))
    assert open_run(copy).main_arm == "untrained"
    assert open_run(copy).untaught == {}  # no arm is a null to itself, and finetuned was taught
    change_spec(copy, lambda spec: replace(spec, explain=None))
    assert open_run(copy).main_arm is None


def test_untaught_networks_are_named_by_what_they_are(finished_run: Path) -> None:
    assert open_run(finished_run).untaught == {
        "untrained": "random weights",
        "pretrained-only": "a network trained as pretraining alone",
    }


def test_a_table_that_lacks_a_column_is_refused_by_name(copy: Path) -> None:
    path = copy / "tables" / "regions.tsv"
    write_tsv(path, read_tsv(path).drop(columns=["paper", "atlas"]))
    with pytest.raises(InputError, match=r"regions.tsv: the table lacks the column atlas, paper"):
        open_run(copy).table("regions")


@pytest.mark.parametrize(
    ("file", "damage", "read", "words"),
    [
        ("predictions.tsv", lambda text: text.replace("role", "rule"), "predictions", "lacks the column role"),
        ("predictions.tsv", lambda text: text[:-5], "predictions", "the table is cut off in its last line"),
        ("predictions.tsv", lambda text: text.replace("\t0.", "\tx."), "predictions", "in column logit, no number"),
        ("history.tsv", lambda text: "\0" * len(text), "history", "history.tsv: "),
        ("history.tsv", lambda _: "", "history", "not a tab-separated table"),
    ],
)
def test_a_damaged_table_of_a_trial_is_named(
    file: str, damage: Callable[[str], str], read: str, words: str, finished_run: Path, tmp_path: Path
) -> None:
    original = (finished_run / "models" / "finetuned" / "trial-00" / file).read_text()
    trial = Trial("arm", "trial-00", tmp_path, {})
    (tmp_path / file).write_text(original)
    assert len(getattr(trial, read)) > 1
    (tmp_path / file).write_text(damage(original))
    with pytest.raises(InputError, match=words) as caught:
        getattr(trial, read)
    assert caught.value.where == str(tmp_path / file)
