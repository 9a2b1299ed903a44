from __future__ import annotations

import numpy as np
import pytest
from torch import nn

from module_cases import Attention, Normed, Recurrent
from wellfit.fused.memory import activation_bytes, member_bytes
from wellfit.training.module import ModuleNetwork


def small(inputs, outputs):
    return nn.Sequential(nn.Linear(inputs, 64), nn.ReLU(), nn.Dropout(), nn.Linear(64, outputs))


def network(factory):
    return ModuleNetwork(factory, columns=20, levels=[], outputs=3, task="classification")


def test_what_a_pass_keeps_by_hand():
    # The inputs, the activations, the factors of dropout, and what is left of the activations.
    assert activation_bytes(network(small), rows=100) == 4 * 100 * (20 + 3 * 64)


@pytest.mark.parametrize("factory", [small, Attention, Normed, Recurrent])
def test_it_grows_with_the_rows_and_not_with_the_parameters(factory):
    few, many = (activation_bytes(network(factory), rows=rows) for rows in (100, 200))
    assert many == pytest.approx(2 * few, rel=0.01)


def test_a_member_takes_its_parameters_too():
    net = network(small)
    parameters = 20 * 64 + 64 + 64 * 3 + 3
    float32, float64 = (member_bytes(net, rows=100, dtype=dtype) for dtype in (np.float32, np.float64))
    rows = 3 * 8 * parameters
    assert float32 == rows + 6 * 4 * parameters + 2 * activation_bytes(net, rows=100)
    assert float64 == rows + 2 * (float32 - rows)
