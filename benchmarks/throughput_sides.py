"""What `fused_throughput.py` and `cost_of_k.py` time, run by each of two single-threaded processes for its half.

Every side trains networks of two hidden layers on the same generated rows, each network with its own lambda and
keep_prob.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
import pyarrow as pa
import torch

from rivals.loops import LOOPS, Job, Member
from two_cores import CORES, TwoCores
from wellfit.data.prepare import Prepared, fit_preparation
from wellfit.data.schema import infer_schema
from wellfit.fused.engine import fit_stack
from wellfit.records.config import Config, Network, Optimization, Regularization
from wellfit.records.goals import goal_named
from wellfit.training.learning_curve import MOST_POINTS
from wellfit.training.network import PiecewiseLinear, quantile_edges

OURS = "wellfit"
ROWS, DEV_ROWS = 1_024, 64
LR = 1e-3
LEAST_DECAY, MOST_DECAY = 1e-3, 1.0
"""AdamW's decay, lambda/m: at lr 1e-3 the useful range of the shrink (docs/methods.md, "Lambda")."""
LEAST_KEEP_PROB, MOST_KEEP_PROB = 0.5, 0.95

PEAK_SIDE = 1_024


@dataclass(frozen=True)
class Shape:
    """Both hidden layers' width, and the rows of a batch; as many columns as units, or some of `bins` bins each."""

    width: int
    batch: int
    classes: int = 2
    columns: int = 0
    bins: int = 0

    def __str__(self) -> str:
        name = f"width {self.width}, batch {self.batch}"
        return f"{name}, {self.columns} columns of {self.bins} bins" if self.bins else name

    @property
    def numbers(self) -> int:
        """Numeric columns."""
        return self.columns or self.width

    @property
    def inputs(self) -> int:
        """Inputs of the first layer, where bins are a dense product."""
        return self.numbers * (1 + self.bins)

    @property
    def flop(self) -> float:
        """Floating-point operations of the matrix products of one update of one network.

        Forward, dW of every layer, and dX of every layer but the first.
        """
        first, others = self.inputs * self.width, self.width**2 + self.width * self.classes
        return 2.0 * self.batch * (2 * first + 3 * others)

    @property
    def epoch(self) -> int:
        """Updates of one pass over the training rows."""
        return ROWS // self.batch

    @property
    def short(self) -> int:
        """Updates of a training that has as many points on its learning curve as a long one, in whole epochs."""
        return math.ceil(MOST_POINTS / self.epoch) * self.epoch


def members(count: int, *, half: int) -> list[Member]:
    """Return every second of `count` networks, as one of the two processes trains them."""
    decays = np.geomspace(LEAST_DECAY, MOST_DECAY, count)
    keeps = np.random.default_rng(count).permutation(np.linspace(LEAST_KEEP_PROB, MOST_KEEP_PROB, count))
    every = [Member(float(decay), float(keep)) for decay, keep in zip(decays, keeps, strict=True)]
    return every[half::CORES]


def train(*, side: str, shape: Shape, count: int, updates: int, half: int) -> None:
    """Train this half of `count` networks for `updates` updates each (wellfit: for the whole epochs among them)."""
    torch.set_num_threads(1)
    torch.manual_seed(half)
    mine = members(count, half=half)
    if side == OURS:
        _fused(shape, mine, epochs=updates // shape.epoch)
    else:
        train_rows = prepared(shape.numbers).train
        inputs, target = torch.from_numpy(train_rows.numeric), torch.from_numpy(train_rows.target)
        if shape.bins:
            inputs = torch.cat(
                [inputs, PiecewiseLinear(quantile_edges(train_rows.numeric, bins=shape.bins))(inputs)], 1
            )
        LOOPS[side](Job(inputs, target, shape.width, shape.batch, updates, lr=LR), mine)


def seconds_per_update(cores: TwoCores, shape: Shape, *, count: int, updates: int) -> float:
    """Return wellfit's time for one update of `count` networks on both cores.

    The time of a long training less that of a short one: both measure their networks as often, which a training of a
    few seconds would otherwise be full of.
    """
    long, short = (
        cores.seconds(train, side=OURS, shape=shape, count=count, updates=each) for each in (updates, shape.short)
    )
    return (long - short) / (updates - shape.short)


def multiply(*, repeats: int, half: int) -> None:
    """Multiply large float32 matrices: what the machine can do at best, while its other core does the same."""
    torch.set_num_threads(1)
    matrix = torch.full((PEAK_SIDE, PEAK_SIDE), 1.0 + half)
    for _ in range(repeats):
        torch.mm(matrix, matrix)


@cache
def prepared(width: int) -> Prepared:
    """Return generated rows of `width` numbers and two classes."""
    source = np.random.default_rng(width)
    numbers = source.normal(size=(ROWS + DEV_ROWS, width)).astype(np.float32)
    noisy = numbers[:, 0] + numbers[:, 1] * numbers[:, 2] + 0.3 * source.normal(size=len(numbers))
    columns = {f"x{place}": numbers[:, place] for place in range(width)}
    table = pa.table({**columns, "y": np.where(noisy > 0, "yes", "no")})
    rows = table.slice(0, ROWS)
    preparation = fit_preparation(rows, infer_schema(table, target="y"))
    return Prepared(preparation, preparation.transform(rows), None, preparation.transform(table.slice(ROWS)))


def configs(shape: Shape, mine: list[Member], *, epochs: int) -> list[Config]:
    """Return the same networks as wellfit's configs."""
    return [
        Config(
            network=network_of(shape),
            optimization=Optimization(lr=LR, epochs=epochs, batch_size=shape.batch),
            regularization=Regularization(l2=each.decay * ROWS, keep_prob=each.keep_prob),
        )
        for each in mine
    ]


def network_of(shape: Shape) -> Network:
    """Return the network of a shape."""
    widths = (shape.width, shape.width)
    return Network(widths=widths, bins=shape.bins) if shape.bins else Network(widths=widths, embedding="none")


def _fused(shape: Shape, mine: list[Member], *, epochs: int) -> None:
    outcomes: list[str] = []
    fit_stack(
        prepared(shape.numbers),
        configs(shape, mine, epochs=epochs),
        goal=goal_named("log_loss"),
        on_outcome=lambda outcome: outcomes.append(outcome.status.value),
    )
    if outcomes != ["finished"] * len(mine):
        raise SystemExit(f"not every member finished: {outcomes}")
