"""How many rows other questions need: AUC, recall, a mean loss, several models at once, rows that come in groups."""

from __future__ import annotations

import math

from scipy import special

from wellfit.exceptions import BadInput
from wellfit.stats.intervals import LEVEL, normal_quantile
from wellfit.stats.sizes import (
    GAUSSIAN_CV,
    POWER,
    check_open,
    check_rate,
    rows_for_margin,
    whole_rows,
)


def auc_error(*, auc: float, positives: float, negatives: float) -> float:
    """Standard error of an area under the ROC curve (Hanley and McNeil 1982, for exponential scores).

    SE^2 = [A(1-A) + (n1 - 1)(Q1 - A^2) + (n0 - 1)(Q2 - A^2)] / (n1 n0), Q1 = A/(2-A), Q2 = 2A^2/(1+A).

    Raises:
        BadInput: for an area outside [0, 1], or less than one row of a class.
    """
    check_rate("an AUC", auc)
    if positives < 1 or negatives < 1:
        raise BadInput(
            "an AUC needs rows of both classes",
            found=f"{positives:g} positive and {negatives:g} negative rows",
            remedy="Give at least one of each",
        )
    square = auc**2
    of_positives = (positives - 1) * (auc / (2 - auc) - square)
    of_negatives = (negatives - 1) * (2 * square / (1 + auc) - square)
    return math.sqrt((auc * (1 - auc) + of_positives + of_negatives) / (positives * negatives))


def rows_for_auc(*, auc: float, margin: float, prevalence: float = 0.5, level: float = LEVEL) -> int:
    """Rows, of both classes together, that give an area to +-margin by `auc_error`.

    Raises:
        BadInput: for an area outside [.5, 1), a margin or prevalence outside (0, 1).
    """
    if not 0.5 <= auc < 1:
        raise BadInput("an AUC to plan for lies in [.5, 1)", found=f"{auc:g}", remedy="Give the AUC you expect")
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
    """Rows that hold enough positives for a recall to +-margin: Wilson on the positives, divided by their share.

    Raises:
        BadInput: for a recall outside [0, 1], a margin or prevalence out of range.
    """
    check_open("a prevalence", prevalence, below=1 + 1e-12)
    return whole_rows(rows_for_margin(error=1 - recall, margin=margin, level=level) / prevalence)


def rows_for_mean_loss(*, relative: float, cv: float = GAUSSIAN_CV, level: float = LEVEL) -> int:
    """Rows that give a mean loss to a share `relative` of itself: (z cv / relative)^2.

    Args:
        relative: half-width of the interval as a share of the mean, in (0, 1).
        cv: standard deviation of the losses over their mean; sqrt(2) for squared Gaussian residuals.
        level: two-sided level of the interval.

    Raises:
        BadInput: for values out of range.
    """
    check_open("a relative margin", relative)
    check_open("a coefficient of variation", cv, below=math.inf)
    return whole_rows((normal_quantile(level) * cv / relative) ** 2)


def rows_for_all(*, candidates: int, margin: float, level: float = LEVEL) -> int:
    """Rows that give the error of each of several models to +-margin at once, whatever they are.

    Hoeffding's inequality with a union bound: n >= ln(2k / alpha) / (2 h^2). No model of the errors is assumed.

    Raises:
        BadInput: for fewer than one candidate, or values out of range.
    """
    check_open("a margin", margin)
    check_open("a level", level)
    if candidates < 1:
        raise BadInput("there is at least one candidate", found=f"{candidates}", remedy="Correct --candidates")
    return whole_rows(math.log(2 * candidates / (1 - level)) / (2 * margin**2))


def rows_to_detect_apart(*, first: float, second: float, level: float = LEVEL, power: float = POWER) -> int:
    """Rows for each of two models that are judged on different rows, with error rates `first` and `second`.

    n = [(z sqrt(2 p (1-p)) + z_power sqrt(p1 (1-p1) + p2 (1-p2))) / (p1 - p2)]^2, p their mean.

    Raises:
        BadInput: for rates outside [0, 1], or equal ones.
    """
    check_rate("an error rate", first)
    check_rate("an error rate", second)
    check_open("a level", level)
    check_open("a power", power)
    if first == second:
        raise BadInput("only different error rates can be told apart", found=f"{first:g} twice", remedy="Correct one")
    mean = (first + second) / 2
    spread = math.sqrt(first * (1 - first) + second * (1 - second))
    root = normal_quantile(level) * math.sqrt(2 * mean * (1 - mean)) + float(special.ndtri(power)) * spread
    return whole_rows((root / (first - second)) ** 2)


def design_effect(*, group_size: float, correlation: float) -> float:
    """By how much more rows are needed when they come in groups: 1 + (m - 1) rho (Kish 1965).

    Args:
        group_size: mean rows in a group, at least 1.
        correlation: correlation of the losses within a group, in [0, 1].

    Raises:
        BadInput: for values out of range.
    """
    if group_size < 1:
        raise BadInput("a group has at least one row", found=f"{group_size:g}", remedy="Correct --group-size")
    check_rate("a correlation within groups", correlation)
    return 1 + (group_size - 1) * correlation
