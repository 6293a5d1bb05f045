"""Layer-wise relevance propagation: walk back through what was recorded and share out."""

from __future__ import annotations

from dataclasses import replace

import torch

from pellucid.attribution.arithmetic import Tensors, pull, total
from pellucid.attribution.operations import PLACE, Way, path_of
from pellucid.attribution.recording import Recording, Step
from pellucid.attribution.result import LedgerEntry
from pellucid.attribution.rules.rule import Composite, Shared
from pellucid.ground.errors import PellucidError

IMBALANCE = {torch.float32: 1e-3, torch.float64: 1e-8}
"""How far a layer's relevance may be from adding up, as a share of the sizes of all that it received and handed on."""
_BATCH_FIRST = "Keep the batch axis first in the model, or explain it with method='input-x-gradient'"


def walk(
    recording: Recording, seed: torch.Tensor, composite: Composite
) -> tuple[torch.Tensor, tuple[LedgerEntry, ...]]:
    """Walk back from `seed`, the relevance of the output, to x.

    Convolutions, dense layers, average pools, batch norm and sums share out by the rule that `composite` has for them;
    activations and dropout pass relevance unchanged; the winner of each max-pool window takes all.

    Returns
    -------
    relevance, ledger
        The relevance of x, of its shape; one entry for each layer with a rule, in forward order, and for each place
        where what does not depend on x is put beside what does.

    Raises
    ------
    PellucidError
        If the relevance of an operation does not add up to `IMBALANCE`, or the output does not depend on x.
    """
    relevance = {recording.version(recording.output_node): seed}
    ledger: list[LedgerEntry] = []
    while recording.steps:
        step = recording.steps.pop()  # so that what was recorded is freed on the way
        arrived = relevance.pop(step.result, None)
        if arrived is None:  # a branch that does not reach the output
            continue
        tensors = tuple(step.inputs.values())
        if step.way is Way.ELEMENTWISE:
            passed: Tensors = (arrived,)
        elif step.way is Way.ROUTE:
            # Back to where each value came from. Where values tie in a window of a pool the first wins, as in PyTorch's
            # gradient; cropped voxels get 0.
            passed = pull(step.output, (*tensors, *step.constants), arrived)
            passed, lost = passed[: len(tensors)], passed[len(tensors) :]
            _check_route(step, arrived, passed, lost)
            if lost:
                _assert_batch_first(step, tensors, len(seed))
                ledger.append(_entry_of_route(step, arrived, passed))
        else:
            _assert_batch_first(step, tensors, len(seed))
            layer = recording.layer(step)
            shared = composite.rule_of(layer).share(layer, arrived)
            passed, entry = shared.parts, _entry(step, arrived, shared)
            _check(step, entry, arrived, passed)
            ledger.append(entry)
        for version, part in zip(step.inputs, passed, strict=True):
            relevance[version] = relevance[version] + part if version in relevance else part
    if recording.input_node not in relevance:
        raise PellucidError("The model's output does not depend on its input. There is nothing to explain.")
    _check_items(seed, relevance[recording.input_node], ledger)
    return relevance[recording.input_node], _same_columns(ledger[::-1])


def _same_columns(ledger: list[LedgerEntry]) -> tuple[LedgerEntry, ...]:
    """Return a ledger whose entries all have what absorbed relevance in any of them, 0 where it took none."""
    names = dict.fromkeys(name for entry in ledger for name in entry.absorbed)
    return tuple(
        replace(entry, absorbed={n: entry.absorbed.get(n, torch.zeros_like(entry.relevance_out)) for n in names})
        for entry in ledger
    )


def size_of_terms(recording: Recording, seed: torch.Tensor) -> torch.Tensor:
    """Return the sum of the sizes of the terms that the last layer made the logit of, (B,): its rounding goes by that.

    `sum_i |a_i d logit / d a_i|` over the inputs a of the last layers that are affine; `seed` is 1 at the logit and 0
    elsewhere.
    """
    gradient = {recording.version(recording.output_node): seed}
    size = torch.zeros(len(seed), dtype=torch.float64, device=seed.device)
    for step in reversed(recording.steps):
        arrived = gradient.pop(step.result, None)
        if arrived is None:
            continue
        tensors = tuple(step.inputs.values())
        passed = (arrived,) if step.way is Way.ELEMENTWISE else pull(step.output, tensors, arrived, keep=True)
        if step.way in (Way.AFFINE, Way.SUM):
            size += sum(total((a.detach() * g).abs()) for a, g in zip(tensors, passed, strict=True))
            continue
        for version, part in zip(step.inputs, passed, strict=True):
            gradient[version] = gradient[version] + part if version in gradient else part
    return size


def _entry(step: Step, arrived: torch.Tensor, shared: Shared) -> LedgerEntry:
    """Sum up what a layer with a rule did with the relevance that arrived at its output."""
    below = torch.stack([total(part) for part in shared.parts]).sum(dim=0).cpu()
    absorbed = {name: values.detach().cpu() for name, values in shared.absorbed.items()}
    return LedgerEntry(path_of(step.node), total(arrived).cpu(), below, absorbed)


def _entry_of_route(step: Step, arrived: torch.Tensor, passed: Tensors) -> LedgerEntry:
    """Sum up what came of relevance that was only sent on: what reached constants is absorbed as by a bias."""
    out, below = total(arrived).cpu(), torch.stack([total(part) for part in passed]).sum(dim=0).cpu()
    return LedgerEntry(path_of(step.node), out, below, {"bias": out - below})


def _check_items(seed: torch.Tensor, relevance: torch.Tensor, ledger: list[LedgerEntry]) -> None:
    """Refuse a ledger whose rows are not the items of the batch: each must add up to its logit by itself."""
    parts = [total(relevance).cpu(), *(taken for entry in ledger for taken in entry.absorbed.values())]
    size = total(relevance.abs()).cpu() + torch.stack([e.relevance_out for e in ledger] + parts).abs().sum(dim=0)
    if bool(((total(seed).cpu() - torch.stack(parts).sum(dim=0)).abs() > IMBALANCE[seed.dtype] * size).any()):
        raise PellucidError(f"Relevance does not add up in each item of the batch. {_BATCH_FIRST}.")


def _assert_batch_first(step: Step, tensors: Tensors, items: int) -> None:
    """Refuse to sum up by item what has none."""
    shape = next((tuple(t.shape) for t in (*tensors, step.output) if t.shape[:1] != (items,)), None)
    if shape is not None:
        raise PellucidError(
            f"{step.node.meta[PLACE]}: a tensor of shape {shape} does not begin with the {items} items of the batch. "
            f"{_BATCH_FIRST}."
        )


def _check(step: Step, entry: LedgerEntry, arrived: torch.Tensor, passed: Tensors) -> None:
    """Refuse relevance that does not add up: what came out is what went in and what was absorbed, in every layer."""
    parts = torch.stack((entry.relevance_out, entry.relevance_in, *entry.absorbed.values()))
    rest, least = parts[0] - parts[1:].sum(dim=0), parts.abs().sum(dim=0)
    # The size of sums is never below theirs, and quicker to have.
    if bool((rest.abs() <= IMBALANCE[arrived.dtype] * least).all()):
        return
    _assert_balance(step, rest, least + sum(total(part.abs()).cpu() for part in (arrived, *passed)), arrived.dtype)


def _check_route(step: Step, arrived: torch.Tensor, passed: Tensors, lost: Tensors) -> None:
    """Refuse relevance that was not sent on whole. Constants may be broadcast over the batch: all items are summed."""
    sums = [float(total(part).sum()) for part in (arrived, *passed)] + [float(part.sum()) for part in lost]
    rest = torch.tensor([sums[0] - sum(sums[1:])])
    if float(rest.abs()) <= IMBALANCE[arrived.dtype] * sum(map(abs, sums)):
        return
    size = sum(float(total(part.abs()).sum()) for part in (arrived, *passed)) + sum(
        float(part.abs().sum()) for part in lost
    )
    _assert_balance(step, rest, torch.tensor([size]), arrived.dtype)


def _assert_balance(step: Step, rest: torch.Tensor, size: torch.Tensor, dtype: torch.dtype) -> None:
    if bool((rest.abs() <= IMBALANCE[dtype] * size).all()):
        return
    if not bool(torch.isfinite(size).all()):
        raise PellucidError(
            f"{step.node.meta[PLACE]}: relevance becomes NaN or infinite. Take a larger epsilon, or float64: "
            "model.double() and x.double()."
        )
    raise PellucidError(
        f"{step.node.meta[PLACE]}: relevance does not add up: of {float(size.max()):.3g} in all, "
        f"{float(rest.abs().max()):.3g} came from nowhere or went there. The layer's gradient is not that of what it "
        "computes: take hooks and patches off it, or use method='input-x-gradient'."
    )
