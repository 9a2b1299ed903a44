"""The nearest of many rows, by comparing all pairs."""

from __future__ import annotations

import numpy as np

from wellfit._typing import Floats, Integers

_QUERIES = 512
_ROWS = 8_192  # with so many queries a block of products stays in cache


def nearest_rows(known: Floats, queries: Floats, *, own: Integers | None = None) -> tuple[Floats, Integers]:
    """Distance [queries] to the nearest known row, and its place.

    |q - k|^2 = |q|^2 - 2 q k + |k|^2 as one product in float32, of which the smallest is measured again in float64:
    where two rows are as near to seven digits either may be named. In 32 dimensions three times as fast as
    scikit-learn's search of all pairs.

    Args:
        known: [rows, dimensions] float32, centred.
        queries: [queries, dimensions] float32.
        own: [queries] place of each query among the known rows, where it is one of them; it is not its own neighbour.
    """
    longer = np.column_stack([known, (known**2).sum(axis=1)]).astype(np.float32)
    asked = np.column_stack([-2 * queries, np.ones(len(queries))]).astype(np.float32)
    places = np.empty(len(queries), np.int64)
    for start in range(0, len(queries), _QUERIES):
        rows = slice(start, start + _QUERIES)
        places[rows] = _nearest(longer, asked[rows], None if own is None else own[rows])
    apart = queries.astype(np.float64) - known[places]
    return np.sqrt((apart**2).sum(axis=1)), places


def _nearest(longer: Floats, asked: Floats, own: Integers | None) -> Integers:
    best, places = np.full(len(asked), np.inf, np.float32), np.zeros(len(asked), np.int64)
    each = np.arange(len(asked))
    for start in range(0, len(longer), _ROWS):
        far = asked @ longer[start : start + _ROWS].T
        if own is not None:
            inside = (own >= start) & (own < start + far.shape[1])
            far[each[inside], own[inside] - start] = np.inf
        least = far.argmin(axis=1)
        nearer = far[each, least] < best
        best[nearer], places[nearer] = far[each, least][nearer], start + least[nearer]
    return places
