"""WF507 and WF508: a small batch that cannot be fitted, and inputs that make no difference."""

from __future__ import annotations

import copy
import math
import time
from collections import defaultdict

import torch
from torch import Tensor

from wellfit.checking.keeping import kept, wake
from wellfit.checking.trial import Trial
from wellfit.diagnosis.findings import Finding, finding

ROWS = 8
RATES = (3e-3, 1e-2, 5e-4)
STEPS = 250
SECONDS = 0.8
"""Processor time for each learning rate, so that other busy processes do not change the finding."""
FITTED, NOT_FITTED = 0.1, 0.5
"""Fractions of the best constant's loss: a loss below the first counts as fitted, and one above the second does not."""
LEAST_STEPS = 12
UNMOVED = 0.9
"""Fraction of the best constant's loss above which half of the steps are enough to decide."""
OWN_STEPS = 60
MOVED = 1e-3
"""Fraction by which the caller's optimizer must lower the loss."""
_SAME = 1e-6


def small_batch(trial: Trial) -> Finding:
    """WF507: fires unless a few rows can be fitted to a loss near zero, with noise and dropout off."""
    rows, target = _few(trial)
    with torch.no_grad(), trial.quiet():
        outputs = trial.run(rows, training=True)
    best = trial.best_constant(outputs, target)
    start = abs(float(trial.measure(outputs, target)))
    guessing = best if best is not None and best > 0 else start
    own = _with_own_optimizer(trial, rows, target)
    if own:
        return finding("WF507", fired=True, evidence=own)
    lowest, steps = math.inf, 0
    for rate in RATES:
        with kept(*trial.roots):
            found, took = _fit(trial, (rows, target), rate=rate, goal=FITTED * guessing)
        steps += took
        lowest = min(lowest, found)
        if lowest <= FITTED * guessing:
            break
    right = _share_right(trial, rows, target) if lowest > FITTED * guessing else 1.0
    told = (
        f"The loss of {len(rows)} rows went from {start:.3g} to {lowest:.3g} in {steps} steps; the loss of guessing "
        f"is {guessing:.3g}."
    )
    if lowest <= FITTED * guessing or (right == 1 and lowest <= NOT_FITTED * guessing):
        return finding("WF507", fired=False, evidence=told)
    enough = steps >= 2 * STEPS or (steps >= STEPS / 2 and lowest > UNMOVED * guessing)
    return finding("WF507", fired=True if lowest > NOT_FITTED * guessing and enough else None, evidence=told)


def _few(trial: Trial) -> tuple[Tensor, Tensor]:
    """Return so few rows that even a small network has enough parameters for them."""
    rows, target = trial.batch(64)
    different = torch.unique(rows.flatten(1), dim=0, return_inverse=True)[1]
    first = [place for place, kind in enumerate(different.tolist()) if kind not in different[:place].tolist()]
    each = max(1, target[0].numel())
    trained = sum(value.numel() for value in trial.parameters.values() if value.requires_grad)
    with torch.no_grad():
        outputs = trial.run(trial.rows[:2], training=False)[0].numel()
    wanted = 2 if each > 1 else max(2, min(ROWS, trained // (2 * max(2, outputs))))
    return rows[first[:wanted]], target[first[:wanted]]


def _fit(trial: Trial, batch: tuple[Tensor, Tensor], *, rate: float, goal: float) -> tuple[float, int]:
    """Train with Adam, and return the lowest loss and the number of steps."""
    rows, target = batch
    trained = [value for value in trial.parameters.values() if value.requires_grad]
    lowest, ends = math.inf, time.process_time() + SECONDS
    if not trained:
        return lowest, STEPS
    adam = torch.optim.Adam(trained, lr=rate)
    for step in range(STEPS):
        with trial.quiet():
            loss = trial.measure(trial.run(rows, training=True), target)
        lowest = min(lowest, float(loss)) if math.isfinite(float(loss)) else lowest
        if lowest <= goal or not loss.requires_grad or not math.isfinite(float(loss)):
            return lowest, step + 1 if loss.requires_grad and math.isfinite(float(loss)) else STEPS
        if time.process_time() > ends and step >= LEAST_STEPS:
            return lowest, step + 1
        adam.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call] # torch's
        adam.step()
    return lowest, STEPS


def _share_right(trial: Trial, rows: Tensor, target: Tensor) -> float:
    """Return the share of rows whose class has the highest output after training; 0 if there are no classes."""
    if trial.reads != "logits" or target.is_floating_point():
        return 0.0
    with kept(*trial.roots):
        _fit(trial, (rows, target), rate=RATES[0], goal=0.0)
        with torch.no_grad(), trial.quiet():
            return float((trial.run(rows, training=True).argmax(1) == target).float().mean())


def _with_own_optimizer(trial: Trial, rows: Tensor, target: Tensor) -> str:
    """Describe how a copy of the caller's optimizer fails to lower the loss; "" if it does not fail."""
    if trial.optimizer is None or isinstance(trial.optimizer, torch.optim.LBFGS):
        return ""
    with kept(*trial.roots):
        optimizer = _stand_in(trial.optimizer)
        losses: list[float] = []
        ends = time.process_time() + SECONDS
        while len(losses) < OWN_STEPS and time.process_time() < ends:
            with trial.quiet():
                loss = trial.measure(trial.run(rows, training=True), target)
            losses.append(float(loss))
            if not math.isfinite(losses[-1]) or not loss.requires_grad:
                break
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call] # torch's
            optimizer.step()
    rates = sorted({float(group["lr"]) for group in optimizer.param_groups if "lr" in group})
    told = f"{type(optimizer).__name__} with lr {rates[0] if rates else '?'}"
    start, lowest = losses[0], min(losses)
    if not math.isfinite(losses[-1]) or losses[-1] > 2 * abs(start) + 1:
        return f"{told} diverges: the loss of {len(rows)} rows goes from {start:.3g} to {losses[-1]:.3g}."
    if len(losses) >= OWN_STEPS / 2 and start - lowest < MOVED * abs(start):
        moved = f"{start:.5g} to {losses[-1]:.5g}"
        return f"{told} hardly lowers the loss: on {len(rows)} rows it goes from {moved} in {len(losses)} steps."
    return ""


def _stand_in(optimizer: torch.optim.Optimizer) -> torch.optim.Optimizer:
    """Return an optimizer of the same parameters, with copies of its state and groups."""
    made = copy.copy(optimizer)
    made.param_groups = [dict(group) for group in optimizer.param_groups]
    made.state = defaultdict(dict)
    for value, state in optimizer.state.items():
        made.state[value] = {name: one.clone() if isinstance(one, Tensor) else one for name, one in state.items()}
    return made


def inputs_matter(trial: Trial) -> Finding:
    """WF508: fires unless outputs differ between rows, in training and in evaluation."""
    rows, _ = trial.batch(64)
    wake(trial.module)
    spreads = {}
    with torch.no_grad(), trial.quiet():
        for training in (True, False):
            outputs = trial.run(rows, training=training)
            apart = float((outputs - outputs.mean(0)).abs().max())
            spreads["training" if training else "evaluation"] = apart / (float(outputs.abs().max()) + 1e-30)
    mode, least = min(spreads.items(), key=lambda item: item[1])
    told = f"In {mode}, the outputs of {len(rows)} rows differ by {least:.2g} times the largest one."
    return finding("WF508", fired=not least > _SAME, evidence=told)
