"""Remedies that the recipe can carry out by itself: each turns one board of a config into a few trials.

Remedies of the data board (more data, a deployment sample, a bigger dev set) need a person and are only prescribed.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import replace

from wellfit.config import ACTIVATIONS, Config
from wellfit.exceptions import BadInput
from wellfit.outcome import Outcome
from wellfit.recipe.pictures import wider_networks

WIDTH_LADDER: tuple[tuple[int, ...], ...] = ((64, 64), (128, 128), (256, 256), (256, 256, 256), (512, 512, 512))
LONGER = (2, 4)
LR_FACTORS = (1 / 3, 3.0)
TRIALS_A_STEP = 3


def bigger_network(config: Config) -> tuple[Config, ...]:
    """Shapes further up the ladder, from the next one on."""
    if config.network.kind == "conv":
        return wider_networks(config)
    size = _size(config.network.widths)
    larger = [widths for widths in WIDTH_LADDER if _size(widths) > size]
    return tuple(replace(config, network=replace(config.network, widths=w)) for w in larger[:TRIALS_A_STEP])


def train_longer(config: Config) -> tuple[Config, ...]:
    """Twice and four times the epochs; the schedule stretches with them."""
    return tuple(
        replace(config, optimization=replace(config.optimization, epochs=factor * config.optimization.epochs))
        for factor in LONGER
    )


def better_optimizer(config: Config) -> tuple[Config, ...]:
    """Other learning rates at the same number of updates."""
    return tuple(
        replace(config, optimization=replace(config.optimization, lr=factor * config.optimization.lr))
        for factor in LR_FACTORS
    )


def architecture(config: Config) -> tuple[Config, ...]:
    """The other activations."""
    others = [activation for activation in ACTIVATIONS if activation != config.network.activation]
    return tuple(replace(config, network=replace(config.network, activation=activation)) for activation in others)


OPTIMIZATION: Mapping[str, Callable[[Config], tuple[Config, ...]]] = {
    "bigger_network": bigger_network,
    "train_longer": train_longer,
    "better_optimizer": better_optimizer,
    "architecture": architecture,
}
"""What fights bias, in the order in which it is tried."""

REGULARIZE = "regularize"
ENSEMBLE = "ensemble"
CARRIED_OUT = (*OPTIMIZATION, REGULARIZE, ENSEMBLE)
"""Every kind that `run --only KIND` accepts."""


def require_kind(only: str | None) -> None:
    """Refuse a remedy that the recipe cannot carry out by itself.

    Raises:
        BadInput: naming those that it can.
    """
    if only is not None and only not in CARRIED_OUT:
        raise BadInput(
            f"--only takes one of {', '.join(CARRIED_OUT)}",
            found=repr(only),
            remedy="Other remedies need a person: `wellfit diagnose` says what to do",
        )


def describe_change(before: Outcome, after: Outcome) -> str:
    """What differs, as "widths 64x64 -> 256x256, epochs 32 -> 64, networks 1 -> 12"."""
    old, new = ({**_knobs(each.config), "networks": str(each.networks)} for each in (before, after))
    return ", ".join(f"{name} {old[name]} -> {new[name]}" for name in old if old[name] != new[name]) or "nothing"


def _knobs(config: Config) -> dict[str, str]:
    optimization, regularization = config.optimization, config.regularization
    keep = regularization.keep_prob
    return {
        "widths": "x".join(map(str, config.network.widths)),
        "activation": config.network.activation,
        "optimizer": optimization.optimizer,
        "lr": f"{optimization.lr:.3g}",
        "epochs": str(optimization.epochs),
        "lambda": f"{regularization.l2:.3g}",
        "augment": f"{regularization.augment:.3g}",
        "keep_prob": f"{keep:.3g}" if isinstance(keep, float | int) else "/".join(f"{value:.3g}" for value in keep),
    }


def _size(widths: tuple[int, ...]) -> int:
    return sum(first * second for first, second in itertools.pairwise(widths)) + sum(widths)
