"""How a column of dev differs from train, in words."""

from __future__ import annotations

import numpy as np

from wellfit._typing import Floats
from wellfit.data.features import Feature

_MISSING_APART = 0.05  # difference of missing shares that is named before anything else


def direction(column: Feature, train: Floats, dev: Floats) -> str:
    """One phrase: 'dev is higher by 0.12 (median 0.5, train 0.38)', or the level whose share changed most."""
    lost = [float(np.isnan(side).mean()) for side in (train, dev)]
    if abs(lost[1] - lost[0]) > _MISSING_APART:
        return f"missing in {100 * lost[1]:.0f} % of dev, {100 * lost[0]:.0f} % of train"
    known = [side[~np.isnan(side)] for side in (train, dev)]
    if not all(len(side) for side in known):
        return "missing on one side"
    return _level(column, known) if column.kind == "category" else _number(known)


def _number(known: list[Floats]) -> str:
    for name, of in (("median", np.median), ("mean", np.mean)):
        before, after = (float(of(side)) for side in known)
        if abs(after - before) > 0.1 * float(np.std(known[0])):
            word = "higher" if after > before else "lower"
            return f"dev is {word} by {abs(after - before):.3g} ({name} {after:.4g}, train {before:.4g})"
    spread = [float(np.std(side)) for side in known]
    return f"dev is spread differently (standard deviation {spread[1]:.3g}, train {spread[0]:.3g})"


def _level(column: Feature, known: list[Floats]) -> str:
    before, after = (np.bincount(side.astype(np.int64), minlength=len(column.levels)) / len(side) for side in known)
    most = int(np.argmax(np.abs(after - before)))
    return f"'{column.levels[most]}' is {100 * after[most]:.0f} % of dev, {100 * before[most]:.0f} % of train"
