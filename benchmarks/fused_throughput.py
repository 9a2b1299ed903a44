"""Member-updates per second: K = 64 networks on two cores, against three loops that train the same networks.

The rivals: the loop a user would write (DataLoader, AdamW, a scheduler, a running loss), the same loop tuned by hand
(slices of a permutation, fused AdamW, nothing read back), and torch.func.vmap over stacked parameters. Every side runs
in two processes with one thread each, one side at a time, in turns; ratios are taken within a round, and the median of
the rounds counts. Seconds are of the processor (two_cores.py). The peak is that of large float32 matrix products on
both cores, in the same rounds.

Networks with bins stand beside them: there the rivals multiply the encoded rows, which they have once and for all.

wellfit's rate is that of its updates: the time of a long training less that of a short one, which measures as often.
The rivals measure nothing. The rate with all measuring is shown beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median

from report import Row, arguments, finish
from rivals.loops import LOOPS
from throughput_sides import OURS, PEAK_SIDE, Shape, multiply, train
from two_cores import CORES, TwoCores

K = 64
FEW = 4
"""Networks of a loop that trains one after the other: its rate does not depend on how many are to come."""
USER, TUNED, VMAP = LOOPS
COUNTS = {OURS: K, USER: FEW, TUNED: FEW, VMAP: K}
TARGETS = {Shape(64, 64): 20.0, Shape(128, 64): 8.0, Shape(256, 256): 3.0}
WITH_BINS = (Shape(64, 256, columns=36, bins=64), Shape(256, 256, columns=8, bins=128))
PEAK_SHAPE, PEAK_SHARE = Shape(256, 256), 0.5
PEAK = "matrix product"
PEAK_REPEATS = 40
GIGA = 1e9


@dataclass(frozen=True)
class Round:
    """One turn: member-updates per second of every side, wellfit's with its measuring, GFLOP/s of the products."""

    rates: dict[str, float]
    whole: float
    peak: float


def main() -> None:
    asked = arguments(__doc__)
    seconds, rounds = (2.0, 3) if asked.quick else (5.0, 7)
    rows: list[Row] = []
    with TwoCores() as cores:
        for shape in (*TARGETS, *WITH_BINS):
            rows += rows_of(shape, measured(cores, shape, seconds=seconds, rounds=rounds))
    finish("fused_throughput", rows, as_json=asked.json)


def measured(cores: TwoCores, shape: Shape, *, seconds: float, rounds: int) -> list[Round]:
    """Time every side in turns; the order is reversed in every other round."""
    updates = {side: _updates(cores, shape, side, seconds=seconds) for side in COUNTS}
    order = [PEAK, *COUNTS]
    found = []
    for turn in range(rounds):
        took = {side: _seconds(cores, shape, side, updates=updates) for side in (order[::-1] if turn % 2 else order)}
        short = cores.seconds(train, side=OURS, shape=shape, count=K, updates=shape.short)
        rates = {side: updates[side] * COUNTS[side] / took[side] for side in COUNTS}
        whole = rates[OURS]
        rates[OURS] = (updates[OURS] - shape.short) * K / (took[OURS] - short)
        found.append(Round(rates, whole, CORES * PEAK_REPEATS * 2 * PEAK_SIDE**3 / took[PEAK] / GIGA))
    return found


def rows_of(shape: Shape, rounds: list[Round]) -> list[Row]:
    """Return the ratios of one shape, and the shares of the peak."""
    rates = {side: median(each.rates[side] for each in rounds) for side in COUNTS}
    whole = median(each.whole for each in rounds)
    rows = [
        Row(
            f"{shape}: times the rate of {side}",
            median(each.rates[OURS] / each.rates[side] for each in rounds),
            TARGETS.get(shape, 1.0) if side == USER else 1.0,
            at_most=False,
            note=f"{rates[OURS]:,.0f} and {rates[side]:,.0f} member-updates/s",
        )
        for side in LOOPS
    ]
    if shape.bins:
        # A look-up multiplies next to nothing: there is no share of a peak to speak of.
        return rows
    shares = {side: median(each.rates[side] * shape.flop / GIGA / each.peak for each in rounds) for side in rates}
    others = ", ".join(f"{side} {shares[side]:.2f}" for side in LOOPS)
    peak = median(each.peak for each in rounds)
    return [
        *rows,
        Row(
            f"{shape}: share of the matrix-product peak",
            shares[OURS],
            PEAK_SHARE if shape == PEAK_SHAPE else None,
            at_most=False,
            note=f"of {peak:.0f} GFLOP/s; {others}; with all measuring {whole:,.0f} member-updates/s",
        ),
    ]


def _updates(cores: TwoCores, shape: Shape, side: str, *, seconds: float) -> int:
    """Return how many updates take about so long, in whole epochs; a first run warms up and compiles."""
    few = shape.short if side == OURS else shape.epoch
    more = 3 * few
    cores.seconds(train, side=side, shape=shape, count=COUNTS[side], updates=few)
    short, long = (
        cores.seconds(train, side=side, shape=shape, count=COUNTS[side], updates=each) for each in (few, more)
    )
    # The short run tells what every run spends before and after its updates; a noisy machine may tell nonsense.
    pace = max(long - short, long / 10) / (more - few)
    return max(round(seconds / pace / shape.epoch) * shape.epoch, more)


def _seconds(cores: TwoCores, shape: Shape, side: str, *, updates: dict[str, int]) -> float:
    if side == PEAK:
        return cores.seconds(multiply, repeats=PEAK_REPEATS)
    return cores.seconds(train, side=side, shape=shape, count=COUNTS[side], updates=updates[side])


if __name__ == "__main__":
    main()
