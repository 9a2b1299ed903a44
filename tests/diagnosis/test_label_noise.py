"""Label noise: the audit is unbiased, the inversion exact, and sure rows show what overlap cannot hide."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from wellfit.diagnosis.label_noise import (
    audit_width,
    audited_error,
    label_noise_finding,
    observed_error,
    suspicious_labels,
)


@pytest.mark.parametrize(("classes", "known"), [(2, 0.14), (10, 0.14444)])
def test_symmetric_noise_has_the_known_answers(classes, known):
    """e = .05, rho = .1 (docs/methods.md, "Label noise")."""
    assert observed_error(0.05, noise=0.1, classes=classes) == pytest.approx(known, abs=5e-6)


def test_an_audit_is_unbiased_for_noise_of_any_pattern_and_its_interval_holds():
    """Noise that strikes only rows that the network has right, the hardest pattern for an inversion."""
    rng = np.random.default_rng(0)
    held, values = 0, []
    for _ in range(400):
        clean = rng.random(2_000) < 0.08
        noisy = clean | (~clean & (rng.random(2_000) < 0.1))
        audited = rng.choice(2_000, 300, replace=False)
        found = audited_error(noisy, clean[audited], audited)
        values.append(found.clean.value)
        held += found.clean.low <= 0.08 <= found.clean.high
    assert np.mean(values) == pytest.approx(0.08, abs=4 * np.std(values) / 20)
    assert held / 400 >= 0.95 - 4 * np.sqrt(0.95 * 0.05 / 400)


def test_more_audited_rows_buy_a_narrower_interval():
    widths = [audit_width(0.1, audited=m, rows=10_000, error=0.15) for m in (100, 400, 1_600)]
    assert widths[0] == pytest.approx(1.96 * np.sqrt(0.15 * 0.85 / 10_000 + 0.09 / 100), rel=1e-3)
    assert widths == sorted(widths, reverse=True)


def dev_rows(rows: int, *, noise: float, apart: float = 2.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Two normals, with the probabilities of a model that knows the density."""
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 2, rows)
    x = rng.normal(size=rows) + apart * (label - 0.5)
    share = 1 / (1 + np.exp(-apart * x))
    flipped = label ^ (rng.random(rows) < noise)
    return flipped, np.stack([1 - share, share], axis=1)


@pytest.mark.parametrize("noise", [0.1, 0.2])
def test_planted_noise_fires_and_names_rows_to_audit(noise):
    target, probabilities = dev_rows(3_000, noise=noise)
    found = suspicious_labels(target, probabilities)
    assert found.rate.value == pytest.approx(noise, abs=0.06)
    finding = label_noise_finding(found)
    assert finding.status == "fired"
    assert "Audit first: dev rows" in finding.evidence


@pytest.mark.parametrize(("rows", "apart"), [(300, 2.0), (3_000, 2.0), (3_000, 3.0)])
def test_classes_that_only_overlap_are_no_alarm(rows, apart):
    fired = [
        label_noise_finding(suspicious_labels(*dev_rows(rows, noise=0.0, apart=apart, seed=seed))).status == "fired"
        for seed in range(100)
    ]
    assert sum(fired) <= stats.binom.ppf(1 - 0.001, 100, 0.05)


def test_few_rows_cannot_tell():
    assert label_noise_finding(suspicious_labels(*dev_rows(150, noise=0.1))).status == "not applicable"
    undecided = label_noise_finding(suspicious_labels(*dev_rows(300, noise=0.03)))
    assert undecided.status == "not applicable"
    assert "Auditing 200 rows" in undecided.evidence
