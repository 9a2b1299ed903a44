"""The executors that train the members of a sweep in fused stacks: in this process, in workers, or on a Ray cluster.

All give the same outcomes for the same configs, to the bit where the processors are of one kind. With rungs, this holds
only for members that stay: a member is compared with those of its own worker and pass, so the number of workers and
passes affects which are dropped.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import Protocol, Self

from wellfit.base.typing import Notify
from wellfit.data.prepare import Prepared
from wellfit.fused.compiled_stack import COMPILING, is_ready
from wellfit.fused.engine import fit_stack, require_trainable, stacks_of
from wellfit.records.config import Config, Device
from wellfit.records.goals import Goal
from wellfit.records.outcome import Outcome
from wellfit.sweeps.rungs import Rungs
from wellfit.training.module_checks import ModuleFactory

OnOutcome = Callable[[Outcome], None]


def ignore_outcome(_outcome: Outcome) -> None:
    """Ignore an outcome; this is the default `on_outcome`."""


def telling(notify: Notify) -> OnOutcome:
    """Return an `on_outcome` that sends an event for each outcome."""
    return lambda outcome: notify(
        {"event": "snapshot" if outcome.is_snapshot else "member", "dev": outcome.losses["dev"]}
    )


def shares_of(configs: Sequence[Config], *, workers: int) -> list[list[Config]]:
    """Return the share of each worker: the stacks of the configs (each one once), divided evenly."""
    stacks = stacks_of(list({config.identity: config for config in configs}.values()))
    return [stack[place::workers] for stack in stacks for place in range(min(workers, len(stack)))]


class Executor(Protocol):
    """Trains configs on the data for which it was made."""

    def train(
        self,
        configs: Sequence[Config],
        *,
        deadline: float | None = None,
        rungs: Rungs | None = None,
        on_outcome: OnOutcome = ignore_outcome,
    ) -> list[Outcome]:
        """Train configs, together if they fuse, and return their outcomes in the order of the configs.

        A config that could not start before the deadline, a `time.monotonic()`, has no outcome; one that was cut short
        is "out of budget". `rungs` has the rules by which members are dropped early; with None, all are trained to the
        end. `on_outcome` receives each outcome in this process and thread, and also the snapshots at rungs, which are
        not returned.
        """
        ...

    def close(self) -> None:
        """Release processes and files; the executor cannot train after that."""
        ...


def trains_on_torch(seconds: float) -> bool:
    """Return True if torch trains, because the loops are not compiled and `seconds` are too few to compile them."""
    return seconds < COMPILING and not is_ready()


@dataclass(eq=False)
class InProcess:
    """Trains stacks one after another in this process; its options are those of `fit_stack`."""

    data: Prepared
    _: KW_ONLY
    goal: Goal
    memory: int | None = None
    module: ModuleFactory | None = None
    effects: bool = True
    device: Device | None = None
    notice: str = field(default="", init=False)
    """The reason why the members of a user's module ran one at a time; empty if they ran together."""

    def train(
        self,
        configs: Sequence[Config],
        *,
        deadline: float | None = None,
        rungs: Rungs | None = None,
        on_outcome: OnOutcome = ignore_outcome,
    ) -> list[Outcome]:
        """Train configs in this process, as `Executor.train` describes."""
        found: dict[str, Outcome] = {}

        def keep(outcome: Outcome) -> None:
            found[outcome.identity] = outcome
            on_outcome(outcome)

        stacks = stacks_of(list({config.identity: config for config in configs}.values()))
        if len(stacks) > 1:
            require_trainable(self.data, stacks, memory=self.memory, module=self.module, device=self.device)
        for stack in stacks:
            if deadline is not None and time.monotonic() >= deadline:
                break
            self.notice = fit_stack(
                self.data,
                stack,
                goal=self.goal,
                deadline=deadline,
                judge=rungs.judge if rungs else None,
                memory=self.memory,
                module=self.module,
                effects=self.effects,
                device=self.device,
                on_outcome=keep,
            )
        return [found[config.identity] for config in configs if config.identity in found]

    def close(self) -> None:
        """Do nothing, because there is nothing to release."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()
