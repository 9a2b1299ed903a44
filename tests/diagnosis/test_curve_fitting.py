"""Fits of many curves at once, against scipy's trust region on all parameters: the slow twin."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import least_squares

from wellfit.diagnosis.learning_curves import FLATTEST, STEEPEST, fit_curve, fit_curves, shape_of

ROWS = np.array([16 * 2 ** (k / 2) for k in range(11)])
FAMILIES = ("pow3", "pow4", "mmf4", "exp4")


def slow_misfit(family, errors, *, sd, floor=0.0):
    """The least sum of squares that a trust region finds from eight starts."""
    middle, highest = np.sqrt(ROWS[0] * ROWS[-1]), errors.max()
    least = min(max(0.0, floor), 0.999 * errors.min())
    far = {"pow4": (0.5 - ROWS[0], ROWS[-1]), "pow3": (), "mmf4": (2.0, 8 * ROWS[-1]), "exp4": (2.0, 8 * ROWS[-1])}
    second = [far[family]] if far[family] else []
    low, high = np.array([(least, highest), (0.0, 10 * highest), (FLATTEST, STEEPEST), *second]).T

    def left(parameters):
        shape = shape_of(family, ROWS, parameters[2:], reference=middle)
        return (parameters[0] + parameters[1] * shape - errors) / sd

    starts = [
        (at * errors.min(), errors[5] * (1 - at) + 1e-6, power, *([place] if second else []))
        for at in (0.5, 0.95)
        for power in (0.4, 1.2)
        for place in ((0.0, 50.0) if family == "pow4" else (40.0, 400.0))
    ]
    inside = [np.clip(start, low + 1e-9 * (high - low), high - 1e-9 * (high - low)) for start in starts]
    with np.errstate(over="ignore", invalid="ignore"):  # the trust region refuses a step that overflows
        return min(
            2 * least_squares(left, start, bounds=(low, high), x_scale=np.abs(start) + 1e-3).cost for start in inside
        )


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("noise", [0.001, 0.02], ids=["little noise", "much noise"])
def test_no_fit_is_worse_than_that_of_a_trust_region(family, noise):
    rng = np.random.default_rng([FAMILIES.index(family), round(1e4 * noise)])
    sd = noise * ROWS**-0.3 + 1e-4
    errors = 0.1 + 0.8 * (ROWS + rng.uniform(-10, 50, (6, 1))) ** -0.6 + sd * rng.standard_normal((6, len(ROWS)))
    for found, each in zip(fit_curves(family, ROWS, errors, sd=sd), errors, strict=True):
        slow = slow_misfit(family, each, sd=sd)
        assert found.misfit <= slow * (1 + 1e-3) + 1e-6
        assert found.misfit == pytest.approx(float(np.sum(((found.at(ROWS) - each) / sd) ** 2)), rel=1e-9)


@pytest.mark.parametrize("family", [*FAMILIES, "last1"])
def test_many_at_once_are_each_alone(family):
    errors = 0.2 + np.array([[1.0], [0.3]]) * ROWS**-0.5
    together = fit_curves(family, ROWS, errors, sd=0.01 * errors[0])
    alone = [fit_curve(family, ROWS, each, sd=0.01 * errors[0]) for each in errors]
    for one, other in zip(together, alone, strict=True):
        assert one.at(ROWS) == pytest.approx(other.at(ROWS), rel=1e-9)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    "errors",
    [np.full(11, 0.2), np.linspace(0.1, 0.3, 11), np.zeros(11), 0.3 * 0.5 ** np.arange(11.0)],
    ids=["flat", "rising", "no errors", "steeper than allowed"],
)
def test_bounds_hold_on_curves_that_are_none(family, errors):
    found = fit_curve(family, ROWS, errors, sd=np.full(11, 0.01), floor=0.05)
    assert np.isfinite([found.floor, found.excess, *found.bend, found.misfit]).all()
    assert found.excess >= 0
    assert found.floor >= min(0.05, 0.999 * errors.min())
    assert FLATTEST * (1 - 1e-9) <= found.bend[0] <= STEEPEST * (1 + 1e-9)
    assert np.all(np.diff(found.at(ROWS)) <= 1e-12)
