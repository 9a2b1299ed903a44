"""The first network: as large as the budget allows, every regularizer off; the epochs depend on the number of rows.

As measured on dev rows (docs/benchmarks.md), GELU instead of ReLU lowers the dev error of phoneme, california_housing
and bike_hour by 1 to 3 %. A larger network that is regularized and then averaged predicts as well as a small one or
better, but takes more time.
"""

from __future__ import annotations

import itertools

from wellfit.recipe.budget import Means
from wellfit.records.config import Config, Network, Optimization, updates_per_epoch
from wellfit.sweeps.usual import LR, batch_size_for, bins_for, epochs_for

Shape = tuple[int, int, int]
"""The height, width and channels of pictures."""
SMALL_SIDE = 16
"""Pictures smaller than this are halved twice, and larger ones three times."""
SMALL_WIDTHS, WIDTHS = (32, 64), (16, 32, 64)
WIDER = (2, 3)
PILOT_UPDATES = 150
"""Updates of the pilot that measures the speed of a machine, a small part of any training run."""
FIRST_SHARE, MOST_FIRST = 0.08, 0.4
"""Usual share of the budget for the first network, which is only the start of the recipe, and the largest share.

The largest share is for a single epoch; if even that is not enough, the network is made smaller.
"""
NARROWER = (1, 2, 4)
WIDTH_LADDER: tuple[tuple[int, ...], ...] = ((64, 64), (128, 128), (256, 256), (256, 256, 256), (512, 512, 512))
"""Shapes of networks, from small to large: first wider, then deeper."""
FIRST_SHAPES = WIDTH_LADDER[:3]
"""Shapes for a first network; deeper ones are used if it turns out to be too small, and in ensembles."""
LARGER_SHAPES, MOST_TIMES = 2, 4
"""Number of larger shapes that a step tries, and the highest cost of each as a multiple of the current network's."""
TRAININGS = 60
"""Number of networks that are trained if the first one overfits: a sweep, an ensemble, and trials in between."""


def first_config(*, rows: int, columns: int, budget: Means, seed: int, shape: Shape | None = None) -> Config:
    """Return the network that the recipe starts from, with a shorter schedule if the budget is small.

    If not even one epoch fits, its batches are larger (a budget in updates) or its layers narrower (one in time).
    """
    config = _with_epochs(1, rows=rows, columns=columns, seed=seed, shape=shape)
    affordable = max(1, budget.affordable(config, share=FIRST_SHARE))
    enough = epochs_for(rows, batch_size=config.optimization.batch_size)
    found = _with_epochs(min(enough, affordable), rows=rows, columns=columns, seed=seed, shape=shape)
    found = found if shape else _as_large_as_affordable(found, budget)
    return _as_small_as_needed(found, budget, rows=rows)


def _as_large_as_affordable(config: Config, budget: Means) -> Config:
    """Return the network in the largest shape that the whole run can afford; unchanged for a budget in updates."""
    shapes = FIRST_SHAPES if budget.is_timed else ()
    larger = [config.with_knobs(widths=widths) for widths in shapes]
    return next((each for each in reversed(larger) if budget.affordable(each) >= TRAININGS), config)


def _as_small_as_needed(config: Config, budget: Means, *, rows: int) -> Config:
    if not budget.is_timed:
        fewest = -(-rows // max(1, int(budget.remaining)))
        return config.with_knobs(batch_size=max(config.optimization.batch_size, fewest))
    widths, most = config.network.widths, MOST_FIRST * budget.remaining
    narrow = [config.with_knobs(widths=tuple(max(1, width // by) for width in widths)) for by in NARROWER]
    return next((each for each in narrow if budget.cost_alone(each) <= most), narrow[-1])


def larger_shapes(widths: tuple[int, ...]) -> list[tuple[int, ...]]:
    """Return the larger shapes, smallest first."""
    return [shape for shape in WIDTH_LADDER if _size(shape) > _size(widths)]


def affordable_shapes(config: Config, budget: Means) -> list[tuple[int, ...]]:
    """Return the next larger shapes, without those that cost too much compared with `config`."""
    most = MOST_TIMES * budget.cost(config)
    larger = larger_shapes(config.network.widths)[:LARGER_SHAPES]
    return [shape for shape in larger if budget.cost(config.with_knobs(widths=shape)) <= most]


def fits(config: Config, widths: tuple[int, ...]) -> bool:
    """Return True unless keep_prob is given by layer and the number of layers would change."""
    return not isinstance(config.regularization.keep_prob, tuple) or len(widths) == len(config.network.widths)


def _size(widths: tuple[int, ...]) -> int:
    return sum(first * second for first, second in itertools.pairwise(widths)) + sum(widths)


def pilot_config(*, rows: int, columns: int, seed: int, shape: Shape | None = None) -> Config | None:
    """Return the first network with just enough epochs to measure the speed of this machine.

    The result is None if even one epoch is long; then the first network itself is the pilot.
    """
    in_epoch = updates_per_epoch(rows=rows, batch_size=batch_size_for(rows))
    if in_epoch > 2 * PILOT_UPDATES:
        return None
    return _with_epochs(-(-PILOT_UPDATES // in_epoch), rows=rows, columns=columns, seed=seed, shape=shape)


def _with_epochs(epochs: int, *, rows: int, columns: int, seed: int, shape: Shape | None) -> Config:
    return Config(
        network=first_network(shape) if shape else Network(activation="gelu", bins=bins_for(columns, rows=rows)),
        optimization=Optimization(lr=LR, epochs=epochs, batch_size=batch_size_for(rows)),
        seed=seed,
    )


def first_network(shape: Shape) -> Network:
    """Return the network that the recipe starts from on pictures."""
    return Network(kind="conv", widths=SMALL_WIDTHS if min(shape[:2]) < SMALL_SIDE else WIDTHS, embedding="none")


def wider_networks(config: Config) -> tuple[Config, ...]:
    """Return wider versions of a network for pictures, with more channels in every block."""
    return tuple(config.with_knobs(widths=tuple(factor * width for width in config.network.widths)) for factor in WIDER)
