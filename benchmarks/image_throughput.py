"""Pictures per second of the default augmentation, and of training with it, on one thread.

The rivals: kornia with the same changes (in the rivals' environment, WELLFIT_RIVALS), and NumPy and SciPy code that
changes one picture after the other. Then a population of 8 convolutional networks, which share their batches and the
changes of them, against 8 trainings one after the other by the plain loop of the tests. Seconds are of the processor;
sides take turns, and the median of the rounds counts.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median

import numpy as np
import torch

from report import Row, finish, parser_of
from rivals.environment import run_rival
from rivals.picture_code import changed as changed_alone
from wellfit.data.prepare import Arrays, Preparation, Prepared
from wellfit.data.schema import Column, Schema
from wellfit.fused.module_rows import module_layout
from wellfit.fused.torch_module import TorchModule, changed_pictures
from wellfit.fused.torch_stack import TorchStack
from wellfit.records.augmentation import asked_for
from wellfit.records.config import Config, Network, Optimization, Regularization
from wellfit.training.noise import Address
from wellfit.training.tensors import conv_network

SHAPES = ((28, 28, 1), (32, 32, 3), (64, 64, 3))
BATCH = 256
MEMBERS = 8
TRAINING_BATCH = 64
KORNIA_TARGET = 5.0


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--no-rivals", action="store_true", help="leave kornia out")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    seconds, rounds = (0.5, 3) if asked.quick else (2.0, 5)
    rows: list[Row] = []
    for shape in SHAPES[:2] if asked.quick else SHAPES:
        rows += augmentation_rows(shape, seconds=seconds, rounds=rounds, kornia=not asked.no_rivals)
    for shape in SHAPES[:1] if asked.quick else SHAPES[:2]:
        rows += training_rows(shape, updates=4 if asked.quick else 20, rounds=rounds)
    finish("image_throughput", rows, as_json=asked.json)


def augmentation_rows(shape: tuple[int, int, int], *, seconds: float, rounds: int, kornia: bool) -> list[Row]:
    """Return how many times the rivals' rate wellfit's is."""
    sys.path.append(str(Path(__file__).parents[1] / "tests"))
    from oracle.augment import changed

    values, ways = pictures_of(shape, rows=BATCH), asked_for("strong", classes=("cat", "dog"), colour=shape[2] == 3)
    labels, augmenting = torch.zeros(BATCH, 2), replace(config(1.0, l2=0.0), augmentation=ways)
    rng = np.random.default_rng(0)
    alone = values.numpy().reshape(BATCH, shape[2], *shape[:2])
    update = iter(range(10**9))
    sides: dict[str, Callable[[], object]] = {
        "wellfit": lambda: changed_pictures(
            values, labels, [augmenting], at=Address(0, "s", next(update)), shape=shape
        ),
        "its own operations in torch": lambda: changed(
            values, [(ways, 1.0)], at=Address(0, "s", next(update)), shape=shape
        ),
        "NumPy and SciPy": lambda: [changed_alone(each, rng) for each in alone],
    }
    found: dict[str, list[float]] = {name: [] for name in (*sides, "kornia")}
    for _ in range(rounds):
        for name, side in sides.items():
            found[name].append(rate(side, seconds=seconds))
        if kornia:
            arguments = [str(each) for each in (shape[0], shape[2], BATCH, seconds)]
            found["kornia"].append(float(run_rival("kornia_images.py", arguments, threads=1)))
    ours = median(found["wellfit"])
    return [
        Row(
            f"{named(shape)}: augmentation, times the rate of {name}",
            median(mine / other for mine, other in zip(found["wellfit"], found[name], strict=True)),
            KORNIA_TARGET if name == "kornia" else 1.0,
            at_most=False,
            note=f"{ours:,.0f} and {median(found[name]):,.0f} pictures/s",
        )
        for name in ("kornia", "NumPy and SciPy", "its own operations in torch")
        if found[name]
    ]


def training_rows(shape: tuple[int, int, int], *, updates: int, rounds: int) -> list[Row]:
    """Return how many times the rate of single trainings a population has, with and without augmentation."""
    data = prepared(shape)
    rows = []
    for strength in (0.0, 1.0):
        configs = [config(strength, l2=float(place)) for place in range(MEMBERS)]
        pairs = [(_together(data, configs, updates), _apart(data, configs, updates)) for _ in range(rounds)]
        count = MEMBERS * updates * TRAINING_BATCH
        rates = [median(count / pair[side] for pair in pairs) for side in (0, 1)]
        rows.append(
            Row(
                f"{named(shape)}: {MEMBERS} networks, augment {strength:g}, times the rate of single runs",
                median(apart / together for together, apart in pairs),
                1.0,
                at_most=False,
                note=f"{rates[0]:,.0f} and {rates[1]:,.0f} member-pictures/s",
            )
        )
    return rows


def _together(data: Prepared, configs: list[Config], updates: int) -> float:
    network = conv_network(data.preparation, configs[0].network, seed=0)
    stack = TorchStack(data, configs, network=TorchModule(module_layout(data, configs[0], network=network)))
    stack.compile()
    began = time.process_time()
    while stack.updates < updates:
        stack.advance(updates)
    return time.process_time() - began


def _apart(data: Prepared, configs: list[Config], updates: int) -> float:
    sys.path.append(str(Path(__file__).parents[1] / "tests"))
    from oracle.loop import Training

    took = 0.0
    for each in configs:
        training = Training(each, data, network=conv_network(data.preparation, each.network, seed=0))
        losses = training.losses()
        began = time.process_time()
        for _ in range(updates):
            next(losses)
        took += time.process_time() - began
    return took


def rate(side: Callable[[], object], *, seconds: float) -> float:
    """Return pictures per second of the processor."""
    side()
    batches, began = 0, time.process_time()
    while time.process_time() - began < seconds:
        side()
        batches += 1
    return batches * BATCH / (time.process_time() - began)


def config(strength: float, *, l2: float) -> Config:
    return Config(
        network=Network(kind="conv", widths=(16, 32, 64), embedding="none"),
        optimization=Optimization(epochs=1_000, batch_size=TRAINING_BATCH),
        regularization=Regularization(augment=strength, l2=l2),
    )


def pictures_of(shape: tuple[int, int, int], *, rows: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.rand(rows, shape[0] * shape[1] * shape[2], generator=generator)


def prepared(shape: tuple[int, int, int], *, rows: int = 1_024) -> Prepared:
    columns = (Column("label", "category", "target"), Column("picture", "number", "picture"))
    schema = Schema(columns, "label", "classification", tuple("0123456789"), "string", shape)
    part = Arrays(pictures_of(shape, rows=rows).numpy(), np.empty((rows, 0), np.int32), np.arange(rows) % 10)
    return Prepared(Preparation(schema, (), ()), part, None, replace(part))


def named(shape: tuple[int, int, int]) -> str:
    return " x ".join(map(str, shape))


if __name__ == "__main__":
    main()
