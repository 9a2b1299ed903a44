"""`wellfit size`: the number of rows needed for a margin, a comparison or a whole split."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from wellfit.cli.options import all_of, flag
from wellfit.cli.session import Session
from wellfit.cli.stage import Callback, stage
from wellfit.exceptions import BadInput

if TYPE_CHECKING:
    from wellfit.base.typing import Json

GROUPS = ("group_size", "group_correlation")
PLANNED = ("rows", "error", "margin", "detect", "disagreement", "task")
NUMBERS = {
    "error": ("RATE", "Expected error rate, for --margin.  [default: .5, the worst case]"),
    "margin": ("H", "Desired half-width of the interval for the error, AUC or recall.  [default: .01]"),
    "auc": ("A", "Expected area under the ROC curve; --margin is then its half-width."),
    "recall": ("R", "Expected recall; --margin is then its half-width."),
    "prevalence": ("P", "Share of positive rows, for --auc and --recall.  [default: .5]"),
    "relative": ("SHARE", "Desired half-width of the interval for a mean loss, as a share of the loss."),
    "cv": ("CV", "sd / mean of the losses, for --relative.  [default: sqrt(2)]"),
    "detect": ("D", "Difference between the errors of two models to detect.  [default: .01]"),
    "disagreement": ("SHARE", "Share of rows on which exactly one of the two models is wrong.  [default: .1]"),
    "power": ("P", "Probability of detecting an existing difference.  [default: .8]"),
    "level": ("L", "Level of the interval or test.  [default: .95]"),
    "group_size": ("M", "Mean number of rows per group (patient, customer)."),
    "group_correlation": ("RHO", "Correlation of the losses within a group.  [default: .1]"),
}
"""Options with a number: for each, its placeholder in the help and its help text."""


@dataclass(frozen=True)
class Question:
    """One question: the function of stats/sizes.py that answers it, its method in the JSON, and its assumptions."""

    function: str
    method: str
    usual: Mapping[str, float]
    answer: str
    """A sentence with `rows` and the assumptions in percent; `raw` has the assumptions as they are."""


QUESTIONS = {
    "margin": Question(
        "rows_for_margin",
        "wilson",
        {"error": 0.5, "margin": 0.01},
        "With {rows:,} rows, an error of {error} % is known to +-{margin} points (Wilson interval, level {level} %).",
    ),
    "candidates": Question(
        "rows_for_all",
        "hoeffding",
        {"margin": 0.01},
        "With {rows:,} rows, the errors of {raw[candidates]} models are all known to +-{margin} points at once, "
        "whatever they are (Hoeffding, level {level} %).",
    ),
    "detect": Question(
        "rows_to_detect",
        "paired",
        {"detect": 0.01, "disagreement": 0.1, "power": 0.8, "candidates": 1},
        "{rows:,} rows distinguish two models whose errors differ by {difference} points (exactly one of them is wrong "
        "on {disagreement} % of the rows; level {level} %, power {power} %, candidates {raw[candidates]}).",
    ),
    "auc": Question(
        "rows_for_auc",
        "hanley-mcneil",
        {"margin": 0.01, "prevalence": 0.5},
        "With {rows:,} rows, {prevalence} % of them positive, an AUC of {raw[auc]:g} is known to +-{raw[margin]:g} "
        "(Hanley and McNeil, level {level} %).",
    ),
    "recall": Question(
        "rows_for_recall",
        "wilson",
        {"margin": 0.01, "prevalence": 0.5},
        "With {rows:,} rows, {prevalence} % of them positive, a recall of {recall} % is known to +-{margin} points "
        "(Wilson on the positives, level {level} %).",
    ),
    "relative": Question(
        "rows_for_mean_loss",
        "normal",
        {"cv": math.sqrt(2)},
        "With {rows:,} rows, a mean loss is known to +-{relative} % of its value (sd / mean of the losses "
        "{raw[cv]:.3g}, level {level} %).",
    ),
}


def _number_options(function: Callback) -> Callback:
    told = NUMBERS.items()
    return all_of(
        function, *(click.option(flag(name), type=float, metavar=sign, help=words) for name, (sign, words) in told)
    )


@stage(
    examples="""
  wellfit size --error .05 --margin .01           an interval of +-1 point around an error of 5 %
  wellfit size --detect .01 --disagreement .05    tell apart two models that differ by 1 point
  wellfit size --detect .01 --candidates 20       the same when the best of 20 is chosen
  wellfit size --margin .01 --candidates 100      the errors of 100 models to +-1 point, all at once
  wellfit size --auc .85 --prevalence .1 --margin .02
  wellfit size --recall .9 --prevalence .02 --margin .05
  wellfit size --relative .1                      a mean squared error to +-10 %
  wellfit size --margin .02 --group-size 12 --group-correlation .3
  wellfit size --rows 48842                       divide a table into train, dev and test
"""
)
@_number_options
@click.option("--candidates", type=int, metavar="K", help="Number of models to compare.  [default: 1]")
@click.option("--rows", type=int, metavar="N", help="Plan the whole split of a table with N rows.")
@click.option(
    "--task",
    type=click.Choice(["classification", "regression"]),
    help="Kind of target, with --rows.  [default: classification]",
)
def size(*, session: Session, **options: Any) -> None:
    """Compute how many dev and test rows are needed.

    Answers one question: --margin (how precisely one error, AUC or recall is known), --relative (how precisely a mean
    loss is known), --detect (which models can be distinguished on the same rows), or --rows (a whole plan, with its
    precision). Rows in groups tell less than the same number of independent rows: --group-size makes up for that.
    """
    import wellfit as wf
    from wellfit.stats import sizes

    given = {name: value for name, value in options.items() if value is not None}
    if "rows" in given:
        _only(given, PLANNED, question="rows")
        plan = wf.plan_sizes(given.pop("rows"), **given)
        parts = f"train {plan.train:,}, dev {plan.dev:,}, test {plan.test:,}"
        session.result(plan.to_json(), text=f"{parts}\n{plan.precision['sentence']}")
        return
    asked = _asked(given)
    question = QUESTIONS[asked]
    grouped = {name: given.pop(name) for name in GROUPS if name in given}
    _only(given, (asked, *question.usual, "level"), question=asked)
    assumed: Json = {**question.usual, "level": 0.95, **given}
    if "detect" in assumed:
        assumed = {"difference": assumed.pop("detect"), **assumed}
    rows = int(getattr(sizes, question.function)(**assumed))
    percent = {name: f"{100 * value:g}" for name, value in assumed.items()}
    text = question.answer.format(rows=rows, raw=assumed, **percent)
    if grouped:
        rows, assumed, text = _in_groups(rows, grouped, assumed=assumed)
    session.result({"rows": rows, "method": question.method, "assumptions": assumed}, text=text)


def _asked(given: Json) -> str:
    """Return the name of the question that the options ask."""
    named = [name for name in ("detect", "auc", "recall", "relative") if name in given]
    if named:
        return named[0]
    if any(name in given for name in ("disagreement", "power")) or ("candidates" in given and "margin" not in given):
        return "detect"
    if "candidates" in given:
        return "candidates"
    if "margin" in given or "error" in given:
        return "margin"
    raise BadInput(
        "the options of `wellfit size` must ask exactly one question",
        found="no question",
        remedy="Pass --margin H, --detect D or --rows N; 'wellfit size --help' shows examples",
    )


def _in_groups(rows: int, grouped: Json, *, assumed: Json) -> tuple[int, Json, str]:
    """Return the rows, the assumptions and the sentence for rows in groups."""
    from wellfit.stats.sizes import design_effect, whole_rows

    size, correlation = grouped.get("group_size", 1.0), grouped.get("group_correlation", 0.1)
    effect = design_effect(group_size=size, correlation=correlation)
    needed = whole_rows(rows * effect)
    text = (
        f"{needed:,} rows in groups of {size:g} (about {whole_rows(needed / size):,} groups) are worth as much as "
        f"{rows:,} independent rows, if losses in a group correlate by {correlation:g}."
    )
    return needed, {**assumed, "group_size": size, "group_correlation": correlation, "design_effect": effect}, text


def _only(given: Json, allowed: tuple[str, ...], *, question: str) -> None:
    others = [flag(name) for name in given if name not in allowed]
    if others:
        raise BadInput(
            f"{flag(question)} must be used only with {', '.join(flag(name) for name in allowed if name != question)}",
            found=", ".join(others),
            remedy="Ask one question at a time",
        )
