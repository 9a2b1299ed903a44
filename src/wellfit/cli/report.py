"""`wellfit report`: the page, rebuilt from the journal."""

from __future__ import annotations

from pathlib import Path

import click

from wellfit.cli.session import Session
from wellfit.cli.stage import FILE, stage


@stage(examples="\n  wellfit report churn.wellfit\n  wellfit report churn.wellfit --redact\n")
@click.argument("experiment", type=FILE)
@click.option("--redact", is_flag=True, help="Leave out names of categories and regions, to share the page.")
def command(*, session: Session, experiment: Path, redact: bool) -> None:
    """Write the report page of EXPERIMENT again: one HTML file that needs no network."""
    import wellfit as wf

    page = wf.report(experiment, redact=redact)
    session.result({"schema": 1, "report": str(page)}, text=str(page))
