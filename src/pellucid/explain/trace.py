"""A model as a graph of operations, followed once and kept while the model stays as it is."""

from __future__ import annotations

import operator
import threading
import traceback
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.fx import Graph, Interpreter, Node, Proxy, Tracer

from pellucid.errors import PellucidError
from pellucid.explain.heads import head_of
from pellucid.explain.operations import PATH, PLACE, leads_on
from pellucid.explain.undisturbed import OWN, attributes_kept

_tracing = threading.RLock()
_IN_PLACE = (
    "iadd", "isub", "imul", "itruediv", "ifloordiv", "imod", "ipow", "iand", "ior", "ixor", "ilshift", "irshift",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Trace:
    """A model, the graph of its forward pass, and the sigmoid or softmax at its end, if there is one.

    Parameters
    ----------
    model
        The module whose graph it is; one layer alone, or a model that hooks watch, is wrapped in an `nn.Sequential`.
    graph
        Its operations.
    head
        The node of the final sigmoid or softmax.
    constants
        Tensors that the forward pass made itself, by the names that the graph has for them.
    fresh
        Whether it was followed just now, and not before.
    """

    model: nn.Module
    graph: Graph
    head: Node | None
    constants: dict[str, torch.Tensor] = field(default_factory=dict)
    fresh: bool = True


@dataclass(frozen=True, slots=True)
class _Kept:
    """A trace without the model, which must not be kept alive by it."""

    state: tuple[Any, ...]
    graph: Graph
    constants: dict[str, torch.Tensor]


_kept: weakref.WeakKeyDictionary[nn.Module, _Kept] = weakref.WeakKeyDictionary()


def trace(model: nn.Module, *, anew: bool = False) -> Trace:
    """Follow the forward pass of `model` with torch.fx, or return what was found when it was last followed.

    What is kept is thrown away if a module, its class, a hook or an attribute of the model has changed, or if `anew`.

    Raises
    ------
    PellucidError
        If the forward pass cannot be followed, or takes or gives more than one tensor.
    """
    if any(isinstance(module, torch.jit.ScriptModule) for module in model.modules()):
        raise PellucidError(
            f"{type(model).__name__}: what torch.jit has compiled cannot be followed. Give the module that it was made "
            "from, or explain it with method='input-x-gradient', which runs the model as it is."
        )
    with _tracing:  # torch.fx patches nn.Module while it traces
        state = _state(model)
        kept = None if anew else _kept.get(model)
        fresh = kept is None or kept.state != state
        # A lone layer would be opened and shown as the functions inside it, and hooks on the root be passed over.
        wrapped = Tracer().is_leaf_module(model, "") or is_altered(model)
        root = nn.Sequential(model) if wrapped else model
        if kept is None or kept.state != state:
            graph, constants = _follow(model, root)
            kept = _kept[model] = _Kept(state, graph, constants)
    return Trace(root, kept.graph, _final_head(kept.graph, root), kept.constants, fresh)


class LogitRun(Interpreter):
    """Run a traced model, but pass over the sigmoid or softmax at its end."""

    def __init__(self, trace: Trace) -> None:
        super().__init__(trace.model, graph=trace.graph)
        self.extra_traceback = False  # an error of a layer reaches the user as it is
        self.head = trace.head
        self.constants = trace.constants
        self.input_node: Node = next(n for n in trace.graph.nodes if n.op == "placeholder")
        self.output_node: Node = next(n for n in trace.graph.nodes if n.op == "output").all_input_nodes[0]

    def run_node(self, n: Node) -> Any:
        """Run one operation."""
        return self.env[n.all_input_nodes[0]] if n is self.head else super().run_node(n)

    def get_attr(self, target: Any, args: Any, kwargs: Any) -> Any:
        """Return a tensor of the model, or one that its forward pass made."""
        return self.constants[target] if target in self.constants else super().get_attr(target, args, kwargs)


class _Tracer(Tracer):
    """A tracer that leaves the model and other threads alone, and sees what works in place."""

    def __init__(self) -> None:
        super().__init__()
        self.constants: dict[str, torch.Tensor] = {}
        self._thread = threading.get_ident()

    def proxy(self, node: Node) -> Proxy:
        return _Proxy(node, self)

    def call_module(self, m: nn.Module, forward: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        # nn.Module is patched for all threads, and theirs have nothing to do with this model.
        if threading.get_ident() != self._thread:
            return forward(*args, **kwargs)
        return super().call_module(m, forward, args, kwargs)

    def getattr(self, attr: str, attr_val: Any, parameter_proxy_cache: dict[str, Proxy]) -> Any:
        if threading.get_ident() != self._thread:
            return attr_val
        return super().getattr(attr, attr_val, parameter_proxy_cache)

    def create_arg(self, a: Any) -> Any:
        # torch.fx would make an attribute of the model of a tensor that is none of its own.
        if isinstance(a, torch.Tensor) and not isinstance(a, nn.Parameter) and not self._is_own(a):
            name = next((n for n, known in self.constants.items() if known is a), f"constant_{len(self.constants)}")
            self.constants[name] = a
            return self.create_node("get_attr", name, (), {})
        return super().create_arg(a)

    def _is_own(self, a: torch.Tensor) -> bool:
        return any(a is b for b in self.root.buffers()) or a in self.tensor_attrs


class _Proxy(Proxy):
    """A value in the graph; `+=` and its like, and `h[...] = y`, are recorded as what they are."""

    def __setitem__(self, index: Any, value: Any) -> None:
        self.tracer.create_proxy("call_function", operator.setitem, (self, index, value), {})


def _record_in_place(name: str) -> Callable[[Proxy, Any], Proxy]:
    def method(self: Proxy, other: Any) -> Proxy:
        return self.tracer.create_proxy("call_function", getattr(operator, name), (self, other), {})

    return method


for _operator in _IN_PLACE:
    setattr(_Proxy, f"__{_operator}__", _record_in_place(_operator))


def _follow(model: nn.Module, root: nn.Module) -> tuple[Graph, dict[str, torch.Tensor]]:
    """Trace `root`, which is the model or holds it; the model's attributes are left as they were."""
    name, tracer = type(model).__name__, _Tracer()
    try:
        with attributes_kept(model):
            graph = tracer.trace(root)
    except Exception as error:  # tracing runs the user's forward, which may raise anything
        raise PellucidError(
            f"{name}: its forward pass cannot be followed{_where(error)}: {_why(error)}. Or explain it with "
            f"method='input-x-gradient', which runs the model as it is. ({type(error).__name__}: {shortened(error)})"
        ) from error
    required = [node for node in graph.nodes if node.op == "placeholder" and not node.args]
    output = next(node for node in graph.nodes if node.op == "output")
    if len(required) != 1 or not isinstance(output.args[0], Node):
        raise PellucidError(f"{name} must take one tensor and give one. Wrap it in a module that does.")
    for node in graph.nodes:
        _name(node, root, wrapped=root is not model)
    return graph, tracer.constants


def _name(node: Node, root: nn.Module, *, wrapped: bool) -> None:
    """Note the path of a node, as ledgers have it, and its place in the model, as messages do.

    The path is that of a module in the model, or the name of another operation; the place of that says in which module.
    """

    def within(path: str) -> str:
        return path.removeprefix("0.") if wrapped else path

    if node.op == "call_module":
        node.meta[PATH] = node.meta[PLACE] = within(str(node.target))
        return
    paths = [path for path, _ in node.meta.get("nn_module_stack", {}).values() if path]
    paths = [path for path in paths if not wrapped or path != "0"]
    node.meta[PATH] = node.meta[PLACE] = node.name
    if paths:
        kind = type(root.get_submodule(paths[-1])).__name__
        node.meta[PLACE] = f"{within(paths[-1])} ({kind}), {node.name}"


def _final_head(graph: Graph, model: nn.Module) -> Node | None:
    """Return the sigmoid or softmax that ends the model, if one does: only reshaping may follow it."""
    node: Node = next(node for node in graph.nodes if node.op == "output").all_input_nodes[0]
    while head_of(node, model) is None:
        if len(node.all_input_nodes) != 1 or not leads_on(node, model):
            return None
        node = node.all_input_nodes[0]
    return node


def is_altered(module: nn.Module) -> bool:
    """Tell whether calling a module does more, or something else, than its class's forward."""
    hooks = (module._forward_pre_hooks, module._forward_hooks)
    return any(hooks) or "forward" in vars(module)


def _state(model: nn.Module) -> tuple[Any, ...]:
    """Return what the graph may depend on: modules, classes, hooks, and attributes as far as they can be compared."""
    return tuple(
        (path, id(module), type(module), type(module).forward, _attributes(module))
        for path, module in model.named_modules(remove_duplicate=False)
    )


def _attributes(module: nn.Module) -> tuple[Any, ...]:
    held = ("_parameters", "_buffers", "_modules")
    hooks = ("_forward_pre_hooks", "_forward_hooks")
    return tuple(
        (name, tuple(value) if name in held else tuple(map(_Same, value.values())) if name in hooks else _word(value))
        for name, value in vars(module).items()
        if name in (*held, *hooks, "training") or name not in OWN
    )


class _Same:
    """Equal to itself only; keeps what it stands for alive only if that cannot be helped."""

    def __init__(self, value: object) -> None:
        try:
            self.get: Callable[[], object] = weakref.ref(value)
        except TypeError:
            self.get = lambda: value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.get() is other.get() and self.get() is not None

    def __hash__(self) -> int:
        return 0


def _word(value: object) -> Any:
    """Return a number, a text or a collection of such in a form that can be compared; the identity of anything else."""
    if isinstance(value, list | tuple | set | frozenset):
        return type(value), tuple(map(_word, value))
    if isinstance(value, dict):
        return tuple((_word(key), _word(item)) for key, item in value.items())
    plain = value is None or isinstance(value, int | float | complex | str | bytes | torch.dtype)
    return repr(value) if plain else _Same(value)


def _why(error: Exception) -> str:
    """Say what torch.fx has against a forward pass, and what to do, without a full stop."""
    if isinstance(error, NameError) and "installed as a submodule" in str(error):
        return "it calls a module that is not one of its own. Make that an attribute of the model"
    return "it asks for a tensor's value, shape or type in a way that torch.fx cannot record. Rewrite that"


def _where(error: Exception) -> str:
    """Return the line of the user's code, as ` at nets.py:12 (if x.sum() > 0:)`, that an error came from."""
    ours = (str(Path(torch.__file__).parent), __file__)
    lines = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith(ours)]
    return f" at {Path(lines[-1].filename).name}:{lines[-1].lineno} ({shortened(lines[-1].line)})" if lines else ""


def shortened(text: object) -> str:
    """Return a text as one line of at most 100 characters."""
    line = " ".join(str(text).split())
    return line if len(line) <= 100 else f"{line[:97]}..."
