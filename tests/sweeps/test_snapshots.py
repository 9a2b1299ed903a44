from __future__ import annotations

from random import Random

import numpy as np

from wellfit.records.config import Config
from wellfit.records.outcome import Outcome, Status
from wellfit.sweeps.executor import ignore_outcome
from wellfit.sweeps.forward_selection import MOST
from wellfit.sweeps.search import Training


def outcome(seed: int, *, dev: float, status: Status = Status.AT_RUNG) -> Outcome:
    return Outcome(
        config=Config(seed=seed),
        status=status,
        updates=5,
        seconds=1.0,
        losses={"train": 0.0, "dev": dev},
        curve=(),
        weight_norms=(),
        predictions={},
        train_losses=np.empty(0),
        state={},
    )


def training() -> Training:
    return Training(executor=None, known={}, deadline=None, rungs=None, on_outcome=ignore_outcome)


def test_the_best_snapshots_are_kept_whatever_their_order_and_no_more_than_an_ensemble_looks_at():
    taken = [outcome(seed, dev=seed // 2) for seed in range(2 * MOST)]
    kept = [training(), training()]
    for each_kept, order in zip(kept, (taken, Random(0).sample(taken, len(taken))), strict=True):
        for each in order:
            each_kept.file(each)
    first, second = ([each.identity for each in each_kept.snapshots] for each_kept in kept)
    assert first == second
    assert len(first) == MOST
    assert [each.losses["dev"] for each in kept[0].snapshots] == [seed // 2 for seed in range(MOST)]


def test_the_end_of_a_training_is_no_snapshot():
    each_kept = training()
    each_kept.file(outcome(0, dev=0.0, status=Status.FINISHED))
    assert each_kept.snapshots == []
