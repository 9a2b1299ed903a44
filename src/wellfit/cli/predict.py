"""`wellfit predict`: new rows through the stored transforms and the best network."""

from __future__ import annotations

from pathlib import Path

import click

from wellfit.cli.session import Session
from wellfit.cli.stage import FILE, stage


@stage(examples="\n  wellfit predict churn.wellfit new_customers.csv -o predicted.csv\n")
@click.argument("experiment", type=FILE)
@click.argument("new", type=FILE)
@click.option("-o", "--out", type=FILE, required=True, metavar="OUT", help="File to write: .csv or .parquet.")
def command(*, session: Session, experiment: Path, new: Path, out: Path) -> None:
    """Write prediction (and p_<class>) for every row of NEW, in the same order, to OUT.

    Rows pass through the transforms that were fit on train. Warns when NEW does not look like train.
    """
    import wellfit as wf

    rows = wf.predict(experiment, new, out=out)
    session.result({"schema": 1, "out": str(out), "rows": rows}, text=f"{rows:,} predictions in {out}")
