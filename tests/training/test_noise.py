from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kstest

from wellfit.training.noise import LEVELS, batch_order, input_noise_block, kept, mixing, noise_block, weight_noise

PLACE = {"seed": 3, "stream": "shared", "update": 5, "rows": 256}
ADDRESS = {"seed": 3, "stream": "shared", "update": 5, "layer": 1, "rows": 256, "width": 64}


@pytest.mark.parametrize("keep_prob", [0.1, 0.5, 0.8, 0.9, 0.999])
def test_the_rate_is_the_one_asked_within_four_standard_errors(keep_prob):
    masks = [kept(noise_block(**{**ADDRESS, "update": update}), share=keep_prob) for update in range(40)]
    units = 40 * 256 * 64
    assert abs(np.mean(masks) - keep_prob) < 4 * np.sqrt(keep_prob * (1 - keep_prob) / units) + 1 / LEVELS


def test_keep_prob_one_keeps_every_value_noise_can_take():
    assert kept(np.arange(LEVELS, dtype=np.uint16), share=1.0).all()


@pytest.mark.parametrize("keep_prob", [0.25, 0.5, 0.75])
def test_the_mask_is_noise_below_keep_prob(keep_prob):
    every = np.arange(LEVELS, dtype=np.uint16)
    assert np.array_equal(kept(every, share=keep_prob), every.astype(float) < keep_prob * LEVELS)


@pytest.mark.parametrize("other", [{"seed": 4}, {"stream": "a1"}, {"update": 6}, {"layer": 2}], ids=str)
def test_another_address_has_other_noise(other):
    first, second = noise_block(**ADDRESS), noise_block(**{**ADDRESS, **other})
    assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 4 / np.sqrt(first.size)


def test_the_same_address_has_the_same_noise_whatever_was_drawn_in_between():
    first = noise_block(**ADDRESS)
    np.random.default_rng(0).random(10)
    batch_order(seed=3, stream="shared", epoch=5, rows=100)
    assert np.array_equal(first, noise_block(**ADDRESS))


@settings(max_examples=25, deadline=None)
@given(rows=st.integers(1, 300), width=st.integers(1, 65))
def test_a_smaller_batch_gets_the_first_rows_of_a_larger_one(rows, width):
    whole = noise_block(**{**ADDRESS, "rows": 300, "width": width})
    assert np.array_equal(noise_block(**{**ADDRESS, "rows": rows, "width": width}), whole[:rows])


@settings(max_examples=25, deadline=None)
@given(rows=st.integers(1, 500), epoch=st.integers(0, 10_000), seed=st.integers(-(2**31), 2**64))
def test_an_epoch_visits_every_row_once(rows, epoch, seed):
    order = batch_order(seed=seed, stream="shared", epoch=epoch, rows=rows)
    assert np.array_equal(np.sort(order), np.arange(rows))


def test_epochs_and_streams_have_their_own_order():
    orders = {
        batch_order(seed=0, stream=stream, epoch=epoch, rows=50).tobytes()
        for stream in ("shared", "x")
        for epoch in (0, 1)
    }
    assert len(orders) == 4


def test_input_noise_is_standard_normal():
    noise = np.concatenate([input_noise_block(**{**PLACE, "update": update}, width=64) for update in range(10)])
    assert noise.dtype == np.float32
    assert kstest(noise.ravel(), "norm").pvalue > 1e-4
    assert abs(noise.std() - 1) < 4 / np.sqrt(2 * noise.size)


@settings(max_examples=25, deadline=None)
@given(rows=st.integers(1, 300), width=st.integers(1, 65))
def test_a_smaller_batch_gets_the_first_rows_of_the_input_noise(rows, width):
    whole = input_noise_block(**{**PLACE, "rows": 300}, width=width)
    assert np.array_equal(input_noise_block(**{**PLACE, "rows": rows}, width=width), whole[:rows])


@pytest.mark.parametrize("other", [{"seed": 4}, {"stream": "a1"}, {"update": 6}], ids=str)
def test_another_address_has_other_input_noise_and_other_mixtures(other):
    first, second = (input_noise_block(**place, width=64) for place in (PLACE, PLACE | other))
    assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 4 / np.sqrt(first.size)
    (uniform, partner), (another, others) = mixing(**PLACE), mixing(**(PLACE | other))
    assert uniform != another
    assert not np.array_equal(partner, others)


@settings(max_examples=25, deadline=None)
@given(rows=st.integers(1, 300), update=st.integers(0, 100_000))
def test_a_mixture_is_a_number_inside_the_interval_and_a_permutation(rows, update):
    uniform, partner = mixing(seed=0, stream="shared", update=update, rows=rows)
    assert 0 < uniform < 1
    assert np.array_equal(np.sort(partner), np.arange(rows))


def test_the_numbers_of_mixtures_are_uniform():
    numbers = [mixing(seed=0, stream="shared", update=update, rows=3)[0] for update in range(2_000)]
    assert kstest(numbers, "uniform").pvalue > 1e-4


def test_each_purpose_has_noise_of_its_own():
    """Masks, orders, weights, input noise and mixtures never share an address, so they never repeat each other."""
    drawn = [
        np.float32(noise_block(seed=0, stream="shared", update=9, layer=0, rows=9, width=9)),
        np.float32(batch_order(seed=0, stream="shared", epoch=9, rows=81)).reshape(9, 9),
        weight_noise(seed=0, layer=0, shape=(9, 9)),
        input_noise_block(seed=0, stream="shared", update=9, rows=9, width=9),
        np.float32(mixing(seed=0, stream="shared", update=9, rows=81)[1]).reshape(9, 9),
    ]
    correlations = np.corrcoef([each.ravel() for each in drawn])[np.triu_indices(5, k=1)]
    assert (np.abs(correlations) < 4 / np.sqrt(81)).all()


def test_weight_noise_is_standard_normal_and_the_layers_own():
    first, second = (weight_noise(seed=0, layer=layer, shape=(200, 100)) for layer in (0, 1))
    assert abs(first.mean()) < 4 / np.sqrt(first.size)
    assert abs(first.std() - 1) < 4 / np.sqrt(2 * first.size)
    assert not np.array_equal(first, second)
