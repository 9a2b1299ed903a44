"""The shapes of learning curves: planted ones are named, and noise alone is not."""

from __future__ import annotations

import numpy as np
import pytest

from wellfit.diagnosis.curve_shapes import said_by_curve
from wellfit.records.outcome import CurvePoint

EPOCHS = np.arange(1, 41)


def _curve(train, dev=None):
    return [
        CurvePoint(int(at), float(a), float(b))
        for at, a, b in zip(EPOCHS, train, train if dev is None else dev, strict=True)
    ]


def _settling(pace, *, end=0.1):
    return end + 0.5 * np.exp(-EPOCHS / pace)


def _spiky():
    train = _settling(6)
    train[25] += 0.4
    return train


@pytest.mark.parametrize(
    ("curve", "said"),
    [
        pytest.param(_curve(0.6 - 0.01 * EPOCHS), "still falling", id="a straight line down"),
        pytest.param(_curve(_settling(1.0)), "saturated early", id="done in three epochs"),
        pytest.param(_curve(_spiky()), "spikes", id="one spike"),
        pytest.param(
            _curve(_settling(4) + np.random.default_rng(0).normal(0, 0.15, 40)), "a noisy end", id="noise of the end"
        ),
        pytest.param(_curve(_settling(6), 0.2 + 0.02 * np.abs(EPOCHS - 12)), "dev rises", id="dev rises from epoch 12"),
    ],
)
def test_a_planted_shape_is_named(curve, said):
    assert any(words.startswith(said) for words in said_by_curve(curve))


def test_few_points_and_a_flat_line_say_nothing():
    assert said_by_curve(_curve(_settling(6))[:5]) == ()
    assert said_by_curve(_curve(np.full(40, 0.2))) == ()


def test_noise_alone_names_no_shape_of_a_sound_curve():
    rng, named = np.random.default_rng(0), 0
    for _ in range(500):
        train = _settling(6) + rng.normal(0, 0.01, 40)
        named += bool(said_by_curve(_curve(train, train + 0.05 + rng.normal(0, 0.02, 40))))
    assert named <= 0.05 * 500
