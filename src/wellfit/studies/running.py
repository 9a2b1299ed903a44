"""The fits of a study, made: who trains is a `Runner` (this process, processes of their own, a command, a cluster)."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from wellfit.exceptions import BadInput
from wellfit.studies.fit import Fit
from wellfit.studies.log import Asked, Failure, failure_from

TICK = 0.02
"""Seconds between two looks at the fits in progress."""


class Knobs(dict[str, Any]):
    """knob -> value, as a training function gets them; `seed` is for everything random."""

    seed: int = 0

    @classmethod
    def of(cls, values: Mapping[str, Any], *, seed: int) -> Knobs:
        """Return the knobs of one fit."""
        knobs = cls(values)
        knobs.seed = seed
        return knobs

    def __reduce__(self) -> Any:
        return _knobs, (dict(self), self.seed)


def _knobs(values: Mapping[str, Any], seed: int) -> Knobs:
    return Knobs.of(values, seed=seed)


class Running(Protocol):
    """One fit in progress."""

    @property
    def began(self) -> float | None:
        """Monotonic time at which the fit itself began; None while its process is still starting."""

    def poll(self) -> Fit | Failure | None:
        """Return its result if it has ended."""

    def kill(self) -> None:
        """End it at once."""


class Runner(Protocol):
    """Makes fits, `workers` of them side by side; the seam for a cluster."""

    @property
    def workers(self) -> int:
        """Number of fits side by side."""

    def begin(self, asked: Asked, *, knobs: Knobs, log: Path) -> Running:
        """Begin one fit; what it writes goes into the file `log`."""

    def close(self) -> None:
        """End everything that is still running."""


@dataclass(eq=False)
class InThisProcess:
    """Makes one fit after the other, here: for functions that cannot be sent to another process."""

    fit: Callable[[Any], Any]
    workers: int = field(default=1, init=False)

    def begin(self, asked: Asked, *, knobs: Knobs, log: Path) -> Running:  # noqa: ARG002 - as every runner
        """Make the fit, and return it ended."""
        began = time.monotonic()
        try:
            return Ended(fit_from(self.fit(knobs)), began)
        except BadInput:
            raise
        except Exception as error:
            import traceback

            text = "".join(traceback.format_exception(error))
            return Ended(failure_from(text), began)

    def close(self) -> None:
        """Nothing runs."""


@dataclass(frozen=True)
class Ended:
    """A fit that has ended."""

    result: Fit | Failure
    began: float

    def poll(self) -> Fit | Failure | None:
        """Return its result."""
        return self.result

    def kill(self) -> None:
        """Nothing to end."""


def fit_from(returned: Any) -> Fit:
    """Return what a training function returned as a fit: `wf.Fit`, or a dict of its fields.

    Raises:
        BadInput: for anything else.
    """
    if isinstance(returned, Fit):
        return returned
    if isinstance(returned, Mapping) and {"train", "dev"} <= returned.keys() <= set(Fit.__dataclass_fields__):
        return Fit(**returned)
    raise BadInput(
        "a training function must return wf.Fit(train=(y, p), dev=(y2, p2))",
        found=f"a {type(returned).__name__}"
        + (f" of {', '.join(map(str, returned))}" if returned and isinstance(returned, Mapping) else ""),
        remedy="Return wf.Fit, or a dict of its fields",
    )


@dataclass(eq=False)
class _Job:
    asked: Asked
    running: Running


@dataclass(eq=False, kw_only=True)
class Loop:
    """Keeps a runner busy with the fits that a study wants, until it wants no more."""

    runner: Runner
    wanted: Callable[[], Sequence[Asked]]
    keep: Callable[[Asked, Fit | Failure, float], None]
    knobs_of: Callable[[Asked], Knobs]
    logs: Path
    timeout: float | None = None
    left: Callable[[], float | None] = lambda: None
    """Seconds left of the budget with its slack; None without a limit."""

    def run(self) -> None:
        """Run until nothing is wanted; fits in progress are ended where something goes wrong."""
        jobs: dict[str, _Job] = {}
        self.logs.mkdir(exist_ok=True)
        try:
            wanted = self.wanted()
            while wanted or jobs:
                self._begin(wanted, jobs)
                ended = [job for job in jobs.values() if self._has_ended(job)]
                for job in ended:
                    del jobs[job.asked.config.identity]
                if ended:
                    wanted = self.wanted()
                else:
                    time.sleep(TICK)
        finally:
            for job in jobs.values():
                job.running.kill()

    def _begin(self, wanted: Sequence[Asked], jobs: dict[str, _Job]) -> None:
        for asked in wanted:
            if asked.config.identity not in jobs and len(jobs) < self.runner.workers:
                log = self.logs / f"{asked.number}.log"
                running = self.runner.begin(asked, knobs=self.knobs_of(asked), log=log)
                jobs[asked.config.identity] = _Job(asked, running)

    def _has_ended(self, job: _Job) -> bool:
        result, began = job.running.poll(), job.running.began
        seconds = 0.0 if began is None else time.monotonic() - began
        if result is None:
            left = self.left()
            too_long = self.timeout is not None and seconds >= self.timeout
            if not too_long and (left is None or left > 0):
                return False
            job.running.kill()
            limit = f"its limit of {self.timeout:.1f} s" if too_long else "the end of the budget"
            lines = (f"It ran for {seconds:.1f} s, past {limit}",)
            result = Failure(reason="timeout", lines=lines, seconds=seconds)
        self.keep(job.asked, result, seconds)
        return True
