"""Sources of the optimal error: known answers (docs/methods.md, "Optimal error"), and the effect of noisier labels."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from wellfit.data.features import Feature, Features
from wellfit.diagnosis.reference.from_rows import nearest_neighbours, noise_variance, repeated_rows
from wellfit.diagnosis.reference.label_disagreement import counts_of, cover_hart, label_disagreement, majority_error
from wellfit.diagnosis.rows import Rows
from wellfit.exceptions import BadInput


def rows_of(values: np.ndarray, target: np.ndarray, *, classes: int = 2) -> Rows:
    columns = tuple(Feature(f"x{place}", "number") for place in range(values.shape[1]))
    return Rows(features=Features(columns, np.asarray(values, float)), target=target, classes=classes)


def coin_counts(share: np.ndarray | float, labels: int, *, rows: int, seed: int = 0) -> np.ndarray:
    ones = np.random.default_rng(seed).binomial(labels, share, size=rows)
    return np.stack([labels - ones, ones], axis=1)


@pytest.mark.parametrize(
    ("labels", "plugin", "left_out"),
    [(3, 0.21, 0.42), (5, 0.2541, 0.3864), (9, 0.2823, 0.3504), (51, 0.2999, 0.3007)],
)
def test_the_bracket_has_the_known_answers_for_a_coin_of_three_tenths(labels, plugin, left_out):
    found = label_disagreement(coin_counts(0.3, labels, rows=60_000))
    for estimate, known in ((found.plugin, plugin), (found.left_out, left_out), (found.pairs, 2 * 0.3 * 0.7)):
        error = (estimate.high - estimate.value) / 1.96
        # docs/methods.md gives four digits.
        assert estimate.value == pytest.approx(known, abs=4 * error + 5e-5)
    assert found.low <= 0.3 <= found.high


def test_two_unit_normals_two_apart():
    """L* = .15866, D = .2248, Cover-Hart .12906; three labels: .1124, .2248 (docs/methods.md, "Optimal error")."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=60_000) + np.where(rng.random(60_000) < 0.5, 1, -1)
    share = 1 / (1 + np.exp(-2 * x))
    found = label_disagreement(coin_counts(share, 3, rows=60_000))
    assert cover_hart(0.22480, classes=2) == pytest.approx(0.12906, abs=5e-6)
    for estimate, known in ((found.plugin, 0.1124), (found.left_out, 0.2248), (found.pairs, 0.2248)):
        assert estimate.value == pytest.approx(known, abs=4 * (estimate.high - estimate.value) / 1.96 + 5e-5)
    assert found.low <= stats.norm.cdf(-1) <= found.high


@pytest.mark.parametrize(("error", "classes", "known"), [(0.2, 2, 0.1127), (0.2, 10, 0.10627), (0.0, 2, 0.0)])
def test_cover_hart_has_the_known_answers(error, classes, known):
    assert cover_hart(error, classes=classes) == pytest.approx(known, abs=5e-5)


def test_a_bracket_holds_the_truth_as_often_as_it_says():
    """The worst case: at one share for all rows Cover and Hart's bound is the truth itself."""
    held = 0
    for seed in range(300):
        found = label_disagreement(coin_counts(0.2, 3, rows=200, seed=seed))
        held += found.low <= 0.2 <= found.high
    assert held / 300 >= 0.95 - 4 * np.sqrt(0.95 * 0.05 / 300)


def test_a_majority_is_easier_to_predict_than_one_annotator():
    counts = coin_counts(0.2, 9, rows=20_000)
    majority, one = majority_error(counts, voters=5), label_disagreement(counts)
    # A majority of five is 1 with probability P(Bin(5, .2) >= 3) = .05792; that of the other four errs too, at ties.
    assert 0.05792 < majority.point < one.left_out.value
    assert majority.low < majority.point < majority.high
    assert majority.upper_bound


def test_one_label_per_row_is_refused_with_what_is_missing():
    with pytest.raises(BadInput, match="10 rows with 2 or more labels"):
        label_disagreement(np.eye(2, dtype=int)[np.zeros(50, int)])
    with pytest.raises(BadInput, match="must have more than 3 labels"):
        majority_error(coin_counts(0.2, 3, rows=20), voters=3)


def test_labels_are_counted_by_annotator():
    counts, classes = counts_of([["a", "b", None], ["a", "a", "b"]])
    assert classes == ("a", "b")
    assert counts.tolist() == [[2, 0], [1, 1], [0, 1]]


def test_equal_rows_bracket_the_optimal_error():
    """Fifty inputs, each with its own share of ones; the optimal error is the mean of min(p, 1 - p)."""
    rng = np.random.default_rng(0)
    share = rng.uniform(0.0, 0.4, size=50)
    x = rng.integers(0, 50, size=3_000)
    target = (rng.random(3_000) < share[x]).astype(np.int64)
    found = repeated_rows(rows_of(x[:, None], target))
    assert found.covered == 1
    assert found.found.low <= np.mean(share[x]) <= found.found.high
    assert repeated_rows(rows_of(rng.normal(size=(500, 2)), np.zeros(500, np.int64))) is None


def test_neighbours_move_on_the_line_of_label_noise():
    """Labels replaced uniformly in a share rho: L*_rho = L* + rho (1 - 1/C - L*) (the property of FeeBee)."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(8_000, 2))
    clean = (x[:, 0] > 0).astype(np.int64)
    for rho in (0.0, 0.2, 0.4):
        noisy = np.where(rng.random(8_000) < rho, rng.integers(0, 2, 8_000), clean)
        found = nearest_neighbours(rows_of(x, noisy))
        assert found.estimate == pytest.approx(rho / 2, abs=0.02)
    assert nearest_neighbours(rows_of(x[:500], clean[:500])) is None


@pytest.mark.parametrize("columns", [1, 2])
def test_noise_variance_of_a_smooth_function(columns):
    """True .25 (docs/methods.md, "Optimal error": at two columns all estimates are .252 to .254)."""
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, size=(4_000, columns))
    target = np.sin(2 * x).sum(axis=1) + 0.5 * rng.normal(size=4_000)
    found = noise_variance(rows_of(x, target, classes=0))
    assert found.gamma == pytest.approx(0.25, abs=0.03)
    assert found.replicates is None
    assert found.warning == ""


def test_replicates_give_the_variance_without_bias():
    rng = np.random.default_rng(0)
    x = np.repeat(np.arange(200.0), 20)
    target = 10 * np.sin(x) + 0.5 * rng.normal(size=4_000)
    found = noise_variance(rows_of(x[:, None], target, classes=0))
    # chi-squared with 3800 degrees of freedom
    assert found.replicates == pytest.approx(0.25, abs=4 * 0.25 * np.sqrt(2 / 3_800))


def test_many_columns_come_with_a_warning():
    rng = np.random.default_rng(0)
    found = noise_variance(rows_of(rng.normal(size=(300, 8)), rng.normal(size=300), classes=0))
    assert "overestimated" in found.warning
