"""The command as a whole: help that is quick and shows examples, one clean error line, exit codes."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import pellucid as package
from pellucid.attribution.explain import methods
from pellucid.cli import main
from pellucid.cli.main import run
from pellucid.ground.errors import InputError

ROOT = Path(__file__).resolve().parents[2]

HELP = """
import sys
from pellucid.cli import main
from pellucid.cli.main import run
try:
    run(["--help"])
except SystemExit as ended:
    assert not ended.code, ended.code
names = {"torch", "nilearn", "scipy", "pandas", "nibabel", "matplotlib", "sklearn", "numba", "pydantic"}
heavy = names & set(sys.modules)
print("HEAVY", sorted(heavy))
"""


VERBS = [
    ["demo"],
    ["simulate"],
    ["preprocess"],
    ["fill-lesions"],
    ["predict"],
    ["explain"],
    ["judge"],
    ["methods"],
    ["report"],
    ["bench"],
    ["doctor"],
    ["study", "run"],
    ["study", "check"],
    ["study", "status"],
    ["study", "schema"],
]


def test_help_is_quick_and_imports_nothing_heavy() -> None:
    ran = subprocess.run([sys.executable, "-c", HELP], capture_output=True, text=True, check=True, timeout=30)
    assert "HEAVY []" in ran.stdout
    for verb in VERBS:
        assert verb[0] in ran.stdout


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_help_of_every_verb_shows_an_example(verb: list[str], pellucid) -> None:
    shown = pellucid(*verb, "--help")
    assert shown.code == 0
    assert pellucid(*verb, "-h").out == shown.out
    assert "Example: pellucid " + " ".join(verb) in " ".join(shown.out.split())


def test_every_verb_is_in_the_contract_that_keeps_verbs_apart() -> None:
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    (apart,) = (set(one["modules"]) for one in tools["importlinter"]["contracts"] if one["type"] == "independence")
    assert apart == {module.__name__ for _, _, module in main.VERBS}


def test_version(pellucid) -> None:
    assert pellucid("--version").out.strip() == f"pellucid {package.__version__}"


@pytest.mark.parametrize(
    "arguments", [["prdict"], ["predict"], ["simulate", "x", "--patients", "many"], ["demo", "--nowhere"]]
)
def test_bad_usage_is_2(arguments: list[str], pellucid) -> None:
    shown = pellucid(*arguments)
    assert shown.code == 2
    assert "Traceback" not in shown.err


def test_an_error_is_one_line_without_a_traceback(tmp_path: Path, pellucid) -> None:
    shown = pellucid("report", tmp_path)
    assert shown.code == 2
    lines = [line for line in shown.err.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1
    assert str(tmp_path) in lines[0]
    assert "Traceback" not in shown.err


@pytest.mark.parametrize("place", [0, 2])
def test_debug_may_stand_anywhere_and_shows_where(place: int, tmp_path: Path) -> None:
    arguments = ["report", str(tmp_path)]
    arguments.insert(place, "--debug")
    with pytest.raises(InputError):
        run(arguments)


def test_the_help_of_explain_lists_every_method_and_what_it_does(pellucid) -> None:
    shown = " ".join(pellucid("explain", "--help").out.replace("│", " ").split())
    for method in methods():
        given = ", ".join(f"{name}={value!r}" for name, value in method.parameters.items())
        assert f"{method.name} ({given}): {method.summary}".replace(" ()", "") in shown
