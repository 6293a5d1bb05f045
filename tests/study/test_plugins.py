"""A module outside of the package adds a null map, a measure, a table and a section, each found where it belongs.

Everything runs in processes of their own: what is registered stays registered.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pellucid.ground.files import read_json, read_tsv

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
methods = ["lrp-rules:rule=ownmethods:WSquare", "ownmethods:Power:p=2"]
"""


def _pellucid(*words: object) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(OWN), os.environ.get("PYTHONPATH", "")])
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
