"""Decay groups of a user's module: lambda on the weights, nothing on biases, norms and embeddings."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

import wellfit as wf
from wellfit.exceptions import BadInput


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(5, 4)
        self.norm = nn.LayerNorm(4)
        self.linear = nn.Linear(4, 3)


def test_weights_decay_by_lambda_over_m_and_nothing_else_does():
    decayed, spared = wf.param_groups(Net(), l2=300.0, rows=1_000, lr=0.01)
    assert decayed["names"] == ["linear.weight"]
    assert math.isclose(decayed["weight_decay"], 0.3)
    assert spared["names"] == ["embed.weight", "norm.weight", "norm.bias", "linear.bias"]
    assert spared["weight_decay"] == 0
    assert decayed["lr"] == spared["lr"] == 0.01


@pytest.mark.parametrize("kind", [torch.optim.SGD, torch.optim.AdamW])
def test_an_update_without_a_gradient_shrinks_by_one_minus_lr_lambda_over_m(kind):
    net, lr, l2, rows = Net(), 0.1, 50.0, 200
    optimizer = kind(wf.param_groups(net, l2=l2, rows=rows, lr=lr))
    before = {name: value.detach().clone() for name, value in net.named_parameters()}
    for value in net.parameters():
        value.grad = torch.zeros_like(value)
    optimizer.step()
    for name, value in net.named_parameters():
        factor = 1 - lr * l2 / rows if name == "linear.weight" else 1.0
        torch.testing.assert_close(value.detach(), factor * before[name])


def test_a_frozen_parameter_is_in_no_group():
    net = Net()
    net.linear.weight.requires_grad_(False)
    (spared,) = wf.param_groups(net, l2=1.0, rows=10)
    assert "linear.weight" not in spared["names"]
    assert "lr" not in spared


@pytest.mark.parametrize(
    ("knobs", "said"),
    [
        ({"l2": -1.0, "rows": 10}, "l2"),
        ({"l2": math.inf, "rows": 10}, "l2"),
        ({"l2": math.nan, "rows": 10}, "l2"),
        ({"l2": 1.0, "rows": 0}, "rows"),
    ],
    ids=["negative", "infinite", "nan", "no rows"],
)
def test_knobs_out_of_range_are_refused_by_name(knobs, said):
    with pytest.raises(BadInput, match=said):
        wf.param_groups(Net(), **knobs)


def test_a_module_without_trained_parameters_is_refused():
    with pytest.raises(BadInput, match="parameters"):
        wf.param_groups(nn.ReLU(), l2=1.0, rows=10)
