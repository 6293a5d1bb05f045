"""Layer-wise relevance propagation: run forward and record, walk back and share out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, cast

import torch
from torch import nn
from torch.fx import Node
from torch.fx.node import map_arg

from pellucid.errors import PellucidError
from pellucid.explain.operations import Way, is_max_pool, path_of, way_of, works_in_place
from pellucid.explain.result import LedgerEntry
from pellucid.explain.rules import absorbed_by_bias, absorbed_by_epsilon, epsilon_rule, route_rule, total
from pellucid.explain.trace import LogitRun, Trace
from pellucid.network.field_of_view import CONVOLUTION
from pellucid.network.fused_functions import convolve_pool, obstacle, pool_behind

_UNBOUNDED = (nn.ELU, nn.ReLU, nn.SELU, nn.CELU, nn.Softplus, nn.Identity)
"""Activations behind which a pool finds the winner that it would find before them: they have no ceiling, and what
ReLU makes equal is 0, which has no relevance."""


@dataclass(frozen=True, slots=True)
class _Step:
    """One operation on tensors that depend on x, cut off from those before and behind it."""

    node: Node
    reader: Node  # whose output is `output`: the node itself, or the max-pool merged into it
    way: Way
    inputs: dict[Node, torch.Tensor]
    output: torch.Tensor
    constant: torch.Tensor | float  # what a sum adds that does not depend on x


class Recording(LogitRun):
    """The forward pass of a model, with every operation's inputs and output kept for the way back.

    `paths` tells of each convolution whether it was fused with the max-pool behind it, and if not, why.
    """

    def __init__(self, trace: Trace) -> None:
        super().__init__(trace)
        self.steps: list[_Step] = []
        self._tensors = {self.input_node}  # the nodes that hold a tensor that depends on x
        self._pooled: set[Node] = set()  # max-pools that run with the convolution before them
        self.paths: dict[str, str] = {}

    def run_node(self, n: Node) -> Any:
        """Run one operation and, if its result depends on x, record it."""
        if n.op in ("placeholder", "get_attr", "output"):
            return super().run_node(n)
        inputs = {
            source: self.env[source].detach().requires_grad_()
            for source in n.all_input_nodes
            if source in self._tensors
        }
        if n is self.sigmoid:
            return self._record(n, Way.ELEMENTWISE, inputs, self.env[n.all_input_nodes[0]])
        if n in self._pooled:
            return self._record(n, Way.ELEMENTWISE, inputs, self.env[n.all_input_nodes[0]])
        if (pool := self._pool_to_fuse(n)) is not None:
            return self._run_fused(n, pool, inputs)
        if self._pools_affine(n):
            return self._merge_pool(n)
        spare = works_in_place(n, self.module)

        def value_of(source: Node) -> Any:
            if source not in inputs:
                return self.env[source]
            # An operation that overwrites its input gets a copy, for the rules need what was there.
            return inputs[source].clone() if spare else inputs[source]

        output = getattr(self, n.op)(n.target, map_arg(n.args, value_of), map_arg(n.kwargs, value_of))
        if not inputs or not _holds_tensor(output):
            return output
        way = way_of(n, self.module)
        if not isinstance(output, torch.Tensor):
            raise PellucidError(f"{path_of(n)}: lrp-epsilon needs operations with one result. Return no indices.")
        return self._record(n, way, inputs, output)

    def _pool_to_fuse(self, node: Node) -> Node | None:
        """Return the max-pool that runs with the operation `node` in one kernel, or None; note why in `paths`."""
        if node.op != "call_module" or not isinstance(self.module.get_submodule(str(node.target)), CONVOLUTION):
            return None
        source = node.all_input_nodes[0]
        if source not in self._tensors:  # nothing to explain: its input does not depend on x
            return None
        nodes = [node]
        while len(nodes) < 3 and len(nodes[-1].users) == 1 and next(iter(nodes[-1].users)).op == "call_module":
            nodes.append(next(iter(nodes[-1].users)))
        layers = [self.module.get_submodule(str(n.target)) for n in nodes]
        place = pool_behind(layers)
        if type(layers[0]) is not nn.Conv3d:
            why: str | None = f"{type(layers[0]).__name__} has no kernel"
        elif place == 0:
            why = "no max-pool follows"
        elif place == 2 and type(layers[1]) not in _UNBOUNDED:
            why = f"{type(layers[1]).__name__} may make values equal that the pool chooses among"
        else:
            why = obstacle(self.env[source], layers[0], layers[place])
        self.paths[path_of(node)] = "fused" if why is None else f"layer by layer: {why}"
        return nodes[place] if why is None else None

    def _run_fused(self, node: Node, pool: Node, inputs: dict[Node, torch.Tensor]) -> torch.Tensor:
        """Run and record a convolution and the max-pool behind it as one affine layer: only winners have relevance.

        An activation between the two acts on what the pool has left, and the pool passes that on.
        """
        layers = (self.module.get_submodule(str(n.target)) for n in (node, pool))
        convolution, pooling = cast("tuple[nn.Conv3d, nn.MaxPool3d]", tuple(layers))
        (x,) = inputs.values()
        self._pooled.add(pool)
        return self._record(node, Way.AFFINE, inputs, convolve_pool(x, convolution, pooling, frozen=True))

    def _pools_affine(self, node: Node) -> bool:
        """Tell whether `node` is a max-pool and the only reader of the affine layer that has just run."""
        if not self.steps or not is_max_pool(node, self.module):
            return False
        last = self.steps[-1]
        # A dense layer has its biases along the axis that is pooled.
        dense = last.node.op == "call_module" and isinstance(
            self.module.get_submodule(str(last.node.target)), nn.Linear
        )
        return (
            last.way is Way.AFFINE and not dense and node.all_input_nodes == [last.node] and len(last.node.users) == 1
        )

    def _merge_pool(self, node: Node) -> torch.Tensor:
        """Record a max-pool as part of the affine layer before it.

        Only winners have relevance and a winner's z is the pool's output, so the rule's quotients are those of the few
        pooled values, sent back through the pool. The result is the same, from tensors 27 times smaller.
        """
        affine = self.steps.pop()
        output = getattr(self, node.op)(
            node.target, *(map_arg(part, lambda _: affine.output) for part in (node.args, node.kwargs))
        )
        if not isinstance(output, torch.Tensor):
            raise PellucidError(f"{path_of(node)}: lrp-epsilon needs operations with one result. Return no indices.")
        self.steps.append(replace(affine, reader=node, output=output))
        self._tensors.add(node)
        return output.detach()

    def _record(self, node: Node, way: Way, inputs: dict[Node, torch.Tensor], output: torch.Tensor) -> torch.Tensor:
        constant: torch.Tensor | float = 0.0
        if way is Way.SUM:
            terms = [*node.args, *(value for key, value in node.kwargs.items() if key != "alpha")]
            for term in terms:
                if term not in inputs:
                    constant = constant + (self.env[term] if isinstance(term, Node) else cast(float, term))
        kept = output.detach() if way is Way.ELEMENTWISE else output
        self.steps.append(_Step(node, node, way, inputs, kept, constant))
        self._tensors.add(node)
        return output.detach()


def lrp_epsilon(
    recording: Recording, seed: torch.Tensor, epsilon: float
) -> tuple[torch.Tensor, tuple[LedgerEntry, ...]]:
    """Walk back from `seed`, the relevance of the output, to x.

    Convolutions, dense layers, average pools, batch norm and sums share out by the epsilon rule; activations and
    dropout pass relevance unchanged; the winner of each max-pool window takes all.

    Returns
    -------
    relevance, ledger
        The relevance of x, of its shape; one entry for each layer with the epsilon rule, in forward order.
    """
    relevance = {recording.output_node: seed}
    ledger: list[LedgerEntry] = []
    while recording.steps:
        step = recording.steps.pop()  # so that what was recorded is freed on the way
        arrived = relevance.pop(step.reader, None)
        if arrived is None:  # a branch that does not reach the output
            continue
        tensors = tuple(step.inputs.values())
        if step.way is Way.ELEMENTWISE:
            passed: tuple[torch.Tensor, ...] = (arrived,)
        elif step.way is Way.ROUTE:
            passed = route_rule(tensors, step.output, arrived)
        else:
            passed, quotient = epsilon_rule(tensors, step.output, arrived, epsilon)
            ledger.append(_entry(step, recording.module, arrived, passed, quotient, epsilon))
        for source, part in zip(step.inputs, passed, strict=True):
            relevance[source] = relevance[source] + part if source in relevance else part
    if recording.input_node not in relevance:
        raise PellucidError("The model's output does not depend on its input. There is nothing to explain.")
    return relevance[recording.input_node], tuple(reversed(ledger))


def _entry(
    step: _Step,
    model: nn.Module,
    arrived: torch.Tensor,
    passed: tuple[torch.Tensor, ...],
    quotient: torch.Tensor,
    epsilon: float,
) -> LedgerEntry:
    """Sum up what a layer with the epsilon rule did with the relevance that arrived at its output."""
    if step.way is Way.SUM:
        by_bias = total(quotient * step.constant)
    else:
        layer = model.get_submodule(str(step.node.target)) if step.node.op == "call_module" else None
        by_bias = absorbed_by_bias(layer, quotient)
    return LedgerEntry(
        layer=path_of(step.node),
        relevance_out=total(arrived).cpu(),
        relevance_in=torch.stack([total(part) for part in passed]).sum(dim=0).cpu(),
        absorbed_bias=by_bias.detach().cpu(),
        absorbed_epsilon=absorbed_by_epsilon(step.output.detach(), quotient, epsilon).cpu(),
    )


def _holds_tensor(value: object) -> bool:
    return isinstance(value, torch.Tensor) or (isinstance(value, tuple | list) and any(map(_holds_tensor, value)))
