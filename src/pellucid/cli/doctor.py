"""`pellucid doctor`: what is installed, what the machine has, and whether the arithmetic is right here."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

import typer

from pellucid.cli import console

if TYPE_CHECKING:
    import torch

    from pellucid.network.paper import PaperNetwork

EXAMPLE = "Example: pellucid doctor"

PREPROCESSING = ("SimpleITK", "niimath", "deepbet")
"""Packages that only preprocessing needs."""


def doctor() -> None:
    """Print versions, threads, memory, GPU, atlases and templates, and run a small numerical self-test."""
    import torch

    from pellucid.atlas.find import available_atlases, wheel_file
    from pellucid.atlas.template import TEMPLATE
    from pellucid.ground.errors import InputError
    from pellucid.ground.machine import environment
    from pellucid.image.grid import PAPER_GRID
    from pellucid.network.fused_functions import bfloat16_obstacle, numba_version
    from pellucid.network.paper import PaperNetwork
    from pellucid.preprocess.brain import weights

    found = environment()
    packages = found.pop("packages")
    for name, value in {**found, **packages}.items():
        shown = ", ".join(value) or "none" if isinstance(value, list) else value
        console.say(f"{name:14} {'unknown' if shown is None else shown}")
    numba = numba_version()
    console.say(f"{'kernels':14} {f'fused (numba {numba})' if numba else 'none: numba is not installed'}")
    for layer, path in PaperNetwork(seed=0).paths(torch.zeros(1, 1, *PAPER_GRID.shape)).items():
        console.say(f"{'kernels':14} {layer}: {path}")
    console.say(f"{'kernels':14} bfloat16 in training: {bfloat16_obstacle() or 'possible (precision of an arm)'}")
    for atlas in available_atlases():
        console.say(f"{'atlas':14} {atlas.name}: {atlas.path or 'not found'} ({atlas.note})")
    try:
        console.say(f"{'template':14} MNI152NLin6Asym brain: {wheel_file(TEMPLATE)}")
    except InputError as error:
        console.warn(f"template: {error}")
    for package in PREPROCESSING:
        try:
            console.say(f"{'preprocessing':14} {package} {version(package)}")
        except PackageNotFoundError:
            console.warn(f"preprocessing: {package} is not installed. Run `pip install {package}`.")
    try:
        console.say(f"{'preprocessing':14} weights for brain extraction: {weights('model')}")
    except InputError as error:
        console.warn(f"preprocessing: {error}")
    failed = []
    for name, test in SELF_TESTS.items():
        wrong = test()
        if wrong:
            failed.append(name)
            console.warn(f"{'self-test':14} FAILED: {name}: {wrong}")
        else:
            console.say(f"{'self-test':14} passed: {name}")
    if failed:
        raise typer.Exit(1)


def _ledger() -> str:
    """Check `relevance out = relevance in + absorbed` in every layer; return what is wrong, or nothing."""
    import pellucid

    model, x = _model_and_images()
    result = pellucid.explain(model, x, method="lrp-epsilon", epsilon=1e-2)
    for entry in result.ledger:
        rest = entry.relevance_out - entry.relevance_in - sum(entry.absorbed.values())
        # float32 sums of some 10^5 terms
        if float(rest.abs().max()) > 1e-4 * max(1.0, float(entry.relevance_out.abs().max())):
            return f"{entry.layer} loses {float(rest.abs().max()):.3g}"
    return "" if result.ledger else "the ledger is empty"


def _crop() -> str:
    """Check that what the network sees is enough: the cropped input gives the logit of the whole one."""
    import torch

    from pellucid.network.field_of_view import crop, field_of_view

    model, x = _model_and_images()
    layers = torch.nn.Sequential(*model)  # without the network's own crop
    with torch.inference_mode():
        whole = layers(x)
        part = layers(crop(x, field_of_view(model)))
    difference = float((whole - part).abs().max())
    return "" if difference <= 1e-5 * max(1.0, float(whole.abs().max())) else f"they differ by {difference:.3g}"


def _determinism() -> str:
    """Check that the same seed and images give the same gradients, bit for bit, twice."""
    import torch

    outputs = []
    for _ in range(2):
        model, x = _model_and_images()
        model(x).sum().backward()
        outputs.append([parameter.grad for parameter in model.parameters() if parameter.grad is not None])
    same = all(torch.equal(first, second) for first, second in zip(*outputs, strict=True))
    return "" if same else "gradients differ between two runs"


def _model_and_images() -> tuple[PaperNetwork, torch.Tensor]:
    """Return a network of two channels and two images of the paper's grid, always the same."""
    import torch

    import pellucid

    generator = torch.Generator().manual_seed(0)
    model = pellucid.PaperNetwork(channels=2, seed=0).eval()
    return model, torch.randn((2, 1, *model.grid.shape), generator=generator)


def _fused() -> str:
    """Check that what runs fused has the output and gradients of the layers one by one; return what is wrong."""
    import torch

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
