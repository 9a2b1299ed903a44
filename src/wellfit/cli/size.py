"""`wellfit size`: how many rows a margin, a comparison or a whole split needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from wellfit.cli.session import Session
from wellfit.cli.stage import stage
from wellfit.exceptions import BadInput

if TYPE_CHECKING:
    from wellfit._typing import Json

# Which options belong to which question; `level` belongs to the first two.
_MARGIN = ("error", "margin")
_DETECT = ("detect", "disagreement", "candidates", "power")
_PLAN = ("error", "margin", "detect", "disagreement", "task")


@stage(
    examples="""
  wellfit size --error .05 --margin .01           an interval of +-1 point around an error of 5 %
  wellfit size --detect .01 --disagreement .05    tell apart two models that differ by 1 point
  wellfit size --detect .01 --candidates 20       the same when the best of 20 is chosen
  wellfit size --rows 48842                       divide a table into train, dev and test
"""
)
@click.option(
    "--error", type=float, metavar="RATE", help="Expected error rate, for the margin.  [default: .5, the worst]"
)
@click.option("--margin", type=float, metavar="H", help="Wanted: the error to +-H.  [default: .01]")
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
@click.option("--rows", type=int, metavar="N", help="Instead: a whole plan for a table of N rows.")
@click.option(
    "--task", type=click.Choice(["classification", "regression"]), help="With --rows.  [default: classification]"
)
def command(*, session: Session, **options: Any) -> None:
    """How many dev and test rows are needed?

    Asks one of three things: --margin (how well one error is known), --detect (which models can be told apart on the
    same rows), or --rows (a whole plan, which says the precision that it buys).
    """
    given = {name: value for name, value in options.items() if value is not None}
    if "rows" in given:
        body, text = _plan(given)
    elif any(name in given for name in _DETECT):
        body, text = _detect(given)
    else:
        body, text = _margin(given)
    session.result(body, text=text)


def _plan(given: Json) -> tuple[Json, str]:
    import wellfit as wf

    _only(given, ("rows", *_PLAN), question="--rows")
    plan = wf.plan_sizes(given.pop("rows"), **given)
    text = f"train {plan.train:,}, dev {plan.dev:,}, test {plan.test:,}\n{plan.precision['sentence']}"
    return plan.to_json(), text


def _detect(given: Json) -> tuple[Json, str]:
    import wellfit as wf

    _only(given, (*_DETECT, "level"), question="--detect")
    given["difference"] = given.pop("detect", 0.01)
    assumed: Json = {"disagreement": 0.1, "level": 0.95, "power": 0.8, "candidates": 1} | given
    rows = wf.rows_to_detect(**assumed)
    text = (
        f"{rows:,} rows tell apart two models whose errors differ by {100 * assumed['difference']:g} points "
        f"(exactly one of them wrong on {100 * assumed['disagreement']:g} % of the rows; "
        f"level {100 * assumed['level']:g} %, power {100 * assumed['power']:g} %, "
        f"candidates {assumed['candidates']})."
    )
    return {"rows": rows, "method": "paired", "assumptions": assumed}, text


def _margin(given: Json) -> tuple[Json, str]:
    import wellfit as wf

    if not any(name in given for name in _MARGIN):
        raise BadInput(
            "size answers one question",
            found="no question",
            remedy="Give --margin H, or --detect D, or --rows N; 'wellfit size --help' shows examples",
        )
    _only(given, (*_MARGIN, "level"), question="--margin")
    assumed: Json = {"error": 0.5, "margin": 0.01, "level": 0.95} | given
    rows = wf.rows_for_margin(**assumed)
    text = (
        f"{rows:,} rows give an error of {100 * assumed['error']:g} % to +-{100 * assumed['margin']:g} points "
        f"(Wilson interval, level {100 * assumed['level']:g} %)."
    )
    return {"rows": rows, "method": "wilson", "assumptions": assumed}, text


def _only(given: Json, allowed: tuple[str, ...], *, question: str) -> None:
    others = [f"--{name}" for name in given if name not in allowed]
    if others:
        raise BadInput(
            f"{question} goes with {', '.join(f'--{name}' for name in allowed if f'--{name}' != question)} only",
            found=", ".join(others),
            remedy="Ask one question at a time",
        )
