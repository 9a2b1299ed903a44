"""`wellfit split`: divide a table and seal the test set."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from wellfit.cli.options import given, split_options
from wellfit.cli.session import Session
from wellfit.cli.settings import types_of
from wellfit.cli.stage import FILE, stage


@stage(
    tables=("types",),
    examples="""
  wellfit split churn.csv --target churned --group-on customer
  wellfit split sales.parquet --target price --time-on sold --sizes 70/15/15

Sizes follow from the precision wanted ('wellfit size --rows N' shows it). The sealed rows are read again by
'wellfit unseal' alone.
""",
)
@click.argument("data", type=FILE, metavar="DATA")
@split_options
@click.pass_context
def command(ctx: click.Context, /, *, session: Session, data: Path, out: Path | None, **options: Any) -> None:
    """Divide a table into train, dev and a sealed test set; leaves an experiment."""
    import wellfit as wf

    folder = out or Path(f"{data.stem}.wellfit")
    asked = given({**options, "types": types_of(ctx)})
    with session.watching() as notify:
        split = wf.split(data, out=folder, **asked, **session.seeded, notify=notify)
    body = {"schema": 1, "experiment": str(folder), **split.to_json()}
    session.result(body, text=f"{split}\nThe experiment is {folder}.")
