"""A model as a graph of operations, run without disturbing the model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.fx import Graph, Interpreter, Node, Tracer

from pellucid.errors import PellucidError
from pellucid.explain.operations import final_sigmoid


@dataclass(frozen=True, slots=True)
class Trace:
    """A model, the graph of its forward pass, and the sigmoid at its end, if there is one."""

    model: nn.Module
    graph: Graph
    sigmoid: Node | None


def trace(model: nn.Module) -> Trace:
    """Follow the forward pass of `model` with torch.fx.

    Raises
    ------
    PellucidError
        If the forward pass cannot be followed, or takes or gives more than one tensor.
    """
    name = type(model).__name__
    # A lone layer would be opened and shown as the functions inside it.
    if Tracer().is_leaf_module(model, ""):
        model = nn.Sequential(model)
    try:
        graph = Tracer().trace(model)
    except Exception as error:  # tracing runs the user's forward, which may raise anything
        raise PellucidError(
            f"{name}: torch.fx cannot follow its forward pass ({error}). "
            "Write it without branches and loops that depend on the values or shape of a tensor."
        ) from error
    required = [node for node in graph.nodes if node.op == "placeholder" and not node.args]
    output = next(node for node in graph.nodes if node.op == "output")
    if len(required) != 1 or not isinstance(output.args[0], Node):
        raise PellucidError(f"{name} must take one tensor and give one. Wrap it in a module that does.")
    return Trace(model, graph, final_sigmoid(graph, model))


class LogitRun(Interpreter):
    """Run a traced model, but pass over the sigmoid at its end."""

    def __init__(self, trace: Trace) -> None:
        super().__init__(trace.model, graph=trace.graph)
        self.extra_traceback = False  # an error of a layer reaches the user as it is
        self.sigmoid = trace.sigmoid
        self.input_node: Node = next(n for n in trace.graph.nodes if n.op == "placeholder")
        self.output_node: Node = next(n for n in trace.graph.nodes if n.op == "output").all_input_nodes[0]

    def run_node(self, n: Node) -> Any:
        """Run one operation."""
        return self.env[n.all_input_nodes[0]] if n is self.sigmoid else super().run_node(n)


@contextmanager
def undisturbed(model: nn.Module, device: torch.device) -> Iterator[None]:
    """Put `model` in evaluation mode at full precision, with autograd on; leave everything as it was found."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        with (
            torch.inference_mode(False),
            torch.enable_grad(),
            torch.autocast(device.type, enabled=False),
            _full_precision(device),
        ):
            yield
    finally:
        for module, training in modes:
            module.training = training


@contextmanager
def _full_precision(device: torch.device) -> Iterator[None]:
    """Switch TF32 off on a GPU, where cuDNN uses it by default, and algorithms that vary between runs."""
    if device.type != "cuda":
        yield
        return
    settings: list[tuple[Any, str, Any]] = [(torch.backends.cudnn, "deterministic", True)]
    if hasattr(torch.backends.cudnn, "conv"):  # PyTorch 2.9 renamed the switches
        settings += [
            (torch.backends.cudnn.conv, "fp32_precision", "ieee"),
            (torch.backends.cuda.matmul, "fp32_precision", "ieee"),
        ]
    else:
        settings += [
            (torch.backends.cudnn, "allow_tf32", False),
            (torch.backends.cuda.matmul, "allow_tf32", False),
        ]
    before = [getattr(owner, name) for owner, name, _ in settings]
    try:
        for owner, name, value in settings:
            setattr(owner, name, value)
        yield
    finally:
        for (owner, name, _), value in zip(settings, before, strict=True):
            setattr(owner, name, value)
