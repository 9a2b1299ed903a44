"""Early stopping (Prechelt, 1998): end when dev has not improved for a while, and keep the best point's network."""

from __future__ import annotations

import math
from typing import Generic, TypeVar

Kept = TypeVar("Kept")


class Stopping(Generic[Kept]):
    """Watches a learning curve, and keeps one of its networks: the last, or with a patience the best on dev.

    Attributes:
        network: the one to keep; None before the first point.
    """

    def __init__(self, patience: int | None) -> None:
        self._patience = patience
        self._best = math.inf
        self._waited = 0
        self.network: Kept | None = None

    def watch(self, dev: float, network: Kept) -> None:
        """Take note of the curve's last point, its dev loss and its network; of equal points, the earliest is best."""
        if self._patience is None or dev < self._best:
            self._best, self._waited, self.network = dev, 0, network
        else:
            self._waited += 1

    @property
    def is_due(self) -> bool:
        """Whether as many points in a row as the patience allows had no lower dev loss."""
        return self._patience is not None and self._waited >= self._patience

    @property
    def went_back(self) -> bool:
        """Whether the network kept is not that of the last point."""
        return self._waited > 0
