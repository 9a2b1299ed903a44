"""Member-updates per second: K = 64 networks on two cores, against three loops that train the same networks.

The rivals: the loop a user would write (DataLoader, AdamW, a scheduler, a running loss), the same loop tuned by hand
(slices of a permutation, fused AdamW, nothing read back), and torch.func.vmap over stacked parameters. Every side runs
in two processes with one thread each, one side at a time, in turns; ratios are taken within a round, and the median of
the rounds counts. The peak is that of large float32 matrix products on both cores, in the same rounds.

wellfit's rate is that of its updates: the time of a long training less that of a short one, which measures as often.
The rivals measure nothing. The rate with all measuring is shown beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median

from report import Row, arguments, finish
from rivals.loops import LOOPS
from throughput_sides import OURS, PEAK, PEAK_SIDE, Shape, multiply, train
from two_cores import CORES, TwoCores

K = 64
FEW = 4
"""Networks of a loop that trains one after the other: its rate does not depend on how many are to come."""
ONE_BY_ONE = ("user's loop", "tuned by hand")
USER, TUNED, VMAP = LOOPS
TARGETS = {Shape(64, 64): 20.0, Shape(128, 64): 8.0, Shape(256, 256): 3.0}
PEAK_SHAPE, PEAK_SHARE = Shape(256, 256), 0.5
SHORT_EPOCHS = 2
"""The shortest training with as many points on its learning curve as a long one."""
GIGA = 1e9


@dataclass(frozen=True)
class Round:
    """One turn of every side: member-updates per second, and GFLOP/s of the matrix products."""

    rates: dict[str, float]
    whole: float
    peak: float


def main() -> None:
    asked = arguments(__doc__)
    seconds, rounds = (2.0, 3) if asked.quick else (6.0, 5)
    with TwoCores() as cores:
        rows = [row for shape in TARGETS for row in rows_of(shape, measured(cores, shape, seconds, rounds))]
    finish("fused_throughput", rows, as_json=asked.json)


def measured(cores: TwoCores, shape: Shape, seconds: float, rounds: int) -> list[Round]:  # noqa: PLR0917
    """Time every side in turns; the order is reversed in every other round."""
    updates = {side: _updates(cores, shape, side, seconds=seconds) for side in (OURS, *LOOPS)}
    sides = [PEAK, *updates]
    found = []
    for turn in range(rounds):
        took = {side: _seconds(cores, shape, side, updates=updates) for side in (sides[::-1] if turn % 2 else sides)}
        short = SHORT_EPOCHS * shape.epoch
        beginning = cores.seconds(train, side=OURS, shape=shape, count=K, updates=short)
        rates = {side: updates[side] * _count(side) / took[side] for side in LOOPS}
        rates[OURS] = (updates[OURS] - short) * K / (took[OURS] - beginning)
        peak = CORES * PEAK_REPEATS * 2 * PEAK_SIDE**3 / took[PEAK] / GIGA
        found.append(Round(rates, updates[OURS] * K / took[OURS], peak))
    return found


PEAK_REPEATS = 40


def rows_of(shape: Shape, rounds: list[Round]) -> list[Row]:
    """Return the ratios of one shape, and the shares of the peak."""
    rates = {side: median(each.rates[side] for each in rounds) for side in (OURS, *LOOPS)}
    whole = median(each.whole for each in rounds)
    rows = [
        Row(
            f"{shape}: times the rate of {side}",
            median(each.rates[OURS] / each.rates[side] for each in rounds),
            TARGETS[shape] if side == USER else 1.0,
            at_most=False,
            note=f"{rates[OURS]:,.0f} and {rates[side]:,.0f} member-updates/s",
        )
        for side in LOOPS
    ]
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
    """Return how many updates take about so long, in whole epochs for wellfit; a first run warms up and compiles."""
    trial = SHORT_EPOCHS * shape.epoch
    for _ in range(2):
        took = cores.seconds(train, side=side, shape=shape, count=_count(side), updates=trial)
    updates = int(seconds / took * trial)
    return max(updates // shape.epoch, 2 * SHORT_EPOCHS) * shape.epoch if side == OURS else max(updates, trial)


def _seconds(cores: TwoCores, shape: Shape, side: str, *, updates: dict[str, int]) -> float:
    if side == PEAK:
        return cores.seconds(multiply, repeats=PEAK_REPEATS)
    return cores.seconds(train, side=side, shape=shape, count=_count(side), updates=updates[side])


def _count(side: str) -> int:
    return FEW if side in ONE_BY_ONE else K


if __name__ == "__main__":
    main()
