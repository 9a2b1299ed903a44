"""The first network: small, every regularizer at zero, and no larger a share of the budget than it needs."""

from __future__ import annotations

from dataclasses import replace

from wellfit.config import Config, Network, Optimization
from wellfit.recipe.purse import Purse

FIRST_SHARE = 0.08
"""Share of the budget for the first training, which only shows where the recipe starts."""
EPOCHS = 48
FEWEST_UPDATES = 1_500
"""Small tables pass by more often, so that the schedule has time to work."""
BATCH_SIZES = ((1_024, 32), (8_000, 128), (30_000, 256), (100_000, 512))
LARGEST_BATCH = 1_024


def first_config(*, rows: int, purse: Purse, seed: int) -> Config:
    """Return the network that the recipe starts from.

    Args:
        rows: training rows m.
        purse: shortens the schedule where the budget is small.
        seed: of weights, noise and batch order.
    """
    batch_size = next((size for limit, size in BATCH_SIZES if rows <= limit), LARGEST_BATCH)
    epochs = max(EPOCHS, FEWEST_UPDATES * batch_size // rows)
    config = Config(network=Network(), optimization=Optimization(epochs=epochs, batch_size=batch_size), seed=seed)
    one_epoch = replace(config, optimization=replace(config.optimization, epochs=1))
    affordable = max(1, purse.affordable(one_epoch, share=FIRST_SHARE))
    return replace(config, optimization=replace(config.optimization, epochs=min(epochs, affordable)))
