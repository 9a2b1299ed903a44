"""Two processes with one thread each, which live through a benchmark, and a clock that both share."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Any, Self

from rivals.environment import THREADS

CORES = 2


class TwoCores:
    """Runs a function on both cores at once; use it as a context manager.

    Two pools of one process each, so that no process gets both halves of the work.
    """

    def __init__(self) -> None:
        os.environ |= dict.fromkeys(THREADS, "1")
        context = multiprocessing.get_context("spawn")
        self._pools = [ProcessPoolExecutor(1, mp_context=context) for _ in range(CORES)]

    def seconds(self, work: Callable[..., None], /, **knobs: Any) -> float:
        """Return the seconds from the first start to the last end of work(**knobs, half=0) and work(.., half=1)."""
        halves = [pool.submit(_timed, work, knobs | {"half": half}) for half, pool in enumerate(self._pools)]
        times = [half.result() for half in halves]
        return max(ended for _, ended in times) - min(began for began, _ in times)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        for pool in self._pools:
            pool.shutdown()


def _timed(work: Callable[..., None], knobs: dict[str, Any]) -> tuple[float, float]:
    # The monotonic clock is one for all processes of a machine.
    began = time.monotonic()
    work(**knobs)
    return began, time.monotonic()
