"""A periodic embedding in every engine against the reference loop, with every knob that reaches the inputs."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from test_fused_equality import ENGINES, KNOBS, assert_same, config_of, fused

from wellfit.fused.kernels import COSINE, SINE, _cosine_and_sine
from wellfit.records.config import Network
from wellfit.training.tensors import Inputs, outputs_of

WAVED = Network(widths=(12, 8), embedding="periodic")


@pytest.mark.timeout(600)
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("knob", ["l2", "input_noise", "input_keep_prob", "mixup", "all at once"])
def test_five_different_members_are_what_each_is_alone(knob, engine, table):
    assert_same(table("classification"), [config_of(one, network=WAVED) for one in KNOBS[knob]], engine=engine)


@pytest.mark.parametrize("engine", ENGINES)
def test_outputs_are_those_of_the_network(engine, table):
    data = table("regression")
    stack, _ = fused(data, [config_of({}, network=WAVED)], engine=engine)
    row = stack.parameters[0]
    with torch.no_grad():
        expected = outputs_of(stack.network_of(row), Inputs.of(data.dev, dtype=torch.float64)).numpy()
    np.testing.assert_allclose(stack.outputs(row[None], data.dev)[0], expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("dtype", "accuracy"), [(np.float64, 1e-13), (np.float32, 5e-6)])
def test_cosine_and_sine_are_those_of_numpy(dtype, accuracy):
    turns = np.concatenate([np.linspace(-3, 3, 2_401), [0.5, -0.5, 1e-9, 100.25]]).astype(dtype)
    cosine, sine = np.empty_like(turns), np.empty_like(turns)
    _cosine_and_sine(turns.copy(), np.empty_like(turns), cosine, sine)
    angles = 2 * np.pi * turns.astype(np.float64)
    np.testing.assert_allclose(cosine, np.cos(angles), atol=accuracy)
    np.testing.assert_allclose(sine, np.sin(angles), atol=accuracy)


def test_both_polynomials_have_one_degree():
    """They are evaluated in one pass."""
    assert len(COSINE) == len(SINE)
