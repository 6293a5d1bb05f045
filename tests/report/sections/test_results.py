"""Scores are shown as the tables hold them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.runs import change_spec, cross_validated

from pellucid.analysis.families import with_q
from pellucid.ground.files import read_json, read_tsv, write_json, write_tsv
from pellucid.report.html.blocks import Picture, Section, Table
from pellucid.report.pictures.models import brightness_figure
from pellucid.report.sections.results import brightness, main_arm, results, training
from pellucid.rundir.run import Run, open_run
from pellucid.spec.sections import Explain, Split


@pytest.mark.parametrize(
    ("make", "path"),
    [
        (results, "tables/table2.tsv"),
        (results, "tables/roc.tsv"),
        (training, "history.tsv"),
        (brightness, "tables/brightness.tsv"),
    ],
)
def test_what_is_missing_is_named_and_nothing_is_drawn(
    empty_run: Path, look: Any, make: Callable[[Run, Path], Section], path: str
) -> None:
    section = make(open_run(empty_run), empty_run / "figures")
    assert any(path in note for note in look.notes(section))
    look.nothing_was_made(section, empty_run)


def test_scores_show_mean_sd_and_interval(finished_run: Path, tmp_path: Path, look: Any) -> None:
    section = results(open_run(finished_run), tmp_path)
    (table,) = look.of(section, Table)
    row = read_tsv(finished_run / "tables" / "table2.tsv").set_index(["arm", "metric"]).loc[("finetuned", "auc")]
    assert table.rows[0][:2] == ["finetuned", "pretraining"]
    assert table.rows[1][:2] == ["scratch", "none"]
    expected = f"{row['mean']:.3f} ± {row['sd']:.3f}<br>[{row['low']:.3f}, {row['high']:.3f}]"
    assert str(table.rows[0][5]).startswith(f"{expected}<br>p = ")
    assert table.rows[0][6] == "2, 4, few"
    assert (tmp_path / "roc.png").exists()
    assert (tmp_path / "roc.svg").exists()


@pytest.mark.parametrize(
    ("p", "said"), [(0.0001, "p &lt; 0.001, q &lt; 0.001"), (0.04123, "p = 0.041, q = 0.082"), (float("nan"), "]")]
)
def test_the_chance_of_permuted_labels_is_shown(copy: Path, look: Any, p: float, said: str) -> None:
    table = read_tsv(copy / "tables" / "table2.tsv")
    table["p_chance"] = table["metric"].map({"auc": p, "balanced_accuracy": 0.5})
    write_tsv(copy / "tables" / "table2.tsv", with_q(table, p="p_chance", q="q_chance"))
    (shown,) = look.of(results(open_run(copy), copy / "figures"), Table)
    assert str(shown.rows[0][list(shown.header).index("AUC")]).endswith(said)
    assert "p " not in str(shown.rows[0][list(shown.header).index("Balanced accuracy")])


@pytest.mark.parametrize(
    ("explain", "arm"),
    [
        (("scratch", "finetuned"), "scratch"),
        (("pretraining", "finetuned"), "finetuned"),
        ((), "lesion-filled"),
    ],
)
def test_the_page_is_about_the_first_arm_explained(copy: Path, explain: tuple[str, ...], arm: str) -> None:
    shutil.rmtree(copy / "maps")
    explained = Explain(arms=explain) if explain else None
    change_spec(
        copy, lambda spec: replace(spec, explain=explained, splits=dict.fromkeys(spec.splits, Split(holdout=1)))
    )
    assert main_arm(open_run(copy), ["lesion-filled", "finetuned", "scratch"]) == arm


def test_the_selected_trial_is_marked(finished_run: Path, tmp_path: Path, look: Any) -> None:
    (table,) = look.of(training(open_run(finished_run), tmp_path), Table)
    assert [row[1] for row in table.rows if row[0] == "finetuned"] == ["trial-00", "trial-01 (selected)"]


def test_brightness_keeps_an_auc_below_a_half(finished_run: Path, tmp_path: Path, look: Any) -> None:
    (table,) = look.of(brightness(open_run(finished_run), tmp_path), Table)
    expected = read_tsv(finished_run / "tables" / "brightness.tsv").set_index("scaling")
    for row in table.rows:
        assert row[2].startswith(f"{expected.loc[row[1], 'auc']:.3f} [")
    assert expected["auc"].min() < 0.5


def test_the_scalings_of_a_cohorts_own_arms_are_marked(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for arm, scaling in (("pretraining", "minmax"), ("finetuned", "max")):
        for path in (copy / "models" / arm).glob("*/model.json"):
            write_json(path, read_json(path) | {"scaling": scaling})
    marked: list[set[str]] = []
    drawn = "pellucid.report.sections.results.brightness_figure"
    monkeypatch.setattr(drawn, lambda table, used: marked.append(used) or brightness_figure(table, used))
    brightness(open_run(copy), copy / "figures")
    assert marked == [{"max", "robust"}]


def test_of_a_cross_validation_it_is_said_what_is_corrected_and_what_trials_are(copy: Path, look: Any) -> None:
    def said() -> str:
        section = results(open_run(copy), copy / "figures")
        return " ".join(str(block.caption) for kind in (Table, Picture) for block in look.of(section, kind))

    assert "Nadeau" not in said()
    assert "due to the seeds of training only;" in said()
    change_spec(copy, lambda spec: cross_validated(spec, folds=3))
    crossed = said()
    assert "relevance over areas are corrected for this" in crossed
    assert "medians (of lift, and in planted places) and of probabilities in bins are not" in crossed
    assert "optimiser" not in crossed
    assert "due to other folds" in crossed
