from __future__ import annotations

import numpy as np
import pytest
import torch

from oracle.loop import MovingAverage
from wellfit.records.config import Network
from wellfit.training.network import MLP


def filled(value):
    edges = np.array([[0, 1, 3]], dtype=np.float32)
    network = MLP(Network(widths=(3,)), columns=1, levels=[12], outputs=1, edges=edges).double()
    with torch.no_grad():
        for each in network.parameters():
            each.fill_(value)
    return network


def values_of(network):
    return torch.cat([value.detach().flatten() for value in network.parameters()])


def descend(*, ema, updates, rate=0.25):
    """A constant gradient of 1: after update t, every parameter is -rate (t + 1)."""
    network = filled(0.0)
    average = MovingAverage(network, ema=ema)
    for update in range(updates):
        with torch.no_grad():
            for value in network.parameters():
                value.sub_(rate)
        average.add(network, update=update)
    return network, average.network


@pytest.mark.parametrize("ema", [0.1, 0.05])
def test_a_constant_gradient_leaves_the_average_a_constant_way_behind(ema):
    # (1 + t) / (10 + t) is at least .1, so that the decay is ema from the first update on: the shadow of -rate (t + 1)
    # is -rate (n - d (1 - d^n) / (1 - d)).
    network, shadow = descend(ema=ema, updates=7)
    expected = -0.25 * (7 - ema * (1 - ema**7) / (1 - ema))
    torch.testing.assert_close(values_of(shadow), torch.full_like(values_of(shadow), expected), rtol=1e-12, atol=0)
    assert (values_of(network) == -7 * 0.25).all()


def test_the_weights_of_the_past_follow_the_warm_up():
    _, shadow = descend(ema=0.3, updates=5)
    decays = [0.1, 2 / 11, 3 / 12, 0.3, 0.3]
    shares = [(1 - decay) * np.prod(decays[place + 1 :]) for place, decay in enumerate(decays)]
    assert sum(shares) + np.prod(decays) == pytest.approx(1)
    expected = -0.25 * np.dot(shares, range(1, 6))
    np.testing.assert_allclose(values_of(shadow).numpy(), expected, rtol=1e-12)


def test_it_starts_at_the_first_parameters_and_leaves_the_network_alone():
    network = filled(2.0)
    average = MovingAverage(network, ema=0.9)
    assert (values_of(average.network) == 2).all()
    with torch.no_grad():
        for value in average.network.parameters():
            value.zero_()
    assert (values_of(network) == 2).all()


def test_buffers_are_those_of_the_network_under_training():
    network = filled(1.0)
    average = MovingAverage(network, ema=0.9)
    for mean, value in zip(average.network.buffers(), network.buffers(), strict=True):
        assert mean is value
