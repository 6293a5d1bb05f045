"""`pellucid doctor`: what is installed, what the machine has, and whether the arithmetic is right here."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

import typer

from pellucid.cli import console

EXAMPLE = "Example: pellucid doctor"

PREPROCESSING = ("SimpleITK", "niimath", "deepbet")
"""Packages that only preprocessing needs."""


def doctor() -> None:
    """Print versions, threads, memory, GPU, atlases and templates, and run a small numerical self-test."""
    import torch

    from pellucid.atlas.find import available_atlases, wheel_file
    from pellucid.atlas.template import TEMPLATE
    from pellucid.benchmark.self_tests import SELF_TESTS
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
