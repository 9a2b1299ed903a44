"""Augment toward deployment: planted changes of pictures are found by their measures, and nothing where none is."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageFilter
from sklearn.datasets import load_digits

from wellfit.recipe.remedies.mismatch import Toward, profile, toward
from wellfit.records.augmentation import LARGEST, NOTHING, Augmentation, range_of

SIDE = 24


def digits(rows=240, *, seed=0):
    """Scikit-learn's digits, drawn larger, as 8-bit images."""
    found = load_digits().images
    chosen = np.random.default_rng(seed).permutation(len(found))[:rows]
    small = [Image.fromarray((each * 255 / 16).astype(np.uint8)) for each in found[chosen]]
    return [each.resize((SIDE, SIDE), Image.Resampling.NEAREST) for each in small]


def values(images):
    return np.stack([np.asarray(each, np.float32)[None] / 255 for each in images])


def compressed(image):
    file = io.BytesIO()
    image.save(file, "JPEG", quality=8)
    return Image.open(file)


PLANTED = {
    "blur": lambda image: image.filter(ImageFilter.GaussianBlur(1.5)),
    "brightness": lambda image: ImageEnhance.Brightness(image).enhance(0.4),
    "contrast": lambda image: ImageEnhance.Contrast(image).enhance(0.3),
    "jpeg": compressed,
    "noise": lambda image: Image.fromarray(
        np.clip(np.asarray(image) + 20 * np.random.default_rng(0).standard_normal((SIDE, SIDE)), 0, 255).astype(
            np.uint8
        )
    ),
}
TRAIN = values(digits())


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_change_is_found_and_the_measures_come_near(name):
    found = toward(TRAIN, values([PLANTED[name](each) for each in digits(seed=1)]))
    assert max(found.ranges, key=lambda each: found.ranges[each] / LARGEST[each]) == name
    assert found.after < 0.4 * found.before


def test_a_light_change_is_as_large_as_what_was_planted():
    found = toward(TRAIN, values([PLANTED["brightness"](each) for each in digits(seed=1)]))
    assert found.ranges["brightness"] == pytest.approx(0.6 * 1.25, rel=0.15)


def test_other_pictures_of_the_same_kind_ask_for_nothing():
    found = toward(TRAIN, values(digits(seed=1)))
    assert found == Toward({}, found.before, found.before)


def test_the_same_pictures_give_the_same_ranges():
    dev = values([PLANTED["blur"](each) for each in digits(seed=1)])
    assert toward(TRAIN, dev) == toward(TRAIN, dev)


def test_colours_are_measured_by_their_grey():
    grey = profile(TRAIN[:5])
    np.testing.assert_allclose(profile(np.repeat(TRAIN[:5], 3, axis=1)), grey, atol=1e-5)


def test_a_picture_too_small_for_edges_and_blocks_has_measures():
    assert np.isfinite(profile(np.zeros((2, 1, 4, 2), np.float32))).all()


def test_ranges_are_cut_at_the_largest_and_keep_their_strength():
    assert Augmentation.within({"jpeg": 120.0}) == replace(NOTHING, jpeg=99.0)
    assert range_of("blur", replace(NOTHING, blur=2.0), 0.5) == 1.0
    assert range_of("flip_vertical", replace(NOTHING, flip_vertical=0.5), 1.5) == 0.5
