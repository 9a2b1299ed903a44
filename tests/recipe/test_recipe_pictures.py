from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch

from wellfit.data.prepare import Arrays
from wellfit.recipe.budget import weights_times_places
from wellfit.recipe.defaults import first_network, wider_networks
from wellfit.recipe.remedies.optimization import bigger_network
from wellfit.recipe.search import PICTURE_COST, picture_grid
from wellfit.records.augmentation import NOTHING
from wellfit.records.config import Config, Network
from wellfit.training.network import ConvNet
from wellfit.training.pictures import MOST_SIDE, reduced

CONV = Config(network=first_network((28, 28, 1)))


@pytest.mark.parametrize("members", [1, 2, 5, 8, 12, 18, 30, 100])
def test_the_grid_stays_within_what_is_affordable_and_has_the_start_in_it(members):
    grid = picture_grid(CONV, rows=1_000, members=members)
    combinations = list(product(*grid.values()))
    assert len(combinations) <= max(2, members / PICTURE_COST)
    assert {name: values[0] for name, values in grid.items()} == {"l2": 0.0, "keep_prob": 1.0, "augment": 0.0}


def test_the_grid_tries_augmentation_first_then_dropout_then_lambda():
    grids = [picture_grid(CONV, rows=1_000, members=members) for members in (2, 6, 12, 60)]
    tried = [tuple(len(values) for values in grid.values()) for grid in grids]
    assert tried == [(1, 1, 2), (1, 1, 3), (1, 2, 3), (3, 3, 3)]


def test_without_augmentation_the_grid_has_none():
    assert picture_grid(replace(CONV, augmentation=NOTHING), rows=1_000, members=30)["augment"] == [0.0]


def test_a_bigger_network_of_pictures_has_more_channels_and_as_many_blocks():
    found = [config.network for config in bigger_network(CONV)]
    assert found == [config.network for config in wider_networks(CONV)]
    assert [network.widths for network in found] == [(32, 64, 128), (48, 96, 192)]


@pytest.mark.parametrize("shape", [(8, 8, 1), (28, 28, 1), (20, 33, 3)])
def test_the_cost_counts_every_multiplication(shape):
    network = Network(kind="conv", widths=(5, 7, 9))
    net = ConvNet((shape[2], *shape[:2]), widths=network.widths, activation="relu", outputs=3)
    counted = 0

    def count(layer, given, found):
        nonlocal counted
        weights = layer.weight.numel()
        counted += weights * (found.shape[2] * found.shape[3] if isinstance(layer, torch.nn.Conv2d) else 1)

    for layer in net.modules():
        if isinstance(layer, torch.nn.Conv2d | torch.nn.Linear):
            layer.register_forward_hook(count)
    net(torch.rand(1, shape[0] * shape[1] * shape[2]))
    assert weights_times_places(network, shape=shape, outputs=3) == counted


def test_small_pictures_for_models_of_tables_are_means_of_areas():
    pixels = np.random.default_rng(0).random((3, 2, 24, 31), dtype=np.float32)
    found = reduced(Arrays(pixels.reshape(3, -1), np.empty((3, 0), np.int32), np.zeros(3)), (24, 31, 2))
    small = found.numeric.reshape(3, 2, 6, 8)
    assert max(small.shape[2:]) <= MOST_SIDE
    np.testing.assert_allclose(small[1, 1, 2, 3], pixels[1, 1, 8:12, 12:16].mean(), rtol=1e-5)
    np.testing.assert_allclose(small[1, 1, 2, 7], pixels[1, 1, 8:12, 28:31].mean(), rtol=1e-5)


def test_pictures_that_are_small_already_stay_as_they_are():
    arrays = Arrays(np.ones((2, 64), np.float32), np.empty((2, 0), np.int32), np.zeros(2))
    assert reduced(arrays, (8, 8, 1)) is arrays
