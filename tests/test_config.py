"""The values that a configuration takes, and what it says of others."""

from __future__ import annotations

import math

import numpy as np
import pytest

from wellfit.exceptions import BadInput
from wellfit.records.config import Config, Network, Optimization, Regularization

REFUSED = {
    "lambda below 0": (Regularization, {"l2": -1.0}, r"l2 must be finite and in \[0, inf\); found l2=-1.0"),
    "lambda not finite": (Regularization, {"l2": math.inf}, "found l2=inf"),
    "lambda no number": (Regularization, {"l2": "3"}, "found l2='3', which is not a number"),
    "lambda a truth": (Regularization, {"l2": True}, "found l2=True, which is not a number"),
    "keep_prob 0": (
        Regularization,
        {"keep_prob": 0.0},
        r"keep_prob must be finite and in \(0, 1\]; found keep_prob=0.0",
    ),
    "one keep_prob above 1": (Regularization, {"keep_prob": (0.5, 1.5)}, "found keep_prob=1.5"),
    "half an epoch": (Optimization, {"epochs": 2.5}, "epochs must be a whole number, at least 1; found epochs=2.5"),
    "no epoch": (Optimization, {"epochs": 0}, "found epochs=0"),
    "half a row": (Optimization, {"batch_size": 0.5}, "found batch_size=0.5"),
    "half a point": (Optimization, {"early_stopping": 1.5}, "found early_stopping=1.5"),
    "one beta": (Optimization, {"betas": (0.9,)}, r"betas must be two numbers; found betas=\(0.9,\)"),
    "a number for betas": (Optimization, {"betas": 0.9}, r"betas must have several numbers; found betas=0.9"),
    "half a unit": (
        Network,
        {"widths": (8, 0.5)},
        r"widths\[1\] must be a whole number, at least 1; found widths\[1\]=0.5",
    ),
    "one width": (Network, {"widths": 8}, r"found widths=8. Write widths=\(8,\)"),
    "one bin": (Network, {"bins": 1}, "bins must be a whole number, at least 2; found bins=1"),
    "a seed below 0": (Config, {"seed": -1}, "seed must be a whole number, at least 0; found seed=-1"),
    "a word for a seed": (Config, {"seed": "x"}, "found seed='x'"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_value_that_cannot_be_names_the_knob_the_value_and_the_rule(case):
    board, knobs, message = REFUSED[case]
    with pytest.raises(BadInput, match=message):
        board(**knobs)


def test_lists_and_numbers_of_numpy_make_the_same_configuration():
    plain = Config(
        network=Network(widths=(8, 4)),
        optimization=Optimization(epochs=3, lr=0.5),
        regularization=Regularization(keep_prob=(0.5, 1.0), l2=3.0),
        seed=7,
    )
    other = Config(
        network=Network(widths=[np.int64(8), 4]),
        optimization=Optimization(epochs=np.int32(3), lr=np.float32(0.5)),
        regularization=Regularization(keep_prob=[0.5, 1.0], l2=np.float64(3.0)),
        seed=np.int64(7),
    )
    assert other == plain
    assert hash(other) == hash(plain)
    assert other.identity == plain.identity == Config.from_json(plain.to_json()).identity
