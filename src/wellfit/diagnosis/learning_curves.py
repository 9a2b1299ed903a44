"""Parametric learning curves: the error as a function of the number of training rows.

In every family the error falls (or stays) as rows are added: err(n) = floor + excess * shape(n), shape(reference) = 1.
The families are those of LCDB; for example, pow4 is floor + b (n + offset)^-a. Least squares fits many sets of errors
at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Literal, TypeAlias

import numpy as np

from wellfit.base.typing import Floats

CurveName = Literal["pow4", "pow3", "mmf4", "exp4", "last1"]
Bend: TypeAlias = Sequence[Floats | float]
Shape: TypeAlias = Callable[[Floats, Bend], Floats]


@dataclass(frozen=True)
class Curve:
    """A fitted curve; the family last1 stays at the error that was measured at the last anchor."""

    family: CurveName
    floor: float  # the error that no number of rows gets below
    excess: float  # error above the floor at `reference` rows
    bend: tuple[float, ...]  # the parameters of the shape, in the family's own order
    reference: float
    misfit: float  # sum of squared residuals, each in standard errors

    def at(self, rows: Floats | float) -> Floats:
        """Return the error at a given number of training rows."""
        wanted = np.asarray(rows, dtype=np.float64)
        return np.asarray(self.floor + self.excess * shape_of(self.family, wanted, self.bend, reference=self.reference))


def rows_for(curve: Curve, target: float, *, most: int) -> int | None:
    """Return the smallest number of rows that brings the curve down to a target; None if it exceeds `most`."""
    low, high = 0, most
    if not float(curve.at(high)) <= target:
        return None
    pole = -curve.bend[1] if curve.family == "pow4" else 0.0
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if middle > pole and float(curve.at(middle)) <= target else (middle, high)
    return high


def shape_of(family: CurveName, rows: Floats, bend: Bend, *, reference: float) -> Floats:
    """Return the falling part of a curve, which is 1 at the reference; rows and parameters broadcast."""
    if family == "last1":
        return np.zeros(np.shape(rows))
    shape = _SHAPES[family]
    return np.asarray(shape(rows, bend) / shape(np.asarray(reference), bend))


_SHAPES: Mapping[CurveName, Shape] = {
    "pow4": lambda rows, bend: np.asarray((rows + bend[1]) ** np.negative(bend[0])),
    "pow3": lambda rows, bend: np.asarray(rows ** np.negative(bend[0])),
    "mmf4": lambda rows, bend: np.asarray(1 / (1 + (rows / bend[1]) ** bend[0])),
    # Kept away from 0: the shape is divided by its value at the reference.
    "exp4": lambda rows, bend: np.asarray(np.exp(-np.minimum((rows / bend[1]) ** bend[0], 500.0))),
}
STEEPEST = 2.0  # 0 < a <= 2 (docs/methods.md, "Value of more data")
FLATTEST = 0.02
_CLOSEST = 0.5  # how near -offset may come to the smallest anchor, in rows
_FARTHEST = 8.0  # mmf4 and exp4: largest factor by which the half-way point may be beyond the anchors
_GRID = 24  # places of each parameter that are tried
_STEPS = 60
_STRIDE = 1e-6  # of a numerical derivative, where the range of a parameter is 1
_DAMPED, _EASED = 8.0, 0.3  # factors of the damping after a step that failed, and after one that succeeded
_HIGHEST_EXCESS = 10.0  # times the highest error


def fit_curve(family: CurveName, rows: Floats, errors: Floats, *, sd: Floats, floor: float = 0.0) -> Curve:
    """Fit a curve to the errors [anchors] by weighted least squares within bounds; `rows` must be increasing.

    `sd` is the standard error of each error, and `floor` is the lower limit of the optimal error.
    """
    return fit_curves(family, rows, errors[None], sd=sd, floor=floor)[0]


def fit_curves(family: CurveName, rows: Floats, errors: Floats, *, sd: Floats, floor: float = 0.0) -> tuple[Curve, ...]:
    """Fit one curve for each set of errors [sets, anchors]; see `fit_curve`."""
    if family == "last1":
        misfits = (((errors - errors[:, -1:]) / sd) ** 2).sum(axis=1)
        return tuple(
            Curve("last1", float(last), 0.0, (), float(rows[-1]), float(misfit))
            for last, misfit in zip(errors[:, -1], misfits, strict=True)
        )
    reference = float(rows[0])
    bends = _Bends.of(family, rows)

    def solved(places: Floats) -> _Solved:
        shapes = shape_of(family, rows, bends.at(places), reference=reference)
        return _solved(shapes, errors[:, None], sd=sd, floor=floor)

    grid = np.array(list(product(np.linspace(0, 1, _GRID), repeat=len(bends.low))))
    places = _refined(grid[solved(grid[None]).misfit.argmin(axis=1)], solved)
    best = solved(places[:, None])
    found = zip(best.floor[:, 0], best.excess[:, 0], best.misfit[:, 0], *bends.at(places), strict=True)
    return tuple(
        Curve(family, float(low), float(excess), tuple(float(x[0]) for x in bend), reference, float(misfit))
        for low, excess, misfit, *bend in found
    )


@dataclass(frozen=True)
class _Bends:
    """A map from [0, 1] to the parameters of a shape, evenly spaced on a logarithmic scale."""

    low: Floats  # [parameters] logarithms of the ends
    high: Floats
    start: Floats  # [parameters] what is subtracted afterwards (an offset may be negative)

    @classmethod
    def of(cls, family: CurveName, rows: Floats) -> _Bends:
        second = {
            "pow4": [(_CLOSEST, float(rows[0] + rows[-1]), float(rows[0]))],
            "pow3": [],
            "mmf4": [(rows[0] / _FARTHEST, rows[-1] * _FARTHEST, 0.0)],
            "exp4": [(rows[0] / _FARTHEST, rows[-1] * _FARTHEST, 0.0)],
        }[family]
        low, high, start = np.array([(FLATTEST, STEEPEST, 0.0), *second]).T
        return cls(np.log(low), np.log(high), start)

    def at(self, places: Floats) -> tuple[Floats, ...]:
        """Return each parameter [..., 1] at places [..., parameters] in [0, 1]."""
        values = np.exp(self.low + places * (self.high - self.low)) - self.start
        return tuple(values[..., place, None] for place in range(len(self.low)))


@dataclass(frozen=True)
class _Solved:
    """Floor and excess [sets, tried] of each shape tried, and residuals in standard errors [sets, tried, anchors]."""

    floor: Floats
    excess: Floats
    left: Floats

    @property
    def misfit(self) -> Floats:
        return np.asarray((self.left**2).sum(axis=-1))


def _solved(shapes: Floats, errors: Floats, *, sd: Floats, floor: float) -> _Solved:
    """Solve the convex problem in two unknowns within a box: the free solution, or the best one on the four sides."""
    weight = 1 / sd**2 / (1 / sd**2).sum()
    least = np.minimum(max(0.0, floor), 0.999 * errors.min(axis=-1))
    most = np.maximum(errors.max(axis=-1), least + 1e-9)
    steep = _HIGHEST_EXCESS * errors.max(axis=-1) + 1e-9
    mean_shape, mean_error = (shapes * weight).sum(axis=-1), (errors * weight).sum(axis=-1)
    far_shape, far_error = shapes - mean_shape[..., None], errors - mean_error[..., None]
    spread = (far_shape**2 * weight).sum(axis=-1)
    free = (far_shape * far_error * weight).sum(axis=-1) / np.maximum(spread, np.finfo(float).tiny)
    tried = [(mean_error - free * mean_shape, free)]
    tried += [(np.clip(mean_error - side * mean_shape, least, most), side) for side in (0.0 * steep, steep)]
    squares = (shapes**2 * weight).sum(axis=-1)
    for side in (least, most):
        along = ((errors - side[..., None]) * shapes * weight).sum(axis=-1) / squares
        tried.append((side, np.clip(along, 0.0, steep)))
    floors, excesses = (np.stack(np.broadcast_arrays(*side)) for side in zip(*tried, strict=True))
    inside = (floors[0] >= least) & (floors[0] <= most) & (excesses[0] >= 0) & (excesses[0] <= steep)
    left = (floors[..., None] + excesses[..., None] * shapes - errors) / sd
    misfit = (left**2).sum(axis=-1)
    misfit[0] = np.where(inside, misfit[0], np.inf)
    chosen = misfit.argmin(axis=0)[None]
    return _Solved(
        np.take_along_axis(floors, chosen, 0)[0],
        np.take_along_axis(excesses, chosen, 0)[0],
        np.take_along_axis(left, chosen[..., None], 0)[0],
    )


def _refined(places: Floats, solved: Callable[[Floats], _Solved]) -> Floats:
    """Return the places [sets, parameters] after Levenberg steps, each kept only where it improves the fit."""
    sets, count = places.shape
    # Derivatives step inwards, so that they never leave the range.
    damping = np.full(sets, 1e-3)
    left = solved(places[:, None]).left[:, 0]
    for _ in range(_STEPS):
        stride = np.where(places < 0.5, _STRIDE, -_STRIDE)
        moved = places[:, None] + stride[:, None] * np.eye(count)
        slope = (solved(moved).left - left[:, None]) / stride[..., None]
        normal = slope @ slope.transpose(0, 2, 1)
        scaled = normal + damping[:, None, None] * (np.eye(count) * normal + 1e-12 * np.eye(count))
        step = np.linalg.solve(scaled, -(slope @ left[..., None]))[..., 0]
        ahead = np.clip(places + step, 0.0, 1.0)
        then = solved(ahead[:, None]).left[:, 0]
        better = (then**2).sum(axis=1) < (left**2).sum(axis=1)
        places, left = np.where(better[:, None], ahead, places), np.where(better[:, None], then, left)
        damping = np.where(better, _EASED * damping, _DAMPED * damping)
    return places
