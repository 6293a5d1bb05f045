"""Several methods in one study, one of them of a user: maps and tables of each, and the numbers of a study of one."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.study.test_extend import tiny

from pellucid.ground.errors import InputError
from pellucid.ground.files import read_json, read_tsv
from pellucid.ground.numbers import number
from pellucid.image.nifti import read_volume
from pellucid.report.html.blocks import Table
from pellucid.report.references import references
from pellucid.report.sections.methods import methods
from pellucid.rundir.run import open_run
from pellucid.study.run import check_study, run_study

OWN = "ownmethods:Power:p=2,of=positive"
ASKED = ("[explain]", f'[explain]\nmethods = ["lrp-epsilon", "{OWN}"]')
OF_MAPS = (
    *("ledger", "sums", "lesions", "lesions_summary", "lesions_compared"),
    *("regions", "region_tests", "truth", "deletion", "deletion_summary"),
)


@pytest.fixture(scope="module")
def several(
    undisturbed: Path, tmp_path_factory: pytest.TempPathFactory, counter, own_methods
) -> tuple[Path, list[str]]:
    """The tiny run, extended by a second method; and the tasks that ran for it."""
    run, watcher = tmp_path_factory.mktemp("several") / "run", counter()
    shutil.copytree(undisturbed, run)
    results = run_study(tiny(ASKED), run, watcher=watcher, command=["test"], extend=True)
    assert [result.error for result in results if result.state != "done"] == []
    return run, watcher.begun


@pytest.mark.slow
def test_each_method_has_its_maps_and_its_rows(several: tuple[Path, list[str]], undisturbed: Path) -> None:
    run, begun = several
    assert not [task for task in begun if task.startswith(("train/", "simulate/", "store/"))]
    first, own = (run / "maps" / "finetuned" / name for name in ("lrp-epsilon", "Power-p-2-of-positive"))
    assert len(list(own.glob("sub-*.nii.gz"))) == len(list(first.glob("sub-*.nii.gz"))) == 4
    said = read_json(next(own.glob("sub-*.json")))
    assert (said["Method"], said["Parameters"]["p"], said["Units"]) == ("power", 2.0, "logit")
    assert said["References"] == ["Somebody A. A power of maps. Journal of Maps 1 (2026) 1-2."]
    assert read_volume(next(own.glob("sub-*.nii.gz"))).data.min() == 0.0
    for name in OF_MAPS:
        table = read_tsv(run / "tables" / f"{name}.tsv")
        alone = read_tsv(undisturbed / "tables" / f"{name}.tsv")
        assert set(table["method"]) == ({"lrp-epsilon"} if name == "ledger" else {"lrp-epsilon", OWN}), name
        same = table[table["method"] == "lrp-epsilon"].reset_index(drop=True)
        but = [column for column in table if column.startswith("q")]  # of the tests of all methods together
        pd.testing.assert_frame_equal(same.drop(columns=but), alone.drop(columns=but), check_dtype=False)
    lesions = read_tsv(run / "tables" / "lesions.tsv")
    assert {OWN, f"|{OWN}|"} <= set(lesions["map"])
    sums = read_tsv(run / "tables" / "sums.tsv").set_index(["participant_id", "method"])
    for path in own.glob("sub-*.nii.gz"):
        who = path.name.partition("_")[0]
        assert sums.loc[(who, OWN), "sum"] == pytest.approx(read_volume(path).data.sum(dtype=np.float64))


@pytest.mark.slow
def test_the_report_compares_them_and_cites_each(several: tuple[Path, list[str]]) -> None:
    run = open_run(several[0])
    section = methods(run)
    assert section is not None
    (table,) = (block for block in section.blocks if isinstance(block, Table))
    assert [str(row[0]) for row in table.rows] == ["lrp-epsilon", OWN]
    for row in table.rows:
        means = read_tsv(several[0] / "tables" / "lesions_compared.tsv").query("map == method")
        means = means[(means["method"] == row[0]) & (means["measure"] == "average_precision")]
        assert str(row[1]).startswith(number(means["map_value"].item()))
        assert str(means["best_null"].item()) in str(row[1])
        assert "(k = 50)" in str(row[3])
    assert str(table.rows[1][4]) == "no ledger"
    assert any("Journal of Maps" in line for line in references(run))
    assert any("Bach S" in line for line in references(run))


@pytest.mark.slow
def test_a_study_of_one_method_compares_none(undisturbed: Path) -> None:
    assert methods(open_run(undisturbed)) is None


@pytest.mark.slow
def test_the_report_is_about_the_first(several: tuple[Path, list[str]]) -> None:
    maps = open_run(several[0]).maps
    assert maps is not None
    assert (maps.arm, maps.method) == ("finetuned", "lrp-epsilon")


@pytest.mark.parametrize(
    ("methods", "words"),
    [
        ('["lrp-epsilom"]', "'lrp-epsilom' is not known. Did you mean lrp-epsilon"),
        ('["lrp-epsilon:epsilon=0"]', "epsilon 0.0 is not above 0"),
        ('["gradient:epsilon=0.1"]', "epsilon is not a parameter of gradient"),
        ('["gradient", "no.such:Thing"]', "there is no module no"),
    ],
)
def test_a_method_that_cannot_be_used_is_known_before_anything_runs(methods: str, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        check_study(tiny(("[explain]", f"[explain]\nmethods = {methods}")))
    assert caught.value.where == "explain.methods"


@pytest.mark.parametrize(
    ("methods", "words"),
    [
        ("[]", "explain.methods"),
        ('["gradient", "gradient"]', "each once"),
        ('["a.b:Mine", "c.d:Mine"]', "Two of them have folders of one name"),
        ('["gradient\\u0007"]', "explain.methods"),
        ('"gradient"', "explain.methods"),
    ],
)
def test_what_is_no_list_of_methods_is_refused_with_its_line(methods: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        tiny(("[explain]", f"[explain]\nmethods = {methods}"))
