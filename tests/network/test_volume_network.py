"""What both networks share: what they refuse, what they say when the memory ends, and the penalty."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

from pellucid.ground.errors import InputError, PellucidError
from pellucid.image.grid import PAPER_GRID, resized
from pellucid.network.architectures import NETWORKS
from pellucid.network.paper import PaperNetwork
from pellucid.network.volume_network import VolumeNetwork, fit_input, is_out_of_memory

SMALL = resized(PAPER_GRID, (71, 71, 71))


@pytest.fixture(scope="module", params=NETWORKS)
def model(request: pytest.FixtureRequest) -> VolumeNetwork:
    return NETWORKS[request.param](channels=2, grid=SMALL, seed=0).eval()


def drawn(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def test_the_penalty_is_the_sum_of_squares_of_two_kernels(model: VolumeNetwork) -> None:
    model.conv3.bias.data.fill_(7)
    slow = sum(float(w) ** 2 for layer in (model.conv3, model.conv4) for w in layer.weight.detach().flatten())
    penalty = model.penalty()
    assert penalty.item() == pytest.approx(slow, rel=1e-5)
    penalty.backward()
    torch.testing.assert_close(model.conv4.weight.grad, 2 * model.conv4.weight.detach())
    assert model.conv2.weight.grad is None


def test_a_network_made_here_has_no_info(model: VolumeNetwork) -> None:
    with pytest.raises(PellucidError, match="was not loaded"):
        _ = model.info


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
def test_what_is_not_finite_is_named(model: VolumeNetwork, value: float) -> None:
    x = torch.zeros(4, 1, 71, 71, 71)
    x[0, 0, 3, 4, 5] = x[2, 0, 70, 70, 70] = value
    with pytest.raises(InputError, match=r"x: has NaN or infinity in batch item 0, 2\. Clean these images"):
        model(x)


def test_infinities_that_cancel_are_found(model: VolumeNetwork) -> None:
    x = torch.zeros(2, 1, 71, 71, 71)
    x[1, 0, 0, 0, :2] = torch.tensor([torch.inf, -torch.inf])
    with pytest.raises(InputError, match="in batch item 1"):
        model(x)


def test_finite_values_of_infinite_sum_are_none(model: VolumeNetwork) -> None:
    x = torch.full((1, 1, 71, 71, 71), 1e38)
    assert not torch.isfinite(x.sum())
    assert torch.equal(fit_input(x, (71, 71, 71), (71, 71, 71), torch.float32), x)


@pytest.mark.parametrize(
    ("dtype", "message"),
    [
        (torch.float64, r"x: is torch.float64, the model's weights are torch.float32. Convert it with x.to\(torch.flo"),
        (torch.float16, r"x: is torch.float16, the model's weights are torch.float32. Convert it with x.to\(torch.flo"),
        (torch.int16, r"x: is torch.int16, the model's weights are torch.float32. Convert it with x.to\(torch.float32"),
    ],
)
def test_other_data_types_are_refused(model: VolumeNetwork, dtype: torch.dtype, message: str) -> None:
    with pytest.raises(InputError, match=message):
        model(torch.zeros(1, 1, 71, 71, 71, dtype=dtype))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_for_autocast(dtype: torch.dtype) -> None:
    model = PaperNetwork(channels=1, grid=SMALL, seed=0).to(dtype)
    x = torch.zeros(1, 1, 71, 71, 71)
    with pytest.raises(InputError, match=r"and so are the model's weights. Use x.float\(\) and model.float\(\), under"):
        model(x.to(dtype))
    with pytest.raises(InputError, match=r"x: is torch.float32, .* Use x.float\(\) and model.float\(\)"):
        model(x)


def test_autocast_takes_single_and_half_precision_but_not_double(model: VolumeNetwork) -> None:
    x = drawn(1, 1, 71, 71, 71)
    with torch.no_grad():
        expected = model(x)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            for given in (x, x.bfloat16()):
                torch.testing.assert_close(model(given).float(), expected, rtol=0.05, atol=0.05)
            with pytest.raises(InputError, match=r"is torch\.float64"):
                model(x.double())


def test_an_array_is_no_tensor(model: VolumeNetwork) -> None:
    with pytest.raises(InputError, match=r"x: is ndarray, not a tensor. Convert it with torch.as_tensor\(x\)"):
        model(np.zeros((1, 1, 71, 71, 71), dtype=np.float32))


def test_it_does_not_matter_how_x_lies_in_memory(model: VolumeNetwork) -> None:
    x = drawn(2, 1, 71, 71, 71)
    lying = {
        "transposed": x.transpose(2, 4).contiguous().transpose(2, 4),
        "every second": torch.stack([x, x + 1], dim=-1)[..., 0],
        "channels last": x.clone(memory_format=torch.channels_last_3d),
        "expanded": x[:1].expand(2, -1, -1, -1, -1),
    }
    with torch.no_grad():
        expected = model(x)
        for how, other in lying.items():
            torch.testing.assert_close(model(other), expected[:1].expand(2) if how == "expanded" else expected)


def test_a_recorded_network_takes_what_the_network_takes(model: VolumeNetwork) -> None:
    x = drawn(1, 1, 71, 71, 71)
    recorded = torch.fx.symbolic_trace(model)
    torch.testing.assert_close(recorded(x), model(x))
    with pytest.raises(InputError, match="batch item 0"):
        recorded(x * torch.nan)


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you"),
        RuntimeError("CUDA error: out of memory"),
        torch.cuda.OutOfMemoryError("Tried to allocate 20.00 MiB"),
        MemoryError("Unable to allocate 3 TiB"),
    ],
)
@pytest.mark.parametrize(
    ("volumes", "advice"),
    [
        (5, "a batch of 5 volumes. Use batches of 2 or fewer"),
        (1, "a batch of 1 volume, and no batch is smaller. Close other programs"),
    ],
)
def test_too_little_memory_says_which_batch_may_fit(error: Exception, volumes: int, advice: str) -> None:
    class Greedy(nn.Flatten):
        def forward(self, input: torch.Tensor) -> torch.Tensor:
            raise error

    model = PaperNetwork(channels=1, grid=SMALL, seed=0)
    model.flatten = Greedy()
    with pytest.raises(PellucidError, match=advice) as caught:
        model(torch.zeros(volumes, 1, 71, 71, 71))
    assert caught.value.__cause__ is error


@pytest.mark.parametrize("allocate", [torch.empty, np.empty])
def test_the_allocators_own_errors_are_known(allocate: Callable[[int], object]) -> None:
    with pytest.raises((RuntimeError, MemoryError)) as caught:
        allocate(2**47)
    assert is_out_of_memory(caught.value)


def test_other_errors_stay_as_they_are() -> None:
    model = PaperNetwork(channels=1, grid=SMALL, seed=0)
    model.fc = nn.Linear(3, 1)
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        model(torch.zeros(1, 1, 71, 71, 71))
