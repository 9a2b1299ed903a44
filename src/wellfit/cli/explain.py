"""`wellfit explain CODE`."""

from __future__ import annotations

import click

from wellfit.cli.session import Session
from wellfit.cli.stage import stage


@stage(examples="  wellfit explain WF102\n")
@click.argument("code")
def command(*, session: Session, code: str) -> None:
    """What the finding CODE means, how it is computed, and what to do about it."""
    import wellfit as wf

    text = wf.explain(code)
    session.result({"schema": 1, "code": code.upper(), "text": text}, text=text)
