"""What K costs: seconds of an update for 16, 32, 64 and 128 members, against 16 members in proportion; and memory.

The rival is wellfit itself: K members as K / 16 stacks of 16. Two processes with one thread each; sizes take turns
within a round, in reverse order in every other one, and the median of the rounds counts. Memory is the peak of a
process that trains 256 members on adult, against what `wellfit.fused.memory` plans for them.
"""

from __future__ import annotations

from statistics import median

from peak_memory import measured_memory
from report import Row, arguments, finish
from throughput_sides import OURS, Shape, seconds_per_update, train
from two_cores import TwoCores

SIZES = (16, 32, 64, 128)
SHAPES = (Shape(64, 64), Shape(128, 64), Shape(256, 256))
QUICK_SHAPES = SHAPES[1:2]
IN_PROPORTION = 1.05
BAR = 24
MIB = 2**20


def main() -> None:
    asked = arguments(__doc__)
    seconds, rounds = (0.5, 3) if asked.quick else (2.0, 7)
    rows: list[Row] = []
    with TwoCores() as cores:
        for shape in QUICK_SHAPES if asked.quick else SHAPES:
            rows += rows_of(shape, measured(cores, shape, seconds=seconds, rounds=rounds))
    finish("cost_of_k", [*rows, memory()], as_json=asked.json)


def measured(cores: TwoCores, shape: Shape, *, seconds: float, rounds: int) -> list[dict[int, float]]:
    """Return the seconds of an update of K members, for each K and round."""
    cores.seconds(train, side=OURS, shape=shape, count=SIZES[0], updates=shape.short)
    pace = seconds_per_update(cores, shape, count=SIZES[0], updates=8 * shape.short)
    updates = max(round(seconds / pace / shape.epoch) * shape.epoch, 4 * shape.short)
    return [
        {
            count: seconds_per_update(cores, shape, count=count, updates=updates)
            for count in (SIZES[::-1] if turn % 2 else SIZES)
        }
        for turn in range(rounds)
    ]


def rows_of(shape: Shape, rounds: list[dict[int, float]]) -> list[Row]:
    """Return, for each K, its cost against K / 16 times that of 16 members, with a bar for the cost of a member."""
    rows = []
    for count in SIZES:
        took = median(each[count] for each in rounds)
        share = median(each[count] / each[SIZES[0]] * SIZES[0] / count for each in rounds)
        bar = "#" * round(BAR * share)
        note = f"{1e3 * took:.3g} ms an update, {1e6 * took / count:.3g} us a member {bar}"
        target = IN_PROPORTION if count != SIZES[0] else None
        rows.append(Row(f"{shape}: {count} members, over 16 in proportion", share, target, note=note))
    return rows


def memory() -> Row:
    """Return the peak memory of 256 members on adult, against the plan."""
    peak, planned = measured_memory()
    return Row("MiB at the peak of 256 members on adult", peak / MIB, planned / MIB, note="against the planned figure")


if __name__ == "__main__":
    main()
