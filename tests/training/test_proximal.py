from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from oracle.loop import soften


@settings(deadline=None)
@given(values=st.lists(st.floats(-10, 10), min_size=1, max_size=20), by=st.floats(0, 5))
def test_every_weight_goes_towards_zero_and_stops_there(values, by):
    weights = torch.tensor(values, dtype=torch.float64)
    soften([weights], by=by)
    expected = np.sign(values) * np.maximum(np.abs(values) - by, 0)
    assert np.array_equal(weights.numpy(), expected)


def test_it_is_the_minimum_of_the_penalized_distance():
    """prox(w) = argmin_v (v - w)^2 / 2 + by |v|, found on a grid."""
    weights = torch.linspace(-1, 1, 41, dtype=torch.float64)
    grid = np.linspace(-1.5, 1.5, 30_001)
    expected = [grid[np.argmin((grid - w) ** 2 / 2 + 0.3 * np.abs(grid))] for w in weights.numpy()]
    soften([weights], by=0.3)
    np.testing.assert_allclose(weights.numpy(), expected, atol=1.1e-4)


def test_gradient_descent_with_it_finds_the_lasso_of_an_orthogonal_design():
    """min ||w - target||^2 / 2 + 0.5 ||w||_1 has the closed form sign(target) max(|target| - 0.5, 0)."""
    target = torch.tensor([2.0, -1.0, 0.4, -0.1], dtype=torch.float64)
    weights = torch.zeros(4, dtype=torch.float64)
    for _ in range(400):
        weights -= 0.1 * (weights - target)
        soften([weights], by=0.1 * 0.5)
    np.testing.assert_allclose(weights.numpy(), [1.5, -0.5, 0, 0], atol=1e-12)
    assert (weights[2:] == 0).all()


def test_a_parameter_may_be_softened_in_place():
    weight = torch.nn.Parameter(torch.tensor([0.2, -3.0]))
    soften([weight], by=1.0)
    assert weight.requires_grad
    assert weight.tolist() == pytest.approx([0.0, -2.0])
