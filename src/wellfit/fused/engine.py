"""Train a stack of configs: the contract of the reference loop (training/loop.py), for K configs at once."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from wellfit._typing import Booleans, Floats, Integers
from wellfit.config import Config
from wellfit.data.prepare import Arrays, Prepared
from wellfit.data.training_rows import trained_on
from wellfit.device import Device
from wellfit.exceptions import BadInput
from wellfit.fused.device_stack import DeviceStack
from wellfit.fused.layout import Layout, layout_of
from wellfit.fused.memory import BYTES_OF_OUTPUTS, MemoryPlan, plan_device_memory, plan_memory, plan_module_memory
from wellfit.fused.module_stack import ModuleStack
from wellfit.fused.stack import Stack
from wellfit.goals import Goal
from wellfit.outcome import CurvePoint, Outcome, Status
from wellfit.training.learning_curve import Stopping, Yardstick, check_points
from wellfit.training.module import ModuleNetwork, module_network
from wellfit.training.module_checks import ModuleFactory, require_last_batch, site_keep_probs
from wellfit.training.noise import SHARED
from wellfit.training.objective import require_labels
from wellfit.training.outcomes import Ending, outcome_of, parts_of
from wellfit.training.pictures import require_pictures
from wellfit.training.schedules import rung_updates
from wellfit.training.tensors import Inputs, conv_network, one_thread, output_range_of, predictions_of

Judge: TypeAlias = Callable[[Mapping[str, Floats], int], Collection[str]]
"""(identity -> dev loss [rows] of every row, how many members the deadline can still pay) -> members that go on."""


AnyStack: TypeAlias = Stack | DeviceStack | ModuleStack


def stacks_of(configs: Sequence[Config]) -> list[list[Config]]:
    """Return the configs, grouped by what does not fuse: network, optimizer, batch size, epochs, rows and seed."""
    found: dict[tuple[Any, ...], list[Config]] = {}
    for config in configs:
        knobs = config.optimization
        kind = (config.network, knobs.optimizer, knobs.batch_size, knobs.epochs, config.data, config.seed)
        found.setdefault(kind, []).append(config)
    return list(found.values())


def fit_stack(  # noqa: PLR0913 - what, how and by when; each is its own thing
    data: Prepared,
    configs: Sequence[Config],
    *,
    goal: Goal,
    on_outcome: Callable[[Outcome], None],
    stream: str = SHARED,
    deadline: float | None = None,
    judge: Judge | None = None,
    memory: int | None = None,
    module: ModuleFactory | None = None,
    effects: bool = True,
    device: Device | None = None,
) -> str:
    """Train configs of one stack (see `stacks_of`), and measure each on every part.

    A member that diverges, stops early or is dropped leaves the stack; the others do not notice.

    Args:
        data: the prepared parts.
        configs: K of them, alike in what does not fuse.
        goal: in whose loss outcomes are measured.
        on_outcome: receives each outcome as its member ends, and before that a snapshot of it at each rung that it
            passes.
        stream: of noise and batch order.
        deadline: `time.monotonic()` by which the outcomes are there; members that it cuts short are "out of budget".
        judge: says at the rungs (training/schedules.py, `rung_updates`) who goes on.
        memory: bytes that the members' parameters and moments may take; more members are trained in passes.
        module: makes the network, in place of the built-in one (training/module_checks.py).
        effects: measure what regularizing did to each network (training/effects.py), for those who show it.
        device: that trains the built-in network; the core that calls when None.

    Returns:
        Why the members of a user's module ran one after the other; empty where they ran at once.

    Raises:
        BadInput: as `require_trainable` does, before any training.
    """
    notice, data = "", trained_on(data, configs[0].data)
    # Numba's products are those of scipy's BLAS, which has threads of its own.
    with one_thread(), threadpool_limits(1, user_api="blas"):
        for stack in _passes(data, configs, stream=stream, memory=memory, module=module, device=device):
            if module is not None and isinstance(stack, ModuleStack):
                notice = stack.notice
            if deadline is None or time.monotonic() < deadline:
                _Race(data, stack, goal=goal, deadline=deadline, judge=judge, effects=effects).run(on_outcome)
    return notice


def require_trainable(
    data: Prepared,
    stacks: Sequence[Sequence[Config]],
    *,
    memory: int | None = None,
    module: ModuleFactory | None = None,
    device: Device | None = None,
) -> int:
    """Refuse all stacks before the first of them is trained.

    Args:
        data: the prepared parts.
        stacks: as `stacks_of` makes them.
        memory: as in `fit_stack`.
        module: as in `fit_stack`.
        device: as in `fit_stack`.

    Returns:
        The bytes that any of the stacks needs at least; 0 where there is no limit.

    Raises:
        BadInput: for a config that the data or the module does not allow, or memory too small for one member.
    """
    for configs in stacks:
        _require_allowed(data, configs, module=module, device=device)
    if memory is None and module is None and device is None:
        return 0
    plans = (
        _planned(trained_on(data, each[0].data), each, memory=memory, module=module, device=device)[1]
        for each in stacks
    )
    return max((plan.least for plan in plans), default=0)


def _require_allowed(
    data: Prepared, configs: Sequence[Config], *, module: ModuleFactory | None, device: Device | None
) -> None:
    if device is not None and (module is not None or configs[0].network.kind != "mlp"):
        raise BadInput(
            "a device trains the built-in network of tables",
            found="a module of your own" if module is not None else "a network of pictures",
            remedy="Leave the device out",
        )
    for config in configs:
        require_labels(config.regularization, task=data.preparation.schema.task)
        require_pictures(config, data.preparation.schema)
    if module is not None and (data.train.weights is not None or data.preparation.targets > 1):
        raise BadInput(
            "a module of your own predicts one target, and every row counts once",
            found="weights of rows" if data.train.weights is not None else f"{data.preparation.targets} targets",
            remedy="Use the built-in network, or leave them out",
        )


def _passes(
    data: Prepared,
    configs: Sequence[Config],
    *,
    stream: str,
    memory: int | None,
    module: ModuleFactory | None,
    device: Device | None,
) -> Iterator[AnyStack]:
    """Yield the configs as stacks that fit into memory, each made when it is its turn."""
    _require_allowed(data, configs, module=module, device=device)
    network, plan = _planned(data, configs, memory=memory, module=module, device=device)
    for start in range(0, len(configs), plan.members):
        members = configs[start : start + plan.members]
        if isinstance(network, ModuleNetwork):
            yield ModuleStack(data, members, network=network, stream=stream)
        elif device is None:
            yield Stack(data, members, layout=network, stream=stream)
        else:
            yield DeviceStack(data, members, layout=network, stream=stream, device=device)


def _planned(
    data: Prepared,
    configs: Sequence[Config],
    *,
    memory: int | None,
    module: ModuleFactory | None,
    device: Device | None,
) -> tuple[Layout | ModuleNetwork, MemoryPlan]:
    """Return what all members start from, and in how many passes they are trained."""
    if module is None and configs[0].network.kind == "mlp":
        layout = layout_of(data, configs[0])
        if device is not None:
            return layout, plan_device_memory(data, configs, layout=layout, device=device, limit=memory)
        return layout, plan_memory(data, configs, layout=layout, limit=memory)
    network = _module_network(data, configs[0], module)
    for config in configs:
        site_keep_probs(config.regularization.keep_prob, sites=len(network.findings.sites))
    size = configs[0].optimization.batch_size
    require_last_batch(network.module, inputs=network.inputs, rows=data.train.rows % size or size)
    return network, plan_module_memory(network, configs, data=data, limit=memory)


def _module_network(data: Prepared, config: Config, module: ModuleFactory | None) -> ModuleNetwork:
    if module is None:
        return conv_network(data.preparation, config.network, seed=config.seed).float()
    return module_network(data, module, seed=config.seed)


@dataclass
class _Member:
    """What is known of one member while it trains."""

    stopping: Stopping[Floats]
    points: list[CurvePoint] = field(default_factory=list)
    snapshots: list[int] = field(default_factory=list)
    seconds: float = 0.0


class _Race:
    """One stack from its first update to its last outcome."""

    def __init__(
        self,
        data: Prepared,
        stack: AnyStack,
        *,
        goal: Goal,
        deadline: float | None,
        judge: Judge | None,
        effects: bool,
    ) -> None:
        self._effects = effects
        self._data = data
        self._goal = goal
        self._deadline = math.inf if deadline is None else deadline
        self._judge = judge
        self._range = output_range_of(data)
        self._yardstick = Yardstick(data, goal=goal, seed=stack.configs[0].seed)
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
        rows = sum(part.rows for part in parts_of(self._data).values())
        self._deadline -= (time.monotonic() - began) * rows / self._yardstick.rows
        while self._stack.configs:
            self._go_on()

    def _go_on(self) -> None:
        """Make updates up to the next point, rung or deadline at most, and see who ends there."""
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
        """Share the time since the last call out to the members that used it."""
        now = time.monotonic()
        for config in self._stack.configs:
            self._members[config.identity].seconds += (now - self._clock) / len(self._stack)
        self._clock = now

    def _measure(self) -> None:
        """Add a point to every member's curve; members that diverged or have waited long enough end."""
        stack, yardstick = self._stack, self._yardstick
        if not stack.configs:
            return
        rows = stack.parameters
        train, dev = (torch.from_numpy(stack.outputs(rows, _arrays(part))) for part in (yardstick.train, yardstick.dev))
        broken, due = np.zeros(len(stack), bool), np.zeros(len(stack), bool)
        for place, config in enumerate(stack.configs):
            member = self._members[config.identity]
            point = yardstick.point(stack.updates, train[place], dev[place])
            if point is None:
                broken[place] = True
                continue
            member.points.append(point)
            member.stopping.watch(point.dev, rows[place].copy())
            due[place] = member.stopping.is_due
        self._book()
        updates = np.full(len(stack), stack.updates)
        self._end(broken, Status.DIVERGED, updates=updates)
        self._end(due[~broken], Status.STOPPED_EARLY, updates=updates[~broken])

    def _compare(self) -> None:
        """Let the judge drop members, and hand snapshots of the others over."""
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
        """Return how many members the deadline can pay to the end, at the pace so far."""
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
        """Measure the members marked in [K], hand their outcomes over, and let go of them."""
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
        rows = self._parameters(places, at_rung=status is Status.AT_RUNG)
        predictions = {name: self._predictions(rows, part) for name, part in parts_of(self._data).items()}
        share = (time.monotonic() - self._clock) / len(places)
        for number, (place, member) in enumerate(zip(places, members, strict=True)):
            began = time.monotonic()
            outcome = outcome_of(
                self._data,
                stack.configs[place],
                goal=self._goal,
                ending=Ending(
                    status=status,
                    updates=int(updates[place]),
                    seconds=member.seconds,
                    points=member.points,
                    snapshots=member.snapshots,
                ),
                network=stack.network_of(rows[number]),
                state=stack.state_of(rows[number]),
                predictions={name: each[number] for name, each in predictions.items()},
                effects=self._effects and status is not Status.AT_RUNG,
            )
            self._on_outcome(replace(outcome, seconds=member.seconds + share + time.monotonic() - began))
        self._clock = time.monotonic()

    def _parameters(self, places: Integers, *, at_rung: bool) -> Floats:
        """Return what members are kept as: what the judge saw, or in the end what their curve says."""
        live = self._stack.parameters[places]
        kept = [self._members[self._stack.configs[place].identity].stopping.network for place in places]
        if at_rung:
            return live
        return np.array([row if best is None else best for row, best in zip(live, kept, strict=True)])

    def _predictions(self, rows: Floats, part: Arrays) -> list[Floats]:
        """Return the predictions of parameters [M, P] on a part, as `Outcome.predictions` has them."""
        return [
            predictions_of(torch.from_numpy(each), self._data.preparation, output_range=self._range)
            for each in self._stack.outputs(rows, part)
        ]


def _arrays(inputs: Inputs) -> Arrays:
    return Arrays(inputs.numeric.numpy(), inputs.codes.numpy(), np.empty(0))
