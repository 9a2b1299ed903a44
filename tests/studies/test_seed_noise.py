"""The noise between seeds: "another seed moves dev by +-x" covers, and a gain inside it is no gain."""

from __future__ import annotations

import numpy as np
import pytest
from trainers import HUMAN, KNOBS, followed, told

import wellfit as wf
from wellfit.records.config import Config, Told
from wellfit.records.outcome import Outcome, Status
from wellfit.studies.noise import noise_of


def _outcome(dev, *, seed, place=0):
    config = Config(own=(Told("optimization", "width", place),), seed=seed)
    about = {"updates": 0, "seconds": 0.0, "curve": (), "weight_norms": ()}
    return Outcome(config=config, status=Status.FINISHED, losses={"train": 0.0, "dev": dev}, **about)


@pytest.mark.parametrize(("groups", "seeds"), [(1, 3), (1, 6), (3, 2)])
def test_the_difference_of_two_new_seeds_is_inside_in_95_of_100(groups, seeds):
    rng, inside = np.random.default_rng(0), []
    for _ in range(4_000):
        dev = rng.normal(0.1, 0.01, (groups, seeds))
        found = noise_of(
            _outcome(float(dev[place, seed]), seed=seed, place=place)
            for place in range(groups)
            for seed in range(seeds)
        )
        new = rng.normal(0.1, 0.01, 2)
        inside.append(abs(new[0] - new[1]) <= found.at())
    # Four standard errors of a share of 4,000.
    assert abs(np.mean(inside) - 0.95) < 0.014


def test_one_fit_of_each_config_shows_no_noise():
    assert noise_of([_outcome(0.1, seed=0, place=0), _outcome(0.2, seed=0, place=1)]) is None


@pytest.mark.parametrize(("spread", "kept"), [(0.0, True), (0.03, False)], ids=["repeats itself", "noisy"])
def test_a_gain_inside_the_noise_is_no_gain(tmp_path, spread, kept):
    def fit(trial):
        gain = 0.03 if trial.knobs["l2"] else 0.0
        return told(HUMAN, 0.15 - gain + spread * (trial.seed - 1))

    study = wf.Study(tmp_path / "s.wellfit", knobs={"l2": KNOBS["l2"]}, human_error=HUMAN, repeats=2)
    seeds = []
    while trial := study.ask():
        seeds.append(trial.seed)
        study.tell(trial, **fit(trial))
    body = study.to_json()
    assert seeds[:3] == [0, 1, 2]
    assert body["noise"]["fits"] == 3
    assert (body["noise"]["dev"] > 0.03) is not kept
    assert body["steps"][0]["kept"] is kept
    assert followed(study, None) == []
