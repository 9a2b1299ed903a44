"""`wellfit demo`: the whole job on a real data set that is already on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from wellfit.cli.session import Session
from wellfit.cli.show import show_experiment
from wellfit.cli.stage import FILE, stage

HUMAN_ERROR = 0.002
"""People on handwritten digits: about .2 % (LeCun et al. 1995, on NIST's; these pictures are coarser)."""


@stage(examples="\n  wellfit demo\n  wellfit demo --budget 20s --out /tmp/demo.wellfit\n")
@click.option("--budget", default="30s", metavar="B", show_default=True, help="60s, 10m, 1h or 20000updates.")
@click.option(
    "--out", "-o", type=FILE, default=Path("demo.wellfit"), metavar="FOLDER", show_default=True, help="The experiment."
)
def command(*, session: Session, budget: str, out: Path) -> None:
    """Show all of it on 1,797 handwritten digits that ship with scikit-learn.

    The same as 'wellfit run' on a table with 64 pixels a row and the digit as the target.
    """
    import wellfit as wf

    with session.watching() as notify:
        experiment = wf.run(
            digits(), target="digit", human_error=HUMAN_ERROR, budget=budget, out=out, notify=notify, **session.seeded
        )
    show_experiment(session, experiment)


def digits() -> Any:
    """The table: pixel_<row>_<column> (0 to 16) and digit, as a pyarrow table of 1,797 rows."""
    import pyarrow as pa
    from sklearn.datasets import load_digits

    bunch = load_digits()
    columns = {name: bunch.data[:, place] for place, name in enumerate(bunch.feature_names)}
    return pa.table({**columns, "digit": bunch.target})
