"""Where the time of a run went: how much of it made the network that the run ended with."""

from __future__ import annotations

from dataclasses import dataclass

from wellfit.base.serialize import Record
from wellfit.records.units import seconds


@dataclass(frozen=True, kw_only=True)
class TimeSpent(Record):
    """The seconds of a run and its continuations; those of networks are added up over the workers.

    Attributes:
        reading: from the start of the command until the data were read.
        references: fitting the reference models.
        result: training, and measuring while they train, the networks of the result and those that led to it.
        others: likewise, all other networks.
        rest: what is left of the workers' time: diagnosing, measuring an average, waiting for one another.
        workers: number of networks that could train at once.
    """

    reading: float
    references: float
    result: float
    others: float
    rest: float
    workers: int

    @property
    def sentence(self) -> str:
        """The whole of it in one sentence."""
        over = "" if self.workers == 1 else f" (added up over {self.workers} workers)"
        return (
            f"Time: reading {seconds(self.reading)}, reference models {seconds(self.references)}; training{over}: "
            f"{seconds(self.result)} for the networks of the result and those that led to it, {seconds(self.others)} "
            f"for others; {seconds(self.rest)} for diagnosing and waiting."
        )
