"""The optimal error from several labels per row: the annotators' rate of disagreement gives limits."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from wellfit.base.arguments import named
from wellfit.base.typing import Floats, Integers
from wellfit.diagnosis.optimal_error import Optimal
from wellfit.exceptions import BadInput
from wellfit.stats.intervals import LEVEL, Estimate, normal_quantile, wilson

FEWEST_LABELS = 2
FEWEST_ROWS = 10


@dataclass(frozen=True, kw_only=True)
class Disagreement:
    """Limits for the optimal error of predicting one annotator's label.

    With counts n_c of m labels in a row, mean(1 - max n_c / m) is too low for every m (Jensen), and the error of
    predicting a left-out label by the plurality of the others is too high. Both tend to the optimal error. The share of
    disagreeing pairs obeys the inequality of Cover and Hart (1967) for any number of rows.
    """

    plugin: Estimate  # mean of 1 - the plurality's share
    left_out: Estimate  # error of the plurality of the others on a label that is left out
    pairs: Estimate  # share of pairs of labels that disagree
    classes: int
    labels: float  # mean number of labels per row
    rows: int  # with at least two labels

    @property
    def low(self) -> float:
        """The larger of two lower confidence limits (not of two point estimates)."""
        return max(0.0, self.plugin.low, cover_hart(max(self.pairs.low, 0.0), classes=self.classes))

    @property
    def high(self) -> float:
        """The upper limit, which is never below the lower one."""
        return min(1.0, max(self.left_out.high, self.low))

    @property
    def optimal(self) -> Optimal:
        """Return the limits as the reference of a diagnosis."""
        return Optimal(self.low, self.high, source="labels", upper_bound=False)


@named
def label_disagreement(counts: Integers, *, weights: Floats | None = None) -> Disagreement:
    """Compute limits for the optimal error.

    Args:
        counts: [rows, classes] number of labels of each class per row; rows with fewer than two labels are left out.
        weights: [rows] weight of each row; equal weights if None.

    Raises:
        BadInput: for negative counts, fewer than two classes, or fewer than ten rows with two labels.
    """
    counts = np.asarray(counts, dtype=np.int64)
    if counts.ndim != 2 or counts.shape[1] < 2 or (counts < 0).any():
        raise BadInput(
            "labels per row must contain at least two classes",
            found=f"an array of shape {counts.shape}",
            remedy="Give one column per annotator",
        )
    several = counts.sum(axis=1) >= FEWEST_LABELS
    if several.sum() < FEWEST_ROWS:
        raise BadInput(
            f"the optimal error must be computed from at least {FEWEST_ROWS} rows with {FEWEST_LABELS} or more labels",
            found=f"{int(several.sum())} such rows",
            remedy="Have more rows labelled by several people, or give --human-error",
        )
    kept = counts[several]
    share = np.ones(len(kept)) if weights is None else np.asarray(weights, np.float64)[several]
    totals = kept.sum(axis=1)
    same = (kept * (kept - 1)).sum(axis=1) / (totals * (totals - 1))
    return Disagreement(
        plugin=_mean(1 - kept.max(axis=1) / totals, share),
        left_out=_mean(_left_out(kept), share),
        pairs=_mean(1 - same, share),
        classes=counts.shape[1],
        labels=float(totals.mean()),
        rows=len(kept),
    )


def majority_error(counts: Integers, *, voters: int, seed: int = 0) -> Optimal:
    """Return an upper limit: the error of the plurality of m - r labels in predicting the majority of the other r.

    A network may still do better, just as it may do better than a person. `counts` is [rows, classes], and r is the
    number of voters.

    Raises:
        BadInput: if no row has more labels than there are voters.
    """
    rng = np.random.default_rng(seed)
    enough = counts.sum(axis=1) > voters
    if not enough.any():
        raise BadInput(
            f"rows must have more than {voters} labels, so that some are left to predict the majority",
            found=f"at most {int(counts.sum(axis=1).max(initial=0))} labels in a row",
            remedy="Lower the number of voters",
        )
    kept = np.asarray(counts[enough], dtype=np.int64)
    voted = np.stack([rng.multivariate_hypergeometric(row, voters) for row in kept])
    target, said = _plurality(voted, rng), _plurality(kept - voted, rng)
    found = wilson(float((target != said).sum()), len(kept))
    return Optimal(found.low, found.high, source="labels", upper_bound=True, point=found.value, rows=len(kept))


def cover_hart(disagreement: float, *, classes: int) -> float:
    """Return Cover and Hart's lower bound on the optimal error, from the share of disagreeing pairs or 1-NN error."""
    most = (classes - 1) / classes
    return most * (1 - math.sqrt(max(0.0, 1 - disagreement / most)))


def counts_of(labels: list[list[str | None]]) -> tuple[Integers, tuple[str, ...]]:
    """Count labels [rows, classes] given as one list per annotator (None: not labelled); also return the classes."""
    classes = tuple(sorted({each for column in labels for each in column if each is not None}))
    place = {name: index for index, name in enumerate(classes)}
    counts = np.zeros((len(labels[0]), max(len(classes), 1)), np.int64)
    for column in labels:
        for row, name in enumerate(column):
            if name is not None:
                counts[row, place[name]] += 1
    return counts, classes


def _left_out(counts: Integers) -> Floats:
    """Return the mean error [rows] of predicting a left-out label by the plurality of the others, splitting ties."""
    totals = counts.sum(axis=1)
    wrong = np.zeros(len(counts))
    for place in range(counts.shape[1]):
        others = counts.copy()
        others[:, place] -= 1
        top = others.max(axis=1)
        ties = (others == top[:, None]).sum(axis=1)
        right = np.where(others[:, place] == top, 1 / ties, 0.0)
        wrong += counts[:, place] / totals * (1 - right)
    return wrong


def _plurality(counts: Integers, rng: np.random.Generator) -> Integers:
    return np.asarray((counts + rng.random(counts.shape) / 2).argmax(axis=1))


def _mean(values: Floats, weights: Floats) -> Estimate:
    """Return the weighted mean with a normal interval."""
    share = weights / weights.sum()
    value = float(share @ values)
    error = math.sqrt(float(share**2 @ (values - value) ** 2))
    half = normal_quantile(LEVEL) * error
    return Estimate(value, value - half, value + half, len(values))
