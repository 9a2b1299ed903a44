"""The rows on which a config trains: train as changed by its data board. Dev and train-dev stay unchanged."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

import numpy as np

from wellfit.base.typing import Booleans, Floats
from wellfit.data.prepare import Arrays, Prepared
from wellfit.exceptions import BadInput
from wellfit.records.config import DataBoard

Found = TypeVar("Found")

OF_TRAIN = ""
"""The name of train's own rows among those with an importance."""


def trained_on(data: Prepared, board: DataBoard) -> Prepared:
    """Return the same data with the training rows of a config; the transforms stay those of train."""
    if board.is_off:
        return data
    kept = kept_rows(data, board)
    train = data.train
    if not kept.all():
        train = Arrays(train.numeric[kept], train.codes[kept], train.target[kept])
    parts = [(OF_TRAIN, train, kept)]
    if board.more_data:
        more = _known(board.more_data in data.more, data.more.get(board.more_data), board)
        parts.append((board.more_data, more, np.ones(more.rows, dtype=bool)))
    weights = None
    if board.reweight:
        known = [_known(name in data.importance, data.importance.get(name), board)[rows] for name, _, rows in parts]
        weights = flattened(np.concatenate(known), board.reweight)
    return replace(data, train=replace(_joined([arrays for _, arrays, _ in parts]), weights=weights))


def rows_trained_on(data: Prepared, board: DataBoard) -> int:
    """Return the number of training rows of a config."""
    if board.is_off:
        return data.train.rows
    more = _known(board.more_data in data.more, data.more.get(board.more_data), board).rows if board.more_data else 0
    return int(kept_rows(data, board).sum()) + more


def kept_rows(data: Prepared, board: DataBoard) -> Booleans:
    """Return booleans [train rows], True for rows to train on; BadInput if copies must go but were not searched for."""
    if not board.drop_rows:
        return np.ones(data.train.rows, dtype=bool)
    return ~_known(data.copies is not None, data.copies, board).train


def flattened(importance: Floats, power: float) -> Floats:
    """Return weights [rows] with mean 1, so that m and lambda keep their meaning; a power below 1 reduces variance."""
    raised = importance.astype(np.float64) ** power
    return np.asarray(raised / raised.mean())


def effective_rows(weights: Floats) -> float:
    """Return the number of equally weighted rows with the same information: (sum w)^2 / sum w^2 (Kish, 1965)."""
    return float(weights.sum() ** 2 / (weights**2).sum())


def _known(there: bool, found: Found | None, board: DataBoard) -> Found:
    if not there or found is None:
        raise BadInput(
            "a config must train on rows that are in the data",
            found=f"{board}, but the data does not have them",
            remedy="Train it in the experiment it comes from, or leave out its data board",
        )
    return found


def _joined(parts: list[Arrays]) -> Arrays:
    if len(parts) == 1:
        return parts[0]
    return Arrays(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("numeric", "codes", "target")))
