"""What aliases hold after one of them was overwritten, against PyTorch's own memory."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from pellucid.attribution.storage import copy_with_memory, layout_of, overwritten, repeats

VIEWS = [
    lambda h: h,
    lambda h: h[:, 1:3],
    lambda h: h[1:, :, ::2],
    lambda h: h.transpose(1, 2),
    lambda h: h.view(2, -1)[:, 5:],
    lambda h: h[0],
]


@pytest.mark.parametrize("written", VIEWS)
@pytest.mark.parametrize("read", VIEWS)
def test_a_view_of_what_was_overwritten_is_what_memory_holds(
    read: Callable[[torch.Tensor], torch.Tensor], written: Callable[[torch.Tensor], torch.Tensor]
) -> None:
    h = torch.randn(2, 4, 3, dtype=torch.float64)
    old, new = read(h).detach().requires_grad_(), copy_with_memory(written(h))
    assert layout_of(new) == layout_of(written(h))
    assert new.data_ptr() != written(h).data_ptr()
    new.mul_(3.0)
    leaf = new.detach().requires_grad_()
    found = overwritten(old, leaf)
    places = torch.zeros_like(h)
    written(places).fill_(1.0)
    real = h.clone()
    written(real).mul_(3.0)
    assert torch.equal(found, read(real))
    # Each value came from one of the two: the gradients say from which.
    from_old, from_new = torch.autograd.grad(found, (old, leaf), torch.ones_like(found), materialize_grads=True)
    assert torch.equal(from_old, 1 - read(places))
    seen = torch.zeros_like(h)
    read(seen).fill_(1.0)
    assert torch.equal(from_new, written(seen))


def test_repeated_places_are_told() -> None:
    assert repeats(torch.ones(2, 1).expand(2, 3))
    assert not repeats(torch.ones(2, 3).T)
