"""The polynomials of GELU against scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from wellfit.fused.kernels import _normal


def normal(values):
    return _normal(values, np.zeros_like(values), np.empty((4, len(values)), values.dtype))


@pytest.mark.parametrize(("dtype", "accuracy"), [(np.float64, 1e-13), (np.float32, 4e-6)])
def test_distribution_and_density_are_those_of_scipy(dtype, accuracy):
    places = np.concatenate([np.linspace(-10, 10, 4_001), [0.0, 1e-9, -1e-9, 60.0, -60.0, 1e15, -1e15]]).astype(dtype)
    below, density = normal(places)
    np.testing.assert_allclose(below, norm.cdf(places.astype(np.float64)), atol=accuracy)
    np.testing.assert_allclose(density, norm.pdf(places.astype(np.float64)), atol=accuracy)


def test_the_tail_is_right_in_proportion():
    places = np.linspace(-7, 0, 701)
    np.testing.assert_allclose(normal(places)[0], norm.cdf(places), rtol=1e-12)


def test_what_is_no_number_stays_none():
    assert np.isnan(normal(np.array([np.nan, 1.0]))[0]).tolist() == [True, False]
