"""`wf.check` leaves everything as it was: tensors, gradients, modes, generators, the optimizer, plain attributes."""

from __future__ import annotations

import copy
import random

import numpy as np
import pytest
import torch
from torch import nn

import wellfit as wf
from wellfit.checking.keeping import kept, wake


class Counting(nn.Module):
    """A network that leaves traces of every pass."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(5, 8), nn.BatchNorm1d(8), nn.Dropout(0.2), nn.ReLU(), nn.Linear(8, 3))
        self.register_buffer("seen", torch.zeros(()))
        self.passes, self.shapes, self.last = 0, [], None

    def forward(self, rows):
        self.passes += 1
        self.shapes.append(tuple(rows.shape))
        self.seen += len(rows)
        self.last = self.layers(rows)
        return self.last


def _rows():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(60, 5, generator=generator), torch.arange(60) % 3


def _trained():
    """A network some steps into its training, with a frozen tensor, gradients and an optimizer's moments."""
    torch.manual_seed(3)
    network, (rows, target) = Counting(), _rows()
    network.layers[0].bias.requires_grad_(False)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-2)
    for _ in range(3):
        optimizer.zero_grad()
        nn.functional.cross_entropy(network(rows), target).backward()
        optimizer.step()
    network.layers[2].eval()
    return network, optimizer


def _state(network, optimizer):
    return {
        "tensors": {name: value.clone() for name, value in network.state_dict().items()},
        "gradients": {name: None if one.grad is None else one.grad.clone() for name, one in network.named_parameters()},
        "required": {name: value.requires_grad for name, value in network.named_parameters()},
        "modes": {name: one.training for name, one in network.named_modules()},
        "plain": (network.passes, list(network.shapes), network.last.detach().clone()),
        "hooks": [len(one._forward_hooks) + len(one._forward_pre_hooks) for one in network.modules()],
        "optimizer": copy.deepcopy(optimizer.state_dict()),
        "generators": (torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()),  # noqa: NPY002
        "torch": (torch.get_default_dtype(), torch.is_grad_enabled(), torch.get_num_threads()),
    }


def _same(one, other):
    if isinstance(one, torch.Tensor):
        return bool(torch.equal(one, other)) and one.dtype == other.dtype
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_same(value, other[name]) for name, value in one.items())
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(_same, one, other))
    return bool(one == other)


STATE = list(_state(*_trained()))


@pytest.fixture(scope="module")
def states():
    network, optimizer = _trained()
    places = {name: value.data_ptr() for name, value in network.state_dict().items()}
    before = _state(network, optimizer)
    rows, target = _rows()
    wf.check(network, rows, target, loss=nn.CrossEntropyLoss(), optimizer=optimizer)
    assert places == {name: value.data_ptr() for name, value in network.state_dict().items()}
    return before, _state(network, optimizer)


@pytest.mark.parametrize("part", STATE)
def test_a_check_leaves_no_trace(states, part):
    before, after = states
    assert _same(before[part], after[part])


def test_training_goes_on_as_if_nothing_had_happened():
    ends = []
    for look in (True, False):
        network, optimizer = _trained()
        rows, target = _rows()
        if look:
            wf.check(network, rows, target, loss=nn.CrossEntropyLoss(), optimizer=optimizer)
        torch.manual_seed(5)
        for _ in range(3):
            optimizer.zero_grad()
            nn.functional.cross_entropy(network.train()(rows), target).backward()
            optimizer.step()
        ends.append(network.state_dict())
    assert _same(*map(dict, ends))


def _break_off(network):
    with kept(network):
        wake(network)
        network.double().eval()
        network.requires_grad_(False)
        torch.set_default_dtype(torch.float64)
        network(torch.randn(4, 5))
        raise RuntimeError("in the middle")


def test_everything_comes_back_after_an_exception():
    network, optimizer = _trained()
    before = _state(network, optimizer)
    with pytest.raises(RuntimeError, match="in the middle"):
        _break_off(network)
    assert _same(before, _state(network, optimizer))


def test_tied_weights_stay_tied():
    network = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    network[1].weight.data = network[0].weight.data
    with kept(network):
        assert network[1].weight.data_ptr() == network[0].weight.data_ptr()
        network[0].weight.data.zero_()
        assert not network[1].weight.any()
    assert network[1].weight.data_ptr() == network[0].weight.data_ptr()
    assert network[1].weight.any()
