"""The optimization board: remedies that lower J on the training set and leave all regularizers unchanged."""

from __future__ import annotations

import math

from wellfit.recipe.defaults import fits, larger_shapes, wider_networks
from wellfit.recipe.remedies.remedy import Remedy
from wellfit.recipe.remedies.trials import Evidence, against_bias, times_the_usual_rate
from wellfit.records.config import Config
from wellfit.records.knobs import KNOBS, OptimizerKind

LONGER = (2, 4)
FEW_EPOCHS, MUCH_LONGER = 2, (4, 16)
"""Factors for networks with few epochs, for which twice as many are still few."""
LR_FACTORS = (0.1, 1 / 3, 3.0, 10.0, 30.0)
"""Factors below and above 1: rates that are far too low are more common than rates that are far too high."""
MOMENTUM_LR = 30.0
"""Learning rate of SGD with momentum as a multiple of Adam's, whose steps are already scaled."""
TRIALS_A_STEP = 3


def bigger_network(config: Config) -> tuple[Config, ...]:
    """Return the next larger shapes: first wider, then deeper."""
    if config.network.kind == "conv":
        return wider_networks(config)
    larger = [widths for widths in larger_shapes(config.network.widths) if fits(config, widths)]
    return tuple(config.with_knobs(widths=widths) for widths in larger[:TRIALS_A_STEP])


def train_longer(config: Config) -> tuple[Config, ...]:
    """Return configs with two and four times the epochs (more if there are few); the schedule is stretched."""
    epochs = config.optimization.epochs
    factors = LONGER if epochs > FEW_EPOCHS else MUCH_LONGER
    return tuple(config.with_knobs(epochs=factor * epochs) for factor in factors)


def better_optimizer(config: Config) -> tuple[Config, ...]:
    """Return other learning rates and the other kind of optimizer, with the same number of updates."""
    lr = config.optimization.lr
    other: OptimizerKind = "momentum" if config.optimization.optimizer == "adam" else "adam"
    swapped = lr * MOMENTUM_LR if other == "momentum" else 1e-3
    return (
        *(config.with_knobs(lr=factor * lr) for factor in LR_FACTORS),
        config.with_knobs(optimizer=other, lr=swapped),
    )


def architecture(config: Config) -> tuple[Config, ...]:
    """Return the other activations and the other embedding of numbers; none for pictures."""
    if config.network.kind == "conv":
        return ()
    activations = (name for name in KNOBS["activation"].choices if name != config.network.activation)
    embeddings = (name for name in KNOBS["embedding"].choices if name != config.network.embedding)
    return (
        *(config.with_knobs(activation=name) for name in activations),
        *(config.with_knobs(embedding=name) for name in embeddings),
    )


def _bigger(seen: Evidence) -> float:
    if seen.cramped:
        return 0.9
    return 0.05 if seen.slow or seen.fast else 0.05 + 0.35 * (1 - seen.unfinished)


def _longer(seen: Evidence) -> float:
    return 0.1 if seen.slow or seen.cramped else 0.1 + 0.7 * seen.unfinished


def _optimizer(seen: Evidence) -> float:
    return 0.8 if (seen.slow or seen.fast) and not seen.cramped else 0.1


def _other_architecture(seen: Evidence) -> float:
    # How numbers enter shows only in weights that had the time to use them.
    return max(0.05, 0.35 * (1 - seen.unfinished)) if seen.blind and not seen.cramped else 0.05


def _near_the_usual_rate(config: Config) -> float:
    return abs(math.log(times_the_usual_rate(config)))


OPTIMIZATION: tuple[Remedy, ...] = (
    against_bias("bigger_network", bigger_network, middle=_bigger),
    against_bias("train_longer", train_longer, middle=_longer),
    against_bias("better_optimizer", better_optimizer, middle=_optimizer, first=_near_the_usual_rate),
    against_bias("architecture", architecture, middle=_other_architecture),
)
"""Remedies against bias; among equals, the first one is tried first."""
