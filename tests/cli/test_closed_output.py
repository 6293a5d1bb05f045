"""A reader that goes away, as `head -1` does: everything is written, and the exit code tells of the work."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pellucid.cli.main import run
from pellucid.ground.files import read_json, read_tsv
from pellucid.image.nifti import read_volume

COMMAND = "from pellucid.cli.main import run; run()"


def test_head_costs_no_table_and_no_map(arm: Path, scans: Path, tmp_path: Path) -> None:
    """As the shell does it: one line is read, then the pipe is closed while there is more to print."""
    out = tmp_path / "out"
    words = ["explain", arm, scans / "images", tmp_path / "none.nii", "--lesions", scans / "masks", "--out", out]
    with subprocess.Popen(
        [sys.executable, "-u", "-c", COMMAND, *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        err = process.stderr.read().decode()
    assert process.returncode == 1, err  # for the file that is not there, not for the reader that went
    assert "Traceback" not in err
    assert "BrokenPipe" not in err
    assert "none.nii" in err
    assert len(read_tsv(out / "predictions.tsv")) == 3
    assert len(read_json(out / "predictions.json")["Predictions"]) == 3
    for name in ("regions", "ledger", "lesions"):
        assert read_tsv(out / f"{name}.tsv")["participant_id"].nunique() == 2, name
    for path in (maps := list(out.glob("*_relevance.nii.gz"))):
        read_volume(path)
        assert path.with_name(path.name.replace(".nii.gz", ".png")).is_file()
    assert len(maps) == 2


def _closed(arguments: list[object], monkeypatch: pytest.MonkeyPatch) -> int:
    """Run a command whose output nobody reads any more; return its exit code."""
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w", encoding="utf-8") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        with pytest.raises(SystemExit) as ended:
            run([str(argument) for argument in arguments])
        monkeypatch.undo()
    return int(ended.value.code or 0)


@pytest.mark.parametrize("verb", ["predict", "explain", "judge", "doctor", "--version"])
def test_every_verb_goes_on_without_a_reader(
    verb: str, arm: Path, scans: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pellucid: Callable[..., object]
) -> None:
    out, image = tmp_path / "out", scans / "images" / "sub-02_FLAIR.nii.gz"
    if verb == "judge":
        pellucid("explain", arm, image, "--out", tmp_path / "maps")
    arguments: dict[str, list[object]] = {
        "predict": [arm, image, "--out", out],
        "explain": [arm, image, "--out", out],
        "judge": [tmp_path / "maps", "--lesions", scans / "masks", "--out", out],
    }
    assert _closed([verb, *arguments.get(verb, [])], monkeypatch) == 0
    names = {"predict": ["predictions"], "explain": ["predictions", "regions", "ledger"], "judge": ["lesions"]}
    for name in names.get(verb, []):
        assert len(read_tsv(out / f"{name}.tsv"))
