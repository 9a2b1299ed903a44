"""Forward selection of an ensemble, with replacement (Caruana et al., 2004), over arrays of predictions.

A bag starts with the few candidates that are best alone. Then the candidate that lowers the loss of the average most
is added, again and again, and the best size reached is kept. The picks of several bags, each with half of the
candidates, are counted together (their section 2.3), so that one lucky candidate cannot decide the result.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from wellfit.base.typing import Floats, Integers
from wellfit.data.prepare import Prepared
from wellfit.data.training_rows import trained_on
from wellfit.records.goals import Goal
from wellfit.records.outcome import Outcome, Status
from wellfit.stats.scores import Metric, Planes, Targets
from wellfit.training.tensors import Part, predict_average

BAGS = 8
SIZE = 24
"""Maximum number of picks in a bag: another one would weigh less than .04."""
START = 3
"""Number of candidates with which a bag starts: those that are best alone."""
FEWEST_TO_BAG = 5
"""Number of candidates below which one bag has all of them: half would leave too little to choose from."""
MOST = 64
"""Maximum number of candidates (pruning, Caruana et al., 2006): worse ones are seldom picked but cost time."""


def greedy_weights(goal: Goal, target: Targets, predictions: Floats, *, seed: int) -> Floats:
    """Return the weight of each candidate [candidates] in an ensemble; they add up to 1.

    On these rows, the ensemble is never worse than the best candidate alone. `target` [rows] and `predictions`
    [candidates, rows(, classes)] are class codes and probabilities, or values.
    """
    metric = goal.metric
    # Single precision halves the memory traffic, most of the cost of selecting; the ensemble is measured in double.
    planes = metric.planes(target, np.asarray(predictions, dtype=np.float32))
    alone = metric.losses_of_planes(target, planes)
    # The best first, earlier ones before equal ones.
    kept = np.argsort(alone, kind="stable")[:MOST]
    counts = np.zeros(len(alone))
    for bag in _bags(len(kept), seed=seed):
        places = kept[bag]
        np.add.at(counts, places[_picks(metric, target, planes[:, places])], 1)
    weights: Floats = np.asarray(counts / counts.sum())
    blended = np.tensordot(weights.astype(planes.dtype), planes, axes=(0, 1))[:, None]
    if metric.losses_of_planes(target, blended)[0] < alone[kept[0]]:
        return weights
    return np.asarray(np.arange(len(alone)) == kept[0], dtype=np.float64)


def _bags(candidates: int, *, seed: int) -> list[Integers]:
    """Return the indices of the candidates in each bag, the best first."""
    if candidates < FEWEST_TO_BAG:
        return [np.arange(candidates)]
    source = np.random.default_rng(seed)
    return [np.sort(source.choice(candidates, (candidates + 1) // 2, replace=False)) for _ in range(BAGS)]


def _picks(metric: Metric, target: Targets, planes: Planes) -> list[int]:
    """Return the picks of one bag, whose candidates are sorted with the best first."""
    total = np.zeros_like(planes[:, 0])
    picks: list[int] = []
    losses: list[float] = []
    for size in range(1, SIZE + 1):
        if size <= min(START, planes.shape[1]):
            pick = size - 1
            lowest = metric.losses_of_planes(target, (total + planes[:, pick])[:, None] / size)[0]
        else:
            tried = metric.losses_of_planes(target, (total[:, None] + planes) / size)
            pick = int(tried.argmin())
            lowest = tried[pick]
        total += planes[:, pick]
        picks.append(pick)
        losses.append(float(lowest))
    return picks[: int(np.argmin(losses)) + 1]


def averaged_outcome(
    members: Sequence[Outcome], weights: Mapping[str, float], *, data: Prepared, goal: Goal
) -> Outcome:
    """Return the average of members by `weights` (identity -> weight) as one outcome, measured like any other.

    Members without a weight are ignored; the other members predict the training rows again.
    """
    used = sorted((each for each in members if each.identity in weights), key=lambda each: -weights[each.identity])
    shares = {each.identity: weights[each.identity] for each in used}
    predictions: dict[str, Floats] = {
        part: np.asarray(sum(shares[each.identity] * each.predictions[part].astype(np.float64) for each in used))
        for part in used[0].predictions
    }
    data = trained_on(data, used[0].config.data)
    on_train = predict_average(data.preparation, parts_of(used, shares))(data.train)
    losses = {
        part: goal.loss(arrays.target, on_train if part == "train" else predictions[part])
        for part, arrays in data.parts.items()
    }
    return Outcome(
        config=used[0].config,
        status=Status.FINISHED,
        updates=sum(each.updates for each in used),
        seconds=sum(each.seconds for each in used),
        losses=losses,
        curve=(),
        weight_norms=(),
        predictions=predictions,
        train_losses=goal.row_losses(data.train.target, on_train),
        state={},
        members=shares,
    )


def parts_of(members: Sequence[Outcome], weights: Mapping[str, float]) -> tuple[Part, ...]:
    """Return the parts of the average: the parameters and the share of each member."""
    return tuple(Part(weights[each.identity], each.config, each.state) for each in members)
