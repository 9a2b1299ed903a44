from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from module_cases import (
    DROPPING,
    Attention,
    Branching,
    Channels,
    Encoder,
    Function,
    InPlace,
    Layer,
    Noisy,
    Normed,
    Plain,
    Recurrent,
    Tied,
)
from oracle.loop import mean_loss
from wellfit.fused.module_rows import ModuleLayout, row_layout
from wellfit.fused.torch_module import Gradients, ModuleBatch, TorchModule
from wellfit.records.config import Config, Network, Regularization
from wellfit.training.dropout_sites import StackMasks, StackNoise
from wellfit.training.module import ModuleNetwork
from wellfit.training.network import Dropout
from wellfit.training.schedules import Update

KEEPS = (0.1, 0.5, 0.9, 1.0)
ROWS, COLUMNS = 40, 6
source = np.random.default_rng(0)
VALUES = source.normal(size=(ROWS, COLUMNS))
NUMBERS = source.normal(size=ROWS)
CODES = source.integers(0, 3, ROWS)


class Tokens(nn.Module):
    """A plain LSTM: no dropout, and no rule in torch to map it."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.lstm, self.last = nn.LSTM(1, 4, batch_first=True), nn.Linear(4, outputs)

    def forward(self, rows):
        return self.last(self.lstm(rows.unsqueeze(2))[0][:, -1])


class TwoNames(nn.Module):
    """One layer under two names, which is used twice."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.first, self.middle, self.last = nn.Linear(inputs, 8), nn.Linear(8, 8), nn.Linear(8, outputs)
        self.again = self.middle

    def forward(self, rows):
        return self.last(self.again(self.middle(self.first(rows).relu()).relu()).relu())


def compiled(inputs, outputs):
    """A compiled part in a module that was compiled too."""
    inner = torch.compile(nn.Linear(inputs, 8), backend="eager")
    net = nn.Sequential(inner, nn.Tanh(), nn.Dropout(0.5), nn.Linear(8, outputs))
    net.compile(backend="eager")
    return torch.compile(net, backend="eager")


AT_ONCE = (Layer, Channels, Function, Attention, Normed, Tied, Plain, TwoNames, compiled)
ONE_BY_ONE = (Recurrent, Branching, Noisy, Tokens)


def network(factory, *, task="classification", dtype=torch.float64):
    outputs = 3 if task == "classification" else 1
    return ModuleNetwork(factory, columns=COLUMNS, levels=[], outputs=outputs, task=task).to(dtype)


def torch_module(net, *, task, dtype=np.float32):
    none = np.empty((0, 3), np.int64)
    plan = SimpleNamespace(
        classification=task == "classification", bins=np.empty((3, 0)), waves=[], one_hots=none, embeddings=none
    )
    train = SimpleNamespace(numeric=np.empty((0, COLUMNS)), codes=np.empty((0, 0)))
    preparation = SimpleNamespace(schema=SimpleNamespace(task=task, picture=None))
    data = SimpleNamespace(preparation=preparation, train=train)
    return TorchModule(ModuleLayout(data, net, dtype, row_layout(net.module), plan, COLUMNS))


def start(module, *, members):
    return np.concatenate(module.layout.start(members), axis=1, dtype=np.float64)


def gradients(module, rows, given, noise):
    trained, kept = (torch.from_numpy(each) for each in np.split(rows, [module.layout.rows.parameters], axis=1))
    found = module.gradients(trained.to(module.layout.real), kept, given, noise=noise)
    return Gradients(*(each.numpy() for each in found))


def outputs_of(module, rows):
    return module.outputs(torch.from_numpy(rows), None, torch.from_numpy(VALUES)).numpy()


def noise(net, *, update=0, keeps=KEEPS):
    sites = len(net.findings.sites)
    each = np.array(keeps)[:, None] if sites else np.empty((len(keeps), 0))
    return StackNoise(seed=7, stream="shared", update=update, keep_probs=np.tile(each, (1, sites)))


def batch(task="classification"):
    target = np.eye(3)[CODES] if task == "classification" else NUMBERS
    return ModuleBatch(torch.from_numpy(VALUES), torch.from_numpy(target))


def members(module):
    """Rows that differ, as after some updates."""
    rows = start(module, members=len(KEEPS))
    trained = rows[:, : module.layout.rows.parameters]
    trained += 0.05 * np.random.default_rng(1).normal(size=trained.shape)
    return rows


def alone(net, module, row, *, keep_prob, task, update=0):
    """Gradient and cost of one member by torch's own autograd, as the reference loop takes them."""
    net.load_state_dict({name: torch.from_numpy(value) for name, value in module.layout.named(row).items()})
    net.train()
    config = Config(network=Network(widths=()), regularization=Regularization(keep_prob=keep_prob), seed=7)
    drop = Dropout(Update(config=config, stream="shared", update=update, updates=100))
    target = torch.from_numpy(CODES if task == "classification" else NUMBERS)
    cost = mean_loss(net(torch.from_numpy(VALUES), torch.zeros(ROWS, 0, dtype=torch.int32), drop), target, task=task)
    net.zero_grad()
    cost.backward()
    named = dict(net.module.named_parameters())
    gradient = [named[piece.name].grad.numpy().ravel() for piece in module.layout.rows.trained]
    return np.concatenate(gradient), cost.item(), net.module


@pytest.mark.parametrize("task", ["classification", "regression"])
@pytest.mark.parametrize("factory", [*AT_ONCE, *ONE_BY_ONE, InPlace])
def test_gradients_are_those_of_every_member_alone(factory, task):
    net = network(factory, task=task)
    module = torch_module(net, task=task, dtype=np.float64)
    keeps = KEEPS if net.findings.sites else (1.0,) * len(KEEPS)
    rows = members(module)
    found = gradients(module, rows, batch(task), noise(net, keeps=keeps))
    for member, keep_prob in enumerate(keeps):
        gradient, cost, _ = alone(net, module, rows[member], keep_prob=keep_prob, task=task)
        np.testing.assert_allclose(found.values[member], gradient, rtol=1e-9, atol=1e-9 * np.abs(gradient).max())
        assert found.costs[member] == pytest.approx(cost, rel=1e-12)


@pytest.mark.parametrize("factory", AT_ONCE)
def test_modules_that_torch_can_map_run_at_once(factory):
    assert torch_module(network(factory), task="classification", dtype=np.float64).notice == ""


@pytest.mark.parametrize(
    ("factory", "why"),
    [
        (Recurrent, "torch itself draws the dropout masks of lstm"),
        (Noisy, "it draws its own random numbers"),
        (Branching, "torch.vmap cannot run it"),
        (Tokens, "torch.vmap"),
    ],
)
def test_others_run_one_after_the_other_and_say_why(factory, why):
    assert torch_module(network(factory), task="classification", dtype=np.float64).notice.startswith(why)


@pytest.mark.parametrize("factory", DROPPING)
def test_each_member_keeps_units_at_its_own_rate(factory):
    net = network(factory, dtype=torch.float32)
    module = torch_module(net, task="classification")
    rows = start(module, members=len(KEEPS))
    small = ModuleBatch(torch.from_numpy(VALUES).float(), torch.eye(3)[CODES])
    for update in range(15):
        rows[:, module.layout.rows.parameters :] = gradients(module, rows, small, noise(net, update=update)).kept
    for row, keep_prob in zip(rows, KEEPS, strict=True):
        state = module.layout.named(row)
        seen = float(state["module.seen"])
        assert seen > 5_000
        error = np.sqrt(keep_prob * (1 - keep_prob) / seen)
        assert abs(float(state["module.kept"]) / seen - keep_prob) <= 4 * error


@pytest.mark.parametrize("factory", DROPPING)
def test_consecutive_updates_have_different_masks(factory):
    net = network(factory)
    module = torch_module(net, task="classification", dtype=np.float64)
    first, again, second = (
        gradients(module, members(module), batch(), noise(net, update=update)) for update in (3, 3, 4)
    )
    np.testing.assert_array_equal(first.values, again.values)
    assert (np.abs(first.values - second.values).max(axis=1) > 0)[:3].all()


def test_buffers_are_each_members_own_and_as_a_lone_module_leaves_them():
    net = network(Normed)
    module = torch_module(net, task="classification", dtype=np.float64)
    rows = members(module)
    kept = gradients(module, rows, batch(), noise(net)).kept
    for member, keep_prob in enumerate(KEEPS):
        after = module.layout.named(np.concatenate([rows[member, : module.layout.rows.parameters], kept[member]]))
        _, _, lone = alone(net, module, rows[member], keep_prob=keep_prob, task="classification")
        for name, value in lone.named_buffers():
            np.testing.assert_allclose(after[f"module.{name}"], value.numpy(), rtol=1e-12, atol=1e-14)
        np.testing.assert_array_equal(after["module.frozen"], lone.frozen.detach().numpy())


@pytest.mark.parametrize("factory", [Layer, Normed, Attention, Tokens, Recurrent])
def test_outputs_are_those_of_every_member_in_evaluation(factory):
    net = network(factory)
    module = torch_module(net, task="classification", dtype=np.float64)
    rows = members(module)
    outputs = outputs_of(module, rows)
    for row, found in zip(rows, outputs, strict=True):
        net.load_state_dict({name: torch.from_numpy(value) for name, value in module.layout.named(row).items()})
        with torch.no_grad():
            expected = net(torch.from_numpy(VALUES), torch.zeros(ROWS, 0, dtype=torch.int32)).numpy()
        np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12)


def test_members_may_read_rows_and_labels_of_their_own():
    net = network(Layer)
    module = torch_module(net, task="classification", dtype=np.float64)
    rows = members(module)
    own = ModuleBatch(
        torch.stack([batch().values * scale for scale in (1, 2, 3, 4)]), torch.stack([batch().target] * 4)
    )
    found = gradients(module, rows, own, noise(net))
    for member in range(4):
        lone = ModuleBatch(own.values[member], own.target[member])
        expected = gradients(module, rows, lone, noise(net)).values[member]
        np.testing.assert_allclose(found.values[member], expected, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("factory", [Layer, Recurrent])
def test_a_broken_member_leaves_the_others_alone(factory):
    net = network(factory)
    module = torch_module(net, task="classification", dtype=np.float64)
    rows = members(module)
    expected = gradients(module, rows, batch(), noise(net))
    rows[1, 0] = np.nan
    found = gradients(module, rows, batch(), noise(net))
    assert np.isnan(found.costs[1])
    others = [0, 2, 3]
    np.testing.assert_array_equal(found.values[others], expected.values[others])


@pytest.mark.parametrize("order", [[3, 1, 0, 2], [2, 0]])
@pytest.mark.parametrize("factory", [Layer, Attention, Recurrent])
def test_a_member_does_not_depend_on_its_place_or_its_company(factory, order):
    net = network(factory)
    module = torch_module(net, task="classification", dtype=np.float64)
    rows = members(module)
    found = gradients(module, rows, batch(), noise(net)).values
    chosen = gradients(module, rows[order], batch(), noise(net, keeps=[KEEPS[place] for place in order])).values
    np.testing.assert_allclose(chosen, found[order], rtol=1e-12, atol=1e-14)


def test_a_transformer_runs_at_once():
    net = network(Encoder, task="regression")
    module = torch_module(net, task="regression", dtype=np.float64)
    assert module.notice == ""
    rows = members(module)
    gradient, _, _ = alone(net, module, rows[1], keep_prob=KEEPS[1], task="regression")
    found = gradients(module, rows, batch("regression"), noise(net)).values[1]
    np.testing.assert_allclose(found, gradient, rtol=1e-9, atol=1e-9 * np.abs(gradient).max())


@given(
    shape=st.lists(st.integers(1, 6), min_size=1, max_size=3),
    keeps=st.lists(st.floats(0.01, 1), min_size=1, max_size=4),
    site=st.integers(0, 2),
)
def test_a_stacks_masks_are_those_of_its_members(shape, keeps, site):
    given_noise = StackNoise(seed=1, stream="shared", update=2, keep_probs=np.array(keeps)[:, None])

    def mask(keep_probs, thresholds):
        return StackMasks(given_noise, keep_probs, thresholds).mask(shape, site=site)

    found = torch.vmap(mask)(*given_noise.tensors(torch.float64))
    for member in range(len(keeps)):
        assert torch.equal(found[member], given_noise.of_member(member).mask(shape, site=site))
