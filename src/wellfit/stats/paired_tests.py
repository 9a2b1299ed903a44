"""One-sided paired tests: is the first of two models worse than the second, measured on the same rows?"""

from __future__ import annotations

import numpy as np
from scipy import special

from wellfit._typing import Floats
from wellfit.exceptions import BadInput


def worse_p(first_losses: Floats, second_losses: Floats) -> float:
    """One-sided p-value of "the first has no higher mean loss than the second".

    Losses that are all 0 or 1 get the exact test of McNemar (1947): of the rows on which one alone is wrong, either
    is wrong on half. Any others get Student's t of the row differences after Hall's cubic transformation (Hall 1992,
    "On the removal of skewness by transformation"): with T = mean/sd and skewness g,
    T + g T^2/3 + g^2 T^3/27 + g/(6n). Without it a long tail on the side that was hardly seen makes t reject far too
    often. Whatever the losses, k rows that differ cannot say more than k equal signs: p >= 2^-k.

    Args:
        first_losses: [rows] losses.
        second_losses: [rows] losses of the same rows in the same order.

    Raises:
        BadInput: when the lengths differ, or there are no rows.
    """
    first, second = (np.asarray(losses, dtype=np.float64) for losses in (first_losses, second_losses))
    if first.shape != second.shape or not first.size:
        raise BadInput(
            "a paired test compares the same rows, at least one",
            found=f"{first.size} and {second.size} losses",
            remedy="Give both losses for the same rows",
        )
    differences = first - second
    changed = int(np.count_nonzero(differences))
    if not changed:
        return 1.0
    if np.isin((first, second), (0.0, 1.0)).all():
        # P(X >= b), X ~ Binomial(b + c, 1/2).
        return float(special.bdtrc(int((differences > 0).sum()) - 1, changed, 0.5))
    return max(_transformed_t(differences), 0.5**changed)


def _transformed_t(differences: Floats) -> float:
    rows, mean = differences.size, float(differences.mean())
    spread = float(differences.std())
    if spread <= 1e-12 * abs(mean):
        return 0.0 if mean > 0 else 1.0
    skew = float(np.mean(((differences - mean) / spread) ** 3))
    ratio = mean / spread
    straight = ratio + skew * ratio**2 / 3 + skew**2 * ratio**3 / 27 + skew / (6 * rows)
    return float(special.stdtr(rows - 1, -np.sqrt(rows - 1) * straight))
