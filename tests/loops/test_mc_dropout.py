"""Monte-Carlo dropout of any module: rates as asked, norms untouched, the module left as it was."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

import wellfit as wf
from wellfit.exceptions import BadInput


class Functional(nn.Module):
    def forward(self, x):
        return functional.dropout(x, 0.3, self.training)


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.attend = nn.MultiheadAttention(8, 2, dropout=0.5, batch_first=True)

    def forward(self, x):
        return self.attend(x, x, x, need_weights=False)[0]


def test_mean_and_spread_are_those_of_inverted_dropout():
    passes, keep = 4_000, 0.7
    found = wf.mc_dropout(Functional(), torch.ones(1, 5), passes)
    expected = math.sqrt((1 - keep) / keep)  # the deviation of a Bernoulli(keep) / keep
    assert np.abs(found.mean - 1).max() < 4 * expected / math.sqrt(passes)
    np.testing.assert_allclose(found.spread, expected, rtol=0.1)


@pytest.mark.parametrize(
    "module", [nn.Dropout(0.5), Functional(), Attention()], ids=["module", "function", "attention"]
)
def test_dropout_is_on_wherever_it_hides(module):
    module.eval()
    assert wf.mc_dropout(module, torch.ones(3, 4, 8), 5).spread.any()


def test_the_module_and_the_generator_are_left_as_they_were():
    module = nn.Sequential(nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Linear(4, 2)).eval()
    state = {name: value.clone() for name, value in module.state_dict().items()}
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    wf.mc_dropout(module, np.ones((6, 4), np.float32), 3)
    torch.testing.assert_close(torch.rand(3), expected)
    assert not any(each.training for each in module.modules())
    for name, value in module.state_dict().items():
        torch.testing.assert_close(value, state[name])


def test_the_same_seed_gives_the_same_passes_and_probabilities_add_up():
    module = nn.Sequential(nn.Dropout(0.5), nn.Linear(4, 3))
    first, second = (wf.mc_dropout(module, torch.ones(5, 4), 6, activation=lambda z: z.softmax(1)) for _ in range(2))
    np.testing.assert_array_equal(first.mean, second.mean)
    np.testing.assert_allclose(first.mean.sum(axis=1), 1)


def test_a_module_that_drops_nothing_is_refused():
    with pytest.raises(BadInput, match="drops units"):
        wf.mc_dropout(nn.Linear(4, 2), torch.ones(3, 4), 5)
    with pytest.raises(BadInput, match="at least 2"):
        wf.mc_dropout(nn.Dropout(), torch.ones(3, 4), 1)


class Counting(nn.Module):
    """Changes its buffers in training mode: one in place, one by another tensor, as spectral norms and codebooks do."""

    def __init__(self):
        super().__init__()
        self.register_buffer("seen", torch.zeros(()))
        self.register_buffer("mean", torch.zeros(4))
        self.drop = nn.Dropout(0.5)

    def forward(self, x):
        if self.training:
            self.seen += 1
            self.mean = 0.9 * self.mean + 0.1 * x.mean(0)
        return self.drop(x)


@pytest.mark.parametrize(
    "module",
    [
        Counting(),
        nn.utils.parametrizations.spectral_norm(nn.Linear(4, 4)),
        nn.Sequential(Counting(), nn.BatchNorm1d(4)),
    ],
    ids=["own", "spectral norm", "batch norm"],
)
def test_every_buffer_and_mode_comes_back(module):
    net = nn.Sequential(nn.Dropout(0.5), module)
    net.eval()
    net[0].train()  # some parts may be in another mode than the whole
    state = {name: value.clone() for name, value in net.state_dict().items()}
    held = dict(net.named_buffers())
    wf.mc_dropout(net, np.ones((6, 4)), 3)
    assert all(torch.equal(value, state[name]) for name, value in net.state_dict().items())
    assert all(each is held[name] for name, each in net.named_buffers())
    assert [each.training for each in net.modules()] == [each is net[0] for each in net.modules()]


def test_they_come_back_after_a_pass_that_fails():
    net = Counting().eval()
    with pytest.raises(RuntimeError):
        wf.mc_dropout(net, torch.ones(6, 3), 3)
    assert not net.training
    assert net.seen == 0


class Several(nn.Module):
    def __init__(self):
        super().__init__()
        self.drop = nn.Dropout(0.5)

    def forward(self, x, more=None):
        dropped = self.drop(x if more is None else x + more)
        return dropped, x


def test_several_outputs_and_inputs_are_taken():
    net, rows = Several(), torch.ones(5, 3)
    first = wf.mc_dropout(net, rows, 4)
    named = wf.mc_dropout(net, {"x": rows, "more": torch.zeros(5, 3)}, 4)
    pair = wf.mc_dropout(net, (rows, torch.zeros(5, 3)), 4)
    picked = wf.mc_dropout(net, rows, 4, activation=lambda returned: returned[0])
    for found in (named, pair, picked):
        np.testing.assert_array_equal(found.mean, first.mean)
    soft = wf.mc_dropout(net, rows, 4, activation=lambda z: z.softmax(1))
    np.testing.assert_allclose(soft.mean.sum(axis=1), 1)


def test_a_pass_without_a_tensor_is_refused():
    class Mapped(Several):
        def forward(self, x):
            return {"logits": self.drop(x)}

    with pytest.raises(BadInput, match="must return a tensor"):
        wf.mc_dropout(Mapped(), torch.ones(3, 4), 2)
    assert wf.mc_dropout(Mapped(), torch.ones(3, 4), 2, activation=lambda found: found["logits"]).spread.any()
