from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from module_cases import DROPPING, Attention, Encoder, Forgotten, Function, Layer, Noisy, Plain, Recurrent, Tied
from wellfit.exceptions import BadInput
from wellfit.records.config import Config, Network, Regularization
from wellfit.training.dropout_sites import DropoutSites, SiteMasks
from wellfit.training.module import ModuleNetwork
from wellfit.training.module_checks import seeded
from wellfit.training.network import Dropout
from wellfit.training.schedules import Update

UPDATES, ROWS = 12, 60


def drop(keep_prob, *, update=0, seed=0, stream="shared"):
    config = Config(network=Network(widths=()), regularization=Regularization(keep_prob=keep_prob), seed=seed)
    return Dropout(Update(config=config, stream=stream, update=update, updates=UPDATES))


def network(factory, *, task="classification"):
    return ModuleNetwork(factory, columns=6, levels=[], outputs=2 if task == "classification" else 1, task=task)


def rows(count=ROWS):
    return torch.from_numpy(np.random.default_rng(0).normal(size=(count, 6)).astype(np.float32))


NO_CODES = torch.zeros(ROWS, 0, dtype=torch.int32)


@pytest.mark.parametrize("keep_prob", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("factory", DROPPING)
def test_units_are_kept_at_the_rate_of_the_config(factory, keep_prob):
    net = network(factory)
    for update in range(UPDATES):
        net(rows(), NO_CODES, drop(keep_prob, update=update))
    seen = net.module.seen.item()
    error = np.sqrt(keep_prob * (1 - keep_prob) / seen)
    assert seen > 5_000
    assert abs(net.module.kept.item() / seen - keep_prob) < 4 * error


@pytest.mark.parametrize("factory", DROPPING)
def test_consecutive_updates_have_different_masks_and_the_same_update_the_same(factory):
    net = network(factory)
    first, again, second = (net(rows(), NO_CODES, drop(0.5, update=update)) for update in (3, 3, 4))
    assert torch.equal(first, again)
    assert not torch.equal(first, second)


@pytest.mark.parametrize("address", [{"seed": 1}, {"stream": "own"}])
@pytest.mark.parametrize("factory", [Function, Recurrent])
def test_masks_depend_on_seed_and_stream(factory, address):
    net = network(factory)
    assert not torch.equal(net(rows(), NO_CODES, drop(0.5)), net(rows(), NO_CODES, drop(0.5, **address)))


@pytest.mark.parametrize("factory", [*DROPPING, Forgotten])
def test_keep_prob_one_drops_nothing_and_so_does_prediction(factory):
    net = network(factory)
    kept = net(rows(), NO_CODES, drop(1.0))
    torch.testing.assert_close(kept, net(rows(), NO_CODES))
    assert net.module.kept == net.module.seen


def test_keep_prob_one_leaves_the_very_same_tensor():
    values = torch.randn(4, 8)
    with DropoutSites(SiteMasks(0, "shared", 0, (1.0,))):
        assert functional.dropout(values, 0.5) is values


@pytest.mark.parametrize("factory", DROPPING)
def test_torchs_own_generator_is_left_where_it_was(factory):
    net = network(factory)
    before = torch.get_rng_state()
    net(rows(), NO_CODES, drop(0.5))
    assert torch.equal(before, torch.get_rng_state())


def test_masks_are_the_same_for_fewer_rows():
    net = network(Function)
    few = net(rows()[:7], NO_CODES[:7], drop(0.5))
    torch.testing.assert_close(few, net(rows(), NO_CODES, drop(0.5))[:7])


@pytest.mark.parametrize(
    ("factory", "sites", "opaque"),
    [
        (Layer, ["dropout"], [False]),
        (Attention, ["dropout"], [False]),
        (Tied, ["dropout"], [False]),
        (Plain, [], []),
        (Recurrent, ["lstm"], [True]),
    ],
)
def test_sites_are_found_while_the_module_runs(factory, sites, opaque):
    found = network(factory).findings.sites
    assert [site.function for site in found] == sites
    assert [site.opaque for site in found] == opaque


def test_a_transformer_layer_has_four_sites():
    found = network(Encoder, task="regression").findings.sites
    assert [site.function for site in found] == ["scaled_dot_product_attention", "dropout", "dropout", "dropout"]


def test_what_is_opaque_is_announced():
    assert "lstm" in network(Recurrent).findings.own_noise
    assert "its own random numbers" in network(Noisy).findings.own_noise
    assert network(Layer).findings.own_noise == ""


def test_each_site_has_its_own_rate():
    masks = SiteMasks(0, "shared", 0, (0.2, 0.9))
    with DropoutSites(masks):
        rates = [(functional.dropout(torch.ones(300, 300)) != 0).double().mean().item() for _site in range(2)]
    np.testing.assert_allclose(rates, [0.2, 0.9], atol=4 * 0.4 / 300)


@pytest.mark.parametrize("layer", [nn.AlphaDropout(0.1), nn.FeatureAlphaDropout(0.1)], ids=str)
def test_alpha_dropout_keeps_mean_and_variance(layer):
    values = torch.from_numpy(np.random.default_rng(0).normal(size=(2_000, 100, 1)))
    with DropoutSites(SiteMasks(0, "shared", 0, (0.6,))):
        dropped = layer(values)
    floor = dropped == dropped.flatten().mode().values
    assert abs(floor.double().mean().item() - 0.4) < 4 * np.sqrt(0.24 / 200_000)
    assert abs(dropped.mean().item()) < 0.02
    assert abs(dropped.var().item() - 1) < 0.02


def test_a_channel_is_dropped_as_one_and_scaled():
    with DropoutSites(SiteMasks(0, "shared", 0, (0.5,))):
        dropped = nn.Dropout2d(0.1)(torch.ones(50, 20, 3, 4))
    assert set(dropped.unique().tolist()) == {0.0, 2.0}
    assert torch.equal(dropped, dropped[:, :, :1, :1].expand_as(dropped))


def test_attention_without_dropout_is_torchs():
    layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True).double()
    tokens = torch.randn(5, 4, 8, dtype=torch.float64)
    with DropoutSites(None):
        ours = layer(tokens)
    torch.testing.assert_close(ours, layer(tokens), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("causal", [True, False])
def test_attention_masks_are_torchs(causal):
    query, key, value = (torch.randn(2, heads, 5, 4, dtype=torch.float64) for heads in (4, 2, 2))
    masks = {} if causal else {"attn_mask": torch.rand(5, 5) > 0.3}
    given = {"is_causal": causal, "enable_gqa": True, "scale": 0.3, **masks}
    expected = functional.scaled_dot_product_attention(query, key, value, **given)
    with DropoutSites(None):
        torch.testing.assert_close(functional.scaled_dot_product_attention(query, key, value, **given), expected)


def test_dropped_units_get_exactly_zero_gradient():
    values = torch.ones(50, 20, requires_grad=True)
    with DropoutSites(SiteMasks(0, "shared", 0, (0.5,))):
        dropped = functional.dropout(values)
    dropped.square().sum().backward()
    assert torch.equal(values.grad == 0, dropped == 0)


def test_monte_carlo_dropout_drops_in_evaluation():
    net = network(Function).eval()
    passes = [net(rows(), NO_CODES, drop(0.5, update=update)) for update in range(2)]
    assert not torch.equal(*passes)
    assert not net.module.training


def test_a_keep_prob_below_one_needs_a_site():
    with pytest.raises(BadInput, match=r"a module must have a dropout site.*keep_prob=0.9"):
        network(Plain)(rows(), NO_CODES, drop(0.9))
    network(Plain)(rows(), NO_CODES, drop(1.0))


@pytest.mark.parametrize("kind", [nn.GRU, nn.RNN, nn.LSTM])
@pytest.mark.parametrize("packed", [True, False])
def test_recurrent_layers_get_the_rate_of_the_config(kind, packed):
    layer = kind(3, 5, 2, dropout=0.1, batch_first=True)
    rows = torch.randn(6, 4, 3)
    read = nn.utils.rnn.pack_padded_sequence(rows, [4] * 6, batch_first=True) if packed else rows

    def run(keep_prob):
        with seeded(0), DropoutSites(SiteMasks(0, "shared", 0, (keep_prob,))) as sites:
            found = layer(read)[0]
        assert [site.opaque for site in sites.sites] == [True]
        return found.data if packed else found

    layer.eval()
    plain = layer(read)[0]
    layer.train()
    torch.testing.assert_close(run(1.0), plain.data if packed else plain)
    assert not torch.equal(run(0.999_999), run(0.2))
    layer.dropout = 0.8
    with seeded(0):
        torchs = layer(read)[0]
    torch.testing.assert_close(run(0.2), torchs.data if packed else torchs)


@pytest.mark.parametrize("layer", [nn.LSTM(3, 5, 2), nn.LSTM(3, 5, dropout=0.0), nn.MultiheadAttention(4, 2)], ids=str)
def test_layers_that_were_given_no_dropout_are_no_sites(layer):
    values = (torch.randn(6, 4, 3),) if isinstance(layer, nn.LSTM) else (torch.randn(5, 4),) * 3
    with DropoutSites(SiteMasks(0, "shared", 0, (0.5,))) as sites:
        layer(*values)
    assert sites.sites == []


@given(
    shape=st.lists(st.integers(1, 7), min_size=1, max_size=4),
    fewer=st.integers(1, 7),
    site=st.integers(0, 3),
    keep_prob=st.floats(0.01, 1),
)
def test_a_mask_of_fewer_rows_is_the_first_of_them(shape, fewer, site, keep_prob):
    masks = SiteMasks(0, "shared", 5, (keep_prob,))
    few = min(fewer, shape[0])
    assert torch.equal(masks.mask([few, *shape[1:]], site=site), masks.mask(shape, site=site)[:few])
