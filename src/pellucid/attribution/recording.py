"""The forward pass of a model, recorded: every operation with what it was given and what it gave."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeGuard, cast

import torch
from torch import nn
from torch.fx import Node
from torch.fx.node import map_arg

from pellucid.attribution.fusing import flat_at, pool_to_fuse
from pellucid.attribution.layer import Layer, kind_of
from pellucid.attribution.operations import (
    PLACE,
    Way,
    is_max_pool,
    leads_on,
    overwritten_by,
    path_of,
    reads_values,
    way_of,
)
from pellucid.attribution.storage import copy_with_memory, is_same_memory, layout_of, overwritten, repeats
from pellucid.attribution.trace import LogitRun, Trace
from pellucid.ground.errors import PellucidError
from pellucid.network.fused_functions import convolve_pool, is_watched


@dataclass(frozen=True, slots=True)
class Step:
    """One operation on tensors that depend on x, cut off from those before and behind it.

    A *version* stands for a tensor as it was between two operations that overwrite it. That an operation made is the
    operation's node; that something else has changed under its hands is a plain object.

    Parameters
    ----------
    node
        The operation.
    result
        The version that `output` is.
    way
        How it lets relevance pass.
    inputs
        The versions it read, with their values.
    output
        What it gave; recorded by autograd, if the rule of its way needs that.
    constant
        What a sum adds that does not depend on x.
    constants
        Tensors that do not depend on x, whose values an operation that routes hands on; recorded by autograd.
    """

    node: Node
    result: object
    way: Way
    inputs: dict[object, torch.Tensor]
    output: torch.Tensor
    constant: torch.Tensor | float = 0.0
    constants: tuple[torch.Tensor, ...] = ()
    repeat: Callable[[torch.Tensor], torch.Tensor] | None = None
    """Runs an average pool on another input, for rules that ask for it."""


class Recording(LogitRun):
    """The forward pass of a model, with every operation's inputs and output kept for the way back.

    Parameters
    ----------
    trace
        The model and its graph.
    own
        Whether the network is Pellucid's own, whose layers take tensors in any memory format.
    merged
        Whether an affine layer may be recorded together with the max-pool behind it: for rules that need no more than
        its inputs and what the pool has left.

    Attributes
    ----------
    steps
        What was recorded, in order.
    paths
        Of each convolution, whether it was fused with the max-pool behind it, and if not, why.
    """

    def __init__(self, trace: Trace, *, own: bool = False, merged: bool = True) -> None:
        super().__init__(trace)
        self.own, self.merged = own, merged
        self.steps: list[Step] = []
        self.paths: dict[str, str] = {}
        self._depends = {self.input_node}  # the nodes that hold a tensor that depends on x
        self._versions: dict[Node, object] = {}  # of nodes whose tensor has been overwritten since
        self._memories: dict[Node, object] = {}  # nodes with one memory hold views of one tensor
        self._pooled: set[Node] = set()  # max-pools that run with the convolution before them

    def version(self, node: Node) -> object:
        """Return the version that the tensor of `node` is now."""
        return self._versions.get(node, node)

    def layer(self, step: Step) -> Layer:
        """Return the affine layer of a step, as rules see it."""
        module = self.module.get_submodule(str(step.node.target)) if step.node.op == "call_module" else None
        return Layer(
            kind="sum" if step.way is Way.SUM else kind_of(module),
            inputs=tuple(step.inputs.values()),
            output=step.output,
            module=module,
            constant=step.constant,
            first=self.input_node in step.inputs,
            repeat=step.repeat,
        )

    def run_node(self, n: Node) -> Any:
        """Run one operation and, if its result depends on x, record it."""
        if n.op in ("placeholder", "get_attr", "output"):
            return self._note_memory(n, super().run_node(n), list(self.env))
        inputs = self._inputs(n)
        if n in self.heads or n in self._pooled:
            self._memories[n] = object()
            return self._record(n, Way.ELEMENTWISE, inputs, self.env[n.all_input_nodes[0]])
        if (fused := self._run_fused(n, inputs)) is not None:
            return fused
        if self._pools_affine(n):
            return self._merge_pool(n)
        return self._run_alone(n, inputs)

    def _inputs(self, node: Node) -> dict[object, torch.Tensor]:
        """Return leaves for the versions that `node` reads."""
        sources = [source for source in node.all_input_nodes if source in self._depends]
        return {self.version(source): self.env[source].detach().requires_grad_() for source in sources}

    def _run_alone(self, node: Node, inputs: dict[object, torch.Tensor]) -> Any:
        """Run and record one operation as it stands."""
        target = overwritten_by(node, self.module)
        if inputs and target is not None:
            way_of(node, self.module)  # known before anything is overwritten
        values: dict[Node, Any] = {
            source: inputs[self.version(source)] if source in self._depends else self.env[source]
            for source in node.all_input_nodes
        }
        args, constants = node.args, []
        if inputs and leads_on(node, self.module):
            for source in set(values) - self._depends:
                if _is_float(values[source]):
                    values[source] = _leaf(values[source])
                    constants.append(values[source])
            if node.target is operator.setitem and isinstance(args[2], int | float):
                constants.append(_leaf(self.env[cast(Node, args[0])].new_tensor(float(args[2]))))
                args = (*args[:2], constants[-1])
        # The rules need what is overwritten.
        written = self._copy_of(target, values)
        fixed = [
            (value, value._version) for source, value in values.items() if _is_tensor(value) and source is not target
        ]
        output = getattr(self, node.op)(node.target, *self._filled(args, node.kwargs, values, target, written))
        if any(value._version != version for value, version in fixed):
            raise PellucidError(
                f"{node.meta[PLACE]}: works in place, which cannot be known in advance. {_OUT_OF_PLACE}."
            )
        given, named = self._filled(args, node.kwargs, values, target, self._copy_of(target, values))
        self._check_hooks(node, given, named, output)
        if written is not None and target is not None:
            return self._overwrite(node, target, inputs, tuple(constants), written, output)
        self._note_memory(node, output, node.all_input_nodes)
        if not inputs or not _holds_tensor(output) or not reads_values(node):
            return output
        way = way_of(node, self.module)
        if not isinstance(output, torch.Tensor):
            raise PellucidError(f"{node.meta[PLACE]}: lrp-epsilon needs operations with one result. Return no indices.")
        repeat = None
        if way is Way.AFFINE and not self.merged:

            def repeat(a: torch.Tensor) -> Any:
                instead = {node.all_input_nodes[0]: a}
                return getattr(self, node.op)(node.target, *self._filled(args, node.kwargs, instead, None, None))

        return self._record(node, way, inputs, output, tuple(constants), repeat)

    def _overwrite(
        self,
        node: Node,
        target: Node,
        inputs: dict[object, torch.Tensor],
        constants: tuple[torch.Tensor, ...],
        written: torch.Tensor,
        output: Any,
    ) -> Any:
        """Record an operation that overwrote the tensor of `target`, for whoever reads that or a view of it later."""
        if output is not None and not (is_same_memory(output, written) and layout_of(output) == layout_of(written)):
            raise PellucidError(f"{node.meta[PLACE]}: does not return the tensor that it overwrites. {_OUT_OF_PLACE}.")
        memory = self._memories[target]
        aliases = [other for other in self.env if self._memories.get(other) is memory]
        value = written.detach()
        if inputs:
            value = self._record(node, way_of(node, self.module), inputs, written, constants)
        for alias in aliases:
            old = self.env[alias]
            if layout_of(old) == layout_of(value):
                self.env[alias] = value
                self._versions[alias] = self.version(node)
                if node in self._depends:
                    self._depends.add(alias)
            else:
                self._change(alias, node, value)
        self._memories[node] = memory
        return value

    def _change(self, alias: Node, node: Node, value: torch.Tensor) -> None:
        """Let the tensor of `alias` become what is left of it after `node` has put `value` into its memory."""
        old = self.env[alias]
        if repeats(old) or repeats(value):
            raise PellucidError(f"{node.meta[PLACE]}: overwrites a tensor that has been expanded. {_OUT_OF_PLACE}.")
        leaves = {alias: _leaf(old), node: _leaf(value)}
        output = overwritten(leaves[alias], leaves[node])
        inputs = {self.version(n): leaf for n, leaf in leaves.items() if n in self._depends}
        if inputs:
            constants = tuple(leaf for n, leaf in leaves.items() if n not in self._depends)
            version = object()
            self.steps.append(Step(node, version, Way.ROUTE, inputs, output, constants=constants))
            self._versions[alias] = version
            self._depends.add(alias)
        self.env[alias] = output.detach()

    def _note_memory(self, node: Node, output: Any, others: list[Node]) -> Any:
        """Note which of `others` the result of `node` shares its memory with, if any; return it."""
        if isinstance(output, torch.Tensor):
            shared = (
                self._memories[other]
                for other in others
                if other in self._memories and isinstance(self.env[other], torch.Tensor)
                and is_same_memory(self.env[other], output)
            )  # fmt: skip
            self._memories[node] = next(shared, object())
        return output

    @staticmethod
    def _copy_of(target: Node | None, values: dict[Node, Any]) -> torch.Tensor | None:
        """Return a copy of the tensor that is to be overwritten, if one is."""
        return copy_with_memory(values[target]) if target is not None and _is_tensor(values[target]) else None

    @staticmethod
    def _filled(
        args: Any, kwargs: Any, values: dict[Node, Any], target: Node | None, written: torch.Tensor | None
    ) -> tuple[Any, Any]:
        """Return arguments with values for nodes; where `target` stands first, the copy that is overwritten."""
        given = list(map_arg(args, values.__getitem__))
        named = dict(map_arg(kwargs, values.__getitem__))
        if written is not None and args and args[0] is target:
            given[0] = written
        elif written is not None:
            named["input"] = written
        return tuple(given), named

    def _check_hooks(self, node: Node, args: Any, kwargs: Any, output: Any) -> None:
        """Refuse a layer whose hooks change what it is given or gives: its rule would be of something else."""
        if node.op != "call_module" or not isinstance(output, torch.Tensor):
            return
        layer = self.module.get_submodule(str(node.target))
        if is_watched(layer) and not torch.equal(layer.forward(*args, **kwargs), output):
            raise PellucidError(
                f"{node.meta[PLACE]}: a hook changes the input or output of the layer, and lrp-epsilon has no rule "
                "for that. Remove the hook, or do the same in the network's forward."
            )

    def _run_fused(self, node: Node, inputs: dict[object, torch.Tensor]) -> torch.Tensor | None:
        """Run and record a convolution and the max-pool behind it as one affine layer, or return None; note why.

        Only winners have relevance. An activation between the two acts on what the pool has left, and the pool passes
        that on.
        """
        if not inputs:
            return None
        found = pool_to_fuse(node, self.module, self.env)
        if found is None:
            return None
        path, why = path_of(node), found.why if self.merged else "the rule asks for the layer alone"
        if why is None:
            assert found.pool is not None
            layers = (self.module.get_submodule(str(n.target)) for n in (node, found.pool))
            convolution, pooling = cast("tuple[nn.Conv3d, nn.MaxPool3d]", tuple(layers))
            (x,) = inputs.values()
            output = convolve_pool(x, convolution, pooling, frozen=True)
            why = flat_at(output, found.activation)
            if why is None:
                self.paths[path] = "fused"
                self._pooled.add(found.pool)
                self._memories[node] = object()
                # What follows may ask for the memory format that the layers themselves would have left.
                return self._record(node, Way.AFFINE, inputs, output if self.own else output.contiguous())
        self.paths[path] = f"layer by layer: {why}"
        return None

    def _pools_affine(self, node: Node) -> bool:
        """Tell whether `node` is a max-pool and the only reader of the affine layer that has just run."""
        if not self.merged or not self.steps or not is_max_pool(node, self.module):
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
        args: Any = map_arg(node.args, lambda _: affine.output)
        kwargs: Any = map_arg(node.kwargs, lambda _: affine.output)
        output = getattr(self, node.op)(node.target, args, kwargs)
        if not isinstance(output, torch.Tensor):
            raise PellucidError(f"{node.meta[PLACE]}: lrp-epsilon needs operations with one result. Return no indices.")
        self._check_hooks(node, args, kwargs, output)
        self.steps.append(replace(affine, result=node, output=output))
        self._depends.add(node)
        self._memories[node] = object()
        return output.detach()

    def _record(
        self,
        node: Node,
        way: Way,
        inputs: dict[object, torch.Tensor],
        output: torch.Tensor,
        constants: tuple[torch.Tensor, ...] = (),
        repeat: Callable[[torch.Tensor], torch.Tensor] | None = None,
    ) -> torch.Tensor:
        constant: torch.Tensor | float = 0.0
        if way is Way.SUM:
            terms = [*node.args, *(value for key, value in node.kwargs.items() if key != "alpha")]
            for term in terms:
                if term not in self._depends:
                    constant = constant + (self.env[term] if isinstance(term, Node) else cast(float, term))
        kept = output.detach() if way is Way.ELEMENTWISE else output
        self.steps.append(Step(node, node, way, inputs, kept, constant, constants, repeat))
        self._depends.add(node)
        return output.detach()


_OUT_OF_PLACE = "Let it work out of place"


def _leaf(x: torch.Tensor) -> torch.Tensor:
    return x.detach().requires_grad_()


def _is_tensor(value: object) -> TypeGuard[torch.Tensor]:
    return isinstance(value, torch.Tensor)


def _is_float(value: object) -> bool:
    return isinstance(value, torch.Tensor) and value.is_floating_point()


def _holds_tensor(value: object) -> bool:
    return isinstance(value, torch.Tensor) or (isinstance(value, tuple | list) and any(map(_holds_tensor, value)))
