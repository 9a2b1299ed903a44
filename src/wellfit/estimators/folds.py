"""`cv` -> folds: (train, dev) places, as scikit-learn's users name them, and what a sound default is."""

from __future__ import annotations

import numbers
import warnings
from collections.abc import Iterable
from typing import Any

import numpy as np
from sklearn.model_selection import (
    GroupKFold,
    GroupShuffleSplit,
    KFold,
    ShuffleSplit,
    StratifiedGroupKFold,
    StratifiedKFold,
    StratifiedShuffleSplit,
    check_cv,
)

from wellfit._typing import Integers
from wellfit.exceptions import BadInput

FOLDS = 5
MOST_FOLDED_ROWS = 20_000
"""Above so many rows one dev split of `DEV_SHARE` tells enough, and costs a fifth."""
DEV_SHARE = 0.2

Fold = tuple[Integers, Integers]
"""Places of the rows to train on, and of those to measure."""


def is_own(cv: Any) -> bool:
    """Whether `cv` leaves the division to us: None, a number of folds, or the share of one dev split."""
    return cv is None or (isinstance(cv, numbers.Real) and not isinstance(cv, bool))


def folds_of(cv: Any, labels: Any, *, groups: Any = None, seed: int, stratify: bool) -> list[Fold]:
    """Divide rows by a number of folds, or by the share of one dev split.

    Args:
        cv: folds, at least 2; or a share between 0 and 1; None for 5 folds, or above 20,000 rows for a fifth as dev.
        labels: [rows] class codes, or anything of that length.
        groups: [rows] rows of one group stay on one side.
        seed: of the division.
        stratify: keep the shares of the classes in `labels`, as far as they have rows enough.

    Raises:
        BadInput: for a number that is neither, or too few rows, groups or members of every class.
    """
    rows = len(labels)
    if rows < 2:
        remedy = "Give more rows"
        raise BadInput(
            "rows are divided into at least one to train on and one for dev", found="1 sample", remedy=remedy
        )
    counts = np.bincount(labels) if stratify else np.array([rows])
    if cv is None:
        most = int(counts.max()) if groups is None else len(np.unique(groups))
        cv = DEV_SHARE if rows > MOST_FOLDED_ROWS else max(2, min(FOLDS, most))
    elif groups is not None and cv > len(np.unique(groups)):
        found, remedy = f"cv={cv!r} for {len(np.unique(groups))} groups", "Give fewer folds, or rows of more groups"
        raise BadInput("groups are enough for their folds", found=found, remedy=remedy)
    splitter = _splitter(cv, groups=groups, seed=seed, counts=counts if stratify else None)
    try:
        with warnings.catch_warnings():
            # A class with fewer rows than folds is missing from some of them: that is what rows allow.
            warnings.filterwarnings("ignore", message="The least populated class", category=UserWarning)
            return list(splitter.split(np.zeros((rows, 1)), labels, groups))
    except ValueError as error:
        found = f"cv={cv!r} for {rows} rows: {str(error).splitlines()[0].rstrip('.')}"
        raise BadInput(
            "rows are enough for their folds", found=found, remedy="Give fewer folds, or more rows"
        ) from error


def given_folds(cv: Any, X: Any, y: Any, *, groups: Any = None) -> list[Fold]:
    """Return the folds of a splitter or an iterable of (train, dev), checked against the rows of X.

    Raises:
        BadInput: for what yields no fold, an empty side, places outside X, or rows on both sides.
        ValueError: what the splitter raises.
    """
    if isinstance(cv, str | bool) or not (hasattr(cv, "split") or isinstance(cv, Iterable)):
        raise BadInput(
            "cv is a number of folds, a share, a splitter or an iterable of (train, dev)",
            found=f"cv={cv!r}",
            remedy="Give for example 5, 0.2 or KFold(5)",
        )
    found = [(np.asarray(train), np.asarray(dev)) for train, dev in check_cv(cv).split(X, y, groups)]
    if not found:
        raise BadInput("cv gives at least one fold", found="none", remedy="Give one (train, dev) pair or more")
    return [_checked(place, fold, rows=len(y)) for place, fold in enumerate(found)]


def _splitter(cv: Any, *, groups: Any, seed: int, counts: Integers | None) -> Any:
    if not (0 < cv < 1 or (cv >= 2 and cv % 1 == 0)):
        rule = "cv is a number of folds from 2 on, or a share between 0 and 1"
        raise BadInput(rule, found=f"cv={cv!r}", remedy="Give for example 5 or 0.2")
    if cv < 1:
        stratified = counts is not None and counts[counts > 0].min() > 1
        shuffled = GroupShuffleSplit if groups is not None else StratifiedShuffleSplit if stratified else ShuffleSplit
        return shuffled(n_splits=1, test_size=float(cv), random_state=seed)
    if groups is not None:
        folded = StratifiedGroupKFold if counts is not None else GroupKFold
    else:
        folded = StratifiedKFold if counts is not None and counts.max() > 1 else KFold
    return folded(n_splits=int(cv), shuffle=True, random_state=seed)


def _checked(place: int, fold: Fold, *, rows: int) -> Fold:
    train, dev = (np.flatnonzero(side) if side.dtype == bool else side for side in fold)
    for side in (train, dev):
        if side.ndim != 1 or not len(side) or side.dtype.kind not in "iu":
            found = f"a side of shape {side.shape} and type {side.dtype} in fold {place}"
            raise BadInput("both sides of a fold have places of rows", found=found, remedy="Correct cv")
        if side.min() < -rows or side.max() >= rows:
            found = f"place {side.max() if side.max() >= rows else side.min()} in fold {place}, X has {rows} rows"
            raise BadInput("folds have places of rows of X", found=found, remedy="Correct cv")
    both = np.intersect1d(train % rows, dev % rows)
    if len(both):
        found = f"row {both[0]} ({len(both)} such rows) in fold {place}"
        raise BadInput("no row of a fold is trained on and measured", found=found, remedy="Correct cv")
    return train % rows, dev % rows
