"""The compiled changes of pictures against the operations in torch, which define them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from test_augment_apply import ALONE, EVERYTHING, pictures_and_draws

from oracle.augment import Draws, augmented, ranges_of
from wellfit.augment import kernels
from wellfit.augment.apply import COLUMNS, changed_fast
from wellfit.records.augmentation import NOTHING, OPERATIONS

SHAPES = [(3, 16, 18), (1, 9, 13), (3, 40, 33)]
ROWS = 12


def both(members, *, shape=(3, 16, 18), dtype=torch.float64, seed=0):
    """Return what the compiled changes make of some pictures, and what the operations in torch do."""
    pictures, draws = pictures_and_draws(ROWS, seed=seed, shape=shape)
    pictures, uniform, normal = pictures.to(dtype), draws.uniform.to(dtype), draws.normal.to(dtype)
    fast = changed_fast(pictures.numpy(), members, uniform=uniform.numpy(), normal=normal.numpy())
    count = len(members)
    slow = augmented(
        pictures.repeat(count, 1, 1, 1),
        Draws(uniform.repeat(count, 1), normal.repeat(count, 1, 1, 1)),
        ranges={name: each.to(dtype) for name, each in ranges_of(members, rows=ROWS).items()},
    )
    return fast, slow.reshape(count, *pictures.shape).numpy()


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", [*ALONE, "everything"])
def test_a_change_is_what_torch_makes_of_it(name, shape):
    one = EVERYTHING if name == "everything" else replace(NOTHING, **{name: getattr(EVERYTHING, name)})
    fast, slow = both([(one, 1.0)], shape=shape)
    np.testing.assert_allclose(fast, slow, rtol=0, atol=1e-12)


def test_in_single_precision_they_differ_by_rounding_alone():
    one = replace(EVERYTHING, jpeg=0)
    fast, slow = both([(one, 1.0)], dtype=torch.float32)
    assert fast.dtype == np.float32
    np.testing.assert_allclose(fast, slow, rtol=0, atol=1e-5)


def test_jpeg_in_single_precision_rounds_nearly_all_values_alike():
    fast, slow = both([(replace(NOTHING, jpeg=80), 1.0)], dtype=torch.float32)
    assert np.mean(np.abs(fast - slow) > 1e-6) < 0.01


def test_members_see_what_each_would_see_alone_whoever_stood_before():
    members = [(EVERYTHING, 1.0), (NOTHING, 1.0), (replace(NOTHING, rotate=20), 0.5), (EVERYTHING, 0.0)]
    together, slow = both(members)
    np.testing.assert_allclose(together, slow, rtol=0, atol=1e-12)
    for place, member in enumerate(members):
        np.testing.assert_array_equal(both([member])[0][0], together[place])


@pytest.mark.parametrize("member", [(NOTHING, 1.0), (EVERYTHING, 0.0)], ids=["no range", "no strength"])
def test_identity_changes_no_bit(member):
    fast, slow = both([member], dtype=torch.float32)
    np.testing.assert_array_equal(fast, slow)


def test_a_wide_blur_on_a_small_picture_is_mirrored_several_times():
    fast, slow = both([(replace(NOTHING, blur=8), 1.0)], shape=(1, 4, 5))
    np.testing.assert_allclose(fast, slow, rtol=0, atol=1e-12)


def test_a_crop_may_reach_further_than_the_picture():
    fast, slow = both([(replace(NOTHING, crop=20), 1.0)], shape=(1, 4, 5))
    np.testing.assert_array_equal(fast, slow)


def test_the_compiled_changes_read_the_columns_that_torch_reads():
    ranges = "FLIP_HORIZONTAL FLIP_VERTICAL ROTATE TRANSLATE SCALE CROP ERASE BRIGHTNESS CONTRAST SATURATION NOISE BLUR"
    for place, name in enumerate([*ranges.split(), "JPEG"]):
        assert getattr(kernels, name) == place == OPERATIONS.index(name.lower())
    assert COLUMNS["rotate"] == (kernels.DRAWN_TURN,)
    assert COLUMNS["translate"] == (kernels.DRAWN_DOWN, kernels.DRAWN_RIGHT)
    assert COLUMNS["crop"] == (kernels.DRAWN_CROP_DOWN, kernels.DRAWN_CROP_RIGHT)
    assert COLUMNS["erase"] == (kernels.DRAWN_ERASE_DOWN, kernels.DRAWN_ERASE_RIGHT)
    for name in ("scale", "brightness", "contrast", "saturation", "noise", "blur", "jpeg"):
        assert (getattr(kernels, f"DRAWN_{name.upper()}"),) == COLUMNS[name]
