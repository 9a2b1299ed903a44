"""What augmentation is worth in rows, on curves whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from wellfit.diagnosis.more_data import Anchors
from wellfit.diagnosis.worth import worth_in_rows

ROWS = np.array([250, 354, 500, 707, 1000, 1414, 2000])


def error(rows):
    return 0.02 + 2.0 * np.asarray(rows, dtype=float) ** -0.5


def curve(*, repeats=4, noise=0.0, seed=0):
    rng = np.random.default_rng(seed)
    dev = error(ROWS)[:, None] + noise * rng.standard_normal((len(ROWS), repeats))
    return Anchors(ROWS, np.zeros_like(dev), dev, np.zeros((len(ROWS), len(ROWS))))


@pytest.mark.parametrize("more", [300, 1_300, 4_000])
def test_an_error_that_more_rows_would_reach_is_worth_those_rows(more):
    found = worth_in_rows(curve(), np.full(3, error(2_000 + more)))
    assert found.more == pytest.approx(more, rel=0.05)
    assert found.low <= found.more <= found.high


def test_repeats_that_differ_widen_the_interval_and_it_holds_the_truth():
    changed = error(3_300) + 0.001 * np.random.default_rng(1).standard_normal(4)
    found = worth_in_rows(curve(noise=0.001), changed)
    assert found.low < 1_300 < (found.high or 10**9)
    assert (found.high or 10**9) - found.low > 200


def test_what_is_no_better_is_worth_no_row():
    found = worth_in_rows(curve(), np.full(3, error(1_900)))
    assert found.more == 0
    assert found.sentence == (
        "Augmentation is worth no additional pictures here, because the dev error is just as low without it."
    )


def test_beyond_four_times_the_rows_no_number_is_told():
    found = worth_in_rows(curve(), np.full(3, error(20_000)))
    assert found.more is None
    assert found.sentence == "Augmentation is worth more than 6,000 additional pictures (there are 2,000)."
    assert found.to_json()["high"] is None


def test_the_sentence_gives_two_digits():
    found = worth_in_rows(curve(), np.full(3, error(3_312)))
    assert "worth about 1,300 additional pictures (from 1,300 to 1,300)" in found.sentence
    assert "with it, 2,000 pictures do as well as 3,300 without" in found.sentence
