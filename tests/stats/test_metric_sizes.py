from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy import stats

from wellfit.exceptions import BadInput
from wellfit.stats.sizes import (
    auc_error,
    design_effect,
    rows_for_all,
    rows_for_auc,
    rows_for_margin,
    rows_for_mean_loss,
    rows_for_recall,
)


def test_known_error_of_an_auc():
    assert auc_error(auc=0.85, positives=500, negatives=500) == pytest.approx(0.01227, abs=5e-6)


def test_the_error_of_an_auc_is_that_of_exponential_scores():
    """Hanley and McNeil's Q1 and Q2 are exact for exponential scores: simulated areas spread as much."""
    rng, rate = np.random.default_rng(0), 0.85 / 0.15  # P(negative < positive) = rate / (1 + rate)
    areas = []
    for _ in range(2000):
        positive, negative = rng.exponential(rate, 60), rng.exponential(1, 80)
        areas.append(stats.mannwhitneyu(positive, negative).statistic / (60 * 80))
    exact = auc_error(auc=0.85, positives=60, negatives=80)
    # The standard error of a standard deviation, for a spread that is nearly normal.
    assert np.std(areas) == pytest.approx(exact, abs=4 * exact / math.sqrt(2 * 2000))


@given(st.floats(0.5, 0.99), st.floats(0.02, 0.2), st.floats(0.05, 0.95))
@example(auc=0.75, margin=0.125, prevalence=0.2 - 2**-55)
def test_an_auc_gets_the_fewest_rows_that_reach_the_margin(auc, margin, prevalence):
    rows = rows_for_auc(auc=auc, margin=margin, prevalence=prevalence)

    def half(count):
        positives, negatives = max(1.0, prevalence * count), max(1.0, (1 - prevalence) * count)
        return 1.959964 * auc_error(auc=auc, positives=positives, negatives=negatives)

    assert half(rows) <= margin * (1 + 1e-6)
    if rows > math.ceil(1 / min(prevalence, 1 - prevalence)):
        assert half(rows - 1) > margin * (1 - 1e-6)


@pytest.mark.parametrize(("candidates", "rows"), [(1, 18_445), (100, 41_471)])
def test_known_rows_for_several_models_at_once(candidates, rows):
    assert rows_for_all(candidates=candidates, margin=0.01) == rows


def test_known_rows_for_a_mean_squared_error():
    assert rows_for_mean_loss(relative=0.1) == 769


def test_recall_needs_the_rows_of_an_error_rate_among_the_positives():
    positives = rows_for_margin(error=0.1, margin=0.05)
    assert rows_for_recall(recall=0.9, margin=0.05, prevalence=1.0) == positives
    assert rows_for_recall(recall=0.9, margin=0.05, prevalence=0.02) == math.ceil(positives / 0.02)


def test_groups_of_one_and_uncorrelated_rows_cost_nothing():
    assert design_effect(group_size=1, correlation=0.7) == design_effect(group_size=9, correlation=0) == 1
    assert design_effect(group_size=5, correlation=0.25) == 2


@pytest.mark.parametrize(
    "call",
    [
        pytest.param(lambda: auc_error(auc=1.2, positives=5, negatives=5), id="area-above-1"),
        pytest.param(lambda: auc_error(auc=0.8, positives=0, negatives=5), id="no-positive"),
        pytest.param(lambda: rows_for_auc(auc=0.3, margin=0.1), id="area-below-half"),
        pytest.param(lambda: rows_for_auc(auc=0.8, margin=0.1, prevalence=0), id="no-prevalence"),
        pytest.param(lambda: rows_for_recall(recall=0.8, margin=0.1, prevalence=1.5), id="prevalence-above-1"),
        pytest.param(lambda: rows_for_mean_loss(relative=0), id="no-relative-margin"),
        pytest.param(lambda: rows_for_mean_loss(relative=0.1, cv=-1), id="negative-cv"),
        pytest.param(lambda: rows_for_all(candidates=0, margin=0.1), id="no-candidate"),
        pytest.param(lambda: design_effect(group_size=0.5, correlation=0.1), id="half-a-row"),
        pytest.param(lambda: design_effect(group_size=3, correlation=1.1), id="correlation-above-1"),
    ],
)
def test_bad_input_says_so(call):
    with pytest.raises(BadInput):
        call()
