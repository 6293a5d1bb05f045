from __future__ import annotations

import pytest
import torch

from pellucid.attribution.arithmetic import total


@pytest.mark.parametrize("shape", [(3,), (3, 5), (2, 64, 7, 9, 8), (2, 1, 30, 40, 20), (1, 3, 1000), (2, 1, 1)])
@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize(("kind", "tolerance"), [(torch.float32, 1e-6), (torch.float64, 1e-13)])
def test_total_is_the_sum_of_each_item(
    shape: tuple[int, ...], channels_last: bool, kind: torch.dtype, tolerance: float
) -> None:
    values = torch.randn(shape, dtype=kind, generator=torch.Generator().manual_seed(0))
    if channels_last and len(shape) == 5:
        values = values.contiguous(memory_format=torch.channels_last_3d)
    found, rows = total(values), values.double().reshape(len(values), -1)
    assert found.dtype == torch.float64
    assert bool(((found - rows.sum(dim=1)).abs() <= tolerance * rows.abs().sum(dim=1)).all())


def test_total_has_the_same_bits_on_any_number_of_threads() -> None:
    values = torch.randn((1, 64, 23, 32, 23), generator=torch.Generator().manual_seed(0))
    values, before, found = values.contiguous(memory_format=torch.channels_last_3d), torch.get_num_threads(), set()
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            found.add(total(values).item())
    finally:
        torch.set_num_threads(before)
    assert len(found) == 1
