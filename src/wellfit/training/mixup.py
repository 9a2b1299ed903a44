"""Mixup (Zhang et al., 2018): a network learns from mixtures of two rows, and of their labels in the same shares.

The share of the first row is drawn from Beta(alpha, alpha), one for a batch, by the inverse of the distribution: so
members with different alphas mix the same pairs from the same uniform number.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from scipy.special import betaincinv
from torch import Tensor

from wellfit.training.moment import Moment
from wellfit.training.noise import mixing


def share_of(alpha: float, *, uniform: float) -> float:
    """Return the value of Beta(alpha, alpha) below which lies the share `uniform` of the draws."""
    return float(betaincinv(alpha, alpha, uniform))


@dataclass(frozen=True)
class Mixture:
    """Mixes every row of a batch with its partner: the same for inputs and labels."""

    share: float
    partner: Tensor

    def __call__(self, values: Tensor) -> Tensor:
        """Return share * values + (1 - share) * values of the partners; `values` is [N] or [N, K]."""
        return self.share * values + (1 - self.share) * values[self.partner]


def mixture(moment: Moment, *, rows: int) -> Mixture | None:
    """Return how a batch of `rows` rows is mixed at this moment, or None where it is not."""
    alpha = moment.config.regularization.mixup
    if not alpha:
        return None
    uniform, partner = mixing(seed=moment.config.seed, stream=moment.stream, update=moment.update, rows=rows)
    return Mixture(share_of(alpha, uniform=uniform), torch.from_numpy(partner))
