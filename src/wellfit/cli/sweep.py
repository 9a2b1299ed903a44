"""`wellfit train` and `wellfit sweep`: one configuration, or many and the lambda path."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from wellfit.cli.options import boards_of, config_options, given, ray_option
from wellfit.cli.over import parse_over
from wellfit.cli.session import Session
from wellfit.cli.settings import config_of, knobs_of_call
from wellfit.cli.stage import FILE, stage
from wellfit.exceptions import BadInput, Refusal
from wellfit.records.config import BOARDS, CPU, FLOAT32
from wellfit.records.knobs import NAMES

if TYPE_CHECKING:
    from wellfit.base.typing import Json
    from wellfit.experiment.experiment import Experiment
    from wellfit.records.config import Config
    from wellfit.records.goals import Goal
    from wellfit.records.outcome import Outcome
    from wellfit.records.units import Unit
    from wellfit.sweeps.search import Sweep


DECAYS = [name for name, knob in NAMES.items() if knob.own == "l2"]
MOST_SHOWN = 12
"""Maximum number of members in the table if they are not a path."""


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
def train(ctx: click.Context, /, *, session: Session, experiment: Path, **options: Any) -> None:
    """Train one configuration on the train rows of EXPERIMENT and measure it on dev.

    The outcome is kept in the experiment. There are two boards of knobs: the network and the optimization make the
    training error small; l2 and keep_prob make dev follow train.
    """
    import wellfit as wf

    config = config_of(ctx, seed=session.seed or 0, options=boards_of(given(options)))
    opened = wf.open_experiment(experiment)
    if session.seed is None:
        config = replace(config, seed=opened.split.seed)
    with session.watching() as notify:
        outcome = wf.train(opened, config, notify=notify)
    session.result(
        {"schema": 1, "goal": opened.goal.name, **outcome.to_json()}, text=_outcome_text(outcome, opened.goal)
    )


def _outcome_text(outcome: Outcome, goal: Goal) -> str:
    from wellfit.records.units import Unit, knob, seconds

    unit = Unit(goal)
    scores = ", ".join(f"{part.replace('_', '-')} {unit.show(loss)}" for part, loss in outcome.losses.items())
    return (
        f"{outcome.config.identity}: {outcome.status.value}. {outcome.status.advice}\n"
        f"{unit.noun}: {scores}\n"
        f"{outcome.updates:,} updates in {seconds(outcome.seconds)}; ||W|| {knob(outcome.weight_norm)}"
    )


@stage(
    tables=BOARDS,
    examples="""
  wellfit sweep churn.wellfit                                     lambda x keep_prob in their useful ranges
  wellfit sweep churn.wellfit --over l2 --members 16              the lambda path
  wellfit sweep churn.wellfit --over l2=10:10000,keep_prob=.5:1   ranges
  wellfit sweep churn.wellfit --over keep_prob=.5/.8/1            a list of values
  wellfit sweep churn.wellfit --over l2,keep_prob,lr,ema --members 64 --rungs
                                                                  more knobs; the worst are dropped early
""",
)
@click.argument("experiment", type=FILE)
@click.option(
    "--over",
    default="l2,keep_prob",
    metavar="KNOBS",
    show_default=True,
    help="Knobs to search, each with LOW:HIGH or V/V/V, or alone for its useful range; also dropout and weight_decay.",
)
@click.option("--members", type=click.IntRange(min=1), metavar="N", help="Number of configurations to train.")
@click.option(
    "--rungs", is_flag=True, help="Compare the members at 1/15, 3/15 and 7/15 of the updates, and drop the worst."
)
@click.option(
    "--snapshots",
    is_flag=True,
    help="With --rungs, also consider each member as it was at a rung (this couples the boards).",
)
@click.option("--ensemble", is_flag=True, help="Also consider the average of several members.")
@click.option(
    "--memory",
    metavar="SIZE",
    help="Maximum memory for all members (500m, 4g); if they need more, they are trained in several passes.",
)
@click.option(
    "--device",
    default=CPU,
    metavar="NAME",
    show_default=True,
    help="Where to train: cpu, or cuda for a GPU, with all members at once.",
)
@click.option(
    "--precision",
    default=FLOAT32,
    metavar="TYPE",
    show_default=True,
    help="Precision of matrix products on a GPU.",
)
@ray_option
@config_options
@click.pass_context
def sweep(  # noqa: PLR0913 - one argument an option
    ctx: click.Context,
    /,
    *,
    session: Session,
    experiment: Path,
    over: str,
    members: int | None,
    rungs: bool,
    snapshots: bool,
    ensemble: bool,
    memory: str | None,
    device: str,
    precision: str,
    ray: str | None,
    **options: Any,
) -> None:
    """Train many configurations on EXPERIMENT and choose one on dev with the one-standard-error rule.

    Shows the lambda path: train error, dev error and ||W|| against lambda. Knobs that are not searched come from the
    options, or otherwise from the experiment's network, with its regularizers off.
    """
    import wellfit as wf
    from wellfit.records.config import Config
    from wellfit.reports.sentences import temperature_sentence
    from wellfit.sweeps.rungs import Rungs

    if snapshots and not rungs:
        raise BadInput("snapshots must be taken at rungs", found="--snapshots without --rungs", remedy="Add --rungs")
    asked = given(options)
    opened = wf.open_experiment(experiment)
    seed = opened.split.seed if session.seed is None else session.seed
    around = _trained(opened) or Config(seed=seed)
    around = around if session.seed is None else replace(around, seed=seed)
    config = around.with_knobs(**knobs_of_call(ctx, options=boards_of(asked)))
    rows = opened.split.rows["train"]
    space = parse_over(over, config=config, rows=rows, members=members)
    with session.watching() as notify:
        sweep = wf.sweep(
            opened,
            config,
            over=space,
            members=members,
            rungs=rungs and Rungs(snapshots=snapshots),
            ensemble=ensemble,
            memory=memory,
            device=device,
            precision=precision,
            executor=wf.Ray(address=ray) if ray else None,
            notify=notify,
        )
    known = {"goal": opened.goal.name, "temperature": opened.to_json()["temperature"]}
    temperature = opened.summary().temperature
    text = "\n".join([_text(sweep, opened.goal), *([temperature_sentence(temperature)] if temperature else [])])
    session.result({"schema": 1, **known, **sweep.to_json(), "path": sweep.path()}, text=text)


def _trained(opened: Experiment) -> Config | None:
    """Return the configuration of the experiment's network, unregularized; None if nothing has been trained yet."""
    from wellfit.records.config import Regularization

    try:
        return replace(opened.network.config, regularization=Regularization())
    except Refusal:
        return None


def _text(sweep: Sweep, goal: Goal) -> str:
    """Return the lambda path (the best members if other knobs vary too), the choice, and the warnings."""
    from wellfit.records.units import Unit
    from wellfit.reports.show import sweep_text

    body, unit = sweep.to_json(), Unit(goal)
    members: list[Json] = body["members"]
    others = sorted({name for row in members for name in row["knobs"] if _varies(name, members)})
    shown = _best(members, sweep) if others else sweep.path()
    shown += [body["snapshot"]] if sweep.chosen.is_snapshot else []
    heads = ("lambda", *DECAYS[1:], "keep_prob", *others, "train", "dev", "||W||", "")
    rows = [heads, *(_cells(row, sweep, unit, others=others) for row in shown)]
    table = "\n".join("  ".join(cell.rjust(12) for cell in row).rstrip() for row in rows)
    title = (
        f"The {len(shown)} members with the lowest dev {unit.noun}" if others else f"{unit.noun} along the lambda path"
    )
    dropped = sum(row["status"] == "dropped" for row in members)
    at_rungs = [f"{dropped} members were dropped at the rungs."] if dropped else []
    return "\n".join([title, table, "", sweep_text(body, unit), *at_rungs, *_ensemble(sweep, unit)])


def _varies(name: str, members: Sequence[Json]) -> bool:
    return len({str(row["knobs"].get(name)) for row in members}) > 1


def _best(members: Sequence[Json], sweep: Sweep) -> list[Json]:
    """Return the best members, including the chosen one; dropped members were measured too early to be compared."""
    stayed = sorted((row for row in members if row["status"] != "dropped"), key=lambda row: float(row["dev"]))
    chosen = sweep.chosen.config.identity
    return [row for place, row in enumerate(stayed) if place < MOST_SHOWN or row["identity"] == chosen]


def _ensemble(sweep: Sweep, unit: Unit) -> list[str]:
    """Return the dev error of an average of several members, also as measured on rows that did not choose it."""
    found = sweep.ensemble
    if found is None or len(found.picks) < 2:
        return []
    honest = (
        ""
        if found.honest_loss is None or found.honest_single is None
        else f" (chosen on one half of dev and measured on the other: {unit.show(found.honest_loss)}; the best single "
        f"member: {unit.show(found.honest_single)})"
    )
    return [f"An ensemble of {len(found.picks)} members: dev {unit.show(found.loss)}{honest}."]


def _cells(row: Json, sweep: Sweep, unit: Unit, *, others: Sequence[str]) -> tuple[str, ...]:
    """Return a row of the table: its figures, whether it was chosen, and how it ended if not as planned."""
    from wellfit.records.outcome import Status
    from wellfit.records.units import knob

    chosen = sweep.chosen
    is_chosen = (row["identity"], row["status"]) == (chosen.config.identity, chosen.status.value)
    how = "" if row["status"] == Status.FINISHED.value else row["status"]
    mark = ", ".join(filter(None, ["chosen" * is_chosen, how]))
    knobs = [knob(row[name]) for name in (*DECAYS, "keep_prob")]
    knobs += [_shown(row["knobs"].get(name)) for name in others]
    return (*knobs, unit.show(row["train"]), unit.show(row["dev"]), knob(row["norm"]), mark)


def _shown(value: Any) -> str:
    from wellfit.records.units import knob

    if isinstance(value, list | tuple):
        return ",".join(_shown(one) for one in value)
    return knob(value) if isinstance(value, float) else "-" if value is None else str(value)
