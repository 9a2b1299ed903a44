"""`wellfit compare`: two networks on the same dev rows."""

from __future__ import annotations

import click

from wellfit.cli.session import Session
from wellfit.cli.stage import stage


@stage(
    examples="""
  wellfit compare churn.wellfit copy.wellfit
  wellfit compare churn.wellfit@0 churn.wellfit@2      the first network, and that of step 2
"""
)
@click.argument("a", metavar="A[@STEP]")
@click.argument("b", metavar="B[@STEP]")
def command(*, session: Session, a: str, b: str) -> None:
    """Say which of two networks is better on the same dev rows, and which knobs differ.

    A and B are experiments of one split (copies of one folder, say), or steps of them.
    """
    import wellfit as wf

    found = wf.compare(a, b)
    session.result(found.to_json(), text=str(found))
