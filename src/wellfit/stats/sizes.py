"""The number of rows needed for a margin, a comparison, a whole split, AUC, recall, a mean loss or several models."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from scipy import special

from wellfit.base.arguments import named
from wellfit.base.serialize import Record
from wellfit.base.typing import Task
from wellfit.exceptions import BadInput
from wellfit.stats.intervals import LEVEL, normal_quantile, wilson

POWER = 0.8
FEWEST_ROWS = 30  # fewer rows are refused: no part of them would be informative
CAP = 0.4  # dev and test together never take more than this share (docs/methods.md, "Split sizes")
GAUSSIAN_CV = math.sqrt(2)  # sd / mean of the squared error of Gaussian residuals


@dataclass(frozen=True)
class SizePlan(Record):
    """The rows for train, dev and test, and the precision that they give."""

    train: int
    dev: int
    test: int
    precision: Mapping[str, float | str]  # `dev_detects` and `test_margin`, and `sentence`, the same in words
    capped: bool  # whether the table was too small for what was asked, so that 60/20/20 was used


@named
def rows_for_margin(*, error: float = 0.5, margin: float, level: float = LEVEL) -> int:
    """Return the number of rows at which Wilson's interval for an error rate is at most +-margin.

    The inversion is exact: with u = z^2/n, (h^2 - 1/4) u^2 + (2 h^2 - p(1-p)) u + h^2 = 0.

    Raises:
        BadInput: for an error outside [0, 1], a margin outside (0, .5) or a level outside (0, 1).
    """
    check_rate("an error rate", error)
    check_open("a margin", margin, below=0.5)
    check_open("a level", level)
    square = margin**2
    a, b = square - 0.25, 2 * square - error * (1 - error)
    u = (-b - math.sqrt(b * b - 4 * a * square)) / (2 * a)
    return whole_rows(normal_quantile(level) ** 2 / u)


def margin_at(*, rows: int, error: float = 0.5, level: float = LEVEL) -> float:
    """Return half the width of Wilson's interval for an error rate measured on `rows` rows."""
    check_rate("an error rate", error)
    _check_rows(rows)
    interval = wilson(error * rows, rows, level=level)
    return (interval.high - interval.low) / 2


@named
def rows_to_detect(
    *, difference: float, disagreement: float = 0.1, level: float = LEVEL, power: float = POWER, candidates: int = 1
) -> int:
    """Return the number of rows that distinguish two models whose error rates differ by `difference`.

    Both are judged on the same rows: n = [(z sqrt(psi) + z_power sqrt(psi - delta^2)) / delta]^2 (Connor 1987), where
    psi is the share of rows on which exactly one of the two is wrong. With more than one candidate, the level is
    Bonferroni-corrected.

    Raises:
        BadInput: unless 0 < difference <= disagreement <= 1, and for other values out of range.
    """
    check_open("a difference", difference)
    check_open("a disagreement", disagreement, below=1 + 1e-12)
    check_open("a level", level)
    check_open("a power", power)
    _check_candidates(candidates)
    if disagreement < difference:
        raise BadInput(
            "the disagreement must be at least the difference, and at most 1",
            found=f"difference {difference:g}, disagreement {disagreement:g}",
            remedy="Raise --disagreement or lower --detect",
        )
    z, z_power = normal_quantile(1 - (1 - level) / candidates), float(special.ndtri(power))
    root = z * math.sqrt(disagreement) + z_power * math.sqrt(disagreement - difference**2)
    return whole_rows((root / difference) ** 2)


def detectable_difference(*, rows: int, disagreement: float = 0.1) -> float:
    """Return the smallest difference that `rows` rows can detect, the inverse of `rows_to_detect` at the usual power.

    If the rows are too few even for disagreements that all fall on one side, the disagreement is assumed to be as large
    as the difference, the most favourable case. The result is 1 if no difference could be detected.
    """
    _check_rows(rows)
    check_open("a disagreement", disagreement, below=1 + 1e-12)
    z, z_power = normal_quantile(LEVEL), float(special.ndtri(POWER))
    # (d sqrt(n) - z sqrt(psi))^2 = z_power^2 (psi - d^2), solved for d.
    a, b = rows + z_power**2, -2 * z * math.sqrt(disagreement * rows)
    c = disagreement * (z**2 - z_power**2)
    detected = (-b + math.sqrt(max(0.0, b * b - 4 * a * c))) / (2 * a)
    return detected if detected <= disagreement else _one_sided_difference(rows, z=z, z_power=z_power)


def relative_margin(rows: int) -> float:
    """Return the relative half-width of the interval of a mean squared error of Gaussian residuals: z cv / sqrt(n)."""
    _check_rows(rows)
    return normal_quantile(LEVEL) * GAUSSIAN_CV / math.sqrt(rows)


@named
def plan_sizes(
    rows: int,
    *,
    task: Task = "classification",
    error: float = 0.5,
    margin: float = 0.01,
    detect: float = 0.01,
    disagreement: float = 0.1,
) -> SizePlan:
    """Divide a table so that dev can detect a difference of `detect` and test gives an interval of +-margin.

    If dev and test would take more than 40 % of the rows, the split is 60/20/20 instead, with the precision that this
    gives. Regression uses the same sizes, and its precision is relative to the mean squared error.

    Raises:
        BadInput: for fewer than 30 rows, or settings out of range.
    """
    if rows < FEWEST_ROWS:
        rule = f"a split must have at least {FEWEST_ROWS} rows"
        raise BadInput(rule, found=f"{rows} rows", remedy="Collect more rows first")
    dev = rows_to_detect(difference=detect, disagreement=disagreement)
    test = rows_for_margin(error=error, margin=margin)
    capped = dev + test > CAP * rows
    if capped:
        dev = test = round(CAP / 2 * rows)
    precision = precision_of(dev=dev, test=test, task=task, error=error, disagreement=disagreement)
    return SizePlan(rows - dev - test, dev, test, precision, capped)


def precision_of(
    *, dev: int, test: int, task: Task, error: float = 0.5, disagreement: float = 0.1
) -> dict[str, float | str]:
    """Return the precision that these rows give: `dev_detects`, `test_margin`, and a `sentence` with both.

    For error rates both are absolute; for regression both are shares of the mean squared error.
    """
    if task == "regression":
        detects, margin = relative_margin(dev), relative_margin(test)
        sentence = (
            f"{dev:,} dev rows give the mean squared error to +-{100 * detects:.3g} %, "
            f"{test:,} test rows to +-{100 * margin:.3g} % (Gaussian residuals)"
        )
    else:
        detects = detectable_difference(rows=dev, disagreement=disagreement)
        margin = margin_at(rows=test, error=error)
        sentence = (
            f"{dev:,} dev rows distinguish two models that differ by {100 * detects:.3g} points (disagreement "
            f"{100 * max(disagreement, detects):.3g} %, power {100 * POWER:g} %); {test:,} test rows give the error "
            f"to +-{100 * margin:.3g} points (at an error of {100 * error:g} %)"
        )
    return {"dev_detects": detects, "test_margin": margin, "sentence": sentence}


def _one_sided_difference(rows: int, *, z: float, z_power: float) -> float:
    """Return the d that `rows` rows detect if it is the whole disagreement: n d = (z + z_power sqrt(1-d))^2."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        enough = rows * middle >= (z + z_power * math.sqrt(1 - middle)) ** 2
        low, high = (low, middle) if enough else (middle, high)
    return high


def whole_rows(value: float) -> int:
    """Round up, unless the value is only a rounding error above a whole number."""
    return max(1, math.ceil(value - 1e-9 * value))


def check_rate(name: str, value: float) -> None:
    """Refuse a rate outside [0, 1]."""
    if not 0 <= value <= 1:
        raise BadInput(f"{name} must be between 0 and 1", found=f"{value:g}", remedy="Write 5 % as .05")


def check_open(name: str, value: float, *, below: float = 1.0) -> None:
    """Refuse a value that is not strictly between 0 and `below`."""
    if not 0 < value < below:
        rule = f"{name} must be between 0 and {below:g}, ends excluded"
        raise BadInput(rule, found=f"{value:g}", remedy="Correct it")


def _check_rows(rows: int) -> None:
    if rows < 1:
        raise BadInput("a set must have at least one row", found=f"{rows} rows", remedy="Give the number of rows")


def _check_candidates(count: int) -> None:
    if count < 1:
        raise BadInput("the number of candidates must be at least one", found=f"{count}", remedy="Correct --candidates")


def auc_error(*, auc: float, positives: float, negatives: float) -> float:
    """Return the standard error of an area under the ROC curve (Hanley and McNeil 1982, for exponential scores).

    SE^2 = [A(1-A) + (n1 - 1)(Q1 - A^2) + (n0 - 1)(Q2 - A^2)] / (n1 n0), Q1 = A/(2-A), Q2 = 2A^2/(1+A).
    """
    check_rate("an AUC", auc)
    if positives < 1 or negatives < 1:
        raise BadInput(
            "an AUC must be measured on rows of both classes",
            found=f"{positives:g} positive and {negatives:g} negative rows",
            remedy="Give at least one of each",
        )
    square = auc**2
    of_positives = (positives - 1) * (auc / (2 - auc) - square)
    of_negatives = (negatives - 1) * (2 * square / (1 + auc) - square)
    return math.sqrt((auc * (1 - auc) + of_positives + of_negatives) / (positives * negatives))


def rows_for_auc(*, auc: float, margin: float, prevalence: float = 0.5, level: float = LEVEL) -> int:
    """Return the number of rows, of both classes together, that measure an area in [.5, 1) to +-margin."""
    if not 0.5 <= auc < 1:
        raise BadInput("an AUC to plan for must be in [.5, 1)", found=f"{auc:g}", remedy="Give the AUC you expect")
    check_open("a margin", margin, below=0.5)
    check_open("a prevalence", prevalence)
    z, fewest = normal_quantile(level), math.ceil(1 / min(prevalence, 1 - prevalence))
    low, high = fewest, fewest

    def half_width(rows: int) -> float:
        # A fifth of five rows is less than one by a rounding error.
        positives, negatives = max(1.0, prevalence * rows), max(1.0, (1 - prevalence) * rows)
        return z * auc_error(auc=auc, positives=positives, negatives=negatives)

    while half_width(high) > margin:
        low, high = high, 2 * high
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if half_width(middle) <= margin else (middle + 1, high)
    return high


def rows_for_recall(*, recall: float, margin: float, prevalence: float, level: float = LEVEL) -> int:
    """Return the number of rows that measure recall to +-margin: Wilson's number of positives over their share."""
    check_open("a prevalence", prevalence, below=1 + 1e-12)
    return whole_rows(rows_for_margin(error=1 - recall, margin=margin, level=level) / prevalence)


def rows_for_mean_loss(*, relative: float, cv: float = GAUSSIAN_CV, level: float = LEVEL) -> int:
    """Return the number of rows that measure a mean loss to within a fraction `relative` of it: (z cv / relative)^2.

    `cv` is the standard deviation of the losses divided by their mean, sqrt(2) for squared Gaussian residuals.
    """
    check_open("a relative margin", relative)
    check_open("a coefficient of variation", cv, below=math.inf)
    return whole_rows((normal_quantile(level) * cv / relative) ** 2)


def rows_for_all(*, candidates: int, margin: float, level: float = LEVEL) -> int:
    """Return the number of rows that measure the errors of several models to +-margin at once, for any errors.

    By Hoeffding's inequality with a union bound, n >= ln(2k / alpha) / (2 h^2). No model of the errors is assumed.
    """
    check_open("a margin", margin)
    check_open("a level", level)
    _check_candidates(candidates)
    return whole_rows(math.log(2 * candidates / (1 - level)) / (2 * margin**2))


def design_effect(*, group_size: float, correlation: float) -> float:
    """Return the factor by which more rows are needed if they come in groups: 1 + (m - 1) rho (Kish 1965).

    m is the mean number of rows in a group, and rho is the correlation of their losses.
    """
    if group_size < 1:
        raise BadInput("a group must have at least one row", found=f"{group_size:g}", remedy="Correct --group-size")
    check_rate("a correlation within groups", correlation)
    return 1 + (group_size - 1) * correlation
