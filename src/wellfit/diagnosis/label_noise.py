"""The number of wrong labels, and the gain in precision from auditing m rows.

Without an audit, wrong labels cannot be distinguished from overlapping classes, except where models that were not
trained on a row are most certain of its class. A label that disagrees even there is wrong, unless no row is easy to
predict. One network alone is not enough, since it may be sure and wrong (if it overfits) or sure of nothing (if it
underfits). The same must therefore hold for a second model of a different kind.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from wellfit.base.arguments import named
from wellfit.base.serialize import Record
from wellfit.base.typing import Booleans, Floats, Integers
from wellfit.diagnosis.findings import Finding, finding
from wellfit.diagnosis.gaps import Errors
from wellfit.diagnosis.optimal_error import Optimal
from wellfit.diagnosis.rows import NetworkOnRows, OpenRows, Rows
from wellfit.exceptions import BadInput
from wellfit.records.goals import Goal
from wellfit.stats.intervals import LEVEL, Estimate, normal_quantile, wilson

MATERIAL = 0.02  # share of wrong labels that is worth an alarm
SUREST = 0.1  # of the rows
FEWEST_ROWS = 200
AUDITED = 200  # rows of the audit that is proposed
_NAMED_AT_MOST = 5


@dataclass(frozen=True)
class Audit(Record):
    """The error on clean labels, the error on the given labels, and the share of wrong labels among audited rows."""

    clean: Estimate
    noisy: Estimate
    rate: Estimate
    audited: int


@dataclass(frozen=True)
class Suspicion:
    """The rows whose labels look wrong."""

    rate: Estimate  # share of the rows that a model is surest of with another label; of several models the lowest
    rows: tuple[int, ...]  # indices of all rows with another label, the surest first: where to begin an audit
    of: int  # rows that were looked at


@named
def audited_error(noisy_wrong: Booleans, clean_wrong: Booleans, audited: Integers) -> Audit:
    """Correct an error for wrong labels of any pattern (double sampling; prediction-powered inference).

    The error on all noisy labels is corrected by the mean difference between clean and noisy errors on audited rows.

    Args:
        noisy_wrong: [rows] whether the prediction differs from the label.
        clean_wrong: [audited] whether it differs from the audited label.
        audited: [audited] indices of the audited rows, drawn at random.

    Raises:
        BadInput: for fewer than two audited rows, or counts that differ.
    """
    if len(audited) < 2 or len(audited) != len(clean_wrong):
        raise BadInput(
            "an audit must give a clean label to at least two rows",
            found=f"{len(audited)} rows and {len(clean_wrong)} labels",
            remedy="Audit more rows, drawn at random",
        )
    rows = len(noisy_wrong)
    apart = clean_wrong.astype(np.float64) - noisy_wrong[audited]
    noisy = float(noisy_wrong.mean())
    value = noisy + float(apart.mean())
    # The audited rows are among all rows, so that the sampling error of all of them enters once.
    variance = noisy * (1 - noisy) / rows + float(apart.var(ddof=1)) / len(audited)
    half = normal_quantile(LEVEL) * math.sqrt(variance)
    clean = Estimate(value, max(0.0, value - half), min(1.0, value + half), rows)
    changed = float((apart != 0).sum())
    return Audit(clean, wilson(float(noisy_wrong.sum()), rows), wilson(changed, len(audited)), len(audited))


def audit_width(rate: float, *, audited: int, rows: int, error: float) -> float:
    """Return the half-width of the clean error's 95 % interval for a given number of audited rows.

    `rate` is the share of labels whose correction changes whether the prediction is right, `error` the error on the
    labels as they are.
    """
    return normal_quantile(LEVEL) * math.sqrt(error * (1 - error) / rows + rate * (1 - rate) / audited)


def observed_error(error: float, *, noise: float, classes: int) -> float:
    """Return the error measured when a share `noise` of the labels is wrong and all other classes are equally likely.

    It is rho + e (1 - rho C / (C - 1)).
    """
    return noise + error * (1 - noise * classes / (classes - 1))


def suspicious_labels(target: Integers, probabilities: Floats, *, rival: Floats | None = None) -> Suspicion | None:
    """Look at the labels [rows] of the rows about which a model is most certain; None for fewer than 200 rows.

    The probabilities [rows, classes] come from a model that was not trained on the rows, and `rival` comes from a
    different kind of model.
    """
    if len(target) < FEWEST_ROWS:
        return None
    found = _doubts(target, probabilities)
    if rival is not None:
        second = _doubts(target, rival)
        found = replace(found, rate=min(found.rate, second.rate, key=lambda rate: rate.value))
    return found


def _doubts(target: Integers, probabilities: Floats) -> Suspicion:
    said, sure = probabilities.argmax(axis=1), probabilities.max(axis=1)
    # Of all rows, not of each class: a class may have no easy row at all.
    surest = np.zeros(len(target), bool)
    surest[np.argsort(-sure, kind="stable")[: math.ceil(SUREST * len(target))]] = True
    other = said != target
    order = np.flatnonzero(other)[np.argsort(-sure[other], kind="stable")]
    rate = wilson(float((surest & other).sum()), int(surest.sum()))
    return Suspicion(rate, tuple(int(row) for row in order), len(target))


@dataclass(frozen=True)
class Yardstick:
    """The lowest dev error of any model and the reference, which together separate wrong labels from hard rows."""

    best: Estimate
    optimal: Optimal
    classes: int

    def explains(self, rate: Estimate) -> bool:
        """Return True if the evidence is compatible with correct labels.

        This is so if the best error is not significantly above the reference, or is too low for this share of wrong
        labels: with them no model gets below the `observed_error` of the optimal error.
        """
        if self.best.low <= self.optimal.high:
            return True
        most = 1 - 1 / self.classes
        return self.best.high < observed_error(self.optimal.low, noise=min(rate.low, most), classes=self.classes)


def label_noise_finding(found: Suspicion | None, *, yardstick: Yardstick | None = None) -> Finding:
    """WF209: fires if over 2 % of the rows about which a model is most certain have a different label."""
    if found is None:
        why = f"This check needs {FEWEST_ROWS} rows with probabilities from a model that was not trained on them."
        return finding("WF209", fired=None, evidence=why)
    rate = found.rate
    said = (
        f"Of the {rate.rows:,} rows about which a model is most certain, {100 * rate.low:.1f} to "
        f"{100 * rate.high:.1f} % have a different label"
    )
    if rate.high <= MATERIAL:
        return finding("WF209", fired=False, evidence=f"{said}.", interval=rate)
    if rate.low <= MATERIAL:
        error = len(found.rows) / found.of
        audit = audit_width(rate.value, audited=AUDITED, rows=found.of, error=error)
        width = f"{100 * audit:.1f} points"
        said = f"Cannot tell: {said}. Auditing {AUDITED} rows would measure the error to within {width}."
        return finding("WF209", fired=None, evidence=said, interval=rate)
    if yardstick is not None and yardstick.explains(rate):
        why = (
            "but the best dev error is too close to the reference for such a share of wrong labels, so perhaps no row "
            "is easy."
        )
        return finding("WF209", fired=None, evidence=f"Cannot tell: {said}; {why}")
    named = ", ".join(str(row + 1) for row in found.rows[:_NAMED_AT_MOST])
    return finding("WF209", fired=True, evidence=f"{said}. Audit first: dev rows {named}.", interval=rate)


def wrong_labels(*, errors: Errors, rows: OpenRows, network: NetworkOnRows) -> Finding:
    """WF209 for a network on dev, compared with a second model."""
    if rows.goal.task != "classification":
        return label_noise_finding(None)
    optimal = None if errors.optimal.source == "none" else errors.optimal
    return doubted_labels(rows.dev, network.predictions, goal=rows.goal, opinion=rows.opinion, optimal=optimal)


def doubted_labels(
    dev: Rows, predictions: Floats, *, goal: Goal, opinion: Floats | None, optimal: Optimal | None
) -> Finding:
    """WF209 for the classes of dev, given the probabilities [rows, classes] of a model and of a second one."""
    target = np.asarray(dev.target, np.int64)
    yardstick = None
    if goal.counts_rows and optimal is not None:
        told = [predictions] if opinion is None else [predictions, opinion]
        least = min(int((each.argmax(axis=1) != target).sum()) for each in told)
        yardstick = Yardstick(wilson(least, len(target)), optimal, predictions.shape[1])
    return label_noise_finding(suspicious_labels(target, predictions, rival=opinion), yardstick=yardstick)
