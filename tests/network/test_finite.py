"""What is not finite is refused, item by item; large numbers are not mistaken for it."""

from __future__ import annotations

import math

import pytest
import torch

from pellucid.ground.errors import InputError
from pellucid.network.finite import check_finite


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_the_items_that_are_not_finite_are_named(bad: float) -> None:
    x = torch.zeros(4, 1, 2, 2, 2)
    x[1, 0, 1, 1, 0] = x[3, 0, 0, 0, 0] = bad
    with pytest.raises(InputError, match="batch item 1, 3"):
        check_finite(x)


def test_finite_numbers_whose_sum_is_not_pass() -> None:
    check_finite(torch.full((2, 3), torch.finfo(torch.float32).max))
