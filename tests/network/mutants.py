"""Mutated model folders, opened and used in a process of bounded memory; prints what became of them as JSON.

`python mutants.py FOLDER NUMBER SEED`
"""

from __future__ import annotations

import collections
import copy
import json
import resource
import signal
import sys
import traceback
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from pellucid.ground.errors import PellucidError
from pellucid.ground.files import sha256
from pellucid.image.grid import PAPER_GRID, resized
from pellucid.image.prepare import Prepared
from pellucid.maps.model_folder import find_model
from pellucid.maps.predicting import logit_of, prediction
from pellucid.maps.scans import Scan
from pellucid.network.files import load_model, save_model
from pellucid.network.info import ModelInfo
from pellucid.network.whole_brain import WholeBrainNetwork

SHAPE = (54, 54, 54)
ROOM = 2 << 30  # bytes beyond what the imports took
SECONDS = 60  # one folder may take

ODD: tuple[Any, ...] = (
    *(None, True, 0, -1, 1.5, 10**20, 1e300, "", "x", "[/MS]", "\x1b[2J", "\ud800", "../..", "os:system"),
    *([], {}, [1], [[1]], {"0": 1}, {"shape": []}, [1e9] * 4, ["a"] * 3, "1" * 300, float("inf"), float("nan")),
)


class TooLongError(BaseException):
    """A folder took longer than anybody waits."""


def places(content: Any) -> list[tuple[Any, Any]]:
    """Return every container in a JSON value with each of its keys."""
    keys = list(content) if isinstance(content, dict) else range(len(content)) if isinstance(content, list) else ()
    return [(content, key) for key in keys] + [place for key in keys for place in places(content[key])]


def spoil_description(folder: Path, rng: np.random.Generator) -> None:
    file = folder / "trial-00" / "model.json"
    content = json.loads(file.read_text())
    for _ in range(rng.integers(1, 3)):
        found = places(content)
        if not found:
            break
        where, key = found[rng.integers(len(found))]
        if rng.random() < 0.2:
            del where[key]
        else:
            where[key] = copy.deepcopy(ODD[rng.integers(len(ODD))])
    file.write_text(json.dumps(content))


def spoil_text(folder: Path, rng: np.random.Generator) -> None:
    file = folder / ("selected.json" if rng.random() < 0.3 else "trial-00/model.json")
    raw = bytearray(file.read_bytes())
    match rng.integers(4):
        case 0:
            del raw[int(rng.integers(len(raw))) :]
        case 1:
            raw[int(rng.integers(len(raw)))] ^= 1 << int(rng.integers(8))
        case 2:
            raw = bytearray(rng.choice(["[" * 100_000, "1" * 5000, "null", "[1]", "{}", '{"trial": 5}', ""]).encode())
        case _:
            raw = bytearray("\ufeff".encode() + raw)
    file.write_bytes(raw)


def spoil_file(folder: Path, rng: np.random.Generator) -> None:
    file = folder / "trial-00" / "model.safetensors"
    raw = bytearray(file.read_bytes())
    match rng.integers(4):
        case 0:
            del raw[int(rng.integers(len(raw))) :]
        case 1:
            raw[int(rng.integers(600))] ^= 1 << int(rng.integers(8))
        case 2:
            raw += bytes(int(rng.integers(1, 100)))
        case _:
            raw[:8] = int(rng.choice([0, 1, 2**31, 2**62])).to_bytes(8, "little")
    file.write_bytes(raw)
    if rng.random() < 0.7:
        vouch(folder)


def spoil_weights(folder: Path, rng: np.random.Generator) -> None:
    file = folder / "trial-00" / "model.safetensors"
    tensors = load_file(file)
    name = str(rng.choice(sorted(tensors)))
    match rng.integers(5):
        case 0:
            tensors[name] = torch.tensor(1.0)
        case 1:
            tensors[name] = tensors[name] * float(rng.choice([1e30, 3e38, -1e38, 0.0]))
        case 2:
            tensors[name] = tensors[name].to(torch.float16 if rng.random() < 0.5 else torch.int64)
        case 3:
            tensors[name] = tensors[name][..., None]
        case _:
            del tensors[name]
    save_file(tensors, file, metadata=note(folder))
    vouch(folder)


def note(folder: Path) -> dict[str, str]:
    """Return what the unspoilt weights noted of their description."""
    raw = (folder / "trial-00" / "model.safetensors").read_bytes()
    header = json.loads(raw[8 : 8 + int.from_bytes(raw[:8], "little")])
    return dict(header["__metadata__"])


def vouch(folder: Path) -> None:
    """Let the description name the weights that are there."""
    file = folder / "trial-00" / "model.json"
    content = json.loads(file.read_text())
    file.write_text(json.dumps(content | {"sha256": sha256(folder / "trial-00" / "model.safetensors")}))


def use(folder: Path) -> None:
    """Predict a scan as the command does."""
    model = load_model(find_model(folder))
    noise = np.random.default_rng(0).random(model.grid.shape, dtype=np.float32)
    prepared = Prepared(noise, noise > 0, noise, 0.0)
    scan = Scan(path=Path("scan.nii"), prepared=prepared, native=model.grid, admitted=None)
    found = prediction(model, scan, logit_of(model, scan), remarks=[])
    json.dumps(found.row(), allow_nan=False)


def main(root: Path, number: int, seed: int) -> dict[str, Any]:
    """Spoil so many folders and use each; count what became of them."""
    info = ModelInfo(modality="FLAIR", scaling="robust")
    whole = root / "whole"
    save_model(whole / "trial-00", WholeBrainNetwork(channels=1, grid=resized(PAPER_GRID, SHAPE), seed=1), info)
    (whole / "selected.json").write_text('{"trial": "trial-00"}')
    files = {path.relative_to(whole): path.read_bytes() for path in whole.rglob("*") if path.is_file()}
    counts, wrong = collections.Counter[str](), []
    use(whole)
    for n in range(number):
        rng = np.random.default_rng([seed, n])
        for name, content in files.items():
            (whole / name).write_bytes(content)
        (spoil_description, spoil_text, spoil_file, spoil_weights)[n % 4](whole, rng)
        signal.alarm(SECONDS)
        try:
            use(whole)
            counts["used"] += 1
        except PellucidError as error:
            counts["refused"] += 1
            if not str(error).isprintable() or len(str(error)) > 1000:
                wrong.append(f"{n}: {error}")
        except (Exception, TooLongError):
            wrong.append(f"{n}: {traceback.format_exc()}")
        finally:
            signal.alarm(0)
    return {"counts": counts, "wrong": wrong}


def _too_long(*_: object) -> None:
    raise TooLongError


if __name__ == "__main__":
    signal.signal(signal.SIGALRM, _too_long)
    torch.set_num_threads(1)
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + ROOM, taken + ROOM))
    print(json.dumps(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))))
