"""Polynomials from which the kernels make the normal distribution function, without a call for each number.

With z = |x| / sqrt(2) and t = 2 / (2 + z), erfc(z) = t * P(2 t - 1) * exp(-z^2): one smooth P for all z >= 0 (as in
Numerical Recipes, section 6.2.2). And exp(-z^2) = E(-z^2 / 2^n)^(2^n), for arguments down to LOWEST, where erfc ends.
"""

from __future__ import annotations

import numpy as np
from numpy.polynomial import chebyshev
from scipy.special import erfcx

from wellfit._typing import Floats

SQUARINGS = 5
LOWEST = -40.0
"""exp(-40) = 4e-18: a value below which nothing of the tail is left beside 1."""
_NODES = 400


def _fitted(values: Floats, places: Floats, *, degree: int) -> Floats:
    """Coefficients of the polynomial through values at Chebyshev nodes, the highest power first."""
    return np.ascontiguousarray(chebyshev.cheb2poly(chebyshev.chebfit(places, values, degree))[::-1])


def _tail() -> Floats:
    places = np.cos(np.pi * (np.arange(_NODES) + 0.5) / _NODES)
    t = (places + 1) / 2
    return _fitted(erfcx(2 / t - 2) / t, places, degree=18)


def _exponential() -> Floats:
    lowest = LOWEST / 2**SQUARINGS
    places = np.cos(np.pi * (np.arange(_NODES) + 0.5) / _NODES)
    return _fitted(np.exp((places - 1) / 2 * -lowest), places, degree=14)


TAIL, EXPONENTIAL = _tail(), _exponential()
"""P and E, the latter of 2 r / |lowest| + 1, r the argument in [lowest, 0]."""
