from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from wellfit.exceptions import BadInput
from wellfit.stats.differences import worse_p


@pytest.mark.parametrize(("alone_first", "alone_second"), [(0, 5), (5, 0), (12, 4), (30, 30)])
def test_errors_get_the_exact_binomial_test(alone_first, alone_second):
    first, second = np.zeros((2, 100))
    first[:alone_first] = 1
    second[alone_first : alone_first + alone_second] = 1
    second[-10:] = first[-10:] = 1
    exact = stats.binomtest(alone_first, alone_first + alone_second, alternative="greater").pvalue
    assert worse_p(first, second) == pytest.approx(exact, rel=1e-12)


def test_symmetric_differences_get_nearly_students_t():
    half = np.random.default_rng(0).normal(size=500)
    differences = 0.1 + np.r_[half, -half]  # no skewness at all
    expected = stats.ttest_1samp(differences, 0, alternative="greater").pvalue
    assert worse_p(differences, np.zeros(1_000)) == pytest.approx(expected, rel=1e-6)


def test_a_long_tail_that_favours_the_first_does_not_make_it_worse():
    # Mean 0, mostly small and positive, seldom large and negative: plain t rejects 2.4 times too often here.
    source, level, runs = np.random.default_rng(1), 0.01, 3_000
    draws = np.exp(0.5) - source.lognormal(size=(runs, 1_000))
    ours = np.mean([worse_p(row, np.zeros(1_000)) < level for row in draws])
    students = np.mean(stats.ttest_1samp(draws, 0, axis=1, alternative="greater").pvalue < level)
    assert students > 2 * level
    assert ours < 1.8 * level


def test_few_rows_that_differ_cannot_say_much():
    first, second = np.zeros((2, 1_000))
    first[:5] = [2.0, 2.1, 2.2, 2.0, 2.1]
    assert worse_p(first, second) >= 2**-5
    assert worse_p(second, second) == 1
    assert worse_p(second + 1e-3, second) == pytest.approx(0)
    assert worse_p(second, second + 1e-3) == 1


def test_only_the_same_rows_are_compared():
    with pytest.raises(BadInput, match="3 and 2 losses"):
        worse_p(np.zeros(3), np.zeros(2))
