"""Dropout of the inputs: whole columns, at the rate asked, and in expectation the penalty of the linear model."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from oracle.loop import INPUTS_LAYER as LAYER
from oracle.loop import columns_of_inputs
from wellfit.exceptions import BadInput
from wellfit.fused.batches import INPUTS_LAYER, BatchReader, Needs
from wellfit.fused.compiled_stack import CompiledStack
from wellfit.fused.layout import layout_of
from wellfit.fused.torch_mlp import TorchMLP
from wellfit.fused.torch_stack import TorchStack
from wellfit.records.config import Config, Device, Network, Optimization, Regularization
from wellfit.training.noise import kept
from wellfit.training.tensors import Inputs, target_of

UPDATES = 1_500
KEEPS = (1.0, 0.9, 0.8, 0.5)
LINEAR = Network(widths=(), bins=5)
STILL = Optimization(optimizer="sgd", schedule="constant", lr=1e-14, epochs=UPDATES, batch_size=1_000)
"""Whole tables as batches, and parameters that do not move: every cost is that of the same network."""


def config_of(keep_prob):
    return Config(
        network=LINEAR, optimization=STILL, regularization=Regularization(keep_prob=(), input_keep_prob=keep_prob)
    )


def stack_at(row, data, configs, *, engine):
    layout = layout_of(data, configs[0], dtype=np.float64)
    if engine == "cores":
        stack = CompiledStack(data, configs, layout=layout)
        stack._state.parameters[:] = row
    else:
        stack = TorchStack(data, configs, network=TorchMLP(layout, Device("cpu")), device=Device("cpu"))
        stack._rows.parameters.copy_(torch.from_numpy(row))
    return stack


@pytest.mark.parametrize("engine", ["cores", "cpu"])
def test_the_expected_cost_of_a_linear_model_has_a_penalty_by_column(engine, table):
    """E (1/n) sum (y - x' w)^2 = (1/n) sum (y - x w)^2 + (1-p)/p (1/n) sum over i and c of (x_ic w_c)^2."""
    data, configs = table("regression"), [config_of(keep) for keep in KEEPS]
    layout = layout_of(data, configs[0], dtype=np.float64)
    row = np.random.default_rng(0).normal(size=layout.size)
    network = layout.network_of(row).double()
    inputs, target = Inputs.of(data.train, dtype=torch.float64), target_of(data.train, data.preparation).double()
    with torch.no_grad():
        # The state has float32; the row is made of it, so that both are the same numbers.
        row, values = layout.pack(network), network.encode(inputs.numeric, inputs.codes)
        misses = network(inputs.numeric, inputs.codes)[:, 0] - target
        parts = values * network.layers[0].weight[0]
    columns, width = columns_of_inputs(network, values.shape[1])
    by_column = torch.zeros(len(parts), width, dtype=torch.float64).index_add_(1, torch.tensor(columns), parts)
    penalty = by_column.square().sum(dim=1).mean().item()
    stack, costs = stack_at(row, data, configs, engine=engine), []
    while stack.updates < UPDATES:
        costs += list(stack.advance(UPDATES))
    for keep, found in zip(KEEPS, np.array(costs).T, strict=True):
        expected = misses.square().mean().item() + (1 - keep) / keep * penalty
        error = found.std() / np.sqrt(UPDATES)
        assert abs(found.mean() - expected) <= 4 * error + 1e-6 * expected, keep


@pytest.mark.parametrize("keep_prob", [0.2, 0.5, 0.8, 0.99])
def test_columns_are_kept_at_the_rate_asked_within_four_standard_errors(keep_prob, table):
    data, config = table("classification"), config_of(keep_prob)
    needs = Needs.of([config], np.empty((1, 0)))
    batches, _ = BatchReader(data, layout_of(data, config), config=config).read(0, stop=UPDATES, needs=needs)
    # Four columns, and no hidden unit before them.
    assert batches.noise.shape[1] == 4 * data.train.rows
    mask = kept(batches.noise, share=keep_prob)
    assert abs(mask.mean() - keep_prob) <= 4 * np.sqrt(keep_prob * (1 - keep_prob) / mask.size) + 1e-4


def test_without_it_there_is_no_noise_and_no_other_identity(table):
    data, config = table("classification"), config_of(1.0)
    needs = Needs.of([config], np.empty((1, 0)))
    batches, _ = BatchReader(data, layout_of(data, config), config=config).read(0, stop=1, needs=needs)
    assert batches.noise.size == 0
    assert Config(regularization=Regularization(input_keep_prob=1.0)).identity == "de48411d819a2675"
    assert config_of(0.8).identity != config_of(1.0).identity


def test_engines_and_oracle_have_the_same_address():
    assert INPUTS_LAYER == LAYER


@pytest.mark.parametrize("keep_prob", [0.0, -0.5, 1.1])
def test_a_share_that_is_none_is_refused(keep_prob):
    with pytest.raises(BadInput, match=r"input_keep_prob must be finite and in \(0, 1\]"):
        Regularization(input_keep_prob=keep_prob)
