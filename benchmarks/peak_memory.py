"""The peak memory of 256 members on adult, in a process of its own, against what was planned for them."""

from __future__ import annotations

import ctypes
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from tables import ADULT, divided
from wellfit.fused.engine import fit_stack
from wellfit.fused.layout import layout_of
from wellfit.fused.memory import plan_memory
from wellfit.records.config import Config, Network, Optimization, Regularization
from wellfit.records.goals import goal_named
from wellfit.sweeps.rungs import Rungs

MEMBERS = 256
KIB = 2**10
_RESET_PEAK = "5"


def measured_memory() -> tuple[int, int]:
    """Return the measured peak and the plan, in bytes beside the data, the interpreter and its libraries."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_measure).result()


def _measure() -> tuple[int, int]:
    data = divided(ADULT, seed=0).prepared()
    members = [
        Config(
            network=Network(widths=(128, 128)),
            optimization=Optimization(epochs=1, batch_size=1_024, schedule="coslog4"),
            regularization=Regularization(l2=float(place), keep_prob=0.8, ema=0.99),
        )
        for place in range(MEMBERS)
    ]

    def train(count: int) -> None:
        fit_stack(
            data, members[:count], goal=goal_named("log_loss"), judge=Rungs().judge, on_outcome=lambda _outcome: None
        )

    train(2)  # libraries and compiled code are there from now on
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text(_RESET_PEAK)
    before = _status("VmRSS")
    train(MEMBERS)
    return _status("VmHWM") - before, plan_memory(data, members, network=layout_of(data, members[0])).peak


def _status(field: str) -> int:
    """Bytes of one line of this process's status."""
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return KIB * int(lines[field].split()[0])
