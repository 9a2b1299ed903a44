"""`wellfit sweep`: many configurations, and the lambda path."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from wellfit.cli.options import boards_of, config_options, given
from wellfit.cli.over import parse_over
from wellfit.cli.session import Session
from wellfit.cli.settings import BOARDS, config_of, tables_of
from wellfit.cli.stage import FILE, stage
from wellfit.exceptions import Refusal

if TYPE_CHECKING:
    from wellfit._typing import Json
    from wellfit.config import Config
    from wellfit.experiment.experiment import Experiment
    from wellfit.goals import Goal
    from wellfit.reports.units import Unit
    from wellfit.sweeps.search import Sweep


@stage(
    tables=BOARDS,
    examples="""
  wellfit sweep churn.wellfit                                     lambda x keep_prob in their useful ranges
  wellfit sweep churn.wellfit --over l2 --members 16              the lambda path
  wellfit sweep churn.wellfit --over l2=10:10000,keep_prob=.5:1   ranges
  wellfit sweep churn.wellfit --over keep_prob=.5/.8/1            a list of values
  wellfit sweep churn.wellfit --over l2,keep_prob,lr,ema --members 64 --rungs
                                                                  more knobs; what is behind is dropped on the way
""",
)
@click.argument("experiment", type=FILE)
@click.option(
    "--over",
    default="l2,keep_prob",
    metavar="KNOBS",
    show_default=True,
    help="Knobs, each with LOW:HIGH or V/V/V where the useful range is not meant; also dropout and weight_decay.",
)
@click.option("--members", type=click.IntRange(min=1), metavar="N", help="How many configurations to train.")
@click.option("--rungs", is_flag=True, help="Compare at 1/15, 3/15 and 7/15 of the training, and drop what is behind.")
@click.option("--memory", metavar="SIZE", help="Most that all members take at a time (500m, 4g); else in passes.")
@config_options
@click.pass_context
def command(
    ctx: click.Context,
    /,
    *,
    session: Session,
    experiment: Path,
    over: str,
    members: int | None,
    rungs: bool,
    memory: str | None,
    **options: Any,
) -> None:
    """Train many configurations on EXPERIMENT and choose by dev with the one-standard-error rule.

    Shows the lambda path: train error, dev error and ||W|| against lambda. The knobs that are not searched come from
    the options, or else from the experiment's network, with its regularizers off.
    """
    import wellfit as wf

    asked = given(options)
    opened = wf.open_experiment(experiment)
    seed = opened.split.seed if session.seed is None else session.seed
    around = None if asked or tables_of(ctx) or session.seed is not None else _trained(opened)
    config = around or config_of(ctx, seed=seed, options=boards_of(asked))
    rows = opened.split.rows["train"]
    space = parse_over(over, config=config, rows=rows, members=members)
    with session.watching() as notify:
        sweep = wf.sweep(opened, config, over=space, members=members, rungs=rungs, memory=memory, notify=notify)
    body = {"schema": 1, "goal": opened.goal.name, **sweep.to_json(), "path": sweep.path()}
    session.result(body, text=_text(sweep, opened.goal))


def _trained(opened: Experiment) -> Config | None:
    """The configuration of the experiment's network, unregularized; None when nothing was trained yet."""
    from wellfit.config import Regularization

    try:
        return replace(opened.network.config, regularization=Regularization())
    except Refusal:
        return None


def _text(sweep: Sweep, goal: Goal) -> str:
    """The lambda path, the choice, and the warnings."""
    from wellfit.reports.units import Unit

    heads = ("lambda", "weight_decay", "shrink", "keep_prob", "train", "dev", "||W||", "")
    rows = [heads, *(_cells(row, sweep, Unit(goal)) for row in sweep.path())]
    table = "\n".join("  ".join(cell.rjust(12) for cell in row).rstrip() for row in rows)
    chosen = sweep.chosen.config.regularization
    ending = (
        f"Chosen: lambda {chosen.l2:.4g}, keep_prob {chosen.keep_prob}: the simplest of {len(sweep.choice.tied)} "
        f"within one standard error of the best of {len(sweep.members)}."
    )
    return "\n".join([f"{Unit(goal).noun} along lambda", table, "", ending, *sweep.warnings])


def _cells(row: Json, sweep: Sweep, unit: Unit) -> tuple[str, ...]:
    mark = "chosen" if row["identity"] == sweep.chosen.config.identity else ""
    knobs = (f"{row[name]:.4g}" for name in ("l2", "weight_decay", "shrink", "keep_prob"))
    return (*knobs, unit.show(row["train"]), unit.show(row["dev"]), f"{row['norm']:.4g}", mark)
