"""Parametric learning curves: the error as a function of the rows that were trained on, fit by least squares.

Every family falls (or stays) as rows are added: err(n) = floor + excess * shape(n), shape(reference) = 1. The families
are those of LCDB: pow4 is floor + b (n + offset)^-a.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.optimize import least_squares

from wellfit._typing import Floats

CurveName = Literal["pow4", "pow3", "mmf4", "exp4", "last1"]
STEEPEST = 2.0  # methods.md g: 0 < a <= 2
FLATTEST = 0.02
_CLOSEST = 0.5  # how near -offset may come to the smallest anchor, in rows
_FARTHEST = 8.0  # mmf4 and exp4: the half-way point lies at most so many times the largest anchor away
_EVALUATIONS = 400

Shape = Callable[[Floats, Floats], Floats]


@dataclass(frozen=True)
class Curve:
    """A fitted curve.

    Attributes:
        family: pow4, pow3, mmf4, exp4, or last1 (what was measured at the last anchor, for ever).
        floor: the error that no number of rows gets below.
        excess: error above the floor at `reference` rows.
        bend: the parameters of the shape, in the family's own order.
        reference: rows at which `excess` is measured.
        misfit: sum of squared residuals, each in standard errors.
    """

    family: CurveName
    floor: float
    excess: float
    bend: tuple[float, ...]
    reference: float
    misfit: float

    def at(self, rows: Floats | float) -> Floats:
        """The error at so many training rows."""
        return _error(self, np.array([self.floor, self.excess, *self.bend]), np.asarray(rows, dtype=np.float64))

    @property
    def power_law(self) -> tuple[float, float, float, float]:
        """(c, b, offset, a) of err(n) = c + b (n + offset)^-a.

        Raises:
            ValueError: for another family than pow4 and pow3.
        """
        if self.family not in ("pow4", "pow3"):
            raise ValueError(self.family)
        power, offset = (*self.bend, 0.0)[:2]
        return self.floor, self.excess * (self.reference + offset) ** power, offset, power


def fit_curve(
    family: CurveName,
    rows: Floats,
    errors: Floats,
    *,
    sd: Floats,
    floor: float = 0.0,
    start: Curve | None = None,
) -> Curve:
    """Weighted non-linear least squares within bounds, from several starts (or from one curve that is near already).

    Args:
        family: which curve.
        rows: [anchors] training rows, rising.
        errors: [anchors] mean error.
        sd: [anchors] standard error of each.
        floor: the error that cannot be undercut: the lower limit of the optimal error.
        start: where to begin; several places are tried when None.
    """
    if family == "last1":
        return Curve(
            "last1", float(errors[-1]), 0.0, (), float(rows[-1]), float(np.sum(((errors - errors[-1]) / sd) ** 2))
        )
    frame = Curve(family, 0.0, 0.0, (), math.sqrt(rows[0] * rows[-1]), math.inf)
    low, high = _bounds(family, rows, errors, floor=floor)
    starts = (
        _starts(family, rows, errors, least=low[0]) if start is None else [(start.floor, start.excess, *start.bend)]
    )
    scale = np.maximum(np.abs(np.array(starts[0])), 1e-3 * (high - low))

    def residuals(parameters: Floats) -> Floats:
        return (_error(frame, parameters, rows) - errors) / sd

    inside = [np.clip(np.array(each), low + 1e-9 * (high - low), high - 1e-9 * (high - low)) for each in starts]
    # A step too far out overflows; the trust region refuses it.
    with np.errstate(over="ignore", invalid="ignore"):
        fits = [
            least_squares(
                residuals, each, bounds=(low, high), x_scale=scale, max_nfev=_EVALUATIONS, ftol=1e-10, xtol=1e-10
            )
            for each in inside
        ]
    best = min(fits, key=lambda fit: fit.cost)
    bend = tuple(float(value) for value in best.x[2:])
    return Curve(family, float(best.x[0]), float(best.x[1]), bend, frame.reference, 2 * float(best.cost))


def rows_for(curve: Curve, target: float, *, most: int) -> int | None:
    """Smallest number of rows at which the curve is at or below a target; None where `most` rows do not do."""
    low, high = 0, most
    if not float(curve.at(high)) <= target:
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if middle > -_offset(curve) and float(curve.at(middle)) <= target else (middle, high)
    return high


def _offset(curve: Curve) -> float:
    return curve.bend[1] if curve.family == "pow4" else 0.0


def _error(frame: Curve, parameters: Floats, rows: Floats) -> Floats:
    if frame.family == "last1":
        return np.full(rows.shape, parameters[0])
    shape = _SHAPES[frame.family]
    bend, reference = parameters[2:], np.asarray(frame.reference)
    return np.asarray(parameters[0] + parameters[1] * shape(rows, bend) / shape(reference, bend))


def _power4(rows: Floats, bend: Floats) -> Floats:
    return np.asarray((rows + bend[1]) ** -bend[0])


def _power3(rows: Floats, bend: Floats) -> Floats:
    return np.asarray(rows ** -bend[0])


def _mmf4(rows: Floats, bend: Floats) -> Floats:
    return np.asarray(1 / (1 + (rows / bend[1]) ** bend[0]))


def _exp4(rows: Floats, bend: Floats) -> Floats:
    # Held away from 0: the shape is divided by its value at the reference.
    return np.asarray(np.exp(-np.minimum((rows / bend[1]) ** bend[0], 500.0)))


_SHAPES: Mapping[CurveName, Shape] = {"pow4": _power4, "pow3": _power3, "mmf4": _mmf4, "exp4": _exp4}


def _bounds(family: CurveName, rows: Floats, errors: Floats, *, floor: float) -> tuple[Floats, Floats]:
    highest = float(errors.max())
    least = min(max(0.0, floor), 0.999 * float(errors.min()))
    low, high = [least, 0.0], [max(highest, least + 1e-9), 10 * highest + 1e-9]
    near, far = rows[0] / _FARTHEST, rows[-1] * _FARTHEST
    bends = {
        "pow4": [(FLATTEST, STEEPEST), (_CLOSEST - rows[0], float(rows[-1]))],
        "pow3": [(FLATTEST, STEEPEST)],
        "mmf4": [(FLATTEST, STEEPEST), (near, far)],
        "exp4": [(FLATTEST, STEEPEST), (near, far)],
    }[family]
    low += [bound[0] for bound in bends]
    high += [bound[1] for bound in bends]
    return np.array(low, dtype=np.float64), np.array(high, dtype=np.float64)


def _starts(family: CurveName, rows: Floats, errors: Floats, *, least: float) -> list[tuple[float, ...]]:
    middle = math.sqrt(rows[0] * rows[-1])
    at_middle = float(np.interp(math.log(middle), np.log(rows), errors))
    places = {"pow4": (0.0, -0.6 * rows[0]), "pow3": (0.0,), "mmf4": (middle,), "exp4": (middle,)}[family]
    floors = (float(errors.min()) * 0.95, 0.5 * (float(errors.min()) + least))
    return [
        (floor, max(at_middle - floor, 1e-6), power, *((place,) if family != "pow3" else ()))
        for floor in floors
        for power in (0.5, 1.0)
        for place in places
    ]
