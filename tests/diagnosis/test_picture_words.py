from __future__ import annotations

import numpy as np
import pytest

from wellfit.data.features import Feature
from wellfit.diagnosis.mismatch.columns import WORDS, direction, picture_direction

SHARP = Feature("sharpness", "number")


def test_a_factor_is_told_with_what_it_means():
    train, dev = np.full(40, 1.24), np.full(40, 0.4)
    assert picture_direction(SHARP, train, dev) == "dev pictures are blurrier: 3.1x (median 0.4, train 1.24)"
    assert picture_direction(SHARP, dev, train).startswith("dev pictures are sharper: 3.1x")


@pytest.mark.parametrize(
    ("column", "train", "dev"),
    [
        (Feature("age", "number"), [1.0, 2.0], [5.0, 6.0]),
        (Feature("warmth", "number"), [-0.1, 0.1], [0.4, 0.6]),
        (SHARP, [1.0, 1.0], [1.02, 1.02]),
        (SHARP, [0.0, 0.0], [1.0, 1.0]),
        (SHARP, [np.nan, np.nan], [1.0, 1.0]),
    ],
    ids=["no measure", "either sign", "hardly", "no factor of nothing", "missing"],
)
def test_all_else_is_described_as_in_tables(column, train, dev):
    sides = np.array(train), np.array(dev)
    assert picture_direction(column, *sides) == direction(column, *sides)


def test_every_word_has_its_opposite():
    assert all(more != less for more, less in WORDS.values())
