"""Whether the arithmetic is right on this machine: quick tests, each of which returns what is wrong, or nothing."""

from __future__ import annotations

from collections.abc import Callable

import torch

from pellucid.attribution.explain import explain
from pellucid.network.field_of_view import crop, field_of_view
from pellucid.network.paper import PaperNetwork


def _ledger() -> str:
    """Check `relevance out = relevance in + absorbed` in every layer; return what is wrong, or nothing."""
    model, x = _model_and_images()
    result = explain(model, x, method="lrp-epsilon", epsilon=1e-2)
    for entry in result.ledger:
        rest = entry.relevance_out - entry.relevance_in - sum(entry.absorbed.values())
        # float32 sums of some 10^5 terms
        if float(rest.abs().max()) > 1e-4 * max(1.0, float(entry.relevance_out.abs().max())):
            return f"{entry.layer} loses {float(rest.abs().max()):.3g}"
    return "" if result.ledger else "the ledger is empty"


def _crop() -> str:
    """Check that what the network sees is enough: the cropped input gives the logit of the whole one."""
    model, x = _model_and_images()
    layers = torch.nn.Sequential(*model)  # without the network's own crop
    with torch.inference_mode():
        whole = layers(x)
        part = layers(crop(x, field_of_view(model)))
    difference = float((whole - part).abs().max())
    return "" if difference <= 1e-5 * max(1.0, float(whole.abs().max())) else f"they differ by {difference:.3g}"


def _determinism() -> str:
    """Check that the same seed and images give the same gradients, bit for bit, twice."""
    outputs = []
    for _ in range(2):
        model, x = _model_and_images()
        model(x).sum().backward()
        outputs.append([parameter.grad for parameter in model.parameters() if parameter.grad is not None])
    same = all(torch.equal(first, second) for first, second in zip(*outputs, strict=True))
    return "" if same else "gradients differ between two runs"


def _model_and_images() -> tuple[PaperNetwork, torch.Tensor]:
    """Return a network of two channels and two images of the paper's grid, always the same."""
    generator = torch.Generator().manual_seed(0)
    model = PaperNetwork(channels=2, seed=0).eval()
    return model, torch.randn((2, 1, *model.grid.shape), generator=generator)


def _fused() -> str:
    """Check that what runs fused has the output and gradients of the layers one by one; return what is wrong."""
    model, x = _model_and_images()
    layers = torch.nn.Sequential(*model)
    found = []
    for network in (model, layers):
        model.zero_grad()
        logit = network(x)
        logit.sum().backward()
        gradients = [parameter.grad.clone() for parameter in model.parameters() if parameter.grad is not None]
        found.append([logit.detach().flatten(), *gradients])
    worst = max(float((one - two).abs().max() / two.abs().max()) for one, two in zip(*found, strict=True))
    return "" if worst <= 1e-4 else f"they differ by {worst:.3g} of the largest value"


SELF_TESTS: dict[str, Callable[[], str]] = {
    "relevance is accounted for in every layer": _ledger,
    "the field of view is all that the network sees": _crop,
    "fused layers give what the layers give one by one": _fused,
    "the same seed gives the same gradients": _determinism,
}
