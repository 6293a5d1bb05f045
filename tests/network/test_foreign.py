"""Networks of the user's own: what they are wrapped in, what is refused, and how they are saved and read back."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn

import pellucid
from pellucid.ground.errors import InputError, PellucidError
from pellucid.ground.files import read_json, sha256, write_json
from pellucid.image.grid import PAPER_GRID, resized
from pellucid.network.files import load_model, save_model
from pellucid.network.foreign import ForeignNetwork, import_network
from pellucid.network.fused import FusedSequential
from pellucid.network.info import ModelInfo
from pellucid.network.paper import PaperNetwork

OWN = Path(__file__).parents[1] / "own"
GRID = resized(PAPER_GRID, (24, 28, 24))
SMALL = "smallnets:SmallNet"
INFO = ModelInfo(modality="FLAIR", scaling="robust", trained={"epoch": 2})


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(OWN))


def image(batch: int = 2, *, seed: int = 0) -> torch.Tensor:
    return torch.randn((batch, 1, *GRID.shape), generator=torch.Generator().manual_seed(seed))


def trained(**options: Any) -> ForeignNetwork:
    """A network whose running statistics are those of data."""
    model = ForeignNetwork(SMALL, GRID, options=options, seed=3)
    with torch.no_grad():
        model(image(4))
    return model


class Counted(nn.Module):
    """A layer of every kind of state: a tied weight, whole numbers, a flag."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(4, 4)
        self.second = nn.Linear(4, 4)
        self.second.weight = self.first.weight
        self.register_buffer("steps", torch.tensor(7))
        self.register_buffer("on", torch.tensor(True))
        self.register_buffer("scratch", torch.full((2,), torch.inf), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.second(self.first(x[..., 0, 0, :4])).sum(dim=(1, 2))


def with_tensor(tensor: torch.Tensor) -> nn.Module:
    module = nn.Linear(2, 1)
    module.register_buffer("extra", tensor)
    return module


def test_the_logit_is_the_network_s_own() -> None:
    for path in (SMALL, "smallnets:Grouped"):
        model = ForeignNetwork(path, GRID, options={"width": 3}, seed=1).eval()
        x = image()
        assert model(x).shape == (2,)
        assert torch.equal(model(x), model.network(x).reshape(-1))
        assert (model.channels, model.options, model.name) == (None, {"width": 3}, path)
        model.try_out()
        assert not model.training


def test_a_class_is_as_good_as_where_it_is() -> None:
    own = import_network(SMALL)
    first, second = ForeignNetwork(SMALL, GRID, seed=1), ForeignNetwork(own, GRID, seed=1)
    assert first.name == second.name == SMALL
    assert torch.equal(first.eval()(image()), second.eval()(image()))


def test_trying_out_leaves_the_network_as_it_was() -> None:
    model = ForeignNetwork(SMALL, GRID, seed=1)
    model.try_out()
    assert model.training
    assert int(model.network.norm.num_batches_tracked) == 0


def test_equal_seeds_give_equal_weights_and_the_process_s_generator_is_left_alone() -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first, second, third = (ForeignNetwork(SMALL, GRID, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(first.network.conv1.weight, second.network.conv1.weight)
    assert not torch.equal(first.network.conv1.weight, third.network.conv1.weight)
    fourth = ForeignNetwork(SMALL, GRID)
    assert not torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(5)
    assert torch.equal(fourth.network.conv1.weight, import_network(SMALL)().conv1.weight)
    with pytest.raises(InputError):
        ForeignNetwork(SMALL, GRID, options={"depth": 3}, seed=1)
    torch.manual_seed(5)
    with pytest.raises(InputError):
        ForeignNetwork(SMALL, GRID, options={"depth": 3}, seed=1)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("nowhere_at_all.nets:Net", ["no module nowhere_at_all", "PYTHONPATH", "Install its package"]),
        ("smallnets.deep:Net", ["'smallnets.deep:Net'", "no module smallnets.deep"]),
        ("smallnets:SmalNet", ["has no class SmalNet", "Did you mean SmallNet?", "smallnets.py"]),
        ("smallnets:not_a_class", ["has no class not_a_class"]),
        ("smallnets:small", ["a function of", "smallnets.py", "Only a class of networks is ever called"]),
        ("subprocess:Popen", ["not a subclass of torch.nn.Module", "not called"]),
        ("pathlib:Path", ["not a subclass of torch.nn.Module"]),
        ("os:system", ["'os:system'"]),
        ("builtins:exec", ["'builtins:exec'", "no source text"]),
        ("torch:relu", ["has no class relu"]),
        ("antigravity:webbrowser", ["has no class webbrowser"]),
        ("exits:Net", ["cannot be imported: SystemExit"]),
        ("needs_more:Net", ["whose module needs nowhere_at_all", "Install nowhere_at_all"]),
        ("broken:Net", ["cannot be imported: ZeroDivisionError", "python -c 'import broken'"]),
        ("smallnets", ['"package.module:Name"']),
    ],
)
def test_what_cannot_be_imported_is_said(
    path: str, words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "needs_more.py").write_text("import nowhere_at_all\nclass Net: ...\n")
    (tmp_path / "broken.py").write_text("1 / 0\nclass Net: ...\n")
    (tmp_path / "exits.py").write_text("raise SystemExit\nclass Net: ...\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(InputError) as caught:
        import_network(path)
    assert caught.value.where == "network"
    for word in words:
        assert word in str(caught.value)


def test_the_current_folder_is_not_searched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "only_here.py").write_text("from torch import nn\nclass Net(nn.Module): pass\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry])
    before = list(sys.path)
    with pytest.raises(InputError, match="no module only_here"):
        import_network("only_here:Net")
    assert sys.path == before


@pytest.mark.filterwarnings("ignore:Lazy modules")
@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: 3, ["returns a int, not a torch.nn.Module"]),
        (nn.Flatten, ["no trainable parameter"]),
        (partial(nn.LazyLinear, 1), ["is lazy: weight has no size yet"]),
        (lambda: nn.Linear(2, 1).double(), ["weight", "torch.float64, not float32"]),
        (lambda: with_tensor(torch.tensor([torch.inf])), ["extra", "NaN or infinity", "persistent=False"]),
        (lambda: with_tensor(torch.zeros(1, dtype=torch.complex64)), ["extra", "complex64"]),
    ],
)
def test_what_could_not_be_trained_or_saved_is_refused_at_once(make: Callable[[], Any], words: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        ForeignNetwork(make, GRID, seed=0)
    assert caught.value.where == "network"
    for word in words:
        assert word in str(caught.value)


def test_a_wrong_option_is_said_with_those_that_there_are() -> None:
    with pytest.raises(
        InputError, match=r"made with depth: TypeError: .*'depth'.*takes \(width: 'int' = 2\)"
    ) as caught:
        ForeignNetwork(SMALL, GRID, options={"depth": 3})
    assert caught.value.where == "options"
    with pytest.raises(InputError, match="width is None") as caught:
        ForeignNetwork(SMALL, GRID, options={"width": None})
    assert caught.value.where == "options"


class Failing(nn.Module):
    def __init__(self, what: str) -> None:
        super().__init__()
        self.fc = nn.Linear(1, 1)
        self.what = what

    def forward(self, x: torch.Tensor) -> Any:
        if self.what == "raise":
            raise KeyError("no such thing")
        if self.what == "nan":
            return x.mean(dim=(1, 2, 3, 4)) / 0
        return (x, x)


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (partial(ForeignNetwork, "smallnets:Squeezed"), ["shape ()", "not one logit per scan"]),
        (partial(ForeignNetwork, "smallnets:TwoUnits"), ["shape (1, 2)"]),
        (partial(ForeignNetwork, "smallnets:Chain"), ["fails on an image of shape (1, 1, 24, 28, 24)", "RuntimeError"]),
        (partial(ForeignNetwork, Failing, options={"what": "raise"}), ["KeyError: 'no such thing'"]),
        (partial(ForeignNetwork, Failing, options={"what": "tuple"}), ["is a tuple, not a tensor"]),
        (partial(ForeignNetwork, Failing, options={"what": "nan"}), ["gives NaN or infinity"]),
    ],
)
def test_trying_out_finds_what_is_wrong_with_the_output(model: Callable[..., ForeignNetwork], words: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        model(grid=GRID, seed=0).try_out()
    assert caught.value.where == "network"
    for word in words:
        assert word in str(caught.value)
    assert "(B, 1, X, Y, Z)" in caught.value.fix


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (torch.zeros(1, 1, 24, 28, 23), "does not fit; X x Y x Z may be 24 x 28 x 24"),
        (torch.zeros(1, 1, 24, 28, 24).double(), "is torch.float64"),
        (torch.full((1, 1, 24, 28, 24), torch.nan), "NaN or infinity in batch item 0"),
    ],
)
def test_an_input_that_does_not_fit_is_refused(x: torch.Tensor, message: str) -> None:
    with pytest.raises(InputError, match=message):
        ForeignNetwork(SMALL, GRID, seed=0)(x)


class Averaging(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc, self.norm = nn.Linear(1, 3), nn.BatchNorm1d(3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(self.fc(x.mean(dim=(2, 3, 4)))).sum(dim=1)


def test_batch_norm_of_a_single_value_says_what_to_change() -> None:
    model = ForeignNetwork(Averaging, GRID, seed=0)
    model.train()
    assert model(image(2)).shape == (2,)
    with pytest.raises(PellucidError, match="Use another batch_size"):
        model(image(1))


def test_the_penalty_weighs_the_kernels_of_every_convolution() -> None:
    model = ForeignNetwork(SMALL, GRID, seed=0)
    inner = model.network
    expected = (inner.conv1.weight**2).sum() + (inner.conv2.weight**2).sum()
    assert model.penalty().item() == pytest.approx(expected.item())
    model.penalty().backward()
    assert torch.allclose(inner.conv2.weight.grad, 2 * inner.conv2.weight)
    none = ForeignNetwork(Averaging, GRID, seed=0).penalty()
    none.backward()
    assert none.item() == 0.0


@pytest.mark.parametrize("kind", [nn.Sequential, FusedSequential])
def test_the_field_of_view_of_a_plain_sequence_is_derived(kind: type[nn.Sequential]) -> None:
    def make() -> nn.Module:
        return kind(nn.Conv3d(1, 1, 12, stride=12), nn.ELU(), nn.Flatten(), nn.Linear(8, 1))

    model = ForeignNetwork(make, GRID, seed=0)
    view = pellucid.field_of_view(model)
    assert view.known
    assert view.stops == (24, 24, 24)
    x = image(1).requires_grad_()
    model.eval()(x).sum().backward()
    assert x.grad is not None
    assert np.array_equal(view.mask(), (x.grad[0, 0] != 0).numpy())
    assert model.corner is None  # but images come whole


class Turned(nn.Sequential):
    """A sequence by name that reads its input from the other end."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return super().forward(input.flip(3))


def hooked() -> nn.Module:
    model = nn.Sequential(nn.Conv3d(1, 1, 12, stride=12), nn.Flatten(), nn.Linear(8, 1))
    model[0].register_forward_pre_hook(lambda module, inputs: inputs[0].flip(3))
    return model


@pytest.mark.parametrize(
    "make",
    [
        lambda: Turned(nn.Conv3d(1, 1, 12, stride=12), nn.Flatten(), nn.Linear(8, 1)),
        hooked,
        lambda: nn.Sequential(nn.GroupNorm(1, 1), nn.Conv3d(1, 1, 12, stride=12), nn.Flatten(), nn.Linear(8, 1)),
        Averaging,
    ],
)
def test_nothing_is_called_unseen_without_a_proof(make: Callable[[], nn.Module]) -> None:
    view = pellucid.field_of_view(ForeignNetwork(make, GRID, seed=0))
    assert not view.known
    assert view.share == 1.0
    assert view.stops == view.shape == tuple(GRID.shape)
    assert view.mask().all()


def test_relevance_walks_through_the_wrapper_and_its_ledger_adds_up() -> None:
    model, x = trained(width=3).eval(), image()
    result = pellucid.explain(model, x)
    bare = pellucid.explain(model.network, x)
    assert torch.equal(result.relevance, bare.relevance)
    assert torch.equal(result.logit, bare.logit)
    assert [entry.layer for entry in result.ledger] == [f"network.{entry.layer}" for entry in bare.ledger]
    left = result.ledger[0].relevance_in.float()
    assert torch.allclose(left, result.relevance.sum(dim=(1, 2, 3, 4)), rtol=1e-3, atol=1e-6)


def test_a_layer_without_a_rule_is_named_and_gradients_do_without() -> None:
    model, x = ForeignNetwork("smallnets:Grouped", GRID, seed=0).eval(), image()
    with pytest.raises(PellucidError, match=r"network.norm: lrp-epsilon has no rule for GroupNorm"):
        pellucid.explain(model, x)
    for method in ("gradient", "input-x-gradient"):
        result = pellucid.explain(model, x, method=method)
        assert result.relevance.abs().sum() > 0
        assert torch.equal(result.logit, model(x).detach())


def test_a_saved_network_comes_back_with_its_buffers(tmp_path: Path) -> None:
    model = trained(width=3)
    assert int(model.network.norm.num_batches_tracked) == 1
    save_model(tmp_path, model, INFO)
    content = read_json(tmp_path / "model.json")
    assert content["architecture"] == model.name == SMALL
    assert content["options"] == {"width": 3}
    assert content["channels"] is None
    plain = load_file(tmp_path / "model.safetensors")  # the class itself can be given the file's tensors
    import_network(SMALL)(width=3).load_state_dict(plain)
    for given in (SMALL, import_network(SMALL)):
        loaded = load_model(tmp_path, network=given)
        assert not loaded.training
        assert (loaded.grid, loaded.info, loaded.options) == (GRID, INFO, {"width": 3})
        for (name, a), (other, b) in zip(loaded.state_dict().items(), model.state_dict().items(), strict=True):
            assert name == other
            assert a.dtype == b.dtype
            assert torch.equal(a, b)
        assert torch.equal(loaded(image()), model.eval()(image()))
        model.train()


def test_tied_weights_and_whole_numbers_survive(tmp_path: Path) -> None:
    model = ForeignNetwork(Counted, GRID, seed=0)
    with torch.no_grad():
        model.network.first.weight += 1
        model.network.steps += 5
    save_model(tmp_path, model, INFO)
    loaded = load_model(tmp_path, network=Counted)
    assert loaded.network.second.weight is loaded.network.first.weight
    assert (int(loaded.network.steps), bool(loaded.network.on)) == (12, True)
    assert torch.equal(loaded(image()), model.eval()(image()))


def test_a_model_file_has_nothing_imported(tmp_path: Path) -> None:
    """In a process of its own, where the module that model.json names would leave a trace."""
    save_model(tmp_path / "model", trained(), INFO)
    (tmp_path / "stranger.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nraise SystemExit\n")
    path = tmp_path / "model" / "model.json"
    write_json(path, read_json(path) | {"architecture": "stranger:SmallNet"})
    code = f"import pellucid; pellucid.load_model({str(tmp_path / 'model')!r})"
    env = {"PYTHONPATH": str(tmp_path), "PATH": "/usr/bin:/bin"}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False)
    assert not (tmp_path / "ran").exists()
    assert "never imported because they say so" in done.stderr
    loaded = load_model(tmp_path / "model", network=import_network(SMALL))  # the caller says whose code runs
    assert loaded.name == SMALL


def test_a_missing_or_needless_class_is_said(tmp_path: Path) -> None:
    save_model(tmp_path / "own", trained(), INFO)
    with pytest.raises(InputError, match=r"load_model\(folder, network=SmallNet\).*--network smallnets:SmallNet"):
        load_model(tmp_path / "own")
    with pytest.raises(InputError, match=r"is smallnets:Grouped, but the model .* is of smallnets:SmallNet"):
        load_model(tmp_path / "own", network="smallnets:Grouped")
    save_model(tmp_path / "paper", PaperNetwork(1, seed=0), INFO)
    with pytest.raises(InputError, match=r"holds a PaperNetwork\. Remove it"):
        load_model(tmp_path / "paper", network=SMALL)


def _edit(folder: Path, edit: Callable[[dict[str, torch.Tensor]], object]) -> None:
    with safe_open(folder / "model.safetensors", framework="pt") as opened:
        notes = opened.metadata()
    tensors = load_file(folder / "model.safetensors")
    edit(tensors)
    save_file(tensors, folder / "model.safetensors", metadata=notes)
    content = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps(content | {"sha256": sha256(folder / "model.safetensors")}))


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda t: t.pop("norm.running_mean"), "missing or unknown tensors: norm.running_mean"),
        (lambda t: t.update(extra=torch.zeros(1)), "missing or unknown tensors: extra"),
        (lambda t: t.update({"fc.bias": torch.zeros(2)}), r"fc.bias has shape \(2,\), not \(1,\)"),
        (
            lambda t: t.update({"fc.bias": torch.zeros(1, dtype=torch.int64)}),
            "fc.bias is of torch.int64, not of torch.float32",
        ),
        (lambda t: t.update({"fc.bias": torch.zeros(1, dtype=torch.float16)}), "torch.float16, not float32"),
        (lambda t: t.update({"norm.running_var": torch.full((2,), torch.nan)}), "holds NaN or infinity"),
    ],
)
def test_weights_of_another_network_are_refused(
    edit: Callable[[dict[str, torch.Tensor]], object], message: str, tmp_path: Path
) -> None:
    save_model(tmp_path, trained(), INFO)
    _edit(tmp_path, edit)
    with pytest.raises(InputError, match=message) as caught:
        load_model(tmp_path, network=SMALL)
    assert caught.value.where.startswith(str(tmp_path))


def test_options_of_the_file_that_the_class_does_not_take_are_said(tmp_path: Path) -> None:
    save_model(tmp_path, trained(), INFO)
    content = read_json(tmp_path / "model.json")
    write_json(tmp_path / "model.json", content | {"options": {"depth": 2}})
    with pytest.raises(InputError, match=r"model.json: its options are wrong: .*depth"):
        load_model(tmp_path, network=SMALL)
    write_json(tmp_path / "model.json", {key: value for key, value in content.items() if key != "options"})
    with pytest.raises(InputError, match="it lacks `options`"):
        load_model(tmp_path, network=SMALL)


def test_a_network_of_monai_works(tmp_path: Path) -> None:
    pytest.importorskip("monai", exc_type=ImportError)
    options = {"spatial_dims": 3, "in_channels": 1, "out_channels": 1}
    grid = resized(PAPER_GRID, (64, 64, 64))
    model = ForeignNetwork("monai.networks.nets:DenseNet121", grid, options=options, seed=0)
    model.try_out()
    x = torch.randn((1, 1, 64, 64, 64), generator=torch.Generator().manual_seed(0))
    result = pellucid.explain(model, x)
    assert result.relevance.shape == x.shape
    assert result.ledger
    save_model(tmp_path, model, INFO)
    loaded = load_model(tmp_path, network="monai.networks.nets:DenseNet121")
    assert torch.equal(loaded(x), model.eval()(x))
