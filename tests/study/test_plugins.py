"""A module outside of the package adds a null map, a measure, a table and a section, each found where it belongs.

Everything runs in processes of their own: what is registered stays registered.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.runs import copy_run

from pellucid.ground.files import read_json, read_tsv, sha256

OWN = Path(__file__).parents[1] / "own"
SPEC = """
[study]
name = "plugged"
plugins = ["ownmeasures"]

[cohorts.ms.simulate]
kind = "ms"
patients = 4
controls = 4
voxel_size = 6.0

[splits.ms]
holdout = 4
validation = 2

[training.untrained]
cohort = "ms"
channels = 2
fit = false

[explain]
arms = ["untrained"]
deletion = ["untrained"]
deletion_voxels = [50]
methods = ["lrp-rules:rule=ownmethods:WSquare", "ownmethods:Power:p=2"]
"""


def _pellucid(*words: object, own: Path = OWN) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(own), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, "-c", "from pellucid.cli.main import run; run()", *map(str, words)]
    environment = os.environ | {"PYTHONPATH": path}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("plugged")
    (root / "study.toml").write_text(SPEC, encoding="utf-8")
    done = _pellucid("study", "run", root / "study.toml", "--out", root / "run")
    assert done.returncode == 0, done.stderr
    return root / "run"


def test_the_page_on_plugins_has_this_module() -> None:
    code = (OWN / "ownmeasures.py").read_text(encoding="utf-8").partition("import annotations\n\n")[2]
    page = (Path(__file__).parents[2] / "docs" / "own-measure.md").read_text(encoding="utf-8")
    assert f"```python\n{code}```\n" in page


@pytest.mark.slow
def test_a_plugin_s_null_and_measure_are_in_the_tables_of_lesions(run: Path) -> None:
    lesions, compared = (read_tsv(run / "tables" / f"{name}.tsv") for name in ("lesions", "lesions_compared"))
    measured = lesions[lesions["auroc"].notna()]
    assert measured.loc[measured["map"] == "left-half", "above_mean"].between(0, 1).all()
    assert measured.loc[measured["map"] == "brightest-percent", "above_mean"].gt(0).any()
    assert "above_mean" in set(compared["measure"])
    assert {"above_mean", "above_mean_low"} <= set(read_tsv(run / "tables" / "lesions_summary.tsv"))
    assert "left-half" in set(read_tsv(run / "tables" / "truth.tsv")["map"])
    deletion = read_tsv(run / "tables" / "deletion.tsv")
    assert deletion.loc[deletion["ranking"] == "left-half", "fall"].notna().all()
    assert "left-half" in set(deletion["ranking"])


@pytest.mark.slow
def test_judge_and_explain_know_a_plugin_that_they_are_told(run: Path, tmp_path: Path) -> None:
    maps = run / "maps" / "untrained" / "Power-p-2"
    lesions, model = run / "cohorts" / "ms" / "derivatives" / "lesions", run / "models" / "untrained"
    scan = next((run / "cohorts" / "ms").glob("sub-*/anat/*_FLAIR.nii.gz"))
    for words in (["judge", maps, "--lesions", lesions], ["explain", model, scan, "--lesions", lesions]):
        plain, plugged = tmp_path / f"{words[0]}-plain", tmp_path / f"{words[0]}-plugged"
        for out, more in ((plain, []), (plugged, ["--plugin", "ownmeasures"])):
            done = _pellucid(*words, "--out", out, *more)
            assert done.returncode == 0, done.stderr
        without, found = read_tsv(plain / "lesions.tsv"), read_tsv(plugged / "lesions.tsv")
        assert "above_mean" not in without
        assert "left-half" not in set(without["map"])
        assert found.loc[found["map"] == "left-half", "above_mean"].notna().any()
    listed = _pellucid("methods", "ownmethods:Power")
    assert "p=" in listed.stdout


@pytest.mark.slow
def test_a_plugin_s_table_is_a_task_and_its_section_on_the_page(run: Path) -> None:
    record = read_json(run / "record.json")["tasks"]
    assert record["table/best_nulls"]["state"] == "done"
    assert read_tsv(run / "tables" / "best_nulls.tsv")["times"].sum() > 0
    page = (run / "report.html").read_text(encoding="utf-8")
    assert "Which null is best" in page
    assert "Most often:" in page
    assert "the left half of the grid" in page
    assert "Lesion above the mean is the share" in page
    assert "ownmethods:Power:p=2" in page
    ledger = read_tsv(run / "tables" / "ledger.tsv")
    assert ledger["absorbed_nothing"].tolist() == [0.0] * len(ledger)
    assert "Journal of Maps" in (run / "CITATION.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_nothing_is_imported_on_the_word_of_a_run_directory(run: Path) -> None:
    plain = _pellucid("report", run)
    assert plain.returncode == 0, plain.stderr
    page = (run / "report.html").read_text(encoding="utf-8")
    assert "Which null is best" not in page
    assert "Not shown, because they are not known here: above_mean" in page
    refused = _pellucid("study", "run", run)
    assert refused.returncode == 2
    for name in ("ownmeasures", "ownmethods:WSquare", "ownmethods:Power"):
        assert f"--plugin {name}" in refused.stderr
    checked = _pellucid("study", "check", run)
    assert "plugin ownmethods:Power: not imported" in checked.stdout
    strange = _pellucid("report", run, "--plugin", "notthere")
    assert strange.returncode == 2
    assert "--plugin: names notthere, but there is no module notthere" in strange.stderr
    assert _pellucid("study", "verify", run).returncode == 0


@pytest.mark.slow
def test_the_record_knows_the_users_code_and_a_change_of_it_is_said(run: Path, tmp_path: Path) -> None:
    recorded = read_json(run / "record.json")["runs"][0]["code"]
    files = {"ownmeasures": "ownmeasures", "ownmethods:WSquare": "ownmethods", "ownmethods:Power": "ownmethods"}
    assert recorded == {name: sha256(OWN / f"{file}.py") for name, file in files.items()}
    again, own = copy_run(run, tmp_path / "run"), Path(shutil.copytree(OWN, tmp_path / "own"))
    with (own / "ownmeasures.py").open("a", encoding="utf-8") as file:
        file.write("\n# another version\n")
    done = _pellucid("study", "run", run.parent / "study.toml", "--out", again, own=own)
    assert done.returncode == 0, done.stderr
    assert "the file of ownmeasures has changed since the last start of this run" in done.stderr
    assert "ownmethods" not in done.stderr
    assert "The code of ownmeasures changed" in (again / "report.html").read_text(encoding="utf-8")
