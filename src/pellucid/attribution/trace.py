"""A model as a graph of operations, followed once and kept while the model stays as it is."""

from __future__ import annotations

import operator
import threading
import traceback
import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn
from torch.fx import Graph, Interpreter, Node, Proxy, Tracer
from torch.fx.proxy import Attribute, TraceError
from torch.utils.hooks import RemovableHandle

from pellucid.attribution.backward_hooks import without_backward_hooks
from pellucid.attribution.heads import LOG, head_of
from pellucid.attribution.operations import PATH, PLACE, is_idle, leads_on
from pellucid.attribution.sizes import Sizes
from pellucid.attribution.undisturbed import OWN, attributes_kept
from pellucid.ground.errors import PellucidError

_tracing = threading.RLock()
_IN_PLACE = (
    "iadd", "isub", "imul", "itruediv", "ifloordiv", "imod", "ipow", "iand", "ior", "ixor", "ilshift", "irshift",
)  # fmt: skip
_OF_SHAPE = (
    "shape", "ndim", "size", "dim", "ndimension", "numel", "nelement", "device", "dtype", "layout", "is_cuda",
)  # fmt: skip
_GRADIENT_ONLY = ("register_hook", "retain_grad")


@dataclass(frozen=True, slots=True)
class Trace:
    """A model, the graph of its forward pass, and each sigmoid or softmax that ends it.

    Parameters
    ----------
    model
        The module whose graph it is; one layer alone, or a model that hooks watch, is wrapped in an `nn.Sequential`.
    graph
        Its operations.
    heads
        The nodes of those.
    constants
        Tensors that the forward pass made itself, by the names that the graph has for them.
    fresh
        Whether it was followed just now, and not before.
    """

    model: nn.Module
    graph: Graph
    heads: frozenset[Node]
    constants: dict[str, torch.Tensor] = field(default_factory=dict)
    fresh: bool = True


@dataclass(frozen=True, slots=True)
class _Kept:
    """A trace without the model, which must not be kept alive by it."""

    state: tuple[Any, ...]
    graph: Graph
    constants: dict[str, torch.Tensor]
    kind: tuple[Any, ...] | None
    """The shape, type and device of x, if the graph depends on them."""


_kept: weakref.WeakKeyDictionary[nn.Module, _Kept] = weakref.WeakKeyDictionary()


def trace(model: nn.Module, x: torch.Tensor | None = None, *, anew: bool = False) -> Trace:
    """Follow the forward pass of `model` with torch.fx, or return what was found when it was last followed.

    What is kept is thrown away if a module, its class, a hook or an attribute of the model has changed, or if `anew`.
    Where the model makes numbers, loops or branches of the shape of a tensor, the graph is for the shape of `x`.

    Raises
    ------
    PellucidError
        If the forward pass cannot be followed, or takes or gives more than one tensor.
    """
    if any(isinstance(module, torch.jit.ScriptModule) for module in model.modules()):
        raise PellucidError(
            f"{type(model).__name__}: a model compiled by torch.jit cannot be traced. Give the module that it was "
            "made from, or explain it with method='input-x-gradient', which runs the model unchanged."
        )
    with _tracing:  # torch.fx patches nn.Module while it traces
        state = _state(model)
        kept = None if anew else _kept.get(model)
        kind = None if x is None else (x.shape, x.dtype, x.device)
        fresh = kept is None or kept.state != state or kept.kind not in (None, kind)
        # A lone layer would be opened and shown as the functions inside it, and hooks on the root be passed over.
        wrapped = Tracer().is_leaf_module(model, "") or is_altered(model)
        root = nn.Sequential(model) if wrapped else model
        if kept is None or fresh:
            tracer = _Tracer(x)
            graph = _follow(model, root, tracer)
            kept = _kept[model] = _Kept(state, graph, tracer.constants, kind if tracer.sizes else None)
    return Trace(root, kept.graph, _final_heads(kept.graph, root), kept.constants, fresh)


class LogitRun(Interpreter):
    """Run a traced model, but pass over each sigmoid or softmax that ends it."""

    def __init__(self, trace: Trace) -> None:
        super().__init__(trace.model, graph=trace.graph)
        self.extra_traceback = False  # an error of a layer reaches the user as it is
        self.heads = trace.heads
        self.constants = trace.constants
        self.input_node: Node = next(n for n in trace.graph.nodes if n.op == "placeholder")
        self.output_node: Node = next(n for n in trace.graph.nodes if n.op == "output").all_input_nodes[0]

    def run_node(self, n: Node) -> Any:
        """Run one operation."""
        return self.env[n.all_input_nodes[0]] if n in self.heads else super().run_node(n)

    def get_attr(self, target: Any, args: Any, kwargs: Any) -> Any:
        """Return a tensor of the model, or one that its forward pass made."""
        return self.constants[target] if target in self.constants else super().get_attr(target, args, kwargs)


class _Tracer(Tracer):
    """A tracer that leaves the model and other threads alone, and sees what works in place."""

    def __init__(self, x: torch.Tensor | None) -> None:
        super().__init__()
        self.constants: dict[str, torch.Tensor] = {}
        self.sizes: Sizes | None = None  # made when first asked
        self._x = x
        self._measures = False
        self._thread = threading.get_ident()

    def measure(self, proxy: Proxy) -> Any:
        """Return the value of a proxy that depends on nothing but the shape, type and device of x.

        Raises
        ------
        TraceError
            If it depends on more.
        """
        if self._x is None:
            raise TraceError("the shape of x is not known")
        self.sizes = self.sizes or Sizes(self._x, self.root, self.constants)
        self._measures = True
        try:
            return self.sizes.of(proxy.node)
        except Exception as error:  # of any of the model's operations
            raise TraceError(f"its value is not known in advance ({shortened(error)})") from error
        finally:
            self._measures = False

    def to_bool(self, obj: Proxy) -> bool:
        value = self.measure(obj)
        return super().to_bool(obj) if isinstance(value, torch.Tensor) else bool(value)

    def iter(self, obj: Proxy) -> Iterator[Any]:
        return (cast(Any, obj)[i] for i in range(len(obj)))

    def proxy(self, node: Node) -> Proxy:
        return _Proxy(node, self)

    def call_module(self, m: nn.Module, forward: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        # nn.Module is patched for all threads, and theirs have nothing to do with this model.
        if self._measures or threading.get_ident() != self._thread:
            return forward(*args, **kwargs)
        with without_backward_hooks(m):
            return super().call_module(m, forward, args, kwargs)

    def getattr(self, attr: str, attr_val: Any, parameter_proxy_cache: dict[str, Proxy]) -> Any:
        if self._measures or threading.get_ident() != self._thread:
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
    """A value in the graph; `+=` and its like, and `h[...] = y`, are recorded as what they are.

    Where Python wants a number, a truth value or a length, it gets that for the shape of x.
    """

    tracer: _Tracer

    def __getattr__(self, k: str) -> Any:
        if k == "requires_grad":  # as what depends on x does while it is explained
            return True
        if k in _GRADIENT_ONLY:  # changes no value
            return lambda *_: RemovableHandle(OrderedDict())
        if k in _OF_SHAPE:
            with suppress(TraceError):
                return getattr(self.tracer.measure(self), k)
        return _Attribute(self, k)

    def __len__(self) -> int:
        return len(self.tracer.measure(self))

    def __index__(self) -> int:
        return operator.index(self.tracer.measure(self))

    def __setitem__(self, index: Any, value: Any) -> None:
        self.tracer.create_proxy("call_function", operator.setitem, (self, index, value), {})


class _Attribute(Attribute, _Proxy):
    """An attribute or method of a value in the graph."""


def _record_in_place(name: str) -> Callable[[Proxy, Any], Proxy]:
    def method(self: Proxy, other: Any) -> Proxy:
        return self.tracer.create_proxy("call_function", getattr(operator, name), (self, other), {})

    return method


for _operator in _IN_PLACE:
    setattr(_Proxy, f"__{_operator}__", _record_in_place(_operator))


def _follow(model: nn.Module, root: nn.Module, tracer: _Tracer) -> Graph:
    """Trace `root`, which is the model or holds it; the model's attributes are left as they were."""
    name = type(model).__name__
    try:
        with attributes_kept(model):
            graph = tracer.trace(root)
    except Exception as error:  # tracing runs the user's forward, which may raise anything
        raise PellucidError(
            f"{name}: its forward pass cannot be traced{_where(error)}: {_why(error)}. Or explain it with "
            f"method='input-x-gradient', which runs the model unchanged. ({type(error).__name__}: {shortened(error)})"
        ) from error
    required = [node for node in graph.nodes if node.op == "placeholder" and not node.args]
    output = next(node for node in graph.nodes if node.op == "output")
    if len(required) != 1 or not isinstance(output.args[0], Node):
        raise PellucidError(f"{name} must take one tensor and return one. Wrap it in a module that does.")
    for node in graph.nodes:
        _name(node, root, wrapped=root is not model)
    return graph


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


def _final_heads(graph: Graph, model: nn.Module) -> frozenset[Node]:
    """Return each sigmoid or softmax that ends the model: only reshaping and what does nothing may follow them."""
    heads: list[Node] = []
    node: Node = next(node for node in graph.nodes if node.op == "output").all_input_nodes[0]
    while (head := head_of(node, model)) or (
        len(node.all_input_nodes) == 1 and (leads_on(node, model) or is_idle(node, model))
    ):
        heads += [node] if head else []
        node = node.all_input_nodes[0]
    while heads and head_of(heads[-1], model) == LOG:
        heads.pop()
    return frozenset(heads)


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
        return "it calls a module that is not one of its own. Make it an attribute of the model"
    return "it uses a tensor's value, shape or type in a way that torch.fx cannot record. Rewrite it"


def _where(error: Exception) -> str:
    """Return the line of the user's code, as ` at nets.py:12 (if x.sum() > 0:)`, that an error came from."""
    ours = (str(Path(torch.__file__).parent), __file__)
    lines = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith(ours)]
    return f" at {Path(lines[-1].filename).name}:{lines[-1].lineno} ({shortened(lines[-1].line)})" if lines else ""


def shortened(text: object) -> str:
    """Return a text as one line of at most 100 characters."""
    line = " ".join(str(text).split())
    return line if len(line) <= 100 else f"{line[:97]}..."
