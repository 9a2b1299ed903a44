"""The snapshots of a sweep: what its members were at the rungs that they passed."""

from __future__ import annotations

from wellfit.outcome import Outcome
from wellfit.sweeps.greedy import MOST


class Album:
    """Keeps the snapshots that are best on dev, as many as an ensemble looks at: the others may go.

    Memory is bounded by that, however many members pass however many rungs.
    """

    def __init__(self) -> None:
        self._kept: list[Outcome] = []

    def add(self, outcome: Outcome) -> None:
        """Take note of an outcome, if it is a snapshot."""
        if outcome.is_snapshot:
            self._kept.append(outcome)
            # Workers end in any order: what is kept must not depend on it.
            self._kept = sorted(self._kept, key=lambda each: (each.losses["dev"], each.identity))[:MOST]

    @property
    def snapshots(self) -> list[Outcome]:
        """The best first."""
        return list(self._kept)
