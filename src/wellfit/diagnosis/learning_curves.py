"""Parametric learning curves: the error as a function of the rows that were trained on.

Every family falls (or stays) as rows are added: err(n) = floor + excess * shape(n), shape(reference) = 1. The families
are those of LCDB: pow4 is floor + b (n + offset)^-a.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from wellfit._typing import Floats

CurveName = Literal["pow4", "pow3", "mmf4", "exp4", "last1"]
Bend: TypeAlias = Sequence[Floats | float]
Shape: TypeAlias = Callable[[Floats, Bend], Floats]


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
        wanted = np.asarray(rows, dtype=np.float64)
        return np.asarray(self.floor + self.excess * shape_of(self.family, wanted, self.bend, reference=self.reference))

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


def shape_of(family: CurveName, rows: Floats, bend: Bend, *, reference: float) -> Floats:
    """The falling part of a curve, 1 at the reference; rows and parameters broadcast."""
    if family == "last1":
        return np.zeros(np.shape(rows))
    shape = _SHAPES[family]
    return np.asarray(shape(rows, bend) / shape(np.asarray(reference), bend))


def _power4(rows: Floats, bend: Bend) -> Floats:
    return np.asarray((rows + bend[1]) ** np.negative(bend[0]))


def _power3(rows: Floats, bend: Bend) -> Floats:
    return np.asarray(rows ** np.negative(bend[0]))


def _mmf4(rows: Floats, bend: Bend) -> Floats:
    return np.asarray(1 / (1 + (rows / bend[1]) ** bend[0]))


def _exp4(rows: Floats, bend: Bend) -> Floats:
    # Held away from 0: the shape is divided by its value at the reference.
    return np.asarray(np.exp(-np.minimum((rows / bend[1]) ** bend[0], 500.0)))


_SHAPES: Mapping[CurveName, Shape] = {"pow4": _power4, "pow3": _power3, "mmf4": _mmf4, "exp4": _exp4}
