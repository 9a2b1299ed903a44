"""WF501 and WF502: the loss at the start, and outputs that do not fit the loss."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from wellfit.checking.keeping import wake
from wellfit.checking.trial import FAILURES, Trial
from wellfit.diagnosis.findings import Finding, finding

ROWS = 128
NATS_ABOVE = 1.5
"""Excess over log K that logits with a variance of 3 cause, which no usual initialization reaches."""
TIMES_ABOVE = 4.0
"""Multiple of the variance of y; outputs then miss the mean of y by 1.7 standard deviations."""
PROBES = 4
"""Number of random sets of weights at each of two scales."""
PROBE_SCALES = (3.0, 30.0)
WIDER = 0.2
"""Fraction by which bounds may widen from one scale to the next."""
BEYOND = 0.5
"""Number of standard deviations of y by which its extremes may exceed the bounds."""
LEAST_REACHED = 0.1
"""Fraction of the loss of guessing that bounded outputs must be able to reach."""


def loss_at_start(trial: Trial) -> Finding:
    """WF501: fires if the loss at the start is far above that of guessing."""
    rows, target = trial.batch(ROWS)
    with torch.no_grad(), trial.quiet():
        outputs = trial.run(rows, training=True)
        found = _loss(trial, outputs, target)
        guessing = _loss(trial, torch.zeros_like(outputs), target) if trial.reads == "logits" else None
    if found is None:
        return finding("WF501", fired=None, evidence="The loss refuses the outputs (WF502).")
    per_row = len(rows) if trial.summed else 1
    found /= per_row
    if guessing is not None:
        guessing /= per_row
        told = f"The loss at the start is {found:.3g}; equal probabilities for all classes give {guessing:.3g}."
        return finding("WF501", fired=not found <= guessing + NATS_ABOVE, evidence=told)
    best = trial.best_constant(outputs.detach(), target)
    if best is None or trial.reads == "log-probabilities":
        return finding(
            "WF501",
            fired=None,
            evidence=f"The loss at the start is {found:.3g}, but it has no minimum over constants to compare with.",
        )
    best /= per_row
    told = (
        f"The loss at the start is {found:.3g}; that of the best constant (the variance of y for squared errors) is "
        f"{best:.3g}."
    )
    return finding("WF501", fired=not found <= TIMES_ABOVE * best + 1e-12, evidence=told)


def outputs_fit_loss(trial: Trial) -> Finding:
    """WF502: fires for outputs of the wrong kind (such as probabilities instead of logits), or if rows are mixed."""
    rows, target = trial.batch(ROWS)
    outputs = trial.run(rows, training=True).detach()
    try:
        with torch.no_grad():
            trial.measure(outputs, target)
    except FAILURES as error:
        said = (str(error).strip().splitlines() or [type(error).__name__])[0]
        return finding("WF502", fired=True, evidence=f"The loss refuses the outputs: {said}")
    told = _broadcast(trial, outputs, target) or _not_normalized(trial, outputs)
    if not told:
        bounds = _bounds(trial, rows)
        told = _out_of_reach(trial, target, bounds)
        if not told:
            shown = (
                f"The loss takes the outputs as {trial.reads}; random weights give outputs from {bounds.low:.3g} to "
                f"{bounds.high:.3g}."
            )
            return finding("WF502", fired=False, evidence=shown)
    return finding("WF502", fired=True, evidence=told)


def _broadcast(trial: Trial, outputs: Tensor, target: Tensor) -> str:
    if outputs.shape == target.shape or outputs.numel() != target.numel():
        return ""
    here = float(trial.measure(outputs, target))
    alike = float(trial.measure(outputs.reshape(target.shape), target))
    if abs(here - alike) <= 1e-4 * (abs(alike) + 1e-12):
        return ""
    shapes = f"{list(outputs.shape)} and targets {list(target.shape)}"
    return (
        f"Every output is compared with every target, because outputs have shape {shapes}: the loss is {here:.4g}, "
        f"but row by row it is {alike:.4g}."
    )


def _not_normalized(trial: Trial, outputs: Tensor) -> str:
    """Describe outputs that are not log-probabilities although the loss expects them, or are already probabilities."""
    if outputs.dim() < 2 or outputs.shape[1] < 2:
        return ""
    total = outputs.logsumexp(1)
    if trial.reads == "log-probabilities" and float(total.abs().max()) > 1e-3:
        return (
            "The loss expects log-probabilities, whose exponentials sum to 1; the sums for these outputs are "
            f"{float(total.exp().min()):.3g} to {float(total.exp().max()):.3g}."
        )
    sums = outputs.sum(1)
    if trial.reads == "logits" and bool((outputs >= 0).all()) and float((sums - 1).abs().max()) < 1e-4:
        return "The loss expects logits and applies a softmax itself, but the outputs of every row already sum to 1."
    return ""


@dataclass(frozen=True)
class Bounds:
    """The lowest and the highest output for any weights; infinite if larger weights give larger outputs."""

    low: float
    high: float

    def __str__(self) -> str:
        return f"For any weights the outputs stay between {self.low:.3g} and {self.high:.3g}"


def _bounds(trial: Trial, rows: Tensor) -> Bounds:
    """Return the bounds within which outputs stay even if weights are ten times as large."""
    wake(trial.module)
    start = {name: value.detach().clone() for name, value in trial.parameters.items() if value.is_floating_point()}
    scales = {name: float(value.pow(2).mean().sqrt()) for name, value in start.items()}
    low, high = [math.inf, math.inf], [-math.inf, -math.inf]
    with torch.no_grad(), trial.quiet():
        for probe in range(2 * PROBES):
            size = probe % 2
            for name, value in start.items():
                trial.parameters[name].data = value + PROBE_SCALES[size] * scales[name] * torch.randn_like(value)
            outputs = trial.run(rows, training=True, seed=probe)
            low[size], high[size] = min(low[size], float(outputs.min())), max(high[size], float(outputs.max()))
    slack = WIDER * (high[0] - low[0])
    if not math.isfinite(slack):
        return Bounds(-math.inf, math.inf)
    return Bounds(
        min(low) if low[1] >= low[0] - slack else -math.inf, max(high) if high[1] <= high[0] + slack else math.inf
    )


def _out_of_reach(trial: Trial, target: Tensor, bounds: Bounds) -> str:
    if bounds.low == bounds.high:
        return ""  # inputs make no difference (WF508)
    if trial.reads == "logits" and target.is_floating_point():
        least = max(math.log1p(math.exp(side)) for side in (max(bounds.low, -700.0), -min(bounds.high, 700.0)))
        if least > LEAST_REACHED * math.log(2):
            return f"{bounds}, but the loss expects logits: for one of the labels it cannot fall below {least:.2g}."
    elif trial.reads == "logits":
        least = math.log1p(math.exp(-min(bounds.high - bounds.low, 700.0)))
        if least > LEAST_REACHED * math.log(2):
            return f"{bounds}, but the loss expects logits: for two classes it cannot fall below {least:.2g}."
    elif trial.reads == "values" and target.is_floating_point():
        bottom, top, spread = (float(value) for value in (target.min(), target.max(), target.std()))
        if bounds.low > bottom + BEYOND * spread or bounds.high < top - BEYOND * spread:
            return f"{bounds}, but y ranges from {bottom:.3g} to {top:.3g}."
    return ""


def _loss(trial: Trial, outputs: Tensor, target: Tensor) -> float | None:
    try:
        return float(trial.measure(outputs, target))
    except FAILURES:
        return None
