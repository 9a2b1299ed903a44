"""`wellfit train`: one configuration."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from wellfit.cli.options import boards_of, config_options, given
from wellfit.cli.session import Session
from wellfit.cli.settings import BOARDS, config_of
from wellfit.cli.stage import FILE, stage

if TYPE_CHECKING:
    from wellfit.records.goals import Goal
    from wellfit.records.outcome import Outcome


@stage(
    tables=BOARDS,
    examples="""
  wellfit train churn.wellfit
  wellfit train churn.wellfit --widths 256,256 --epochs 64 --l2 300 --keep-prob .8
  wellfit train churn.wellfit --config net.toml      with tables [network], [optimization], [regularization]
""",
)
@click.argument("experiment", type=FILE)
@config_options
@click.pass_context
def command(ctx: click.Context, /, *, session: Session, experiment: Path, **options: Any) -> None:
    """Train one configuration on the train rows of EXPERIMENT and measure it on dev.

    The outcome is kept in the experiment. Two boards of knobs: the network and the optimization make the training
    error small; l2 and keep_prob make dev follow train.
    """
    import wellfit as wf

    config = config_of(ctx, seed=session.seed or 0, options=boards_of(given(options)))
    opened = wf.open_experiment(experiment)
    if session.seed is None:
        config = replace(config, seed=opened.split.seed)
    with session.watching() as notify:
        outcome = wf.train(opened, config, notify=notify)
    session.result({"schema": 1, "goal": opened.goal.name, **outcome.to_json()}, text=_text(outcome, opened.goal))


def _text(outcome: Outcome, goal: Goal) -> str:
    from wellfit.records.units import Unit, knob, seconds

    unit = Unit(goal)
    scores = ", ".join(f"{part.replace('_', '-')} {unit.show(loss)}" for part, loss in outcome.losses.items())
    return (
        f"{outcome.config.identity}: {outcome.status.value}. {outcome.status.advice}\n"
        f"{unit.noun}: {scores}\n"
        f"{outcome.updates:,} updates in {seconds(outcome.seconds)}; ||W|| {knob(outcome.weight_norm)}"
    )
