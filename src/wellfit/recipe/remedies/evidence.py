"""What a network's own training says about why it does not fit: cramped, slow, fast, cut short, or blind to wiggles.

Adam moves a weight by about lr an update, so updates x lr is how far a weight can have travelled; narrow networks need,
and bear, a larger rate. The bounds were set on planted cases (benchmarks/recipe_cases.py).
"""

from __future__ import annotations

from dataclasses import dataclass

from wellfit.config import Config
from wellfit.outcome import Outcome

CRAMPED_WIDTH = 4
"""A layer no wider than this is the narrowest place of any network that should fit."""
USUAL_LR, USUAL_WIDTH, LARGEST_LR = 2e-3, 64, 2e-2
"""The usual rate of Adam at a width; it goes with 1 / width, up to the largest."""
SLOW, FAST = 0.25, 10.0
"""Times the usual rate below and above which the rate is the first suspect."""
ENOUGH_UPDATES = 250
"""At the usual rate; fewer leave the weights near where they began."""
ADAM_EQUAL = {"adam": 1.0, "momentum": 1 / 30, "sgd": 1 / 300}
"""What a learning rate of each optimizer is worth in Adam's, roughly."""


@dataclass(frozen=True)
class Evidence:
    """What speaks for one cause or another.

    Attributes:
        cramped: a hidden layer of hardly any units.
        slow: the learning rate is far below the usual one.
        fast: it is far above.
        unfinished: share of the way that the weights could not travel yet, 0 to 1.
        blind: numbers enter as they are, so that wiggles cost layers.
    """

    cramped: bool
    slow: bool
    fast: bool
    unfinished: float
    blind: bool


def times_the_usual_rate(config: Config) -> float:
    """The learning rate, as Adam would have it, over the usual one of networks of this width."""
    narrowest = min(config.network.widths, default=USUAL_WIDTH)
    usual = min(USUAL_LR * USUAL_WIDTH / narrowest, LARGEST_LR)
    return config.optimization.lr * ADAM_EQUAL[config.optimization.optimizer] / usual


def evidence_of(outcome: Outcome, *, numbers: int) -> Evidence:
    """Read the evidence of a training.

    Args:
        outcome: of the training.
        numbers: numeric columns of the table.
    """
    network, rate = outcome.config.network, times_the_usual_rate(outcome.config)
    travelled = outcome.updates * rate / ENOUGH_UPDATES
    return Evidence(
        cramped=min(network.widths, default=USUAL_WIDTH) <= CRAMPED_WIDTH,
        slow=rate < SLOW,
        fast=rate > FAST,
        unfinished=max(0.0, 1.0 - travelled),
        blind=network.embedding == "none" and numbers > 0,
    )
