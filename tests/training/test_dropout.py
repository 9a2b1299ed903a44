from __future__ import annotations

import numpy as np
import pytest
import torch

from oracle.stack import new_network
from wellfit.records.config import Config, Network, Regularization
from wellfit.training.network import Dropout
from wellfit.training.schedules import Update
from wellfit.training.tensors import Inputs


def dropout(keep_prob, *, update=0):
    config = Config(regularization=Regularization(keep_prob=keep_prob))
    return Dropout(Update(config=config, stream="shared", update=update, updates=100))


def test_keep_prob_one_returns_the_very_same_tensor():
    values = torch.randn(4, 64)
    assert dropout(1.0)(values, layer=0) is values


def test_the_expectation_of_the_output_is_kept():
    values = torch.full((500, 64), 3.0)
    means = [dropout(0.7, update=update)(values, layer=0).mean().item() for update in range(50)]
    error = 3 * np.sqrt(0.3 / 0.7 / (500 * 64 * 50))
    assert abs(np.mean(means) - 3) < 4 * error


def test_kept_units_are_divided_by_keep_prob():
    dropped = dropout(0.8)(torch.ones(100, 64, dtype=torch.float64), layer=1)
    assert set(dropped.unique().tolist()) == {0.0, 1 / 0.8}


def test_each_layer_has_its_own_rate():
    drop = dropout((0.2, 0.9))
    rates = [(drop(torch.ones(2_000, 64), layer=layer) > 0).double().mean().item() for layer in (0, 1)]
    np.testing.assert_allclose(rates, [0.2, 0.9], atol=4 * np.sqrt(0.16 / 128_000))


def test_a_schedule_lets_fewer_units_be_dropped_towards_the_end():
    fading = Config(regularization=Regularization(keep_prob=0.2, keep_prob_schedule="flat_cos"))
    values = torch.ones(2_000, 64)
    for update, keep_prob in [(10, 0.2), (75, 0.6), (99, 1 - 0.8 * (1 + np.cos(np.pi * 0.98)) / 2)]:
        dropped = Dropout(Update(config=fading, stream="shared", update=update, updates=100))(values, layer=0)
        assert abs((dropped > 0).double().mean().item() - keep_prob) < 4 * np.sqrt(0.25 / values.numel())
        assert dropped.max().item() == pytest.approx(1 / keep_prob, rel=1e-6)


def test_dropped_units_get_exactly_zero_gradient():
    values = torch.randn(50, 64, requires_grad=True)
    dropped = dropout(0.5)(values, layer=0)
    dropped.square().sum().backward()
    assert (values.grad[dropped == 0] == 0).all()
    assert (values.grad[dropped != 0] != 0).all()


def test_the_weights_of_a_unit_dropped_for_every_row_get_exactly_zero_gradient(classification):
    network = new_network(classification, Network(widths=(6,)), seed=0)
    with torch.no_grad():
        network.layers[-1].weight.fill_(1.0)
    inputs = Inputs.of(classification.train)

    def without_unit_two(values, *, layer):
        mask = torch.ones_like(values)
        mask[:, 2] = 0
        return values * mask

    network(inputs.numeric, inputs.codes, without_unit_two).square().sum().backward()
    assert (network.layers[0].weight.grad[2] == 0).all()
    assert (network.layers[0].weight.grad[1] != 0).any()
