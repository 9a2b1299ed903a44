"""An ensemble as one outcome: the average of its members, measured like any single training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from wellfit._typing import Floats
from wellfit.data.prepare import Prepared
from wellfit.data.training_rows import trained_on
from wellfit.goals import Goal
from wellfit.outcome import Outcome, Status
from wellfit.stats.scores import loss, row_losses
from wellfit.training.predict import Part, predict_average


def joined(members: Sequence[Outcome], weights: Mapping[str, float], *, data: Prepared, goal: Goal) -> Outcome:
    """Average trainings by their weights.

    Args:
        members: trainings, with their weights and predictions; those without a weight take no part.
        weights: identity -> weight; they add up to 1.
        data: the prepared parts; every member goes through its training rows, the same for all, once more.
        goal: in whose loss the average is measured.
    """
    used = sorted((each for each in members if each.identity in weights), key=lambda each: -weights[each.identity])
    shares = {each.identity: weights[each.identity] for each in used}
    predictions = {part: _average(used, shares, part=part) for part in used[0].predictions}
    data = trained_on(data, used[0].config.data)
    on_train = predict_average(data.preparation, parts_of(used, shares))(data.train)
    targets = {"train": data.train, "train_dev": data.train_dev, "dev": data.dev}
    losses = {
        part: loss(goal, arrays.target, on_train if part == "train" else predictions[part])
        for part, arrays in targets.items()
        if arrays
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
        train_losses=row_losses(goal, data.train.target, on_train),
        state={},
        members=shares,
    )


def parts_of(members: Sequence[Outcome], weights: Mapping[str, float]) -> tuple[Part, ...]:
    """What predicts: the weights of each member, and its share."""
    return tuple(Part(weights[each.identity], each.config, each.state) for each in members)


def _average(members: Sequence[Outcome], weights: Mapping[str, float], *, part: str) -> Floats:
    return np.asarray(sum(weights[each.identity] * each.predictions[part].astype(np.float64) for each in members))
