from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

import pellucid
from pellucid.ground.errors import InputError
from pellucid.ground.files import sha256
from pellucid.image.grid import PAPER_GRID, Grid, resized
from pellucid.network.files import load_model, save_model
from pellucid.network.info import ModelInfo
from pellucid.network.paper import PaperNetwork
from pellucid.network.whole_brain import WholeBrainNetwork

INFO = ModelInfo(
    modality="T1w", scaling="robust", classes={0: "CN", 1: "AD"}, trained={"seed": 3, "epoch": 7, "val_loss": 0.25}
)
SMALL = resized(PAPER_GRID, (71, 71, 71))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_model(tmp_path / "model", PaperNetwork(channels=2, grid=SMALL, seed=1), INFO)
    return tmp_path / "model"


def _edit_json(folder: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    content = json.loads((folder / "model.json").read_text())
    edit(content)
    (folder / "model.json").write_text(json.dumps(content))


def _edit_weights(folder: Path, edit: Callable[[dict[str, torch.Tensor]], object]) -> None:
    """Change the weights and let the description vouch for them, and they for it."""
    with safe_open(folder / "model.safetensors", framework="pt") as opened:
        notes = opened.metadata()
    tensors = load_file(folder / "model.safetensors")
    edit(tensors)
    save_file(tensors, folder / "model.safetensors", metadata=notes)
    _edit_json(folder, lambda content: content.update(sha256=sha256(folder / "model.safetensors")))


@pytest.mark.parametrize("name", [".", "model.safetensors", "model.json"])
def test_round_trip(folder: Path, name: str) -> None:
    model = load_model(folder / name)
    original = PaperNetwork(channels=2, grid=SMALL, seed=1).eval()
    assert not model.training
    assert model.info == INFO
    assert model.grid == SMALL
    assert model.channels == 2
    for (name_a, a), (name_b, b) in zip(model.state_dict().items(), original.state_dict().items(), strict=True):
        assert name_a == name_b
        assert torch.equal(a, b)
    x = torch.randn(2, 1, 71, 71, 71)
    assert torch.equal(model(x), original(x))


def test_a_whole_brain_network_is_read_back_as_one(tmp_path: Path) -> None:
    grid = resized(PAPER_GRID, (54, 60, 57))
    original = WholeBrainNetwork(channels=2, grid=grid, seed=1).eval()
    save_model(tmp_path, original, INFO)
    assert json.loads((tmp_path / "model.json").read_text())["architecture"] == "WholeBrainNetwork"
    model = load_model(tmp_path)
    assert type(model) is WholeBrainNetwork
    assert (model.grid, model.channels, model.info) == (grid, 2, INFO)
    x = torch.randn(1, 1, *grid.shape)
    assert torch.equal(model(x), original(x))
    _edit_json(tmp_path, lambda content: content.update(architecture="PaperNetwork", grid=PAPER_GRID.to_json()))
    with pytest.raises(InputError, match=r"fc\.weight has shape \(1, 24\), not \(1, 4\)"):
        load_model(tmp_path)


def test_a_whole_brain_network_of_an_impossible_grid_is_refused_at_once(tmp_path: Path) -> None:
    save_model(tmp_path, WholeBrainNetwork(channels=1, grid=resized(PAPER_GRID, (54, 54, 54)), seed=1), INFO)
    _edit_json(tmp_path, lambda content: content["grid"].update(shape=[53, 54, 54]))
    with pytest.raises(InputError, match=r"its grid cannot be used: 53x54x54 .* is too small") as caught:
        load_model(tmp_path)
    assert caught.value.where.startswith(str(tmp_path))
    _edit_json(tmp_path, lambda content: content["grid"].update(shape=[54 * 10**12] * 3))
    with pytest.raises(InputError, match="an axis of 54000000000000 voxels is too long for a scan"):
        load_model(tmp_path)
    _edit_json(tmp_path, lambda content: content["grid"].update(shape=[400] * 3))
    with pytest.raises(InputError, match=r"it was not saved together with model\.safetensors"):
        load_model(tmp_path)


def test_weights_can_be_read_by_whoever_can_read_their_description(folder: Path) -> None:
    assert (folder / "model.safetensors").stat().st_mode == (folder / "model.json").stat().st_mode


def test_path_may_be_a_string(folder: Path) -> None:
    assert pellucid.load_model(str(folder)).info == INFO


def test_resampling_is_kept(tmp_path: Path, folder: Path) -> None:
    info = ModelInfo(modality="FLAIR", scaling="max", resampling="cubic")
    save_model(tmp_path / "cubic", PaperNetwork(channels=2, grid=SMALL, seed=1), info)
    assert load_model(tmp_path / "cubic").info.resampling == "cubic"
    _edit_json(folder, lambda content: content.update(resampling="nearest"))
    with pytest.raises(InputError, match="the resampling 'nearest' is not known"):
        load_model(folder)


def test_description_says_all(folder: Path) -> None:
    content = json.loads((folder / "model.json").read_text())
    assert content == {
        "architecture": "PaperNetwork",
        "channels": 2,
        "grid": SMALL.to_json(),
        "modality": "T1w",
        "scaling": "robust",
        "resampling": "antialias",
        "classes": {"0": "CN", "1": "AD"},
        "trained": {"seed": 3, "epoch": 7, "val_loss": 0.25},
        "pellucid": pellucid.__version__,
        "sha256": sha256(folder / "model.safetensors"),
    }


def test_the_file_is_ordinary_whatever_the_memory_format(tmp_path: Path) -> None:
    model = PaperNetwork(channels=3, seed=2)
    assert not model.conv2.weight.is_contiguous()
    save_model(tmp_path / "last", model, INFO)
    for parameter in model.parameters():
        parameter.data = parameter.data.contiguous()
    save_model(tmp_path / "first", model, INFO)
    assert (tmp_path / "last/model.safetensors").read_bytes() == (tmp_path / "first/model.safetensors").read_bytes()
    loaded = load_model(tmp_path / "last")
    assert torch.equal(loaded.conv2.weight, model.conv2.weight)
    assert loaded.conv2.weight.is_contiguous(memory_format=torch.channels_last_3d)
    assert torch.equal(load_file(tmp_path / "last/model.safetensors")["conv2.weight"], model.conv2.weight)


def test_saving_leaves_two_files_and_replaces_them(folder: Path) -> None:
    save_model(folder, PaperNetwork(channels=2, grid=SMALL, seed=9), INFO)
    assert sorted(path.name for path in folder.iterdir()) == ["model.json", "model.safetensors"]
    assert torch.equal(load_model(folder).conv1.weight, PaperNetwork(channels=2, grid=SMALL, seed=9).conv1.weight)


@pytest.mark.parametrize(
    ("value", "message"), [(torch.float64, "is torch.float64"), (torch.nan, "holds NaN or infinity")]
)
def test_refuses_to_save(tmp_path: Path, value: Any, message: str) -> None:
    model = PaperNetwork(channels=1, seed=0)
    if isinstance(value, torch.dtype):
        model.to(value)
    else:
        model.fc.bias.data.fill_(value)
    with pytest.raises(InputError, match=message):
        save_model(tmp_path / "model", model, INFO)
    assert not (tmp_path / "model").exists()


def test_refuses_to_save_what_it_could_not_load(tmp_path: Path) -> None:
    class Own(PaperNetwork):
        pass

    with pytest.raises(InputError, match=r"'Own' is not known. Known are PaperNetwork, WholeBrainNetwork"):
        save_model(tmp_path / "model", Own(1), INFO)
    assert not (tmp_path / "model").exists()


def test_never_runs_a_pickle(folder: Path) -> None:
    ran = folder / "ran"

    class Stranger:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (ran,)

    (folder / "model.safetensors").write_bytes(pickle.dumps(Stranger()))
    with pytest.raises(InputError, match="is not a safetensors file"):
        load_model(folder)
    assert not ran.exists()


def _mirror(folder: Path) -> None:
    def edit(content: dict[str, Any]) -> None:
        content["grid"]["affine"][0] = [-value for value in content["grid"]["affine"][0]]

    _edit_json(folder, edit)


def _no_note(folder: Path) -> None:
    save_file(load_file(folder / "model.safetensors"), folder / "model.safetensors")
    _edit_json(folder, lambda content: content.update(sha256=sha256(folder / "model.safetensors")))


def test_weights_are_weighed_before_they_are_read(folder: Path) -> None:
    """Sixty gigabytes of a sparse file, whose header fits them: the shapes are compared, and nothing is read."""
    header = {"fc.bias": {"dtype": "F32", "shape": [15 * 10**9], "data_offsets": [0, 60 * 10**9]}}
    text = json.dumps(header).encode()
    with (folder / "model.safetensors").open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + 60 * 10**9)
    with pytest.raises(InputError, match="missing or unknown tensors"):
        load_model(folder)


def test_descriptions_that_are_larger_than_any_are_not_parsed(folder: Path) -> None:
    """Lists within JSON take 25 times their bytes: 100 MB, which safetensors allows of a header, took 40 s and 2 GB."""
    with (folder / "model.safetensors").open("wb") as file:
        file.write((90_000_000).to_bytes(8, "little"))
        file.truncate(90_000_008)
    with pytest.raises(InputError, match="its header's length is wrong"):
        load_model(folder)
    (folder / "model.json").write_bytes(b"[" + b"[]," * 6_000_000 + b"[]]")
    with pytest.raises(InputError, match="18000004 bytes, and a file of this kind has at most"):
        load_model(folder)


def test_what_is_said_of_the_training_is_no_part_of_the_weights(tmp_path: Path) -> None:
    """Trained again, the same weights are the same bytes, however long it took."""
    for name, seconds in (("a", 1), ("b", 2)):
        info = ModelInfo(modality="T1w", scaling="robust", trained={"seconds": seconds})
        save_model(tmp_path / name, PaperNetwork(channels=1, grid=SMALL, seed=1), info)
    assert (tmp_path / "a/model.safetensors").read_bytes() == (tmp_path / "b/model.safetensors").read_bytes()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda f: (f / "model.json").unlink(), r"has no model\.json"),
        (lambda f: (f / "model.safetensors").unlink(), "has no model.safetensors"),
        (lambda f: (f / "model.json").write_text("{"), "is not valid JSON"),
        (lambda f: (f / "model.json").write_text("[1]"), "it is a list, not an object"),
        (lambda f: (f / "model.safetensors").write_bytes(b"\0" * 100), "is not a safetensors file"),
        (lambda f: (f / "model.safetensors").write_bytes(b""), "is not a safetensors file"),
        (lambda f: _edit_json(f, lambda c: c.pop("scaling")), "it lacks `scaling`"),
        (lambda f: _edit_json(f, lambda c: c.update(channels="many")), "its `channels` is 'many', not a whole"),
        (
            lambda f: _edit_json(f, lambda c: c.update(channels=3)),
            r"conv1.weight has shape \(2, 1, 3, 3, 3\), not \(3, 1, 3, 3, 3\)",
        ),
        (
            lambda f: _edit_json(f, lambda c: c.update(architecture="UNet")),
            "'UNet' is not known. Known are PaperNetwork, WholeB",
        ),
        (lambda f: _edit_json(f, lambda c: c.update(architecture=["PaperNetwork"])), "`architecture` is a list"),
        (
            lambda f: _edit_json(f, lambda c: c.update(architecture="WholeBrainNetwork")),
            r"fc.weight has shape \(1, 2\), not \(1, 54\)",
        ),
        (
            lambda f: _edit_json(f, lambda c: c.update(grid={"shape": [1, 2], "affine": [[1]]})),
            "it does not have a shape of three numbers and an affine of four rows of four",
        ),
        (lambda f: _edit_json(f, lambda c: c.update(sha256="0" * 64)), "are not those that model.json describes"),
        (
            lambda f: _edit_json(f, lambda c: c.update(grid=PAPER_GRID.to_json())),
            r"fc.weight has shape \(1, 2\), not \(1, 4\)",
        ),
        (
            lambda f: _edit_json(f, lambda c: c.update(grid=resized(SMALL, (70, 71, 71)).to_json())),
            "its grid cannot be used: 70x71x71 .* is too small for a PaperNetwork",
        ),
        (
            lambda f: _edit_json(f, lambda c: c["grid"].update(shape=[10**12] * 3)),
            "an axis of 1000000000000 voxels is too long for a scan",
        ),
        (lambda f: _edit_weights(f, lambda t: t.pop("conv2.bias")), "missing or unknown tensors: conv2.bias"),
        (
            lambda f: _edit_weights(f, lambda t: t.update(extra=torch.zeros(1))),
            "missing or unknown tensors: extra",
        ),
        (
            lambda f: _edit_weights(f, lambda t: t.update({"conv2.weight": torch.zeros(2, 3, 3, 3, 3)})),
            r"conv2.weight has shape \(2, 3, 3, 3, 3\), not \(2, 2, 3, 3, 3\)",
        ),
        (
            lambda f: _edit_weights(f, lambda t: t.update({"fc.bias": torch.tensor([torch.inf])})),
            "fc.bias holds NaN or infinity",
        ),
        (
            lambda f: _edit_weights(f, lambda t: t.update({"fc.bias": torch.zeros(1, dtype=torch.float16)})),
            "fc.bias is torch.float16, not float32",
        ),
        (
            lambda f: _edit_weights(f, lambda t: t.update({"conv1.weight": torch.tensor(1.0)})),
            r"conv1.weight has shape \(\), not \(2, 1, 3, 3, 3\)",
        ),
        (lambda f: _edit_weights(f, lambda t: t.update({"fc.weight": torch.tensor(1.0)})), "fc.weight has shape"),
        (lambda f: _edit_json(f, lambda c: c.update(classes={"0": "HC"})), "it lacks `classes.1`"),
        (lambda f: _edit_json(f, lambda c: c["classes"].update({"2": "RIS"})), "its classes are not 0 and 1"),
        (
            lambda f: _edit_json(f, lambda c: c["classes"].update({"1": "\x1b[2J"})),
            r"`classes\.1`, .\\x1b\[2J., is not a na",
        ),
        (lambda f: _edit_json(f, lambda c: c["classes"].update({"1": "\ud800"})), r"`classes\.1`, .\\ud800., is no"),
        (lambda f: _edit_json(f, lambda c: c["classes"].update({"1": " "})), "is not a name"),
        (lambda f: _edit_json(f, lambda c: c.update(scaling="min")), "the scaling 'min' is not known. Known are"),
        (lambda f: _edit_json(f, lambda c: c.update(channels=10**18)), "has shape"),
        (lambda f: _edit_json(f, lambda c: c.update(channels=-2)), "it has -2 channels"),
        (lambda f: _edit_json(f, lambda c: c["grid"].update(affine=[[0] * 4] * 4)), "the affine is singular"),
        (
            lambda f: _edit_json(f, lambda c: c["grid"].update(affine=np.diag([1e9, 1e9, 1e9, 1]).tolist())),
            "which no scan has",
        ),
        (lambda f: (f / "model.json").write_text("[" * 200_000), "it is nested too deep"),
        (lambda f: (f / "model.json").write_text("1" * 5000), "it holds a number with thousands of digits"),
        (lambda f: (f / "model.json").write_text('{"a": NaN'), "is not valid JSON"),
        (_mirror, "it was not saved together with model.safetensors: one of architecture, .* differs"),
        (
            lambda f: _edit_json(f, lambda c: c.update(scaling="max")),
            "it was not saved together with model.safetensors",
        ),
        (
            lambda f: _edit_json(f, lambda c: c.update(classes={"0": "AD", "1": "CN"})),
            "it was not saved together with model.safetensors",
        ),
        (_no_note, "it was not saved together with model.safetensors"),
    ],
)
def test_refuses_to_load(folder: Path, spoil: Callable[[Path], object], message: str) -> None:
    spoil(folder)
    with pytest.raises(InputError, match=message) as caught:
        load_model(folder)
    assert caught.value.where.startswith(str(folder))


def test_refuses_other_paths(folder: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        load_model(folder / "nowhere")
    (folder / "model.pt").write_bytes(b"x")
    with pytest.raises(InputError, match=r"neither model\.safetensors nor model\.json"):
        load_model(folder / "model.pt")
    (folder / "model.json").unlink()
    with pytest.raises(InputError, match=r"has no model\.json"):
        load_model(folder / "model.safetensors")


def test_grid_is_read_back_exactly(tmp_path: Path) -> None:
    save_model(tmp_path, PaperNetwork(channels=1, seed=0), INFO)
    grid = load_model(tmp_path).grid
    assert isinstance(grid, Grid)
    assert grid == PAPER_GRID
