"""The same stacks on a GPU: member-updates per second, against one core, torch.func.vmap and a tuned loop on that GPU.

Needs a GPU, and CI has none. One side at a time, in turns; ratios are taken within a round, and the median of the
rounds counts. Time is the wall clock's, from the first batch laid out to the last cost read back; the first updates,
which compile and record, are left out. The rivals make their batches and masks on the GPU. Shares are of the peak of
large products at the same precision, in the same run. The sweep is `wf.sweep` whole: workers, measuring and choice,
against all cores of the machine.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from statistics import median

import numpy as np
import pyarrow as pa
import torch

import wellfit as wf
from report import Row, arguments, finish
from rivals.loops import Job, stacked, tuned
from throughput_sides import LR, Shape, configs, members, prepared
from wellfit.fused.compiled_stack import CompiledStack
from wellfit.fused.layout import layout_of
from wellfit.fused.torch_mlp import TorchMLP
from wellfit.fused.torch_stack import TorchStack
from wellfit.records.config import BF16, FLOAT32, PRECISIONS, TF32, Device
from wellfit.training.tensors import one_thread

GPU = "cuda"
K = 64
MANY = 512
FEW = 2
"""Networks of a loop that trains one after the other."""
SHAPES = (Shape(64, 64), Shape(128, 64), Shape(256, 256))
WARM = 64
"""Updates before the clock starts: of a kind of batch, the first few run as they are, the next are recorded."""
ONE_CORE, VMAP, TUNED = "one core", "torch.func.vmap", "tuned by hand"
PEAK_SIDE, PEAK_REPEATS = 8_192, 10
GIGA = 1e9
SWEEP_ROWS, SWEEP_COLUMNS, SWEEP_MEMBERS = 8_000, 20, 64


def main() -> None:
    asked = arguments(__doc__)
    if not torch.cuda.is_available():
        raise SystemExit("this benchmark needs a GPU, and torch sees none")
    seconds, rounds = (0.5, 3) if asked.quick else (1.0, 5)
    print(torch.cuda.get_device_name(), torch.__version__, flush=True, file=sys.stderr)
    rows = []
    for shape in SHAPES:
        rows += rows_of(shape, [one_round(shape, seconds=seconds) for _ in range(rounds)])
    finish("device_throughput", [*rows, *sweep_rows()], as_json=asked.json)


def one_round(shape: Shape, *, seconds: float) -> dict[str, float]:
    """Return member-updates per second of every side, and GFLOP/s of each precision's products."""
    sides: dict[str, Callable[[], float]] = {
        **{each: lambda each=each: ours(shape, Device(GPU, each), count=K, seconds=seconds) for each in PRECISIONS},
        f"{FLOAT32}, K = {MANY}": lambda: ours(shape, Device(GPU), count=MANY, seconds=seconds),
        ONE_CORE: lambda: ours(shape, None, count=K, seconds=seconds),
        VMAP: lambda: theirs(stacked, shape, count=K, seconds=seconds),
        TUNED: lambda: theirs(tuned, shape, count=FEW, seconds=seconds),
    }
    return {**{side: rate() for side, rate in sides.items()}, **{f"peak {each}": peak(each) for each in PRECISIONS}}


def ours(shape: Shape, device: Device | None, *, count: int, seconds: float) -> float:
    """Return wellfit's member-updates per second."""
    data = prepared(shape.width)
    knobs = [*members(count, half=0), *members(count, half=1)]
    mine = configs(shape, knobs, epochs=10_000)
    layout = layout_of(data, mine[0])
    stack = (
        CompiledStack(data, mine, layout=layout)
        if device is None
        else TorchStack(data, mine, network=TorchMLP(layout, device), device=device)
    )
    with one_thread():
        while stack.updates < WARM:
            stack.advance(stack.planned)
        before, began = stack.updates, time.perf_counter()
        while time.perf_counter() < began + seconds:
            stack.advance(stack.planned)
        return (stack.updates - before) * count / (time.perf_counter() - began)


def theirs(loop: Callable[[Job, list], None], shape: Shape, *, count: int, seconds: float) -> float:
    """Return a rival's member-updates per second: a long training less a short one."""
    train = prepared(shape.width).train
    with torch.device(GPU):
        inputs, target = torch.tensor(train.numeric), torch.tensor(train.target)

        def took(updates: int) -> float:
            torch.cuda.synchronize()
            began = time.perf_counter()
            loop(Job(inputs, target, shape.width, shape.batch, updates, lr=LR), members(2 * count, half=0))
            torch.cuda.synchronize()
            return time.perf_counter() - began

        took(shape.epoch)
        few = 4 * shape.epoch
        short = took(few)
        more = few + max(int(seconds / short * few), few)
        return (more - few) * count / max(took(more) - short, 1e-9)


def peak(precision: str) -> float:
    """Return GFLOP/s of large matrix products."""
    kind = torch.bfloat16 if precision == BF16 else torch.float32
    matrix = torch.randn(PEAK_SIDE, PEAK_SIDE, device=GPU).to(kind)
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high" if precision == TF32 else "highest")
    try:
        torch.mm(matrix, matrix)
        torch.cuda.synchronize()
        began = time.perf_counter()
        for _ in range(PEAK_REPEATS):
            torch.mm(matrix, matrix)
        torch.cuda.synchronize()
        return PEAK_REPEATS * 2 * PEAK_SIDE**3 / (time.perf_counter() - began) / GIGA
    finally:
        torch.set_float32_matmul_precision(before)


def rows_of(shape: Shape, rounds: list[dict[str, float]]) -> list[Row]:
    """Return the ratios of one shape, and the shares of the peak."""
    rates = {side: median(each[side] for each in rounds) for side in rounds[0]}
    ratios = [
        Row(
            f"{shape}: {FLOAT32}, times the rate of {side}",
            median(each[FLOAT32] / each[side] for each in rounds),
            1.0,
            at_most=False,
            note=f"{rates[FLOAT32]:,.0f} and {rates[side]:,.0f} member-updates/s",
        )
        for side in (ONE_CORE, VMAP, TUNED)
    ]
    shares = [
        Row(
            f"{shape}: {each}, share of the matrix-product peak",
            median(one[each] * shape.flop / GIGA / one[f"peak {each}"] for one in rounds),
            at_most=False,
            note=f"{rates[each]:,.0f} member-updates/s; peak {rates[f'peak {each}'] / 1e3:,.0f} TFLOP/s",
        )
        for each in PRECISIONS
    ]
    many = f"{FLOAT32}, K = {MANY}"
    return [
        *ratios,
        *shares,
        Row(f"{shape}: {many}, times the rate of K = {K}", rates[many] / rates[FLOAT32], at_most=False),
    ]


def sweep_rows() -> list[Row]:
    """Return the seconds of a whole sweep here and there, and how far the members' losses are apart."""
    source = np.random.default_rng(0)
    numbers = source.normal(size=(SWEEP_ROWS, SWEEP_COLUMNS))
    noisy = numbers[:, 0] * numbers[:, 1] + np.sin(2 * numbers[:, 2]) + 0.5 * source.normal(size=SWEEP_ROWS)
    frame = {f"x{place}": numbers[:, place] for place in range(SWEEP_COLUMNS)} | {"y": np.where(noisy > 0, "a", "b")}
    split = wf.split(pa.table(frame), target="y")
    took, found = {}, {}
    for device, precision in (("cpu", FLOAT32), *((GPU, each) for each in PRECISIONS)):
        began = time.perf_counter()
        sweep = wf.sweep(split, members=SWEEP_MEMBERS, goal="log_loss", device=device, precision=precision)
        took[device, precision] = time.perf_counter() - began
        found[device, precision] = np.array([each.losses["dev"] for each in sweep.members])
    cores = ("cpu", FLOAT32)
    return [
        Row(
            f"wf.sweep of {SWEEP_MEMBERS} members, {precision}: times as fast as all cores",
            took[cores] / took[GPU, precision],
            at_most=False,
            note=f"{took[GPU, precision]:.1f} and {took[cores]:.1f} s; dev log-losses differ by "
            f"{np.abs(found[GPU, precision] - found[cores]).max():.2g} at most, the best by "
            f"{abs(found[GPU, precision].min() - found[cores].min()):.2g}",
        )
        for precision in PRECISIONS
    ]


if __name__ == "__main__":
    main()
