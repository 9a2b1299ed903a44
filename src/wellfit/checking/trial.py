"""A network with its loss, optimizer and rows, in the form that the checks use."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from wellfit.base.typing import Task
from wellfit.checking.keeping import kept, seed_all
from wellfit.training.dropout_sites import DropoutSites

Loss = Callable[[Tensor, Tensor], Tensor]
Reads = Literal["logits", "log-probabilities", "probabilities", "values"]
"""How a loss interprets outputs: as logits (softmax or logistic), log-probabilities, probabilities or values."""

FAILURES = (ArithmeticError, AssertionError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)
"""Exceptions of a network or a loss that cannot take its arguments."""
_SHIFT = 3.0


@dataclass(frozen=True)
class Trial:
    """A network, with everything that is needed to check it.

    Attributes:
        module: the network.
        loss: the loss, a function of outputs and targets.
        optimizer: the caller's optimizer, which never makes a step.
        rows: all rows, in an order that starts with rows of different classes.
        target: the targets of these rows.
        task: the kind of target.
        dev: dev rows, if they were given.
        most: number of rows that are run at once; small if each row is expensive.
    """

    module: nn.Module
    loss: Loss
    optimizer: torch.optim.Optimizer | None
    rows: Tensor
    target: Tensor
    task: Task
    dev: Tensor | None = None
    most: int = 4096

    @property
    def roots(self) -> tuple[nn.Module, ...]:
        """The modules that a check may change: the network, and the loss if it is a module."""
        return (self.module, self.loss) if isinstance(self.loss, nn.Module) else (self.module,)

    @property
    def parameters(self) -> Mapping[str, nn.Parameter]:
        """The parameters of the network by name; a parameter that two layers share counts once."""
        return dict(self.module.named_parameters())

    def batch(self, rows: int) -> tuple[Tensor, Tensor]:
        """Return up to `rows` rows and their targets, but at most `most`."""
        count = min(rows, self.most)
        return self.rows[:count], self.target[:count]

    def run(self, rows: Tensor, *, training: bool, seed: int = 0) -> Tensor:
        """Return the outputs of `rows`, with all noise drawn from `seed`; use it only inside `kept`."""
        self.module.train(training)
        seed_all(seed)
        outputs: Tensor = self.module(rows)
        return outputs

    def measure(self, outputs: Tensor, target: Tensor) -> Tensor:
        """Return the loss as a single number."""
        found = self.loss(outputs, target)
        return found if found.dim() == 0 else found.mean()

    @cached_property
    def summed(self) -> bool:
        """True if the loss is a sum over rows and not a mean."""
        rows, target = self.batch(16)
        with kept(*self.roots), torch.no_grad():
            outputs = self.run(rows, training=False)
            once = self.measure(outputs, target)
            twice = self.measure(torch.cat([outputs, outputs]), torch.cat([target, target]))
        return bool(once != 0) and abs(float(twice / once) - 2) < 1e-3

    @cached_property
    def reads(self) -> Reads:
        """The way in which the loss interprets outputs, inferred from its values on made-up ones."""
        rows, target = self.batch(16)
        with kept(*self.roots), torch.no_grad():
            outputs = self.run(rows, training=False)
            try:
                return self._reads(outputs, target)
            except FAILURES:
                return "probabilities" if _is_zero_to_one(self.loss, outputs, target) else "values"

    def _reads(self, outputs: Tensor, target: Tensor) -> Reads:
        made_up = torch.randn_like(outputs)
        rows = len(outputs) if self.summed else 1
        here, shifted = (float(self.measure(made_up + by, target)) / rows for by in (0.0, _SHIFT))
        near = 1e-3 * (1 + abs(here))
        if outputs.dim() > 1 and not target.is_floating_point():
            if abs(here - shifted) < near:
                return "logits"
            if abs(here - _SHIFT - shifted) < near:
                return "log-probabilities"
        if target.numel() == outputs.numel() and bool(((target == 0) | (target == 1)).all()):
            sign = 2 * target.reshape(outputs.shape).to(outputs.dtype) - 1
            right, wrong = (float(self.measure(by * sign, target)) for by in (20.0, -20.0))
            if right < 1e-3 and wrong > 1 and abs(float(self.measure(-10 * sign, target)) / wrong - 0.5) < 1e-2:
                return "logits"
        return "values"

    def best_constant(self, outputs: Tensor, target: Tensor) -> float | None:
        """Return the loss of the best outputs that are the same for all rows; None if there is no minimum."""
        constant = torch.zeros_like(outputs[:1], requires_grad=True)
        if self.reads == "probabilities":
            constant = torch.full_like(outputs[:1], 0.5, requires_grad=True)
        search = torch.optim.LBFGS([constant], max_iter=80, line_search_fn="strong_wolfe")

        def closure() -> Tensor:
            search.zero_grad()
            found = self.measure(constant.expand_as(outputs), target)
            found.backward()  # type: ignore[no-untyped-call] # torch's
            return found

        try:
            search.step(closure)  # type: ignore[no-untyped-call,arg-type,unused-ignore] # torch's
            with torch.no_grad():
                found = float(self.measure(constant.expand_as(outputs), target))
        except FAILURES:
            return None
        return found if -1e3 < found < float("inf") else None

    @contextmanager
    def quiet(self) -> Iterator[None]:
        """Turn off dropout of any kind, even in training."""
        with DropoutSites(None):
            yield


def default_loss(task: Task) -> Loss:
    """Return the usual loss: cross-entropy (logistic for one output), or squared error."""
    return _of_classes if task == "classification" else _of_values


def _of_classes(outputs: Tensor, target: Tensor) -> Tensor:
    if outputs.dim() == target.dim():
        return functional.binary_cross_entropy_with_logits(outputs, target.to(outputs.dtype))
    if outputs.shape[1] == 1:
        return functional.binary_cross_entropy_with_logits(outputs.squeeze(1), target.to(outputs.dtype))
    return functional.cross_entropy(outputs, target)


def _of_values(outputs: Tensor, target: Tensor) -> Tensor:
    alike = outputs.reshape(target.shape) if outputs.numel() == target.numel() else outputs
    return functional.mse_loss(alike, target.to(outputs.dtype))


def _is_zero_to_one(loss: Loss, outputs: Tensor, target: Tensor) -> bool:
    """Return True if a loss that refuses normally distributed numbers takes numbers between 0 and 1."""
    try:
        return bool(torch.isfinite(loss(torch.rand_like(outputs), target)).all())
    except FAILURES:
        return False
