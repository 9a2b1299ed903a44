"""WF514, WF515 and WF516: units that stay alike, signals that vanish or explode with depth, and dead units."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from wellfit.checking.keeping import wake
from wellfit.checking.trial import Trial
from wellfit.diagnosis.findings import Finding, finding

ROWS = 64
UPDATES = 3
VANISHED = 1e-4
EXPLODED = 1e3
"""Limits for the ratio between the first and the last layers, of gradients or of differences between rows."""
FEWEST_LAYERS = 3
DEAD, PERHAPS_DEAD = 0.9, 0.6
"""Limits for the share of a layer's units that are 0 (or saturated) for all rows."""
SATURATED = 0.999
_ALIKE = 1e-4
_LAYERS = (nn.Linear, nn.Bilinear, nn.modules.conv._ConvNd, nn.RNNBase, nn.RNNCellBase, nn.MultiheadAttention)


def symmetric_units(trial: Trial) -> Finding:
    """WF514: fires for units that start equal and stay equal; units that an update separates do not count."""
    rows, target = trial.batch(ROWS)
    owners = _owners(trial.module)
    alike = {
        name: value
        for name, value in trial.parameters.items()
        if value.dim() > 1 and len(value) > 1 and value.requires_grad and _are_alike(value) and owners[id(value)]
    }
    if not alike:
        return finding("WF514", fired=False, evidence="No layer starts with equal units.")
    trained = [value for value in trial.parameters.values() if value.requires_grad]
    size = math.sqrt(sum(float(value.detach().pow(2).sum()) for value in trained)) + 1
    for _ in range(UPDATES):
        with trial.quiet():
            loss = trial.measure(trial.run(rows, training=True), target)
        gradients = torch.autograd.grad(loss, trained, allow_unused=True) if loss.requires_grad else ()
        norm = math.sqrt(sum(float(one.pow(2).sum()) for one in gradients if one is not None))
        for value, one in zip(trained, gradients, strict=False):
            if one is not None and norm > 0:
                value.data -= 0.05 * size / norm * one
    still = [name for name, value in alike.items() if _are_alike(value)]
    told = (
        f"{len(alike)} layers start with identical units; after {UPDATES} updates, the units are still identical in "
        f"{len(still)} of them"
    )
    shown = f" ({', '.join(still[:4])})." if still else "."
    return finding("WF514", fired=bool(still), evidence=told + shown)


def _owners(module: nn.Module) -> Mapping[int, bool]:
    """Return for each parameter whether its rows are units, which those of embeddings and norms are not."""
    apart = (nn.Embedding, nn.EmbeddingBag)
    return {
        id(value): not isinstance(owner, apart)
        for owner in module.modules()
        for value in owner.parameters(recurse=False)
    }


def _are_alike(value: Tensor) -> bool:
    units = value.detach().flatten(1)
    return bool((units - units[0]).abs().max() <= _ALIKE * units.abs().max())


@dataclass
class Signal:
    """How much one layer's output differs between rows, and the size of its gradient."""

    name: str
    spread: float
    gradient: float = 0.0


def through_depth(trial: Trial) -> Finding:
    """WF515: fires unless differences between rows and gradients have similar sizes in the first and last layers."""
    rows, target = trial.batch(ROWS)
    wake(trial.module)
    signals: list[Signal] = []
    with trial.quiet(), _watched(trial.module, signals):
        loss = trial.measure(trial.run(rows, training=True), target)
        if loss.requires_grad:
            loss.backward()  # type: ignore[no-untyped-call] # torch's
    known = [each for each in signals if math.isfinite(each.spread)]
    if len(known) < len(signals):
        return finding("WF515", fired=True, evidence=f"The output of {signals[len(known)].name} is not finite.")
    if len(known) < FEWEST_LAYERS:
        return finding("WF515", fired=None, evidence=f"The network has only {len(known)} layers with weights.")
    part = max(1, len(known) // 3)
    early, last = known[:part], known[-1]
    hidden = known[part:-1]
    if max(each.spread for each in early) == 0:
        return finding("WF515", fired=None, evidence=f"The output of {early[0].name} is the same for all rows (WF508).")
    forward = max(each.spread for each in hidden) / max(each.spread for each in early)
    back = [each.gradient for each in early if each.gradient > 0]
    backward = max(back) / last.gradient if back and last.gradient > 0 else 1.0
    growth = min(back) / last.gradient if back and last.gradient > 0 else 1.0
    ends = hidden[-1].spread / max(early[0].spread, 1e-300)
    told = (
        f"From {early[0].name} to {hidden[-1].name} the differences between rows change by a factor of {ends:.2g}; "
        f"the gradient at {early[0].name} is {backward:.2g} times that at {last.name}, over {len(known)} layers."
    )
    vanishes = backward < VANISHED or forward < VANISHED
    explodes = growth > EXPLODED or min(each.spread for each in hidden[-part:]) > EXPLODED * early[0].spread
    return finding("WF515", fired=vanishes or explodes, evidence=f"{told} {_scales(trial)}".strip())


@contextmanager
def _watched(module: nn.Module, signals: list[Signal]) -> Iterator[None]:
    """Collect the signal of each layer with weights, in the order of the calls."""
    with ExitStack() as hooks:
        for name, layer in module.named_modules():
            if _is_layer(layer):
                hooks.callback(layer.register_forward_hook(_watcher(name or type(layer).__name__, signals)).remove)
        yield


def _watcher(name: str, signals: list[Signal]) -> Callable[..., None]:
    def watch(_layer: nn.Module, _given: Any, outputs: Any) -> None:
        values = outputs[0] if isinstance(outputs, tuple) else outputs
        if not isinstance(values, Tensor) or len(values) < 2:
            return
        apart = values.detach() - values.detach().mean(0)
        signal = Signal(name, float(apart.flatten(1).pow(2).mean().sqrt()))
        signals.append(signal)

        def back(gradient: Tensor) -> None:
            signal.gradient += float(gradient.norm())

        if values.requires_grad:
            values.register_hook(back)  # type: ignore[no-untyped-call] # torch's

    return watch


def _is_layer(layer: nn.Module) -> bool:
    if isinstance(layer, nn.Embedding | nn.EmbeddingBag):
        return False
    own = any(value.dim() > 1 for value in layer.parameters(recurse=False))
    return isinstance(layer, _LAYERS) or (own and not any(True for _ in layer.children()))


def _scales(trial: Trial) -> str:
    """Describe the weight whose standard deviation differs most from He's, sqrt(2 / inputs)."""
    off = {}
    for name, value in trial.parameters.items():
        if value.dim() > 1 and len(value) > 1:
            he = math.sqrt(2 / value[0].numel())
            off[name] = (abs(math.log(max(float(value.detach().std()), 1e-30) / he)), float(value.detach().std()), he)
    if not off:
        return ""
    name, (_, spread, he) = max(off.items(), key=lambda item: item[1][0])
    return f"The scale of {name} is the most unusual: its standard deviation is {spread:.2g}, and He's is {he:.2g}."


@dataclass
class Units(TorchFunctionMode):
    """A mode that counts, at each call of an activation, the units with the same output for all rows."""

    shares: list[tuple[str, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def __torch_function__(  # noqa: PLR0917 - the signature is torch's
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        """Call `func`, and inspect its output if it is an activation."""
        found = func(*args, **(kwargs or {}))
        if isinstance(found, Tensor) and found.dim() > 1 and len(found) > 1:
            if func in _RELUS:
                self.shares.append(("ReLU", float((found.detach() == 0).flatten(1).all(0).float().mean())))
            elif func in _TANHS:
                self.shares.append(("tanh", float((found.detach().abs() > SATURATED).float().mean())))
        return found


def dead_units(trial: Trial) -> Finding:
    """WF516: fires for ReLU units that are 0, or tanh units that are at their limit, for all rows."""
    rows, _ = trial.batch(ROWS)
    wake(trial.module)
    with torch.no_grad(), trial.quiet(), Units() as units:
        trial.run(rows, training=True)
    if not units.shares:
        return finding("WF516", fired=None, evidence="The network does not call relu or tanh.")
    place, (kind, worst) = max(enumerate(units.shares), key=lambda item: item[1][1])
    told = (
        f"Activation {place + 1} of {len(units.shares)} ({kind}): {worst:.0%} of its units have the same output for "
        "all rows."
    )
    return finding("WF516", fired=True if worst > DEAD else None if worst > PERHAPS_DEAD else False, evidence=told)


_RELUS: frozenset[Any] = frozenset(
    (torch.relu, torch.relu_, functional.relu, functional.relu_, Tensor.relu, Tensor.relu_)
)
_TANHS: frozenset[Any] = frozenset((torch.tanh, torch.tanh_, functional.tanh, Tensor.tanh, Tensor.tanh_))
