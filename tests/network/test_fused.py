from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator

import numba
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils import prune

from pellucid.image.grid import PAPER_GRID, resized
from pellucid.network import paper
from pellucid.network.fused import convolve_pool_activate, fits, numba_version
from pellucid.network.paper import PaperNetwork

Size = tuple[int, int, int]
PAIRS: list[tuple[Size, Size]] = [((3, 3, 3), (3, 3, 3)), ((2, 3, 1), (3, 1, 2))]  # few: each is compiled by itself
SMALL = resized(PAPER_GRID, (71, 71, 71))


class Block(nn.Sequential):
    """Convolution, pool, ELU and dropout, one by one or fused."""

    def __init__(
        self, c_in: int = 2, c_out: int = 3, kernel: Size = (2, 3, 1), pool: Size = (3, 1, 2), p: float = 0.0
    ) -> None:
        super().__init__(nn.Conv3d(c_in, c_out, kernel), nn.MaxPool3d(pool), nn.ELU(), nn.Dropout(p))
        generator = torch.Generator().manual_seed(c_in * c_out)
        for parameter in self.parameters():
            parameter.data.normal_(generator=generator)

    def fits(self, x: torch.Tensor) -> bool:
        return fits(x, *self)

    def fused(self, x: torch.Tensor) -> torch.Tensor:
        return convolve_pool_activate(x, self[0], self[1], self[3])


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def gradients(layers: Callable[[torch.Tensor], torch.Tensor], block: nn.Module, x: torch.Tensor) -> list[torch.Tensor]:
    """Return the output and its gradients of x and the parameters, along a direction drawn at random."""
    x = x.clone().requires_grad_()
    out = layers(x)
    along = drawn(*out.shape, seed=1).to(out.dtype)
    return [out.detach(), *torch.autograd.grad(out, [x, *block.parameters()], along)]


@pytest.mark.parametrize(
    ("kind", "tolerances"), [(torch.float64, [1e-10] * 4), (torch.float32, [1e-5, 1e-5, 1e-4, 1e-4])]
)
@given(
    st.sampled_from(PAIRS), st.tuples(*[st.integers(5, 9)] * 3), st.integers(1, 3), st.integers(1, 3), st.integers(1, 5)
)
def test_equals_the_layers_one_by_one(
    kind: torch.dtype,
    tolerances: list[float],
    pair: tuple[Size, Size],
    shape: Size,
    batch: int,
    c_in: int,
    c_out: int,
) -> None:
    block, x = Block(c_in, c_out, *pair).double(), drawn(batch, c_in, *shape)
    expected = gradients(block, block, x)
    block = block.to(kind)
    assert block.fits(x.to(kind))
    found = gradients(block.fused, block, x.to(kind))
    for one, other, tolerance in zip(found, expected, tolerances, strict=True):
        assert one.dtype == kind
        torch.testing.assert_close(one.double(), other, rtol=0, atol=tolerance * float(other.abs().max()))
    assert found[0].is_contiguous(memory_format=torch.channels_last_3d)


@pytest.mark.parametrize("p", [0.0, 0.4])
@pytest.mark.parametrize("c_in", [1, 2])
def test_gradients_are_those_of_small_steps(c_in: int, p: float) -> None:
    block = Block(c_in, p=p).double()

    def output(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        with torch.random.fork_rng([]):
            torch.manual_seed(3)  # one mask
            return torch.func.functional_call(wrapped, {"block.0.weight": weight, "block.0.bias": bias}, x)

    class Wrapped(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.block = block

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.block.fused(x)

    wrapped = Wrapped()
    x = drawn(1, c_in, 4, 4, 4)
    given_values = [values.detach().clone().requires_grad_() for values in (x, block[0].weight, block[0].bias)]
    dropped = output(*given_values) == 0
    assert dropped.any() == (p > 0)
    assert torch.autograd.gradcheck(output, given_values)


def test_gradients_cannot_be_taken_twice_and_that_is_said() -> None:
    block = Block().double()
    x = drawn(1, 2, 5, 5, 5).requires_grad_()
    (gradient,) = torch.autograd.grad(block.fused(x).square().sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.sum().backward()


def test_dropout_follows_the_global_generator_and_the_mode() -> None:
    block, x = Block(p=0.5), drawn(2, 2, 9, 9, 9).float()
    torch.manual_seed(0)
    one, other = block.fused(x), block.fused(x)
    torch.manual_seed(0)
    assert torch.equal(block.fused(x), one)
    assert not torch.equal(one, other)
    block.eval()
    state = torch.get_rng_state()
    torch.testing.assert_close(block.fused(x), block(x))
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.skipif(numba.config.NUMBA_NUM_THREADS < 2, reason="numba has one thread")
@pytest.mark.parametrize("c_in", [1, 5])
def test_threads_change_nothing(c_in: int) -> None:
    block, x = Block(c_in, 16, p=0.3), drawn(3, c_in, 24, 24, 24).float()
    before, found = torch.get_num_threads(), []
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            torch.manual_seed(0)
            found.append(gradients(block.fused, block, x))
    finally:
        torch.set_num_threads(before)
    for one, two in zip(*found, strict=True):
        assert torch.equal(one, two)


def test_kernels_leave_pytorch_its_threads() -> None:
    """In a fresh process, for numba sets them once in each: with its first kernel."""
    script = (
        "import torch\n"
        "from pellucid.network.paper import PaperNetwork\n"
        "from pellucid.image.grid import PAPER_GRID\n"
        "torch.set_num_threads(1)\n"
        "model = PaperNetwork(channels=2, seed=0).train()\n"
        "model(torch.randn(1, 1, *PAPER_GRID.shape)).sum().backward()\n"
        "print(torch.get_num_threads())\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1"]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_values_that_are_not_finite_do_not_fit(value: float) -> None:
    block, x = Block(), torch.zeros(1, 2, 5, 5, 5)
    assert block.fits(x)
    x[0, 1, 2, 3, 4] = value
    assert not block.fits(x)


LAYERS: dict[str, list[nn.Module]] = {
    "stride": [nn.Conv3d(2, 3, 2, stride=2)],
    "padding": [nn.Conv3d(2, 3, 2, padding=1)],
    "padding by name": [nn.Conv3d(2, 3, 2, padding="same")],
    "dilation": [nn.Conv3d(2, 3, 2, dilation=2)],
    "groups": [nn.Conv3d(2, 4, 2, groups=2)],
    "no bias": [nn.Conv3d(2, 3, 2, bias=False)],
    "other channels": [nn.Conv3d(1, 3, 2)],
    "half precision": [nn.Conv3d(2, 3, 2).half()],
    "another precision than x": [nn.Conv3d(2, 3, 2).double()],
    "a device without numbers": [nn.Conv3d(2, 3, 2, device="meta")],
    "a kernel that is too long": [nn.Conv3d(2, 3, 9)],
    "windows that overlap": [nn.Conv3d(2, 3, 2), nn.MaxPool3d(3, stride=2)],
    "a padded pool": [nn.Conv3d(2, 3, 2), nn.MaxPool3d(2, padding=1)],
    "a dilated pool": [nn.Conv3d(2, 3, 2), nn.MaxPool3d(2, dilation=2)],
    "incomplete windows": [nn.Conv3d(2, 3, 2), nn.MaxPool3d(2, ceil_mode=True)],
    "a pool with indices": [nn.Conv3d(2, 3, 2), nn.MaxPool3d(2, return_indices=True)],
    "a window of more than 256": [nn.Conv3d(2, 3, 1), nn.MaxPool3d((5, 7, 8))],
    "a window too long for x": [nn.Conv3d(2, 3, 2), nn.MaxPool3d(8)],
    "another alpha": [nn.Conv3d(2, 3, 2), nn.MaxPool3d(2), nn.ELU(0.5)],
    "nothing kept": [nn.Conv3d(2, 3, 2), nn.MaxPool3d(2), nn.ELU(), nn.Dropout(1.0)],
}
PLAIN = [nn.Conv3d(2, 3, 2), nn.MaxPool3d(2), nn.ELU(), nn.Dropout()]


def test_plain_layers_fit() -> None:
    assert fits(torch.zeros(1, 2, 8, 8, 8), *PLAIN)
    assert fits(torch.zeros(1, 2, 8, 8, 8).double(), *[layer.double() for layer in Block(2, 3, (2, 2, 2), (2, 2, 2))])
    assert fits(torch.zeros(1, 2, 5, 8, 8), nn.Conv3d(2, 3, 1), nn.MaxPool3d((4, 8, 8)), *PLAIN[2:])


@pytest.mark.parametrize("name", LAYERS)
def test_other_layers_do_not_fit(name: str) -> None:
    layers = LAYERS[name]
    x = torch.zeros(1, 2, 8, 8, 8, dtype=torch.half if name == "half precision" else torch.float32)
    assert not fits(x, *layers, *PLAIN[len(layers) :])


def test_a_kernel_too_long_to_write_out_does_not_fit() -> None:
    x = torch.zeros(1, 1, 9, 9, 9)
    assert not fits(x, nn.Conv3d(1, 3, 4), nn.MaxPool3d(4), *PLAIN[2:])
    assert fits(x.expand(-1, 2, -1, -1, -1), nn.Conv3d(2, 3, 4), nn.MaxPool3d(4), *PLAIN[2:])


def test_other_shapes_do_not_fit() -> None:
    assert not fits(torch.zeros(2, 2, 8, 8), *PLAIN)  # one volume, which PyTorch takes too
    assert not fits(torch.zeros(0, 2, 8, 8, 8), *PLAIN)


def test_mixed_precision_does_not_fit() -> None:
    x = torch.zeros(1, 2, 8, 8, 8)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert not fits(x, *PLAIN)
    assert fits(x, *PLAIN)


@pytest.mark.parametrize("place", range(4))
@pytest.mark.parametrize(
    "register", ["register_forward_hook", "register_forward_pre_hook", "register_full_backward_hook"]
)
def test_layers_that_are_watched_do_not_fit(place: int, register: str) -> None:
    block, x = Block(), torch.zeros(1, 2, 8, 8, 8)
    handle = getattr(block[place], register)(lambda *_: None)
    assert not block.fits(x)
    handle.remove()
    assert block.fits(x)


@pytest.fixture
def no_numba(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Make numba impossible to import."""
    monkeypatch.setitem(sys.modules, "numba", None)
    numba_version.cache_clear()
    yield
    numba_version.cache_clear()


def test_without_numba_nothing_fits(no_numba: None) -> None:
    assert numba_version() is None
    assert not Block().fits(torch.zeros(1, 2, 8, 8, 8))


def test_with_numba_its_version_is_told() -> None:
    assert numba_version() == numba.__version__


def without_dropout(channels: int = 4) -> PaperNetwork:
    model = PaperNetwork(channels, grid=SMALL, seed=3)
    for layer in (model.conv1, model.conv2, model.conv3, model.conv4):
        layer.bias.data.normal_(std=0.1, generator=torch.Generator().manual_seed(1))
    for layer in model.children():
        if isinstance(layer, nn.Dropout):
            layer.p = 0.0
    return model


@pytest.fixture
def fusions(monkeypatch: pytest.MonkeyPatch) -> list[nn.Conv3d]:
    """Collect the convolutions that are fused from here on."""
    found: list[nn.Conv3d] = []

    def counted(x: torch.Tensor, convolution: nn.Conv3d, pool: nn.MaxPool3d, dropout: nn.Dropout) -> torch.Tensor:
        found.append(convolution)
        return convolve_pool_activate(x, convolution, pool, dropout)

    monkeypatch.setattr(paper, "convolve_pool_activate", counted)
    return found


def steps(model: PaperNetwork, x: torch.Tensor) -> list[torch.Tensor]:
    logit = model(x)
    return [logit.detach(), *torch.autograd.grad(logit.sum(), list(model.parameters()))]


def test_the_network_trains_as_layer_by_layer(monkeypatch: pytest.MonkeyPatch, fusions: list[nn.Conv3d]) -> None:
    model, x = without_dropout(), torch.randn(2, 1, 71, 71, 71, generator=torch.Generator().manual_seed(2))
    found = steps(model, x)
    assert fusions == [model.conv1, model.conv2, model.conv4]
    monkeypatch.setattr(paper, "fits", lambda *_: False)
    expected = steps(model, x)
    assert len(fusions) == 3
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-4 * float(other.abs().max()))
    torch.testing.assert_close(found[0], expected[0], rtol=1e-5, atol=1e-6)


def test_the_network_trains_without_numba(no_numba: None, fusions: list[nn.Conv3d]) -> None:
    model, x = without_dropout(2), torch.randn(1, 1, 71, 71, 71)
    assert all(gradient.isfinite().all() for gradient in steps(model, x))
    assert not fusions


def test_prediction_is_fused_without_gradients_only(fusions: list[nn.Conv3d]) -> None:
    model, x = PaperNetwork(4, grid=SMALL, seed=3).eval(), torch.randn(2, 1, 71, 71, 71)
    with_gradients = model(x)
    assert not fusions
    for mode in (torch.no_grad, torch.inference_mode):
        with mode():
            torch.testing.assert_close(model(x), with_gradients.detach(), rtol=1e-5, atol=1e-5)
    assert len(fusions) == 6


def test_hooks_are_called_in_prediction_and_training(fusions: list[nn.Conv3d]) -> None:
    model, x = PaperNetwork(2, grid=SMALL, seed=3).eval(), torch.randn(1, 1, 71, 71, 71)
    seen: list[torch.Tensor] = []
    model.pool2.register_forward_hook(lambda module, inputs, output: seen.append(output))
    with torch.no_grad():
        model(x)
    assert len(seen) == 1
    assert fusions == [model.conv1, model.conv4]
    model.train()(x)
    assert len(seen) == 2


def test_pruned_kernels_are_pruned() -> None:
    """Pruning masks the kernels by a hook before each call."""
    model, x = PaperNetwork(2, grid=SMALL, seed=3).eval(), torch.randn(1, 1, 71, 71, 71)
    prune.random_unstructured(model.conv1, "weight", amount=0.5)
    model.conv1.weight_orig.data.mul_(2.0)
    expected = model(x).detach()
    model.conv1.weight_orig.data.mul_(0.5)
    model(x)
    model.conv1.weight_orig.data.mul_(2.0)  # what the last call left in `weight` is now out of date
    with torch.no_grad():
        torch.testing.assert_close(model(x), expected)


def test_a_recorded_network_has_the_layers(fusions: list[nn.Conv3d]) -> None:
    """An operation of numba's could only be recorded as its result for one image."""
    model, x = PaperNetwork(2, grid=SMALL, seed=3).eval(), torch.randn(1, 1, 71, 71, 71)
    other = torch.randn(1, 1, 71, 71, 71)
    expected = model(other).detach()
    with torch.no_grad():
        for recorded in (
            torch.fx.symbolic_trace(model),
            torch.export.export(model, (x,)).module(),
            torch.compile(model, backend="eager", fullgraph=True),
        ):
            torch.testing.assert_close(recorded(other), expected, rtol=1e-5, atol=1e-5)
    assert not fusions


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
def test_layers_that_are_traced_do_not_fit() -> None:
    block, answers = Block(), []

    def layers(x: torch.Tensor) -> torch.Tensor:
        answers.append(block.fits(x))
        return x + 1

    torch.jit.trace(layers, torch.zeros(1, 2, 8, 8, 8), check_trace=False)
    assert answers == [False]


def test_numba_is_imported_at_first_use() -> None:
    code = """
import sys
import torch
import pellucid
model = pellucid.PaperNetwork(1)
print("numba" in sys.modules)
from pellucid.network.fused import fits
fits(torch.zeros(1, 1, 9, 9, 9), model.conv1, model.pool1, model.elu1, model.drop1)
print("numba" in sys.modules)
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert ran.stdout.split() == ["False", "True"]
