from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import kstest

from wellfit.exceptions import BadInput
from wellfit.records.config import Network
from wellfit.training.network import FEATURES, FREQUENCY, MLP, WAVES, Periodic, PiecewiseLinear, quantile_edges


def built(**changes):
    settings = {"columns": 3, "levels": [4, 9, 10], "outputs": 2, **changes}
    network = MLP(Network(widths=(32, 16)), **settings)
    network.start(seed=0)
    return network


def test_weights_are_decayed_and_biases_and_embeddings_are_not():
    network = built()
    assert set(network.decayed()) == {"layers.0.weight", "layers.1.weight", "layers.2.weight"}
    assert set(network.undecayed()) == {"layers.0.bias", "layers.1.bias", "layers.2.bias", "categories.2.weight"}


def test_nine_levels_are_one_hot_and_ten_are_embedded():
    network = built()
    assert network.layers[0].in_features == 3 + 4 + 9 + 8
    codes = torch.tensor([[1, 9, 3], [0, 0, 0]], dtype=torch.int32)
    first, unseen = network.encode(torch.zeros(2, 3), codes)
    assert first[3:16].nonzero()[:, 0].tolist() == [0, 12]
    assert (first[16:] != 0).all()
    assert (unseen == 0).all()


def test_one_hot_columns_are_part_of_the_decayed_weights():
    assert built(columns=0, levels=[9]).layers[0].weight.shape == (32, 9)


@pytest.mark.parametrize(("activation", "variance"), [("relu", 2 / 400), ("gelu", 2 / 400), ("tanh", 2 / 700)])
def test_weights_start_with_the_variance_of_he_or_glorot(activation, variance):
    network = MLP(Network(widths=(300,), activation=activation), columns=400, levels=[], outputs=1)
    network.start(seed=0)
    weight = network.layers[0].weight.detach().numpy()
    assert abs(weight.var() / variance - 1) < 4 * np.sqrt(2 / weight.size)
    assert (network.layers[1].weight == 0).all()


@pytest.mark.parametrize(("activation", "function"), [("relu", lambda x: max(x, 0.0)), ("tanh", np.tanh)])
def test_the_activation_is_the_one_asked(activation, function):
    network = MLP(Network(widths=(1,), activation=activation), columns=1, levels=[], outputs=1)
    with torch.no_grad():
        for value in network.parameters():
            value.fill_(1.0)
    output = network(torch.tensor([[-0.4]]), torch.zeros(1, 0, dtype=torch.int32)).item()
    assert output == pytest.approx(function(0.6) + 1, rel=1e-6)


def test_the_start_does_not_touch_the_global_generator():
    before = torch.random.get_rng_state()
    built().start(seed=1)
    other = built()
    torch.random.set_rng_state(before)
    again = built()
    for first, second in zip(other.parameters(), again.parameters(), strict=True):
        assert torch.equal(first, second)


def test_no_hidden_layers_make_a_linear_model():
    network = MLP(Network(widths=()), columns=2, levels=[], outputs=1)
    assert [tuple(value.shape) for value in network.parameters()] == [(1, 2), (1,)]


def test_piecewise_linear_encoding_by_hand():
    encode = PiecewiseLinear(np.array([[0, 1, 3, np.nan], [np.nan] * 4], dtype=np.float32))
    assert encode.bins == 2
    expected = [[0, 0], [0.5, 0], [1, 0.5], [1, 1]]
    assert encode(torch.tensor([[-1.0, 9.0], [0.5, 9.0], [2.0, 9.0], [7.0, 9.0]])).tolist() == expected


def test_periodic_embedding_by_hand():
    periodic, source = Periodic(columns=2), np.random.default_rng(0)
    frequencies, phases = source.normal(size=(2, 2, WAVES))
    weights, biases = source.normal(size=(2, FEATURES, WAVES)), source.normal(size=(2, FEATURES))
    with torch.no_grad():
        for value, given in zip(periodic.parameters(), (frequencies, phases, weights, biases), strict=True):
            value.copy_(torch.from_numpy(given))
    numeric = source.normal(size=(5, 2))
    waves = np.cos(2 * np.pi * (numeric[:, :, None] * frequencies + phases))
    expected = np.concatenate([waves[:, column] @ weights[column].T + biases[column] for column in (0, 1)], axis=1)
    found = periodic(torch.from_numpy(numeric).float()).detach().numpy()
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_periodic_features_start_with_phases_all_around_and_a_variance_of_one():
    periodic = Periodic(columns=500)
    periodic.start(seed=0)
    assert abs(periodic.frequencies.std().item() / FREQUENCY - 1) < 0.03
    turns = periodic.phases.detach().numpy() % 1
    assert kstest(turns.ravel(), "uniform").pvalue > 0.01
    features = periodic(torch.zeros(1, 500)).detach().numpy()
    assert abs(features.var() - 1) < 0.15


def test_what_is_periodic_is_an_input_and_not_decayed():
    network = MLP(Network(widths=(4,), embedding="periodic"), columns=3, levels=[2], outputs=1)
    assert network.layers[0].in_features == 3 + 3 * FEATURES + 2
    assert set(network.decayed()) == {"layers.0.weight", "layers.1.weight"}


def test_a_periodic_embedding_without_numbers_is_refused():
    with pytest.raises(BadInput, match="a periodic embedding needs numeric columns"):
        MLP(Network(embedding="periodic"), columns=0, levels=[2], outputs=1)


def test_edges_are_quantiles_of_the_rows_and_equal_values_share_one():
    source = np.random.default_rng(0)
    column = source.normal(size=1_000).astype(np.float32)
    piled = np.where(column > 1, column, 0).astype(np.float32)
    flag = (column > 0).astype(np.float32)
    edges = quantile_edges(np.stack([column, piled, flag], axis=1), bins=8)
    inside = np.searchsorted(np.sort(column), edges[0][1:-1]) / 1_000
    np.testing.assert_allclose(inside, np.arange(1, 8) / 8, atol=0.01)
    assert edges[0][0] == column.min()
    assert edges[0][-1] == column.max()
    assert np.isfinite(edges[1]).sum() == 3
    assert np.isnan(edges[2]).all()
