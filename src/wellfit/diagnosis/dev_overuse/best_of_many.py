"""What the best of k candidates looks better by than it is, and how many candidates a dev set carries.

The best of k equally good candidates is ahead by sigma_eff e_k: e_k is the expected maximum of k normals, and
sigma_eff = sqrt(p (1 - p) (1 - rho) / n) leaves out what the candidates' losses share (rho, their mean correlation).
"""

from __future__ import annotations

import math

from scipy import integrate, special

from wellfit._typing import Floats

MOST = 1_000_000
"""Candidates beyond which nobody counts."""


def expected_maximum(count: int) -> float:
    """E max of `count` standard normals: .5642, 1.1630, 1.5388 for 2, 5, 10."""
    if count <= 1:
        return 0.0

    def density(x: float) -> float:
        return float(x * count * special.ndtr(x) ** (count - 1) * math.exp(-x * x / 2) / math.sqrt(2 * math.pi))

    return float(integrate.quad(density, -10.0, 10.0, epsabs=1e-10)[0])


def effective_sd(losses: Floats) -> float:
    """Standard error of the difference that chance makes between candidates, per candidate.

    Args:
        losses: [candidates, rows] loss of each candidate on each dev row.
    """
    count, rows = losses.shape
    if count < 2:
        return 0.0
    # What all candidates share cancels: the spread around each row's mean is that of (1 - rho).
    own = losses - losses.mean(axis=0) - (losses.mean(axis=1, keepdims=True) - losses.mean())
    return math.sqrt(float((own**2).sum()) / ((count - 1) * rows) / rows)


def decisions_left(losses: Floats, *, tolerance: float) -> int:
    """Candidates that this dev set carries in all, until the best of them looks better by the tolerance than it is."""
    spread = effective_sd(losses)
    if spread * expected_maximum(MOST) <= tolerance:
        return MOST
    low, high = 1, MOST
    while high - low > 1:
        middle = int(math.sqrt(low * high)) if high > 2 * low else (low + high) // 2
        if spread * expected_maximum(middle) <= tolerance:
            low = middle
        else:
            high = middle
    return low
