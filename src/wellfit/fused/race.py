"""The race of a stack's members, from the first update to the last outcome, whichever engine makes the updates."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import torch

from wellfit.base.typing import Booleans, Floats, Integers
from wellfit.data.prepare import Arrays, Prepared
from wellfit.fused.memory import BYTES_OF_OUTPUTS
from wellfit.fused.stack import Stack
from wellfit.records.config import Config
from wellfit.records.goals import Goal
from wellfit.records.outcome import CurvePoint, Outcome, Status
from wellfit.training.effects import measure_effects
from wellfit.training.learning_curve import Stopping, check_points, some_rows
from wellfit.training.module import AnyNetwork
from wellfit.training.schedules import rung_updates
from wellfit.training.tensors import output_range_of, predictions_of, state_of

Judge: TypeAlias = Callable[[Mapping[str, Floats], int], Collection[str]]
"""Takes dev losses [rows] by identity and the number of members that can still finish; returns those to continue."""


@dataclass
class _Member:
    """The records of one member during its training."""

    stopping: Stopping
    points: list[CurvePoint] = field(default_factory=list)
    snapshots: list[int] = field(default_factory=list)
    seconds: float = 0.0


class Race:
    """One stack from its first update to its last outcome."""

    def __init__(
        self,
        data: Prepared,
        stack: Stack,
        *,
        goal: Goal,
        deadline: float | None = None,
        judge: Judge | None = None,
        effects: bool = True,
    ) -> None:
        self._effects = effects
        self._data = data
        self._goal = goal
        self._deadline = math.inf if deadline is None else deadline
        self._judge = judge
        self._range = output_range_of(data)
        # Points are measured on the same rows for every network of a seed.
        self._curve = [some_rows(part, seed=stack.configs[0].seed) for part in (data.train, data.dev)]
        self._stack = stack
        self._members = {
            config.identity: _Member(Stopping(config.optimization.early_stopping)) for config in stack.configs
        }
        self._rungs = frozenset(rung_updates(self._stack.planned) if judge else ())
        self._points = check_points(self._stack.planned) | self._rungs
        self._on_outcome: Callable[[Outcome], None]
        self._clock: float

    def run(self, on_outcome: Callable[[Outcome], None]) -> None:
        """Train until every member has ended."""
        self._on_outcome = on_outcome
        self._stack.compile()
        self._clock = began = time.monotonic()
        self._measure()
        rows = sum(part.rows for part in self._data.parts.values())
        self._deadline -= (time.monotonic() - began) * rows / sum(part.rows for part in self._curve)
        while self._stack.configs:
            self._go_on()

    def _go_on(self) -> None:
        """Make updates until the next point, rung or deadline, and end the members that are due."""
        stack = self._stack
        before = stack.updates
        stop = min(point for point in self._points if point > before)
        losses = stack.advance(stop)
        self._book()
        broken = ~np.isfinite(losses)
        self._end(np.any(broken, axis=0), Status.DIVERGED, updates=before + 1 + broken.argmax(axis=0))
        late = stack.updates < stack.planned and time.monotonic() >= self._deadline
        if late or stack.updates in self._points:
            self._measure()
        if late:
            self._end_all(Status.OUT_OF_BUDGET)
        elif stack.updates == stack.planned:
            self._end_all(Status.FINISHED)
        elif stack.updates in self._rungs and stack.configs:
            self._compare()

    def _book(self) -> None:
        """Divide the time since the last call among the members that used it."""
        now = time.monotonic()
        for config in self._stack.configs:
            self._members[config.identity].seconds += (now - self._clock) / len(self._stack)
        self._clock = now

    def _measure(self) -> None:
        """Add a point to every member's curve, and end the members that diverged or are out of patience."""
        stack = self._stack
        if not stack.configs:
            return
        rows = stack.parameters
        outputs = [stack.outputs(rows, part) for part in self._curve]
        broken, due = np.zeros(len(stack), bool), np.zeros(len(stack), bool)
        for place, config in enumerate(stack.configs):
            member = self._members[config.identity]
            own = [each[place] for each in outputs]
            if not all(np.isfinite(each).all() for each in own):
                broken[place] = True
                continue
            train, dev = (
                self._goal.loss(part.target, self._predicted(each)) for part, each in zip(self._curve, own, strict=True)
            )
            member.points.append(CurvePoint(stack.updates, train, dev))
            member.stopping.watch(dev, rows[place].copy())
            due[place] = member.stopping.is_due
        self._book()
        updates = np.full(len(stack), stack.updates)
        self._end(broken, Status.DIVERGED, updates=updates)
        self._end(due[~broken], Status.STOPPED_EARLY, updates=updates[~broken])

    def _compare(self) -> None:
        """Let the judge drop members, and hand over snapshots of the others."""
        stack = self._stack
        if self._judge is None:
            return
        predictions = self._predictions(stack.parameters, self._data.dev)
        target = self._data.dev.target
        losses = {
            config.identity: self._goal.row_losses(target, predicted)
            for config, predicted in zip(stack.configs, predictions, strict=True)
        }
        stay = self._judge(losses, self._affordable())
        updates = np.full(len(stack), stack.updates)
        self._end(np.array([config.identity not in stay for config in stack.configs]), Status.DROPPED, updates=updates)
        self._hand_all_over(np.arange(len(stack)), Status.AT_RUNG, updates=updates)
        for config in stack.configs:
            self._members[config.identity].snapshots.append(stack.updates)

    def _affordable(self) -> int:
        """Return how many members can be trained to the end before the deadline, at the pace so far."""
        if self._deadline == math.inf:
            return len(self._stack)
        spent = sum(self._members[config.identity].seconds for config in self._stack.configs)
        rest = spent / len(self._stack) * (self._stack.planned / self._stack.updates - 1)
        return int(max(self._deadline - time.monotonic(), 0.0) / rest) if rest else len(self._stack)

    def _end_all(self, status: Status) -> None:
        stack = self._stack
        members = [self._members[config.identity] for config in stack.configs]
        early = np.array([status is Status.FINISHED and member.stopping.went_back for member in members], bool)
        updates = np.full(len(stack), stack.updates)
        self._end(early, Status.STOPPED_EARLY, updates=updates)
        self._end(np.ones(len(stack), bool), status, updates=updates)

    def _end(self, leaving: Booleans, status: Status, *, updates: Integers) -> None:
        """Measure the members marked in [K], hand over their outcomes, and drop them."""
        self._hand_all_over(np.flatnonzero(leaving), status, updates=updates)
        if leaving.any():
            self._stack.keep(~leaving)

    def _hand_all_over(self, places: Integers, status: Status, *, updates: Integers) -> None:
        at_once = max(1, BYTES_OF_OUTPUTS // (self._data.train.rows * 4 * self._data.preparation.outputs))
        for start in range(0, len(places), at_once):
            self._hand_over(places[start : start + at_once], status, updates=updates)

    def _hand_over(self, places: Integers, status: Status, *, updates: Integers) -> None:
        stack = self._stack
        members = [self._members[stack.configs[place].identity] for place in places]
        rows = stack.parameters[places]
        if status is not Status.AT_RUNG:
            # A member that ended is the network that its curve kept.
            kept = [member.stopping.network for member in members]
            rows = np.array([row if best is None else best for row, best in zip(rows, kept, strict=True)])
        predictions = {name: self._predictions(rows, part) for name, part in self._data.parts.items()}
        share = (time.monotonic() - self._clock) / len(places)
        for number, (place, member) in enumerate(zip(places, members, strict=True)):
            outcome = self._outcome(
                stack.configs[place],
                status,
                network=stack.network_of(rows[number]),
                predictions={name: each[number] for name, each in predictions.items()},
                updates=int(updates[place]),
                seconds=member.seconds + share,
            )
            self._on_outcome(outcome)
        self._clock = time.monotonic()

    def _outcome(
        self,
        config: Config,
        status: Status,
        *,
        network: AnyNetwork,
        predictions: Mapping[str, Floats],
        updates: int,
        seconds: float,
    ) -> Outcome:
        """Return a member's outcome from its predictions on every part; measuring time counts toward its seconds."""
        began, member, state = time.monotonic(), self._members[config.identity], state_of(network, self._data)
        losses = {
            name: self._goal.row_losses(part.target, predictions[name]) for name, part in self._data.parts.items()
        }
        measured = self._effects and status is not Status.AT_RUNG
        return Outcome(
            config=config,
            status=status,
            updates=updates,
            losses={name: float(np.mean(each)) for name, each in losses.items()},
            curve=tuple(member.points),
            weight_norms=tuple(float(np.linalg.norm(state[name].astype(np.float64))) for name in network.decayed()),
            predictions={name: each for name, each in predictions.items() if name != "train"},
            train_losses=losses["train"],
            state=state,
            effects=measure_effects(network, self._data, seed=config.seed) if measured else {},
            snapshots=tuple(member.snapshots),
            seconds=seconds + time.monotonic() - began,
        )

    def _predictions(self, rows: Floats, part: Arrays) -> list[Floats]:
        """Return the predictions of parameters [M, P] on a part, in the form of `Outcome.predictions`."""
        return list(map(self._predicted, self._stack.outputs(rows, part)))

    def _predicted(self, outputs: Floats) -> Floats:
        return predictions_of(torch.from_numpy(outputs), self._data.preparation, output_range=self._range)
