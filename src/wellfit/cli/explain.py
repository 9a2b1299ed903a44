"""`wellfit explain CODE`."""

from __future__ import annotations

import click

from wellfit.cli.session import Session
from wellfit.cli.stage import stage


@stage(examples="\n  wellfit explain WF102\n  wellfit explain            lists all codes\n")
@click.argument("code", required=False)
def command(*, session: Session, code: str | None) -> None:
    """Say what the finding CODE means, how it is computed, and what to do about it; without CODE, list them all."""
    import wellfit as wf

    if code is not None:
        text = wf.explain(code)
        session.result({"schema": 1, "code": code.strip().upper(), "text": text}, text=text)
        return
    from wellfit.diagnosis.findings import CATALOGUE

    titles = {name: entry.title for name, entry in CATALOGUE.items()}
    text = "\n".join(f"{name}  {title}" for name, title in titles.items())
    session.result({"schema": 1, "codes": titles}, text=text)
