from __future__ import annotations

import copy
import os
import subprocess
import sys
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path

import numba
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils import prune

from pellucid.image.grid import PAPER_GRID, resized
from pellucid.network import fused, fused_functions
from pellucid.network.fused import FusedSequential
from pellucid.network.fused_functions import (
    bfloat16_convolutions,
    bfloat16_obstacle,
    convolve_pool,
    elu_dropout,
    numba_version,
)
from pellucid.network.paper import PaperNetwork

Size = tuple[int, int, int]
KERNELS: list[tuple[Size, Size]] = [((3, 3, 3), (3, 3, 3)), ((2, 3, 1), (3, 1, 2))]  # few: each is compiled by itself
SMALL = resized(PAPER_GRID, (71, 71, 71))


def block(
    c_in: int = 2,
    c_out: int = 3,
    kernel: Size = (2, 3, 1),
    pool: Size = (3, 1, 2),
    *,
    p: float = 0.0,
    padding: int | Size | str = 0,
    bias: bool = True,
    before: list[nn.Module] | None = None,
    behind: list[nn.Module] | None = None,
) -> FusedSequential:
    """Return convolution, `before`, pool and `behind` (ELU and dropout, if not given), with weights drawn at random."""
    layers = FusedSequential(
        nn.Conv3d(c_in, c_out, kernel, padding=padding, bias=bias),
        *(before or []),
        nn.MaxPool3d(pool),
        *([nn.ELU(), nn.Dropout(p)] if behind is None else behind),
    )
    generator = torch.Generator().manual_seed(c_in * c_out)
    for parameter in layers.parameters():
        parameter.data.normal_(generator=generator)
    return layers.double()


def elu_dropout_block(p: float, c_in: int = 2, c_out: int = 3) -> FusedSequential:
    """Return a block whose ELU and dropout are fused, too: a convolution reads what they make."""
    return block(c_in, c_out, behind=[nn.ELU(), nn.Dropout(p), nn.Conv3d(c_out, 2, 1)])


def plain(layers: FusedSequential) -> nn.Sequential:
    """Return the same layers one by one."""
    return nn.Sequential(OrderedDict(layers.named_children()))


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def gradients(layers: nn.Module, x: torch.Tensor) -> list[torch.Tensor]:
    """Return the output and its gradients of x and the parameters, along a direction drawn at random."""
    x = x.clone().requires_grad_()
    out = layers(x)
    along = drawn(*out.shape, seed=1).to(out.dtype)
    return [out.detach(), *torch.autograd.grad(out, [x, *layers.parameters()], along)]


def assert_close(found: list[torch.Tensor], expected: list[torch.Tensor], tolerances: list[float]) -> None:
    for one, other, tolerance in zip(found, expected, tolerances, strict=True):
        torch.testing.assert_close(one.double(), other.double(), rtol=0, atol=tolerance * float(other.abs().max()))


@pytest.fixture(autouse=True)
def _however_little(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fuse small tests, too."""
    monkeypatch.setattr(fused_functions, "_LEAST_WORK", 0)


@pytest.fixture
def fusions(monkeypatch: pytest.MonkeyPatch) -> list[nn.Conv3d]:
    """Collect the convolutions that are fused from here on."""
    found: list[nn.Conv3d] = []

    def counted(x: torch.Tensor, convolution: nn.Conv3d, pool: nn.MaxPool3d) -> torch.Tensor:
        found.append(convolution)
        return convolve_pool(x, convolution, pool)

    monkeypatch.setattr(fused, "convolve_pool", counted)
    return found


@pytest.mark.parametrize(
    ("kind", "tolerances"), [(torch.float64, [1e-10] * 4), (torch.float32, [1e-5, 1e-5, 1e-4, 1e-4])]
)
@given(
    st.sampled_from(KERNELS),
    st.tuples(*[st.integers(5, 9)] * 3),
    st.integers(1, 3),
    st.integers(1, 3),
    st.integers(1, 5),
    st.sampled_from([0, 1, (0, 2, 1)]),
    st.sampled_from([None, [nn.ELU()], [nn.Softsign()]]),
)
def test_equals_the_layers_one_by_one(
    kind: torch.dtype,
    tolerances: list[float],
    sizes: tuple[Size, Size],
    shape: Size,
    batch: int,
    c_in: int,
    c_out: int,
    padding: int | Size,
    before: list[nn.Module] | None,
) -> None:
    layers, x = block(c_in, c_out, *sizes, padding=padding, before=before), drawn(batch, c_in, *shape)
    expected = gradients(plain(layers), x)
    layers = layers.to(kind)
    assert layers.paths(x.to(kind)) == {"0": "fused"}
    found = gradients(layers, x.to(kind))
    assert all(values.dtype == kind for values in found)
    assert_close(found, expected, tolerances)


@pytest.mark.parametrize("behind", [[], [nn.ELU()], [nn.ReLU(), nn.Dropout(0.0)], [nn.Dropout(0.0)], [nn.ELU(0.5)]])
@pytest.mark.parametrize("bias", [True, False])
def test_other_layers_may_follow_and_the_bias_may_be_missing(behind: list[nn.Module], bias: bool) -> None:
    layers, x = block(behind=behind, bias=bias), drawn(2, 2, 7, 8, 9)
    assert layers.paths(x) == {"0": "fused"}
    found, expected = gradients(layers, x), gradients(plain(layers), x)
    assert_close(found, expected, [1e-10] * len(found))


@pytest.mark.parametrize("padding", ["same", "valid"])
def test_padding_may_be_named(padding: str) -> None:
    layers, x = block(1, 2, *KERNELS[0], padding=padding), drawn(1, 1, 7, 8, 9)
    assert layers.paths(x) == {"0": "fused"}
    assert_close(gradients(layers, x), gradients(plain(layers), x), [1e-10] * 4)


def test_parameters_and_state_are_those_of_the_layers() -> None:
    layers = block()
    assert list(layers.state_dict()) == list(plain(layers).state_dict()) == ["0.weight", "0.bias"]
    twin = copy.deepcopy(layers)
    twin.load_state_dict(plain(layers).state_dict())
    assert torch.equal(twin(drawn(1, 2, 5, 5, 5)), layers(drawn(1, 2, 5, 5, 5)))
    named = FusedSequential(OrderedDict(first=nn.Conv3d(1, 1, 1), second=nn.MaxPool3d(1)))
    assert list(named.state_dict()) == ["first.weight", "first.bias"]


def with_one_mask(layers: nn.Module, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    with torch.random.fork_rng([]):
        torch.manual_seed(3)
        return torch.func.functional_call(layers, {"0.weight": weight, "0.bias": bias}, (x,))


@pytest.mark.parametrize("p", [0.0, 0.4])
@pytest.mark.parametrize("c_in", [1, 2])
def test_gradients_and_theirs_are_those_of_small_steps(c_in: int, p: float) -> None:
    layers, x = elu_dropout_block(p, c_in), drawn(1, c_in, 4, 4, 4)
    leaves = [values.detach().clone().requires_grad_() for values in (x, layers[0].weight, layers[0].bias)]
    dropped = with_one_mask(layers, *leaves)
    layers.eval()
    assert torch.equal(with_one_mask(layers, *leaves), dropped) == (p == 0)
    layers.train()
    assert torch.autograd.gradcheck(lambda *values: with_one_mask(layers, *values), leaves)
    assert torch.autograd.gradgradcheck(lambda *values: with_one_mask(layers, *values), leaves)


def test_dropout_follows_the_global_generator_and_the_mode() -> None:
    layers, x = elu_dropout_block(0.5), drawn(2, 2, 9, 9, 9)
    torch.manual_seed(0)
    one, other = layers(x), layers(x)
    torch.manual_seed(0)
    assert torch.equal(layers(x), one)
    assert not torch.equal(one, other)
    layers.eval()
    state = torch.get_rng_state()
    torch.testing.assert_close(layers(x), plain(layers)(x))
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.skipif(numba.config.NUMBA_NUM_THREADS < 2, reason="numba has one thread")
@pytest.mark.parametrize("c_in", [1, 5])
def test_threads_change_nothing(c_in: int) -> None:
    layers, x = block(c_in, 16, behind=[]).float(), drawn(3, c_in, 24, 24, 24).float()

    class Activated(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return elu_dropout(convolve_pool(x, layers[0], layers[1]), 0.3)

        def parameters(self, recurse: bool = True) -> Iterator[nn.Parameter]:
            return layers.parameters(recurse)

    before, found = torch.get_num_threads(), []
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            torch.manual_seed(0)
            found.append(gradients(Activated(), x))
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


def test_python_threads_may_run_it_at_once() -> None:
    layers, x = block(c_in=1), drawn(1, 1, 20, 20, 20)
    expected, found = layers(x), []
    workers = [threading.Thread(target=lambda: found.extend(layers(x) for _ in range(20))) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(found) == 80
    assert all(torch.equal(one, expected) for one in found)


@pytest.mark.slow
def test_dask_workers_run_it() -> None:
    """Two tasks at once in each of two worker processes: the bits are those of this process."""
    script = (
        "import torch\n"
        "from distributed import Client, LocalCluster\n"
        "from pellucid.network.paper import PaperNetwork\n"
        "from pellucid.image.grid import PAPER_GRID\n"
        "def result(seed):\n"
        "    import torch\n"
        "    torch.set_num_threads(1)\n"
        "    model = PaperNetwork(channels=2, seed=seed).eval()\n"
        "    x = torch.rand(1, 1, *PAPER_GRID.shape, generator=torch.Generator().manual_seed(seed))\n"
        "    assert model.paths(x)['conv1'] == 'fused'\n"
        "    logit = model(x)\n"
        "    logit.sum().backward()\n"
        "    return logit.item(), model.conv1.weight.grad.numpy().tobytes()\n"
        "if __name__ == '__main__':\n"
        "    expected = [result(seed) for seed in range(6)]\n"
        "    with LocalCluster(n_workers=2, threads_per_worker=2, dashboard_address=None) as c, Client(c) as client:\n"
        "        print(client.gather(client.map(result, range(6))) == expected)\n"
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "script.py"
        path.write_text(script)
        done = subprocess.run([sys.executable, path], capture_output=True, text=True, timeout=240, check=False)
    assert done.stdout.split() == ["True"], done.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_process_goes_layer_by_layer() -> None:
    """numba ends a process that runs a kernel after one has run in the process that it was forked from."""
    script = (
        "import os, torch\n"
        "from torch import nn\n"
        "from pellucid.network import fused_functions\n"
        "from pellucid.network.fused import FusedSequential\n"
        "fused_functions._LEAST_WORK = 0\n"
        "torch.set_num_threads(1)\n"
        "layers, x = FusedSequential(nn.Conv3d(1, 2, 2), nn.MaxPool3d(2)), torch.randn(1, 1, 6, 6, 6)\n"
        "before = layers(x)\n"
        "child = os.fork()\n"
        "if not child:\n"
        "    same = torch.allclose(layers(x), before)\n"
        "    forked = 'was forked' in layers.paths(x)['0']\n"
        "    os._exit(0 if same and forked else 1)\n"
        "print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == ["0"], done.stderr


@pytest.mark.skipif(bfloat16_obstacle() is not None, reason=f"no bfloat16 here: {bfloat16_obstacle()}")
def test_bfloat16_rounds_the_factors_of_several_channels_and_nothing_else() -> None:
    layers, x = block(c_in=4, behind=[]).float(), drawn(2, 4, 9, 9, 9).float()
    with torch.no_grad():
        exact = layers(x)
        with bfloat16_convolutions():
            found = layers(x)
            alone = block(c_in=1, behind=[]).float()(x[:, :1])
            double = block(c_in=4, behind=[])(x.double())
        rounded = copy.deepcopy(layers)
        rounded[0].weight.data = rounded[0].weight.bfloat16().float()
        expected = rounded(x.bfloat16().float())
    assert found.dtype == torch.float32
    largest = float(exact.abs().max())
    assert not torch.equal(found, exact)
    torch.testing.assert_close(found, expected, rtol=0, atol=4e-3 * largest)  # the output is rounded once more
    torch.testing.assert_close(found, exact, rtol=0, atol=1.2e-2 * largest)
    with torch.no_grad():
        assert torch.equal(alone, block(c_in=1, behind=[]).float()(x[:, :1]))
        assert torch.equal(double, block(c_in=4, behind=[])(x.double()))
        assert torch.equal(layers(x), exact)  # over again


def test_where_bfloat16_gains_nothing_is_told(no_numba: None) -> None:
    assert bfloat16_obstacle() == "numba is missing"


def test_values_that_are_not_finite_are_as_in_pytorch() -> None:
    layers, x = block(behind=[]), drawn(1, 2, 6, 8, 8)
    x[0, 1, 2, 3, 4] = torch.nan
    found, expected = layers(x), plain(layers)(x)
    torch.testing.assert_close(found, expected, equal_nan=True)
    assert 0 < int(found.isnan().sum()) < found.numel()


def test_inputs_may_lie_anyhow_in_memory() -> None:
    layers, x = block(1), drawn(2, 1, 9, 8, 14)
    expected = layers(x)
    strange = torch.zeros(2, 1, 14, 8, 18, dtype=x.dtype)[..., ::2].transpose(2, 4)
    strange.copy_(x)
    assert not strange.is_contiguous()
    assert torch.equal(layers(strange), expected)
    assert torch.equal(layers(x.contiguous(memory_format=torch.channels_last_3d)), expected)


OTHERS: dict[str, tuple[list[nn.Module], str]] = {
    "stride": ([nn.Conv3d(2, 3, 2, stride=2)], "stride"),
    "dilation": ([nn.Conv3d(2, 3, 2, dilation=2)], "stride"),
    "groups": ([nn.Conv3d(2, 4, 2, groups=2)], "groups"),
    "padding with what is there": ([nn.Conv3d(2, 3, 2, padding=1, padding_mode="circular")], "circular"),
    "half precision": ([nn.Conv3d(2, 3, 2).half()], "float16"),
    "another precision than x": ([nn.Conv3d(2, 3, 2).double()], "float64"),
    "a device without numbers": ([nn.Conv3d(2, 3, 2, device="meta")], "input is on"),
    "windows that overlap": ([nn.Conv3d(2, 3, 2), nn.MaxPool3d(3, stride=2)], "overlap"),
    "a padded pool": ([nn.Conv3d(2, 3, 2), nn.MaxPool3d(2, padding=1)], "padded"),
    "a dilated pool": ([nn.Conv3d(2, 3, 2), nn.MaxPool3d(2, dilation=2)], "dilated"),
    "incomplete windows": ([nn.Conv3d(2, 3, 2), nn.MaxPool3d(2, ceil_mode=True)], "incomplete"),
    "a window of more than 256": ([nn.Conv3d(2, 3, 1), nn.MaxPool3d((5, 7, 8))], "256"),
    "no pool": ([nn.Conv3d(2, 3, 2), nn.ELU()], "no max-pool"),
    "an activation that falls": ([nn.Conv3d(2, 3, 2), nn.GELU(), nn.MaxPool3d(2)], "no max-pool"),
    "an ELU that falls": ([nn.Conv3d(2, 3, 2), nn.ELU(-1.0), nn.MaxPool3d(2)], "no max-pool"),
    "a CELU of negative alpha": ([nn.Conv3d(2, 3, 2), nn.CELU(-1.0), nn.MaxPool3d(2)], "no max-pool"),
    "a softplus that falls": ([nn.Conv3d(2, 3, 2), nn.Softplus(threshold=1), nn.MaxPool3d(2)], "no max-pool"),
    "a softplus of negative beta": ([nn.Conv3d(2, 3, 2), nn.Softplus(-1.0), nn.MaxPool3d(2)], "no max-pool"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_what_the_kernels_do_not_do_runs_layer_by_layer(name: str, fusions: list[nn.Conv3d]) -> None:
    given_layers, why = OTHERS[name]
    layers = FusedSequential(*given_layers, *([nn.MaxPool3d(2)] if len(given_layers) == 1 else []))
    x = torch.randn(2, 2, 9, 9, 9, dtype=torch.half if name == "half precision" else torch.float32)
    if name in ("another precision than x", "a device without numbers"):  # PyTorch refuses those
        assert why in str(fused.obstacle(x, layers[0], layers[1]))
        return
    assert why in layers.paths(x)["0"]
    torch.testing.assert_close(layers(x), plain(layers)(x))
    assert not fusions


def test_what_is_little_work_is_not_worth_a_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fused_functions, "_LEAST_WORK", 1000)
    layers = FusedSequential(nn.Conv3d(1, 2, 2), nn.MaxPool3d(2))
    assert "too little" in layers.paths(torch.zeros(1, 1, 4, 4, 4))["0"]  # 27 positions, 16 products each
    assert layers.paths(torch.zeros(1, 1, 5, 5, 5)) == {"0": "fused"}  # 64 positions


def test_a_single_volume_without_batch_runs_layer_by_layer(fusions: list[nn.Conv3d]) -> None:
    layers, x = block(), drawn(2, 8, 8, 8)
    torch.testing.assert_close(layers(x), plain(layers)(x))
    assert not fusions


def test_too_small_an_input_gets_pytorch_s_own_error() -> None:
    with pytest.raises(RuntimeError, match="Kernel size"):
        block()(drawn(1, 2, 1, 1, 1))


def test_autocast_runs_layer_by_layer(fusions: list[nn.Conv3d]) -> None:
    layers, x = block().float(), drawn(1, 2, 8, 8, 8).float()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(layers(x), plain(layers)(x))
        assert "autocast" in layers.paths(x)["0"]
    assert not fusions


@pytest.mark.parametrize("place", range(4))
@pytest.mark.parametrize(
    "register", ["register_forward_hook", "register_forward_pre_hook", "register_full_backward_hook"]
)
def test_hooks_are_called(place: int, register: str) -> None:
    layers, x = block(), drawn(1, 2, 8, 8, 8).requires_grad_()
    called: list[int] = []
    handle = getattr(layers[place], register)(lambda *_: called.append(1))
    layers(x).sum().backward()
    assert called
    handle.remove()
    layers(x).sum().backward()
    assert len(called) == 1


@pytest.mark.parametrize("register", ["register_module_forward_hook", "register_module_forward_pre_hook"])
def test_global_hooks_see_every_layer(register: str) -> None:
    layers, x, called = block(), drawn(1, 2, 8, 8, 8), []
    handle = getattr(nn.modules.module, register)(lambda module, *_: called.append(type(module)))
    try:
        expected = plain(layers)(x)
        of_plain, called = called, []
        torch.testing.assert_close(layers(x), expected)
    finally:
        handle.remove()
    kinds = {nn.Conv3d, nn.MaxPool3d, nn.ELU, nn.Dropout}
    assert [kind for kind in called if kind in kinds] == [kind for kind in of_plain if kind in kinds]
    assert kinds <= set(called)


@pytest.mark.parametrize("place", range(4))
def test_a_replaced_forward_is_respected(place: int, fusions: list[nn.Conv3d]) -> None:
    layers, x = elu_dropout_block(0.0), drawn(1, 2, 8, 8, 8)
    whole, original = layers(x), layers[place].forward
    layers[place].forward = lambda values: 2.0 * original(values)
    changed = layers(x)
    assert not torch.allclose(changed, whole)
    torch.testing.assert_close(changed, plain(layers)(x))


def test_a_replaced_forward_of_a_class_is_respected(monkeypatch: pytest.MonkeyPatch, fusions: list[nn.Conv3d]) -> None:
    layers, x = block(), drawn(1, 2, 8, 8, 8)
    original = nn.Conv3d.forward
    monkeypatch.setattr(nn.Conv3d, "forward", lambda self, values: 2.0 * original(self, values))
    torch.testing.assert_close(layers(x), plain(layers)(x))
    assert not fusions


IN_PLACE: dict[str, list[nn.Module]] = {
    "behind ELU and dropout": [nn.MaxPool3d(2), nn.ELU(), nn.Dropout(0.0), nn.ReLU(inplace=True)],
    "behind the block, ELU and dropout last": [nn.MaxPool3d(2), nn.ELU(), nn.Dropout(0.0)],
    "behind the block, ELU last": [nn.MaxPool3d(2), nn.ELU()],
    "behind the block, the pool last": [nn.MaxPool3d(2)],
    "behind the block, a moved ReLU": [nn.ReLU(), nn.MaxPool3d(2)],
    "behind the block, a moved ELU and a dropout": [nn.ELU(), nn.MaxPool3d(2), nn.Dropout(0.0)],
    "behind the block, a moved sigmoid": [nn.Sigmoid(), nn.MaxPool3d(2)],
    "behind a moved tanh": [nn.Tanh(), nn.MaxPool3d(2), nn.ReLU(inplace=True)],
}


@pytest.mark.parametrize("name", IN_PLACE)
@pytest.mark.parametrize("training", [True, False])
def test_what_comes_out_may_be_overwritten(name: str, training: bool, fusions: list[nn.Conv3d]) -> None:
    """As what the layers one by one give: a residual sum or an activation works in its place."""
    layers = FusedSequential(nn.Conv3d(2, 2, 2), *IN_PLACE[name]).double().train(training)
    layers[0].weight.data = drawn(2, 2, 2, 2, 2, seed=5)

    def found(network: nn.Module) -> list[torch.Tensor]:
        x = drawn(1, 2, 7, 7, 7).requires_grad_()
        out = network(x)
        if not name.startswith("behind the block"):  # the last layer overwrites what it was given
            return [out.detach(), *torch.autograd.grad(out.square().sum(), [x, *network.parameters()])]
        out += 0.5
        torch.relu_(out)
        return [out.detach(), *torch.autograd.grad(out.square().sum(), [x, *network.parameters()])]

    expected = found(plain(layers))
    fusions.clear()
    assert_close(found(layers), expected, [1e-10] * 4)
    assert len(fusions) == 1


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")  # PyTorch uses it for max-pools
def test_torch_func_and_forward_mode_go_layer_by_layer() -> None:
    layers, x = block(), drawn(3, 2, 8, 8, 8)
    one_by_one = plain(layers)

    def loss(network: nn.Module, values: torch.Tensor) -> torch.Tensor:
        return network(values).square().sum()

    for transform in (
        lambda network: torch.func.grad(lambda v: loss(network, v))(x),
        lambda network: torch.func.vmap(lambda v: network(v[None])[0])(x),
        lambda network: torch.func.vmap(torch.func.grad(lambda v: loss(network, v[None])))(x),
        lambda network: torch.func.jvp(network, (x,), (torch.ones_like(x),))[1],
    ):
        torch.testing.assert_close(transform(layers), transform(one_by_one))
    with torch.autograd.forward_ad.dual_level():
        dual = torch.autograd.forward_ad.make_dual(x, torch.ones_like(x))
        tangents = [torch.autograd.forward_ad.unpack_dual(network(dual)).tangent for network in (layers, one_by_one)]
    torch.testing.assert_close(*tangents)


@pytest.mark.parametrize("behind", [[nn.ELU()], [nn.ELU(), nn.Dropout(0.0), nn.Conv3d(3, 1, 1)]])
def test_several_gradients_at_once(behind: list[nn.Module], fusions: list[nn.Conv3d]) -> None:
    layers = block(behind=behind)

    def found(network: nn.Module) -> tuple[torch.Tensor, ...]:
        x = drawn(1, 2, 7, 7, 7).requires_grad_()
        out = network(x)
        along = torch.stack([drawn(*out.shape, seed=seed) for seed in range(3)])
        return torch.autograd.grad(out, [x, *network.parameters()], along, is_grads_batched=True)

    expected = found(plain(layers))
    fusions.clear()
    torch.testing.assert_close(found(layers), expected)
    assert len(fusions) == 1


def test_dispatch_modes_see_the_convolution(fusions: list[nn.Conv3d]) -> None:
    from torch.utils.flop_counter import FlopCounterMode

    layers, x = block(), drawn(1, 2, 8, 8, 8)
    counts = []
    for network in (layers, plain(layers)):
        with FlopCounterMode(display=False) as counter:
            network(x)
        counts.append(counter.get_total_flops())
    assert counts[0] == counts[1] > 0
    assert not fusions


class Viewed(nn.Module):
    """A layer of a user's own that wants contiguous values."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.view(x.size(0), -1)


@pytest.mark.parametrize("contiguous", [True, False])
def test_what_comes_out_can_be_viewed_where_it_could_be_layer_by_layer(
    contiguous: bool, fusions: list[nn.Conv3d]
) -> None:
    layers, x = block(behind=[nn.ELU(), nn.Dropout(0.0)]), drawn(2, 2, 8, 8, 8)
    inside = FusedSequential(*layers, Viewed())
    if not contiguous:
        x = x.contiguous(memory_format=torch.channels_last_3d)
    expected = plain(layers)(x)
    found = layers(x)
    assert fusions
    torch.testing.assert_close(found.view(2, -1), expected.reshape(2, -1))
    torch.testing.assert_close(inside(x), expected.reshape(2, -1))


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_torch_jit_scripts_the_layers_one_by_one() -> None:
    layers, x = block().eval(), drawn(1, 2, 8, 8, 8)
    torch.testing.assert_close(torch.jit.script(layers)(x), plain(layers)(x))


def test_an_activation_between_is_seen_as_it_is(fusions: list[nn.Conv3d]) -> None:
    layers, x, seen = block(before=[nn.ReLU()]), drawn(1, 2, 8, 8, 8), []
    layers[1].register_forward_hook(lambda module, inputs, output: seen.append(output.shape))
    layers(x)
    assert not fusions
    assert seen == [(1, 3, 7, 6, 8)]


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


def test_it_can_be_recorded(fusions: list[nn.Conv3d]) -> None:
    layers, x = block().eval(), drawn(1, 2, 8, 8, 8)
    torch.testing.assert_close(torch.fx.symbolic_trace(layers)(x), plain(layers)(x))
    assert not fusions


@pytest.fixture
def no_numba(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Make numba impossible to import."""
    monkeypatch.setitem(sys.modules, "numba", None)
    numba_version.cache_clear()
    yield
    numba_version.cache_clear()


def test_without_numba_it_runs_layer_by_layer(no_numba: None, fusions: list[nn.Conv3d]) -> None:
    assert numba_version() is None
    layers, x = block(), drawn(1, 2, 8, 8, 8)
    assert "numba is missing" in layers.paths(x)["0"]
    torch.testing.assert_close(layers(x), plain(layers)(x))
    assert not fusions


def test_with_numba_its_version_is_told() -> None:
    assert numba_version() == numba.__version__


def test_the_network_trains_as_layer_by_layer(monkeypatch: pytest.MonkeyPatch, fusions: list[nn.Conv3d]) -> None:
    model, x = PaperNetwork(4, grid=SMALL, seed=3), torch.randn(2, 1, 71, 71, 71)
    for layer in model.children():
        if isinstance(layer, nn.Conv3d):
            layer.bias.data.normal_(std=0.1)
        if isinstance(layer, nn.Dropout):
            layer.p = 0.0
    found = gradients(model, x)
    assert fusions == [model.conv1, model.conv2, model.conv4]
    monkeypatch.setattr(fused, "obstacle", lambda *_: "a test")
    expected = gradients(model, x)
    assert len(fusions) == 3
    assert_close(found, expected, [1e-5, 1e-5] + [1e-4] * 10)
