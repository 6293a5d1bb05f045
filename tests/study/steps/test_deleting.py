"""Deletion in a study: who is tested, with what numbers, and how it goes on where it stopped."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from pellucid.cohort.store import open_store
from pellucid.ground.errors import InputError, PellucidError
from pellucid.ground.files import read_tsv
from pellucid.image.nifti import read_volume
from pellucid.network.field_of_view import field_of_view
from pellucid.network.files import load_model
from pellucid.rundir.folder import RunFolder
from pellucid.spec.reading import parse_spec, read_spec
from pellucid.study.plan import Plan
from pellucid.study.run import study_tasks
from pellucid.study.steps.deleting import delete_holdout, deletion_tasks, logits_of
from pellucid.study.steps.explaining import held_out_scans
from pellucid.study.steps.trials import read_selected
from pellucid.trust.deletion import FILLS
from pellucid.trust.deletion_summary import deletion_summary
from pellucid.trust.nulls import NULLS

MAPS, OUT = (Path(name) / "finetuned" / "lrp-epsilon" for name in ("maps", "deletion"))
RIVALS = ("intensity", "brightest-percent", "intensity-power-4", "intensity-x-prior", "logistic")


def nothing(done: int, of: int, what: str) -> None:
    pass


def test_patients_who_were_held_out_are_tested_and_nobody_else(undisturbed: Path) -> None:
    table, splits = read_tsv(undisturbed / "tables" / "deletion.tsv"), read_tsv(undisturbed / "splits.tsv")
    held = splits[(splits["cohort"] == "ms") & (splits["role"] == "holdout") & (splits["group"] == "MS")]
    assert set(table["participant_id"]) == set(held["participant_id"])
    assert set(table["arm"]) == {"finetuned"}
    first = table["participant_id"].iloc[0]
    one = table[table["participant_id"] == first]
    wanted = ["lrp-epsilon", "|lrp-epsilon|", "input-x-gradient", *RIVALS, "random"]
    pairs = {(row.ranking, row.fill, row.k) for row in one.itertuples() if row.ranking != "lesions"}
    assert pairs == {(ranking, fill, k) for ranking in wanted for fill in FILLS for k in (50, 500)}
    assert (one["fall"].notna() | one["missing"].notna()).all()
    assert {name for name, null in NULLS.items() if null.deletion} == set(RIVALS)


def test_a_fall_is_that_of_the_network_on_the_filled_scan(undisturbed: Path) -> None:
    table = read_tsv(undisturbed / "tables" / "deletion.tsv")
    name = str(table["participant_id"].iloc[0])
    model = load_model(undisturbed / "models" / "finetuned" / read_selected("finetuned", RunFolder(undisturbed)))
    store = open_store(undisturbed / "stores" / "ms")
    (n,) = np.flatnonzero(store.table["participant_id"] == name)
    (path,) = (undisturbed / MAPS).glob(f"{name}_*_relevance.nii.gz")
    x, relevance = store.images[n].copy(), read_volume(path).data
    inside = store.brain[n] & field_of_view(model).mask()
    values, places = relevance.ravel(), np.flatnonzero(inside)
    order = places[np.argsort(-values[places], kind="stable")]
    with torch.no_grad():
        before = float(model(torch.from_numpy(x)[None, None]))
        x.ravel()[order[:50]] = np.median(x[inside])
        fall = before - float(model(torch.from_numpy(x)[None, None]))
    rows = table[(table["participant_id"] == name) & (table["ranking"] == "lrp-epsilon") & (table["k"] == 50)]
    row = rows[rows["fill"] == "brain-median"].iloc[0]
    assert row["logit"] == pytest.approx(before, abs=1e-5)
    assert row["fall"] == pytest.approx(fall, abs=1e-4)


def test_the_summary_is_made_of_the_table(undisturbed: Path) -> None:
    table = read_tsv(undisturbed / "tables" / "deletion.tsv")
    found = read_tsv(undisturbed / "tables" / "deletion_summary.tsv")
    expected = deletion_summary(table)
    assert found["arm"].eq("finetuned").all()
    assert found["fall"].tolist() == pytest.approx(expected["fall"].tolist(), nan_ok=True)
    own = found[found["ranking"] == "input-x-gradient"]["correlation"]
    assert own.between(-1, 1).all()


def test_who_is_done_stays_done(undisturbed: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(undisturbed, tmp_path / "run"))
    folder, spec = RunFolder(root), read_spec(root / "study.toml")
    assert spec.explain is not None
    table = root / OUT / "deletion.tsv"
    before, people = table.read_bytes(), sorted((root / OUT).glob("sub-*_deletion.tsv"))
    assert len(people) == 2
    kept = people[0].stat().st_mtime_ns
    for path in (table, people[1]):  # as a kill leaves it
        path.unlink()
    delete_holdout(Plan(spec, folder), spec.explain, "finetuned", nothing)
    assert table.read_bytes() == before
    assert people[0].stat().st_mtime_ns == kept
    assert people[1].is_file()


def test_a_map_of_another_logit_is_refused(undisturbed: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(undisturbed, tmp_path / "run"))
    folder, spec = RunFolder(root), read_spec(root / "study.toml")
    assert spec.explain is not None
    shutil.rmtree(root / OUT)
    for path in (root / MAPS).glob("sub-*_relevance.json"):
        path.write_text(path.read_text().replace('"Logit": ', '"Logit": 7'))
    with pytest.raises(PellucidError, match="the map explains a logit of"):
        delete_holdout(Plan(spec, folder), spec.explain, "finetuned", nothing)


def test_several_models_answer_with_their_mean_logit(undisturbed: Path) -> None:
    spec, folder = read_spec(undisturbed / "study.toml"), RunFolder(undisturbed)
    assert spec.explain is not None
    one = held_out_scans(Plan(spec, folder), spec.explain, "finetuned", "lrp-epsilon")[0]
    images = np.stack([one.store.images[one.row]] * 2)
    (model,) = one.explainers
    alone = logits_of([model])(images)
    assert alone.shape == (2,)
    assert alone[0] == pytest.approx(one.logit, abs=1e-4)
    np.testing.assert_allclose(logits_of([model, model])(images), alone)


def test_a_study_that_tests_no_map_has_no_task_of_it(undisturbed: Path) -> None:
    spec = read_spec(undisturbed / "study.toml")
    assert spec.explain is not None
    plain = replace(spec, explain=replace(spec.explain, deletion=()))
    assert deletion_tasks(Plan(plain, RunFolder(undisturbed))) == []
    names = [task.name for task in study_tasks(Plan(spec, RunFolder(undisturbed)))]
    assert [name for name in names if "deletion" in name] == [
        "deletion/finetuned",
        "table/deletion",
        "table/deletion_summary",
    ]


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ('deletion = ["scratch"]', "explain.deletion.*Name some of `explain.arms`"),
        ('deletion = ["finetuned", "finetuned"]', "explain.deletion"),
        ("deletion_voxels = []", "explain.deletion_voxels"),
        ("deletion_voxels = [0, 50]", "explain.deletion_voxels"),
        ("deletion_voxels = [50, 50]", "explain.deletion_voxels"),
    ],
)
def test_what_cannot_be_tested_is_refused(key: str, words: str) -> None:
    text = (Path(__file__).parents[1] / "tiny.toml").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith(key.split(" = ")[0] + " = ")]
    with pytest.raises(InputError, match=words):
        parse_spec("\n".join(lines).replace("[explain]", f"[explain]\n{key}"), file=Path("study.toml"))
