"""`wellfit predict`: new rows through the stored transforms and the best network."""

from __future__ import annotations

import time
from pathlib import Path

import click

from wellfit.cli.session import Session
from wellfit.cli.stage import FILE, stage


@stage(examples="\n  wellfit predict churn.wellfit new_customers.csv -o predicted.csv\n")
@click.argument("experiment", type=FILE)
@click.argument("new", type=FILE)
@click.option("-o", "--out", type=FILE, required=True, metavar="OUT", help="File to write: .csv or .parquet.")
@click.option(
    "--views",
    type=int,
    default=1,
    show_default=True,
    metavar="N",
    help="Of pictures: average over N changed views of each; it takes N times as long.",
)
def command(*, session: Session, experiment: Path, new: Path, out: Path, views: int) -> None:
    """Write prediction (and p_<class>) for every row of NEW, in the same order, to OUT.

    Rows pass through the transforms that were fit on train. Warns when NEW does not look like train.
    """
    import wellfit as wf

    began = time.monotonic()
    rows = wf.predict(experiment, new, out=out, views=views)
    body = {"schema": 1, "out": str(out), "rows": rows}
    if views == 1:
        session.result(body, text=f"{rows:,} predictions in {out}")
        return
    seconds = time.monotonic() - began
    text = f"{rows:,} predictions in {out}, each of {views} views, in {seconds:.1f} s"
    session.result({**body, "views": views, "seconds": seconds}, text=text)
