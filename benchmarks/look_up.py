"""The first layer of a network with bins, both directions: a look-up against the dense product that it stands for.

One process and one thread, in turns; processor time, and the median of the ratios counts. The dense side multiplies
float32 rows that were encoded beforehand; the look-up finds each number's place in the measured time.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

import numpy as np
import torch

from report import Row, arguments, finish
from throughput_sides import Shape, prepared
from wellfit.fused.batches import encoded
from wellfit.fused.compiled_stack import CompiledStack
from wellfit.fused.kernels import _add_looked_up, _bin_gradient, _tabulate, look_up
from wellfit.fused.layout import Inputs, layout_of
from wellfit.records.config import Config, Network, Optimization
from wellfit.training.tensors import Inputs as Rows

TARGETS = {Shape(256, 256, columns=8, bins=128): 4.0, Shape(64, 256, columns=36, bins=64): 4.0}
OTHERS = (Shape(128, 256, columns=16, bins=128), Shape(64, 64, columns=5, bins=32))
REPEATS = 20


@dataclass(frozen=True)
class Sides:
    """Both ways to the same products and the same gradient."""

    dense: Callable[[], tuple[np.ndarray, np.ndarray]]
    looked_up: Callable[[], tuple[np.ndarray, np.ndarray]]


def main() -> None:
    asked = arguments(__doc__)
    torch.set_num_threads(1)
    rows = [row_of(shape, turns=9 if asked.quick else 31) for shape in (*TARGETS, *OTHERS)]
    finish("look_up", rows, as_json=asked.json)


def row_of(shape: Shape, *, turns: int) -> Row:
    """Return how many times as long the dense product takes."""
    sides = sides_of(shape)
    for expected, found in zip(sides.dense(), sides.looked_up(), strict=True):
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * np.abs(expected).max())
    took = [(seconds(sides.dense), seconds(sides.looked_up)) for _ in range(turns)]
    dense, looked_up = (1e3 * median(each) for each in zip(*took, strict=True))
    ratio = median(slow / fast for slow, fast in took)
    return Row(str(shape), ratio, TARGETS.get(shape), at_most=False, note=f"{looked_up:.3f} ms against {dense:.3f}")


def sides_of(shape: Shape) -> Sides:
    """Return both sides for one batch, W of its bins and the derivatives of the layer, all random."""
    data = prepared(shape.columns)
    config = Config(network=Network(widths=(shape.width,), bins=shape.bins), optimization=Optimization())
    layout = layout_of(data, config)
    stack, places, source = (
        CompiledStack(data, [config], layout=layout),
        slice(0, shape.batch),
        np.random.default_rng(0),
    )
    assert layout.network.bins is not None
    whole = layout.network.bins(Rows.of(data.train).numeric[places]).numpy()
    weights = source.normal(size=(whole.shape[1], shape.width)).astype(np.float32)
    deltas = source.normal(size=(shape.batch, shape.width)).astype(np.float32)
    table, into, none = stack._buffers.table, np.empty_like(weights), np.empty((shape.batch, 0), np.float32)

    rows = encoded(layout, data.train, places=places)

    def looked_up() -> tuple[np.ndarray, np.ndarray]:
        look_up(layout.plan, rows.numeric, rows.knots, rows.shares)
        inputs = Inputs(rows.shared, rows.knots, 1 - rows.shares, rows.shares, none)
        values = np.zeros_like(deltas)
        _tabulate(layout.plan, weights, table)
        _add_looked_up(inputs, table, values)
        _bin_gradient(layout.plan, inputs, deltas, table, into)
        return values, into

    return Sides(lambda: (whole @ weights, whole.T @ deltas), looked_up)


def seconds(side: Callable[[], object]) -> float:
    """Return the processor seconds of one call."""
    began = time.process_time()
    for _ in range(REPEATS):
        side()
    return (time.process_time() - began) / REPEATS


if __name__ == "__main__":
    main()
