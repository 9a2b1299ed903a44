"""`wellfit size`: how many rows a margin, a comparison or a whole split needs."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from wellfit.cli.session import Session
from wellfit.cli.stage import stage
from wellfit.exceptions import BadInput

if TYPE_CHECKING:
    from wellfit._typing import Json

GROUPS = ("group_size", "group_correlation")


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
@click.option(
    "--error", type=float, metavar="RATE", help="Expected error rate, for the margin.  [default: .5, the worst]"
)
@click.option("--margin", type=float, metavar="H", help="Wanted: the error (or AUC, or recall) to +-H.  [default: .01]")
@click.option("--auc", type=float, metavar="A", help="Expected area under the ROC curve; then --margin is for it.")
@click.option("--recall", type=float, metavar="R", help="Expected recall; then --margin is for it.")
@click.option(
    "--prevalence", type=float, metavar="P", help="Share of positive rows, for --auc and --recall.  [default: .5]"
)
@click.option("--relative", type=float, metavar="SHARE", help="Wanted: a mean loss to +- this share of itself.")
@click.option("--cv", type=float, metavar="CV", help="sd / mean of the losses, for --relative.  [default: sqrt(2)]")
@click.option(
    "--detect", type=float, metavar="D", help="Wanted: tell apart two models whose errors differ by D.  [default: .01]"
)
@click.option(
    "--disagreement",
    type=float,
    metavar="SHARE",
    help="Share of rows on which exactly one of the two is wrong.  [default: .1]",
)
@click.option("--candidates", type=int, metavar="K", help="How many models are compared.  [default: 1]")
@click.option("--power", type=float, metavar="P", help="Chance to see a difference that is there.  [default: .8]")
@click.option("--level", type=float, metavar="L", help="Level of the interval or test.  [default: .95]")
@click.option("--group-size", type=float, metavar="M", help="Mean rows of a group (a patient, a customer).")
@click.option(
    "--group-correlation", type=float, metavar="RHO", help="Correlation of the losses in a group.  [default: .1]"
)
@click.option("--rows", type=int, metavar="N", help="Instead: a whole plan for a table of N rows.")
@click.option(
    "--task", type=click.Choice(["classification", "regression"]), help="With --rows.  [default: classification]"
)
def command(*, session: Session, **options: Any) -> None:
    """How many dev and test rows are needed?

    Asks one thing: --margin (how well one error, AUC or recall is known), --relative (how well a mean loss is),
    --detect (which models can be told apart on the same rows), or --rows (a whole plan, which says the precision that
    it buys). Rows that come in groups say less than as many on their own: --group-size adds what is missing.
    """
    given = {name: value for name, value in options.items() if value is not None}
    if "rows" in given:
        body, text = _plan(given)
        session.result(body, text=text)
        return
    question = _question(given)
    grouped = {name: given.pop(name) for name in GROUPS if name in given}
    _only(given, (*question.options, "level"), question=question.flag)
    assumed: Json = {**question.usual, "level": 0.95, **given}
    if "detect" in assumed:
        assumed = {"difference": assumed.pop("detect"), **assumed}
    rows = question.rows(**assumed)
    text = question.sentence(rows, assumed)
    if grouped:
        rows, assumed, text = _in_groups(rows, grouped, assumed=assumed)
    session.result({"rows": rows, "method": question.method, "assumptions": assumed}, text=text)


@dataclass(frozen=True)
class _Question:
    """One thing that can be asked: its options, how it is answered, and the answer as a sentence."""

    flag: str
    method: str
    function: str
    usual: Json
    sentence: Callable[[int, Json], str]
    options: tuple[str, ...]

    def rows(self, **assumed: Any) -> int:
        from wellfit.stats import sizes

        function = getattr(sizes, self.function)
        return int(function(**assumed))


def _question(given: Json) -> _Question:
    for name in ("detect", "auc", "recall", "relative"):
        if name in given:
            return QUESTIONS[name]
    if any(name in given for name in ("disagreement", "power")) or ("candidates" in given and "margin" not in given):
        return QUESTIONS["detect"]
    if "candidates" in given:
        return QUESTIONS["candidates"]
    if "margin" in given or "error" in given:
        return QUESTIONS["margin"]
    raise BadInput(
        "size answers one question",
        found="no question",
        remedy="Give --margin H, or --detect D, or --rows N; 'wellfit size --help' shows examples",
    )


def _percent(share: float) -> str:
    return f"{100 * share:g}"


QUESTIONS = {
    "margin": _Question(
        "--margin",
        "wilson",
        "rows_for_margin",
        {"error": 0.5, "margin": 0.01},
        lambda rows, a: (
            f"{rows:,} rows give an error of {_percent(a['error'])} % to +-{_percent(a['margin'])} points "
            f"(Wilson interval, level {_percent(a['level'])} %)."
        ),
        ("error", "margin"),
    ),
    "candidates": _Question(
        "--margin with --candidates",
        "hoeffding",
        "rows_for_all",
        {"margin": 0.01},
        lambda rows, a: (
            f"{rows:,} rows give the errors of {a['candidates']} models to +-{_percent(a['margin'])} points, all at "
            f"once and whatever they are (Hoeffding, level {_percent(a['level'])} %)."
        ),
        ("margin", "candidates"),
    ),
    "detect": _Question(
        "--detect",
        "paired",
        "rows_to_detect",
        {"detect": 0.01, "disagreement": 0.1, "power": 0.8, "candidates": 1},
        lambda rows, a: (
            f"{rows:,} rows tell apart two models whose errors differ by {_percent(a['difference'])} points "
            f"(exactly one of them wrong on {_percent(a['disagreement'])} % of the rows; "
            f"level {_percent(a['level'])} %, power {_percent(a['power'])} %, candidates {a['candidates']})."
        ),
        ("detect", "disagreement", "candidates", "power"),
    ),
    "auc": _Question(
        "--auc",
        "hanley-mcneil",
        "rows_for_auc",
        {"margin": 0.01, "prevalence": 0.5},
        lambda rows, a: (
            f"{rows:,} rows, {_percent(a['prevalence'])} % of them positive, give an AUC of {a['auc']:g} to "
            f"+-{a['margin']:g} (Hanley and McNeil, level {_percent(a['level'])} %)."
        ),
        ("auc", "margin", "prevalence"),
    ),
    "recall": _Question(
        "--recall",
        "wilson",
        "rows_for_recall",
        {"margin": 0.01, "prevalence": 0.5},
        lambda rows, a: (
            f"{rows:,} rows, {_percent(a['prevalence'])} % of them positive, give a recall of {_percent(a['recall'])} "
            f"% to +-{_percent(a['margin'])} points (Wilson on the positives, level {_percent(a['level'])} %)."
        ),
        ("recall", "margin", "prevalence"),
    ),
    "relative": _Question(
        "--relative",
        "normal",
        "rows_for_mean_loss",
        {"cv": math.sqrt(2)},
        lambda rows, a: (
            f"{rows:,} rows give a mean loss to +-{_percent(a['relative'])} % of itself (sd / mean of the losses "
            f"{a['cv']:.3g}, level {_percent(a['level'])} %)."
        ),
        ("relative", "cv"),
    ),
}


def _in_groups(rows: int, grouped: Json, *, assumed: Json) -> tuple[int, Json, str]:
    """Return the rows, the assumptions and the sentence when the rows come in groups."""
    from wellfit.stats.sizes import design_effect, whole_rows

    size, correlation = grouped.get("group_size", 1.0), grouped.get("group_correlation", 0.1)
    effect = design_effect(group_size=size, correlation=correlation)
    needed = whole_rows(rows * effect)
    text = (
        f"{needed:,} rows in groups of {size:g} (about {whole_rows(needed / size):,} groups) say as much as {rows:,} "
        f"rows on their own, where losses in a group correlate by {correlation:g}."
    )
    return needed, {**assumed, "group_size": size, "group_correlation": correlation, "design_effect": effect}, text


def _plan(given: Json) -> tuple[Json, str]:
    import wellfit as wf

    _only(given, ("rows", "error", "margin", "detect", "disagreement", "task"), question="--rows")
    plan = wf.plan_sizes(given.pop("rows"), **given)
    text = f"train {plan.train:,}, dev {plan.dev:,}, test {plan.test:,}\n{plan.precision['sentence']}"
    return plan.to_json(), text


def _only(given: Json, allowed: tuple[str, ...], *, question: str) -> None:
    others = [_flag(name) for name in given if name not in allowed]
    if others:
        raise BadInput(
            f"{question} goes with {', '.join(_flag(name) for name in allowed if _flag(name) != question)} only",
            found=", ".join(others),
            remedy="Ask one question at a time",
        )


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")
