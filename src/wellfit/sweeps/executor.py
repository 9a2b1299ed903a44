"""Who trains the members of a sweep: this process, or a pool of workers. A fused engine is a third answer.

Every executor gives the same outcomes for the same configs, in the order of the configs, whatever its size.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Protocol, Self

from wellfit.config import Config
from wellfit.data.prepare import Prepared
from wellfit.goals import Goal
from wellfit.outcome import Outcome, Status
from wellfit.training.loop import fit
from wellfit.training.noise import SHARED

OnOutcome = Callable[[Outcome], None]


def ignore_outcome(_outcome: Outcome) -> None:
    """Take an outcome and do nothing: the default `on_outcome`."""


class Executor(Protocol):
    """Trains configs on the data it was made for."""

    def train(
        self, configs: Sequence[Config], *, deadline: float | None = None, on_outcome: OnOutcome = ignore_outcome
    ) -> list[Outcome]:
        """Train configs; call `on_outcome` in this process and thread as each one ends.

        Returns:
            The outcomes in the order of the configs. A config that `deadline` (`time.monotonic()`) did not let
            start has none; one that it cut short has status "out of budget".
        """
        ...

    def close(self) -> None:
        """Let go of processes and files; the executor cannot train any more."""
        ...


class InProcess:
    """Trains one config after the other, here."""

    def __init__(self, data: Prepared, *, goal: Goal, stream: str = SHARED) -> None:
        self._data = data
        self._goal = goal
        self._stream = stream

    def train(
        self, configs: Sequence[Config], *, deadline: float | None = None, on_outcome: OnOutcome = ignore_outcome
    ) -> list[Outcome]:
        """Train configs one after the other, as `Executor.train` says."""
        outcomes: list[Outcome] = []
        for config in configs:
            if deadline is not None and time.monotonic() >= deadline:
                break
            outcome = fit(self._data, config, goal=self._goal, stream=self._stream, deadline=deadline)
            outcomes.append(outcome)
            on_outcome(outcome)
            if outcome.status is Status.OUT_OF_BUDGET:
                # It ends a little before the deadline, to be measured in time: nothing else would get anywhere.
                break
        return outcomes

    def close(self) -> None:
        """Do nothing: there is nothing to let go of."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()
