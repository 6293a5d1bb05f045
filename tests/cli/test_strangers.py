"""Folders of strangers: what they name is not called nor imported on their word; code that lies there is not run."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pellucid.ground.files import write_json

SPEC = """
[study]
name = "strange"

[cohorts.ms.simulate]
kind = "ms"
patients = 6
controls = 6
voxel_size = 4.0

[splits.ms]
holdout = 4
validation = 2

[training.a]
cohort = "ms"
network = "{network}"

[training.a.options]
{options}
"""

NETWORK = """
from pathlib import Path
from torch import nn

RAN = Path({ran!r})
RAN.write_text("imported")

class Net(nn.Module):
    def __init__(self, **options):
        super().__init__()
        RAN.write_text("imported and made")
        self.fc = nn.Linear(1, 1)

    def forward(self, x):
        return self.fc(x.mean((2, 3, 4)))
"""


@pytest.fixture
def strange(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on the path of imports with a module that leaves a trace of what is done with it in `ran`."""
    (tmp_path / "strangenets.py").write_text(NETWORK.format(ran=str(tmp_path / "ran")))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "strangenets", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("verb", ["check", "run"])
@pytest.mark.parametrize(
    ("network", "options"),
    [
        ("subprocess:Popen", 'args = ["touch", "PWNED"]'),
        ("os:system", 'command = "touch PWNED"'),
        ("builtins:exec", "source = \"open('PWNED', 'w')\""),
        ("pathlib:Path", ""),
        ("shutil:copyfile", 'src = "strangenets.py"\ndst = "PWNED"'),
        ("numpy:save", 'file = "PWNED"\narr = [1]'),
        ("torch.utils.cpp_extension:load_inline", 'name = "PWNED"\ncpp_sources = ""'),
    ],
)
def test_a_specification_calls_nothing_but_classes_of_networks(
    verb: str, network: str, options: str, strange: Path, pellucid
) -> None:
    (strange / "evil.toml").write_text(SPEC.format(network=network, options=options))
    shown = pellucid("study", verb, "evil.toml", "--out", "run")
    assert shown.code == 2
    assert f"training.a.network: is '{network}'" in shown.err
    assert not list(strange.glob("PWNED*"))
    assert not (strange / "run").exists()


def test_a_check_says_what_it_imports_from_where_before_it_does(strange: Path, pellucid) -> None:
    text = SPEC.format(network="strangenets:Net", options="").replace("holdout = 4", "holdout = 40")
    (strange / "own.toml").write_text(text)  # refused after the networks were tried, and before anything is measured
    shown = pellucid("study", "check", "own.toml")
    line = f"network strangenets:Net: class of {strange / 'strangenets.py'}, line 8; it is imported"
    assert line in shown.out
    assert (strange / "ran").read_text() == "imported and made"
    (strange / "strangenets.py").write_text(f"open({str(strange / 'ran')!r}, 'w')\nNet = print\n")
    del sys.modules["strangenets"]
    (strange / "ran").unlink()
    assert "has no class Net" in pellucid("study", "check", "own.toml").err
    assert not (strange / "ran").exists()


def test_a_run_directory_has_nothing_imported_until_the_user_names_it(strange: Path, pellucid) -> None:
    run = strange / "run"
    run.mkdir()
    (run / "study.toml").write_text(SPEC.format(network="strangenets:Net", options=""))
    write_json(run / "record.json", {"tasks": {}})
    for words in (
        ("study", "status", run),
        ("report", run),
        ("study", "check", run),
        ("study", "check", run / "study.toml"),
        ("study", "run", run),
        ("study", "run", run, "--extend"),
        ("study", "run", run / "study.toml", "--out", strange / "other"),
        ("predict", run / "models" / "a", run),
    ):
        shown = pellucid(*words)
        assert not (strange / "ran").exists(), words
        if words[:2] == ("study", "check"):
            assert shown.code == 0
            assert "not imported, because only a run directory names it: add --network strangenets:Net" in shown.out
            assert "not estimated" in shown.out
        if words[:2] == ("study", "run"):
            assert shown.code == 2
            assert "names code to import: strangenets:Net. If you trust that code, add --network" in shown.err
    refused = pellucid("study", "run", run, "--network", "strangenets:Other")
    assert "strangenets:Other is no network of this study" in refused.err
    shutil.rmtree(run)
    assert not (strange / "ran").exists()


SMALL = """
[study]
name = "small"

[cohorts.ms.simulate]
kind = "ms"
patients = 3
controls = 3
voxel_size = 4.0

[splits.ms]
holdout = 2
validation = 2

[training.a]
cohort = "ms"
channels = 2
fit = false
"""

COMMAND = (sys.executable, "-P", "-c", "from pellucid.cli.main import run; run()")


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [
        ("simulate", "out", "--patients", "2", "--controls", "2", "--voxel-size", "4", "--workers", "2"),
        ("preprocess", "raw", "out", "participant", "--n-procs", "2"),
        ("study", "run", "small.toml", "--out", "out", "--workers", "2", "--cluster", "local"),
    ],
)
def test_code_in_the_current_folder_is_not_run(words: tuple[str, ...], tmp_path: Path) -> None:
    """As where somebody stands in a dataset that was sent to them."""
    (tmp_path / "small.toml").write_text(SMALL)
    for name in ("sub-01", "sub-02"):  # nothing that can be read: workers start all the same
        scan = tmp_path / "raw" / name / "anat" / f"{name}_T1w.nii.gz"
        scan.parent.mkdir(parents=True)
        scan.write_bytes(b"")
        scan.with_name(f"{name}_FLAIR.nii.gz").write_bytes(b"")
    (tmp_path / "raw" / "participants.tsv").write_text("participant_id\nsub-01\nsub-02\n")
    write_json(tmp_path / "raw" / "dataset_description.json", {"Name": "raw", "BIDSVersion": "1.9.0"})
    for module in ("multiprocessing", "json", "pellucid", "distributed", "torch", "sitecustomize", "usercustomize"):
        (tmp_path / f"{module}.py").write_text("open('PWNED', 'w').close()\nraise SystemExit(7)\n")
    env = {name: value for name, value in os.environ.items() if name != "PYTHONSAFEPATH"}
    ran = subprocess.run([*COMMAND, *words], cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert not list(tmp_path.rglob("PWNED"))
    assert "Traceback" not in ran.stderr
    if words[0] == "preprocess":
        assert (ran.returncode, (tmp_path / "out" / "logs" / "sub-02.json").is_file()) == (1, True), ran.stderr
    else:
        assert ran.returncode == 0, ran.stderr
