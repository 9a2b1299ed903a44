from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import sparse

from oracle.stack import new_network
from wellfit.records.config import Network
from wellfit.training import effects
from wellfit.training.effects import exported_bytes, linear_r2, measure_effects
from wellfit.training.tensors import Inputs, target_of

TASKS = ("classification", "regression")


def network_of(data, *, scale=0.3, **shape):
    """A network whose every parameter is drawn, the output layer included."""
    network = new_network(data, Network(**{"widths": (6, 5), "embedding": "none"} | shape), seed=0)
    source = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for value in network.parameters():
            value.copy_(scale * torch.randn(value.shape, generator=source))
    return network


def encoded_of(network, data, part):
    inputs = Inputs.of(part)
    with torch.no_grad():
        return network.encode(inputs.numeric, inputs.codes), target_of(part, data.preparation)


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("embedding", ["none", "ple"])
def test_a_network_without_hidden_units_is_linear(embedding, task, request):
    data = request.getfixturevalue(task)
    found = measure_effects(network_of(data, widths=(), embedding=embedding), data, seed=0)
    assert found["linear_r2"] == pytest.approx(1, abs=1e-6)
    assert set(found) == {"input_gradient", "linear_r2", "zeros", "exported_bytes"}


@pytest.mark.parametrize("task", TASKS)
def test_a_network_of_zeros_is_flat_linear_and_nearly_free(task, request):
    data = request.getfixturevalue(task)
    network = network_of(data, scale=0.0, activation="tanh")
    found = measure_effects(network, data, seed=0)
    rows = sum(len(weights) + 1 for weights in network.decayed().values())
    assert found == {
        "input_gradient": 0,
        "linear_r2": 1,
        "tanh_linear": 1,
        "unit_reliance": 0,
        "zeros": 1,
        "exported_bytes": 4 * rows,
    }


def test_the_gradient_of_a_linear_regression_is_its_weights(regression):
    network = network_of(regression, widths=())
    expected = np.linalg.norm(network.layers[0].weight.detach().numpy())
    assert measure_effects(network, regression, seed=0)["input_gradient"] == pytest.approx(expected, rel=1e-5)


def test_the_gradient_of_a_linear_softmax_is_the_difference_of_the_two_likeliest_classes(classification):
    rows, weights = np.random.default_rng(0).normal(size=(200, 4)), np.random.default_rng(1).normal(size=(3, 4))
    network = network_of(classification, widths=())
    network.layers[0] = torch.nn.Linear(4, 3, bias=False)
    network.layers[0].weight.data = torch.from_numpy(weights)
    order = np.argsort(rows @ weights.T, axis=1)
    expected = np.linalg.norm(weights[order[:, -1]] - weights[order[:, -2]], axis=1).mean()
    found = effects.input_gradient(network, torch.from_numpy(rows), task="classification")
    assert found == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("task", TASKS)
def test_the_gradient_is_the_slope_of_the_margin(task, request):
    """Against central differences in float64, for a network with hidden layers."""
    data = request.getfixturevalue(task)
    network = network_of(data, activation="tanh", scale=1.0).double()
    rows = encoded_of(network, data, data.dev)[0][:7].double()

    def margins(rows):
        with torch.no_grad():
            outputs = network.from_encoded(rows)
            top = outputs.log_softmax(dim=1).topk(2, dim=1).values if task == "classification" else None
        return outputs[:, 0] if top is None else top[:, 0] - top[:, 1]

    steps = 1e-5 * torch.eye(rows.shape[1], dtype=torch.float64)
    slopes = torch.stack([(margins(rows + step) - margins(rows - step)) / 2e-5 for step in steps], dim=1)
    expected = slopes.norm(dim=1).mean().item()
    assert effects.input_gradient(network, rows, task=task) == pytest.approx(expected, rel=1e-6)


def test_r2_equals_least_squares_adjusted():
    source = np.random.default_rng(0)
    inputs = np.hstack([source.normal(size=(300, 5)), np.ones((300, 1))])
    outputs = np.stack([inputs[:, 0] ** 2 + inputs[:, 1], np.sin(inputs[:, 2]), np.zeros(300)], axis=1)
    centred = outputs - outputs.mean(axis=1, keepdims=True)
    left = centred - inputs @ np.linalg.lstsq(inputs, centred, rcond=None)[0]
    r2 = 1 - (left**2).sum() / ((centred - centred.mean(axis=0)) ** 2).sum()
    expected = 1 - (1 - r2) * 299 / (300 - 5 - 1)
    assert linear_r2(torch.from_numpy(inputs), torch.from_numpy(outputs)) == pytest.approx(expected, rel=1e-6)


def test_r2_is_on_average_that_of_all_rows_though_it_is_fit_on_few():
    """Var(x) / Var(x + c (z^2 - 1)) = 1 / (1 + 2 c^2), with 30 useless columns beside x."""
    found = []
    for seed in range(200):
        inputs = np.random.default_rng(seed).normal(size=(100, 32))
        outputs = inputs[:, :1] + 0.5 * (inputs[:, 1:2] ** 2 - 1)
        found.append(linear_r2(torch.from_numpy(inputs), torch.from_numpy(outputs)))
    assert np.mean(found) == pytest.approx(1 / 1.5, abs=4 * np.std(found) / np.sqrt(200) + 0.01)


def test_what_all_classes_share_is_no_nonlinearity():
    inputs = torch.randn(200, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    logits = inputs @ torch.eye(3, dtype=torch.float64) + inputs.square().sum(dim=1, keepdim=True)
    assert linear_r2(inputs, logits) == pytest.approx(1)


def test_collinear_columns_do_not_matter():
    inputs = torch.randn(200, 3, generator=torch.Generator().manual_seed(0))
    outputs = inputs[:, :1]
    assert linear_r2(torch.cat([inputs, inputs, 1 - inputs], dim=1), outputs) == pytest.approx(1, abs=1e-6)


def test_no_fit_from_more_columns_than_rows_allow(classification):
    assert linear_r2(torch.randn(20, 10), torch.randn(20, 1)) is None
    few = {name: replace(getattr(classification, name), **rows(getattr(classification, name))) for name in PARTS}
    assert "linear_r2" not in measure_effects(network_of(classification), replace(classification, **few), seed=0)


PARTS = ("train", "dev")


def rows(part, *, most=10):
    return {name: getattr(part, name)[:most] for name in ("numeric", "codes", "target")}


@pytest.mark.parametrize(
    ("biases", "share"),
    [((0.0, 0.0), 1.0), ((0.49, -0.49), 1.0), ((0.51, 0.0), 0.5), ((-3.0, 3.0), 0.0)],
    ids=["weights near 0", "inside the zone", "one layer outside", "saturated"],
)
def test_the_linear_zone_of_tanh(biases, share, classification):
    network = network_of(classification, activation="tanh", widths=(5, 5), scale=1e-4)
    with torch.no_grad():
        for layer, bias in zip(network.layers, biases, strict=False):
            layer.bias.fill_(bias)
    assert measure_effects(network, classification, seed=0)["tanh_linear"] == share
    assert "tanh_linear" not in measure_effects(network_of(classification, activation="relu"), classification, seed=0)


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("activation", ["relu", "tanh", "gelu"])
def test_reliance_is_what_a_removed_unit_costs(activation, task, request, monkeypatch):
    """With fewer than 16 units each of them is removed: here, by cutting what leaves it."""
    monkeypatch.setattr(effects, "MOST_RELIANCE_ROWS", 600)
    data = request.getfixturevalue(task)
    network = network_of(data, activation=activation, scale=1.0)
    found = measure_effects(network, data, seed=0)["unit_reliance"]
    encoded, target = encoded_of(network, data, data.train)

    def loss():
        with torch.no_grad():
            outputs = network.from_encoded(encoded).double()
        if task == "regression":
            return torch.nn.functional.mse_loss(outputs[:, 0], target.double()).item()
        return torch.nn.functional.cross_entropy(outputs, target).item()

    whole, rises = loss(), []
    for layer in network.layers[1:]:
        for unit in range(layer.in_features):
            kept = layer.weight[:, unit].detach().clone()
            with torch.no_grad():
                layer.weight[:, unit] = 0
                rises.append(loss() - whole)
                layer.weight[:, unit] = kept
    assert len(rises) == 11
    assert found == pytest.approx(np.mean(rises), rel=1e-4, abs=1e-7)


@pytest.mark.parametrize("share", [0.0, 0.02, 0.3, 0.9, 1.0])
def test_exported_bytes_are_those_of_scipy_or_of_the_dense_array(share):
    source = np.random.default_rng(0)
    weights = (source.normal(size=(40, 70)) * (source.random((40, 70)) < share)).astype(np.float32)
    rows = sparse.csr_array(weights)
    by_scipy = rows.data.nbytes + rows.indices.astype(np.uint16).nbytes + rows.indptr.astype(np.int32).nbytes
    assert exported_bytes(torch.from_numpy(weights)) == min(by_scipy, weights.nbytes)


def test_zeros_are_counted_in_the_decayed_weights_alone(classification):
    network = network_of(classification)
    with torch.no_grad():
        network.layers[1].weight[:, :2] = 0
        network.layers[1].bias.zero_()
    every = sum(value.numel() for value in network.decayed().values())
    assert measure_effects(network, classification, seed=0)["zeros"] == pytest.approx(10 / every)


@pytest.mark.parametrize("task", TASKS)
def test_measuring_changes_nothing_and_repeats(task, request):
    data = request.getfixturevalue(task)
    network = network_of(data, widths=(20, 20), embedding="ple", activation="tanh")
    before = {name: value.detach().clone() for name, value in network.named_parameters()}
    first, again, other = (measure_effects(network, data, seed=seed) for seed in (0, 0, 1))
    assert first == again != other
    assert all(value.grad is None and torch.equal(value, before[name]) for name, value in network.named_parameters())


def test_what_is_not_finite_is_left_out(classification):
    found = measure_effects(network_of(classification, scale=1e38), classification, seed=0)
    assert all(np.isfinite(value) for value in found.values())
    assert "zeros" in found
