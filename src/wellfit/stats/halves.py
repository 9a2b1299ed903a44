"""Two random halves of the rows with alike targets: what is chosen on one is measured on the other."""

from __future__ import annotations

import numpy as np

from wellfit._typing import Integers
from wellfit.stats.scores import Targets


def halves(target: Targets, *, seed: int) -> tuple[Integers, Integers]:
    """Return the places of the rows of each half; every second one by rising target, equal ones in random order."""
    order = np.random.default_rng(seed).permutation(len(target))
    order = order[np.argsort(target[order], kind="stable")]
    return order[::2], order[1::2]
