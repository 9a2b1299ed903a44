"""`wellfit sweep`: many configurations, and the lambda path."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from wellfit.cli.options import REFERENCE, boards_of, config_options, given, reference_options
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
    from wellfit.sweeps.search import Sweep


@stage(
    tables=BOARDS,
    examples="""
  wellfit sweep churn.wellfit                                     lambda x keep_prob in their useful ranges
  wellfit sweep churn.wellfit --over l2 --members 16              the lambda path
  wellfit sweep churn.wellfit --over l2=10:10000,keep_prob=.5:1   ranges
  wellfit sweep churn.wellfit --over keep_prob=.5/.8/1            a list of values
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
@config_options
@reference_options
@click.pass_context
def command(
    ctx: click.Context, /, *, session: Session, experiment: Path, over: str, members: int | None, **options: Any
) -> None:
    """Train many configurations on EXPERIMENT and choose by dev with the one-standard-error rule.

    Shows the lambda path: train error, dev error and ||W|| against lambda. The knobs that are not searched come from
    the options, or else from the experiment's best configuration.
    """
    import wellfit as wf

    asked = given(options)
    reference = {name: asked.pop(name) for name in REFERENCE if name in asked}
    opened = wf.open_experiment(experiment)
    trained = None if asked or tables_of(ctx) else _trained(opened)
    config = trained or config_of(ctx, seed=session.seed or 0, options=boards_of(asked))
    rows = opened.split.rows["train"]
    space = parse_over(over, config=config, rows=rows, members=members)
    with session.watching() as notify:
        sweep = wf.sweep(opened, config, over=space, members=members, notify=notify, **reference)
    body = {"schema": 1, "goal": opened.goal.name, **sweep.to_json(), "path": sweep.path()}
    session.result(body, text=_text(sweep, opened.goal))


def _trained(opened: Experiment) -> Config | None:
    """The configuration of the experiment's network, when there is one."""
    try:
        return opened.network.config
    except Refusal:
        return None


def _text(sweep: Sweep, goal: Goal) -> str:
    """The lambda path, the choice, and the warnings."""
    heads = ("lambda", "weight_decay", "shrink", "keep_prob", "train", "dev", "||W||", "")
    rows = [heads, *(_cells(row, sweep, goal) for row in sweep.path())]
    table = "\n".join("  ".join(cell.rjust(12) for cell in row).rstrip() for row in rows)
    chosen = sweep.chosen.config.regularization
    ending = (
        f"Chosen: lambda {chosen.l2:.4g}, keep_prob {chosen.keep_prob}: the simplest of {len(sweep.choice.tied)} "
        f"within one standard error of the best of {len(sweep.members)}."
    )
    return "\n".join([f"{goal.name} along lambda", table, "", ending, *sweep.warnings])


def _cells(row: Json, sweep: Sweep, goal: Goal) -> tuple[str, ...]:
    mark = "chosen" if row["identity"] == sweep.chosen.config.identity else ""
    scores = (goal.score_of(row["train"]), goal.score_of(row["dev"]))
    numbers = (row["l2"], row["weight_decay"], row["shrink"], row["keep_prob"], *scores, row["norm"])
    return (*(f"{number:.4g}" for number in numbers), mark)
