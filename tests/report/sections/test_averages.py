"""An average lies over the mean of the scans that it was made of, and stands beside those of other networks."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.runs import change_explain, change_spec

from pellucid.ground.files import read_json, read_tsv, write_json, write_tsv
from pellucid.ground.numbers import number
from pellucid.image.nifti import read_volume
from pellucid.report.html.blocks import Picture
from pellucid.report.pictures.brain import grey_levels
from pellucid.report.pictures.relevance import symmetric_limit
from pellucid.report.pictures.tiles import Block, Frame, draw_tiles
from pellucid.report.sections.averages import averages
from pellucid.rundir.run import open_run

FINETUNED = Path("maps", "finetuned", "lrp-epsilon")


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[list[Block]]:
    """The blocks of each figure, of which the first alone is drawn, which is quicker."""
    found: list[list[Block]] = []

    def draw(blocks: list[Block], frame: Frame, **how: Any) -> Any:
        found.append(blocks)
        return draw_tiles(blocks[:1], frame, **how)

    monkeypatch.setattr("pellucid.report.sections.averages.draw_tiles", draw)
    return found


def test_what_is_missing_is_named_and_nothing_is_drawn(empty_run: Path, look: Any) -> None:
    section = averages(open_run(empty_run), empty_run / "figures")
    assert any("maps" in note for note in look.notes(section))
    look.nothing_was_made(section, empty_run)


@pytest.mark.parametrize("correct", [False, True])
def test_an_average_is_of_the_scans_that_its_map_was_made_of(
    copy: Path, look: Any, restate: Any, drawn: list[list[Block]], correct: bool
) -> None:
    restate(copy / FINETUNED, Logit=-3.0)
    restate(copy / FINETUNED, "sub-0010", Logit=3.0)
    if correct:
        restate(copy / FINETUNED, "group-MS", Scans=1)
        change_spec(copy, lambda spec: change_explain(spec, averages="correct"))
    run = open_run(copy)
    picture = look.of(averages(run, copy / "figures"), Picture)[0]
    which = "correctly classified held-out scans" if correct else "held-out scans"
    number_of = 1 if correct else 2
    assert f"the {which} of each group ({number_of} of MS, 2 of HC), over" in picture.caption
    assert run.maps is not None
    store = run.store(run.maps)
    assert store is not None
    whom = [9] if correct else [1, 9]  # rows of sub-0002 and sub-0010
    patients, controls = drawn[0]
    assert patients.title == f"MS: mean of {number_of} {which}"
    assert controls.title == f"HC: mean of 2 {which}"
    mean = np.flip(grey_levels(store.images[whom].mean(axis=0)), axis=0)  # the grid's index rises leftwards
    np.testing.assert_allclose(patients.scene.grey, mean, atol=1e-4)


def test_an_average_of_other_scans_than_are_known_is_missing(copy: Path, look: Any, restate: Any) -> None:
    restate(copy / FINETUNED, "group-MS", Scans=5)
    section = averages(open_run(copy), copy / "figures")
    assert ["average of MS. Its sidecar states 5 scans, but 2" in note for note in look.notes(section)] == [True]
    (picture,) = look.of(section, Picture)
    assert "(2 of HC), over" in picture.caption


def test_a_group_is_named_by_its_sidecar_else_by_its_file(copy: Path, restate: Any, drawn: list[list[Block]]) -> None:
    for path in (copy / FINETUNED).glob("group-HC_*"):
        path.rename(path.with_name(path.name.replace("group-HC", "group-healthycontrol")))
    restate(copy / FINETUNED, "group-healthy", Group="healthy_control")
    for path in (copy / FINETUNED).glob("group-MS_*.json"):
        write_json(path, {key: value for key, value in read_json(path).items() if key != "Group"})
    table = read_tsv(copy / "stores" / "ms" / "table.tsv").replace({"group": {"HC": "healthy_control"}})
    write_tsv(copy / "stores" / "ms" / "table.tsv", table)
    averages(open_run(copy), copy / "figures")
    assert [block.title.split(":")[0] for block in drawn[0]] == ["MS", "healthy_control"]


def test_the_average_that_lacks_its_scans_is_said_to_be_missing(copy: Path, look: Any) -> None:
    shutil.rmtree(copy / "stores")
    section = averages(open_run(copy), copy / "figures")
    assert look.notes(section)


def test_averages_whose_scans_state_no_logit_are_not_shown(copy: Path, look: Any) -> None:
    for path in (copy / "maps").rglob("*_relevance.json"):
        path.unlink()
    section = averages(open_run(copy), copy / "figures")
    assert look.notes(section)
    assert not look.of(section, Picture)


def test_alarms_are_counted_in_the_caption(copy: Path, look: Any, restate: Any) -> None:
    restate(copy / FINETUNED, "group-MS", AlarmedMaps=1)
    groups, networks = look.of(averages(open_run(copy), copy / "figures"), Picture)
    assert "1 of the maps of MS have an alarm of their ledger" in groups.caption
    assert "of HC have" not in groups.caption
    assert "1 of the maps of finetuned have an alarm of their ledger" in networks.caption


def test_every_explained_arm_has_a_row_and_a_scale_of_its_own(
    finished_run: Path, tmp_path: Path, drawn: list[list[Block]]
) -> None:
    averages(open_run(finished_run), tmp_path)
    groups, arms = drawn
    names = ["finetuned", "scratch", "untrained", "pretrained-only", "lesion-filled"]
    titles = [block.title for block in arms]
    assert [title.split(":")[0].split(",")[0] for title in titles] == names
    assert "random weights: mean of 2 scans, ± " in titles[2]
    for name, block in zip(names, arms, strict=True):
        (path,) = (finished_run / "maps" / name / "lrp-epsilon").glob("group-MS_*.nii.gz")
        limit = symmetric_limit([read_volume(path).data])
        assert block.title.endswith(f"± {number(limit)}")
        assert block.paint is not None
        np.testing.assert_allclose(block.paint(np.array([limit, limit / 2]))[:, 3], [1.0, 0.5])
    assert all((block.centres[0] == groups[0].centres[0]).all() for block in arms)


def test_without_another_arm_there_is_no_second_picture(copy: Path, look: Any) -> None:
    change_spec(copy, lambda spec: change_explain(spec, arms=("finetuned",)))
    assert [one.stem for one in look.of(averages(open_run(copy), copy / "figures"), Picture)] == ["averages"]
