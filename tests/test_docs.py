"""Every command that the documentation shows is one that the command line and the Makefile know."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer

from pellucid.cli import demo, doctor, explain, fill_lesions, judge, predict, preprocess, report, simulate
from pellucid.cli.main import app

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]

_FENCE = re.compile(r"^```[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)


def commands(text: str, program: str) -> list[list[str]]:
    """Return the command lines of `program` in a page's code blocks, continued lines joined, comments dropped."""
    found = []
    for block in _FENCE.findall(text):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line.removeprefix("$ "), comments=True) if line.strip() else []
            words = words[next((n for n, word in enumerate(words) if "=" not in word), 0) :]  # VARIABLE=value before it
            if words and Path(words[0]).name == program:
                found.append(words[1:])
    return found


def check(words: list[str]) -> None:
    """Raise AssertionError unless the command line knows the verb and every option."""
    command: Any = typer.main.get_command(app)
    options = {name for parameter in command.params for name in parameter.opts}
    rest = list(words)
    while hasattr(command, "commands") and rest:
        word = rest.pop(0)
        if word.startswith("-"):
            assert word in options | {"--help"}, f"{word} in: pellucid {' '.join(words)}"
            continue
        assert word in command.commands, f"{word} in: pellucid {' '.join(words)}"
        command = command.commands[word]
        options |= {name for parameter in command.params for name in parameter.opts}
    for word in rest:
        if re.match(r"--?[A-Za-z]", word):
            assert word.partition("=")[0] in options | {"--help", "--debug"}, f"{word} in: pellucid {' '.join(words)}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_of_a_page_are_known(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for words in commands(text, "pellucid"):
        check(words)
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for words in commands(text, "make"):
        for target in words:
            assert re.search(rf"^{re.escape(target)}:", makefile, re.MULTILINE), f"make {target} in {page.name}"


def test_the_readme_shows_both_set_up_commands_and_every_verb() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert ["demo"] in commands(text, "make")
    assert ["test"] in commands(text, "make")
    shown = {words[0] for words in commands(text, "pellucid") if words}
    assert {"demo", "simulate", "preprocess", "fill-lesions", "study", "predict", "explain"} <= shown
    assert {"judge", "report", "doctor"} <= shown


@pytest.mark.parametrize(
    "module",
    [demo, simulate, preprocess, fill_lesions, predict, explain, judge, report, doctor],
    ids=lambda m: m.__name__,
)
def test_examples_of_the_help_are_known(module: Any) -> None:
    program, *words = shlex.split(module.EXAMPLE.removeprefix("Example: "))
    assert program == "pellucid"
    check(words)


@pytest.mark.parametrize("line", ["prdict x", "predict m i --outt o", "--nowhere predict", "study start x"])
def test_an_unknown_command_is_caught(line: str) -> None:
    with pytest.raises(AssertionError):
        check(line.split())


def test_commands_are_found_in_code_blocks_only() -> None:
    block = "$ pellucid predict m \\\n  --out o  # why\nOMP_NUM_THREADS=1 .venv/bin/pellucid doctor\n"
    text = f"pellucid in prose\n```sh\n{block}```\n"
    assert commands(text, "pellucid") == [["predict", "m", "--out", "o"], ["doctor"]]


def test_the_python_of_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    from pellucid.atlas.template import mni_template
    from pellucid.image.grid import MNI_2MM
    from pellucid.image.nifti import write_volume
    from pellucid.network.files import save_model
    from pellucid.network.info import ModelInfo
    from pellucid.network.paper import PaperNetwork

    save_model(tmp_path, PaperNetwork(2, seed=0), ModelInfo(modality="T1w", scaling="robust"))  # as the template is
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    write_volume(tmp_path / "scan.nii.gz", mni_template(MNI_2MM), MNI_2MM)
    names: dict[str, Any] = {}
    for there, here in (("demo/models/finetuned/trial-00", tmp_path), ("scan.nii.gz", tmp_path / "scan.nii.gz")):
        assert f'"{there}"' in block
        block = block.replace(f'"{there}"', repr(str(here)))
    exec(block, names)
    assert names["result"].relevance.shape == names["x"].shape == (1, 1, 96, 114, 96)
    assert names["result"].relevance.any()
    assert (names["found"].explained.relevance == names["result"].relevance[0, 0].numpy()).all()


def test_every_deviation_is_marked_and_every_mark_is_listed() -> None:
    source = ROOT / "src" / "pellucid"
    text = (ROOT / "docs" / "deviations.md").read_text(encoding="utf-8")
    listed = {name for row in re.findall(r"^\| (`.+?) \|", text, re.MULTILINE) for name in re.findall(r"`(.+?)`", row)}
    marked = {
        path.relative_to(source).as_posix()
        for path in source.rglob("*.py")
        if "# deviates: " in path.read_text(encoding="utf-8")
    }
    assert listed == marked


def test_the_page_of_an_own_network_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from pellucid.network.files import save_model
    from pellucid.network.foreign import ForeignNetwork
    from pellucid.network.info import ModelInfo
    from pellucid.spec.reading import parse_spec

    text = (ROOT / "docs" / "own-network.md").read_text(encoding="utf-8")
    (specification,) = re.findall(r"^```toml\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    arm = parse_spec(specification, file=ROOT / "mine.toml").training["mine"]
    module, use = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    (tmp_path / "mypackage").mkdir()
    (tmp_path / "mypackage" / "nets.py").write_text(module, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    model = ForeignNetwork(arm.network, options=arm.options, seed=0)
    model.try_out()
    save_model(tmp_path / "model", model, ModelInfo(modality="FLAIR", scaling="robust"))
    names = {"x": torch.randn((1, 1, 96, 114, 96), generator=torch.Generator().manual_seed(0))}
    exec(use.replace('"runs/mine/models/mine/trial-00"', repr(str(tmp_path / "model"))), names)
    result: Any = names["result"]
    assert result.ledger[0].layer == "network.features.0"
