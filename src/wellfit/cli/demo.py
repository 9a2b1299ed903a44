"""`wellfit demo`: the whole job on a real data set that is already on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from wellfit.cli.session import Session, show_experiment
from wellfit.cli.stage import FILE, stage


@stage(examples="\n  wellfit demo\n  wellfit demo --budget 20s --out /tmp/demo.wellfit\n")
@click.option("--budget", default="40s", metavar="B", show_default=True, help="60s, 10m, 1h or 20000updates.")
@click.option(
    "--out", "-o", type=FILE, default=Path("demo.wellfit"), metavar="FOLDER", show_default=True, help="The experiment."
)
def command(*, session: Session, budget: str, out: Path) -> None:
    """Show all of it on 442 diabetes patients (Efron et al. 2004), a data set that ships with scikit-learn.

    The same as 'wellfit run' on a table with ten measurements a patient and the progression of the disease a year
    later as the target. So few rows are easily memorized: the network needs its regularization.
    """
    import wellfit as wf

    with session.watching() as notify:
        experiment = wf.run(patients(), target="progression", budget=budget, out=out, notify=notify, **session.seeded)
    show_experiment(session, experiment)


def patients() -> Any:
    """The table: ten measurements as they were taken, and progression; a pyarrow table of 442 rows."""
    import pyarrow as pa
    from sklearn.datasets import load_diabetes

    bunch = load_diabetes(scaled=False)
    columns = {name: bunch.data[:, place] for place, name in enumerate(bunch.feature_names)}
    return pa.table({**columns, "progression": bunch.target})
