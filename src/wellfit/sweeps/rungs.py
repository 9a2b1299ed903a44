"""Rungs: the points of training at which members of a sweep are compared, and those that are behind are dropped.

Successive halving (Jamieson and Talwalkar, 2016) drops a fixed share of the members at each rung, significantly worse
or not. Here that share is only an upper limit: a member of the worse half is dropped if the paired difference between
its dev losses and the best member's shows that it is behind, or if the budget cannot pay for it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from wellfit.base.arguments import named_fields
from wellfit.base.serialize import Record
from wellfit.base.typing import Floats
from wellfit.exceptions import BadInput
from wellfit.stats.differences import worse_p
from wellfit.training.schedules import RUNGS


@named_fields
@dataclass(frozen=True, kw_only=True)
class Rungs(Record):
    """Rules for comparing members at rungs while they train.

    Attributes:
        level: highest probability of dropping a member that is no worse than any other at each of the rungs.
        keep: share of the members that stay at a rung whatever the test shows. A member that starts slowly, as
            regularized ones do, is significantly behind and may still win, so significance alone is not enough.
        snapshots: whether a member's network at a rung may be chosen; that is a choice of the epoch, which couples
            fitting and regularizing.
    """

    level: float = 0.05
    keep: float = 0.5
    snapshots: bool = False

    def __post_init__(self) -> None:
        for name in ("level", "keep"):
            if not 0 < getattr(self, name) < 1:
                raise BadInput(
                    f"{name} of the rungs must be above 0 and below 1",
                    found=f"{name}={getattr(self, name)!r}",
                    remedy="Correct it, or sweep without rungs",
                )

    def judge(self, losses: Mapping[str, Floats], affordable: int) -> frozenset[str]:
        """Return the members that continue after one rung.

        The best member is known only from the same rows. A member that is truly no worse than any other is wrongly
        dropped only if its comparison with one of the K - 1 others rejects, so each comparison is made at level /
        (rungs (K - 1)) (Bonferroni, over opponents and rungs, with the control unknown, as in Hsu's (1984) comparisons
        with the best). This protects the members worth keeping; how many others stay is only a matter of cost.

        `losses` has the finite dev loss [rows] of every row, the same rows for all. The worst members beyond
        `affordable`, the number that can be trained to the end by the deadline, are dropped untested, but never the
        best.
        """
        ranked = sorted(losses, key=lambda identity: (float(np.mean(losses[identity])), identity))
        if len(ranked) < 2:
            return frozenset(ranked)
        level = self.level / (len(RUNGS) * (len(ranked) - 1))
        safe = math.ceil(self.keep * len(ranked))
        best = losses[ranked[0]]
        stay = ranked[:safe] + [one for one in ranked[safe:] if worse_p(losses[one], best) >= level]
        return frozenset(stay[: max(affordable, 1)])
