"""`wellfit run`: the whole job inside a budget."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from wellfit.cli.options import (
    exit_code,
    fail_on_option,
    given,
    one_or_several,
    ray_option,
    reference_options,
    split_options,
)
from wellfit.cli.session import Session, show_experiment
from wellfit.cli.settings import fixed_knobs, types_of
from wellfit.cli.stage import FILE, stage
from wellfit.records.config import BOARDS


@stage(
    tables=("types", *BOARDS),
    examples="""
  wellfit run churn.csv --target churned --human-error .01 --budget 10m
  wellfit run prices.parquet --target price --goal mae --time-on sold --budget 20000updates
  wellfit run photos/ --budget 10m        # a folder with a folder of pictures for each class
  wellfit run churn.wellfit --only regularize --idea "the labels of 2023 are noisy" --budget 5m

  wellfit run churn.wellfit --branch 1 --idea "regularize later" --budget 5m
  wellfit run churn.csv --config churn.toml        knobs in [network], [optimization], [regularization] stay fixed

The same command again continues the experiment, or prints its result when it is finished. With EXPERIMENT, options that
are not given are as in the last run (an empty [network] in the TOML frees its knobs); --only, --branch and --idea apply
to one command only, and with --only or --branch a budget in time is for that path alone.
""",
)
@click.argument("data", type=FILE, nargs=-1, required=True, metavar="DATA...|EXPERIMENT")
@click.option("--budget", metavar="B", help="60s, 10m, 1h or 20000updates: an upper limit.  [default: 5m]")
@click.option("--only", metavar="KIND", help="Try this remedy only: bigger_network, train_longer, regularize ...")
@click.option(
    "--ensemble/--no-ensemble",
    default=None,
    help="Average several networks if one overfits; prediction takes several times as long.  [default: ensemble]",
)
@click.option("--branch", type=click.IntRange(min=0), metavar="STEP", help="Continue from this step of the last run.")
@click.option("--allow-early-stopping", is_flag=True, default=None, help="Let dev choose the epoch if that helps.")
@click.option("--more-data", type=FILE, metavar="FILE", help="More training rows; added only if they help on dev.")
@click.option(
    "--augment",
    metavar="HOW",
    help="How to augment training pictures: none, light, strong or rotate=10,...  [default: strong]",
)
@click.option("--idea", metavar="TEXT", help="Why you are trying this; kept in the journal.")
@split_options
@reference_options
@ray_option
@fail_on_option
@click.pass_context
def run(
    ctx: click.Context,
    /,
    *,
    session: Session,
    data: tuple[Path, ...],
    fail_on: str | None,
    ray: str | None,
    **options: Any,
) -> int:
    """Do the whole job on a table (CSV, Parquet, Feather; several files too), or continue an experiment.

    Splits the table and seals the test set, fits reference models and a network, finds out what limits it, and
    improves that within the budget. Leaves an experiment with its report; the test set stays sealed.
    """
    import wellfit as wf

    with session.watching() as notify:
        experiment = wf.run(
            one_or_several(data),
            **given({**options, "types": types_of(ctx, options["types"]), "fixed": fixed_knobs(ctx)}),
            **session.seeded,
            executor=wf.Ray(address=ray) if ray else None,
            began=session.began,
            notify=notify,
        )
    body = show_experiment(session, experiment)
    return exit_code(body, fail_on=fail_on)
