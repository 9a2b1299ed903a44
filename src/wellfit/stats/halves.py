"""Two random halves of the rows with alike targets: what is chosen on one is measured on the other."""

from __future__ import annotations

import numpy as np

from wellfit._typing import Integers
from wellfit.stats.scores import Targets


def halves(target: Targets, *, seed: int, groups: Integers | None = None) -> tuple[Integers, Integers]:
    """Return the places of the rows of each half; every second one by rising target, equal ones in random order.

    Args:
        target: [rows].
        seed: of the order of equal ones.
        groups: [rows] group of each row: then a group is in one half alone, and counts with its mean target. Rows of a
            single group are rows on their own.
    """
    if groups is not None:
        _, group, sizes = np.unique(groups, return_inverse=True, return_counts=True)
        if len(sizes) > 1:
            first, _ = halves(np.bincount(group, weights=target) / sizes, seed=seed)
            is_first = np.isin(group, first)
            return np.flatnonzero(is_first), np.flatnonzero(~is_first)
    order = np.random.default_rng(seed).permutation(len(target))
    order = order[np.argsort(target[order], kind="stable")]
    return order[::2], order[1::2]
