"""Two processes with one thread each, which live through a benchmark, and their clocks."""

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

    Two pools of one process each, so that no process gets both halves of the work. What is measured is the processor
    time of the process that takes longer. With one thread each on idle cores that is the time of the clock; on a
    shared machine it leaves out the turns that the neighbours have.
    """

    def __init__(self) -> None:
        os.environ |= dict.fromkeys(THREADS, "1")
        context = multiprocessing.get_context("spawn")
        self._pools = [ProcessPoolExecutor(1, mp_context=context) for _ in range(CORES)]

    def seconds(self, work: Callable[..., None], /, **knobs: Any) -> float:
        """Run work(**knobs, half=0) and work(**knobs, half=1), and return the seconds of the longer one."""
        halves = [pool.submit(_timed, work, knobs | {"half": half}) for half, pool in enumerate(self._pools)]
        return max(half.result() for half in halves)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        for pool in self._pools:
            pool.shutdown()


def _timed(work: Callable[..., None], knobs: dict[str, Any]) -> float:
    began = time.process_time()
    work(**knobs)
    return time.process_time() - began
