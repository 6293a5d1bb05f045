"""Limits name what is known to go wrong; every table is listed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.runs import change_explain, change_spec, cross_validated

from pellucid.ground.files import read_json, write_json
from pellucid.report.sections.limits import files, limits
from pellucid.report.sections.method import method
from pellucid.rundir.run import open_run


def test_what_is_missing_is_named_and_nothing_is_drawn(empty_run: Path, look: Any) -> None:
    section = limits(open_run(empty_run), empty_run / "figures")
    assert any("relevance.json" in note for note in look.notes(section))
    look.nothing_was_made(section, empty_run)


def test_limits_name_the_known_failures_and_the_blind_part(copy: Path, look: Any) -> None:
    run = open_run(copy)
    section = limits(run, copy / "figures")
    said = look.words(section)
    assert run.field_of_view is not None
    blind = f"blind to {100 * (1 - run.field_of_view['SeenShare']):.1f} %"
    for words in (blind, "For research only", "Simulated data", "Siegel", "2508.02560", "patent"):
        assert words in said + look.words(method(run))
    assert (copy / "figures" / "field-of-view.png").exists()
    (copy / "study.toml").unlink()
    assert "Simulated data" not in look.words(limits(open_run(copy), copy / "figures"))


def test_a_field_of_view_that_is_not_known_is_not_stated(copy: Path, look: Any) -> None:
    for path in (copy / "maps").rglob("*.json"):
        sidecar = read_json(path)
        sidecar.pop("FieldOfView")
        write_json(path, sidecar | {"FieldOfViewUnknown": "unknown: the layers do not tell."})
    section = limits(open_run(copy), copy / "figures")
    assert "sees of its grid is unknown: the layers do not tell" in look.words(section)
    assert "The network sees all" not in look.words(section)


def test_code_that_changed_while_a_run_was_half_done_is_named(copy: Path, look: Any) -> None:
    record = read_json(copy / "record.json")
    go = record["runs"][0]
    first, same, other = ({"code": {"nets:Small": digest, "nets:Same": "b"}} for digest in "aac")
    for goes, said in (([first, same], []), ([first, same, other], ["nets:Small"])):
        write_json(copy / "record.json", record | {"runs": [go, *(go | one for one in goes)]})
        words = look.words(limits(open_run(copy), copy / "figures"))
        assert [name for name in ("nets:Small", "nets:Same") if f"The code of {name} changed" in words] == said


def test_files_lists_every_table(finished_run: Path, look: Any) -> None:
    said = look.words(files(open_run(finished_run)))
    for name in ("table1", "table2", "roc", "lesions", "regions", "ledger", "brightness"):
        assert f'href="tables/{name}.tsv"' in said


@pytest.mark.parametrize(
    ("explain", "crossed", "said"),
    [
        ({}, False, "trial-00 of arm finetuned, the trial with the lowest validation loss."),
        ({"choose": "holdout"}, False, "trial-00 of arm finetuned, the trial with the best holdout result"),
        ({}, True, "a model of the fold in which the participant was held out"),
        ({"choose": "holdout"}, True, "in the first repeat: the trial with the best"),
        ({"trials": "all"}, False, "Maps are means"),
    ],
)
def test_the_explained_model_is_named_as_the_sidecars_have_it(
    copy: Path, look: Any, restate: Any, explain: dict[str, Any], crossed: bool, said: str
) -> None:
    restate(copy / "maps" / "finetuned" / "lrp-epsilon", Model="../../../models/finetuned/trial-00")
    change_spec(copy, lambda spec: change_explain(cross_validated(spec) if crossed else spec, **explain))
    assert said in look.words(limits(open_run(copy), copy / "figures"))
