"""`wellfit show`, `compare`, `report` and `explain`: they only show results that exist already."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from wellfit.cli.session import Session, show_experiment
from wellfit.cli.stage import FILE, stage


@stage(examples="\n  wellfit show churn.wellfit\n  wellfit show churn.wellfit --full\n")
@click.argument("experiment", type=FILE)
@click.option("--full", is_flag=True, help="Everything that the report page says, instead of 25 lines.")
def show(*, session: Session, experiment: Path, full: bool) -> None:
    """Print the end of EXPERIMENT's last run again: what was wrong, what was done, how sure it is, what is next."""
    from wellfit.experiment.experiment import open_experiment

    show_experiment(session, open_experiment(experiment), full=full)


@stage(
    examples="""
  wellfit compare churn.wellfit copy.wellfit
  wellfit compare churn.wellfit@0 churn.wellfit@2      the first network, and the one of step 2
"""
)
@click.argument("a", metavar="A[@STEP]")
@click.argument("b", metavar="B[@STEP]")
def compare(*, session: Session, a: str, b: str) -> None:
    """Say which of two networks is better on the same dev rows, and which knobs differ.

    A and B are experiments of one split (copies of one folder, say), or steps of them.
    """
    import wellfit as wf

    found = wf.compare(a, b)
    session.result(found.to_json(), text=str(found))


@stage(
    examples="""
  wellfit report churn.wellfit
  wellfit report churn.wellfit --redact
  wellfit report churn.wellfit --markdown report.md --junit report.xml      for a pull request
"""
)
@click.argument("experiment", type=FILE)
@click.option(
    "--redact", is_flag=True, help="Leave out names of categories and regions, so that the page can be shared."
)
@click.option("--markdown", type=FILE, metavar="FILE.md", help="Also write its end as Markdown, for a pull request.")
@click.option(
    "--junit", type=FILE, metavar="FILE.xml", help="Also write gaps and findings as tests, for continuous integration."
)
def report(*, session: Session, experiment: Path, **options: Any) -> None:
    """Write the report page of EXPERIMENT again: one HTML file that needs no network."""
    import wellfit as wf

    page = wf.report(experiment, **options)
    session.result({"schema": 1, "report": str(page)}, text=str(page))


@stage(examples="\n  wellfit explain WF102\n  wellfit explain            lists all codes\n")
@click.argument("code", required=False)
def explain(*, session: Session, code: str | None) -> None:
    """Say what the finding CODE means, how it is computed, and what to do about it; without CODE, list them all."""
    import wellfit as wf

    if code is not None:
        text = wf.explain(code)
        session.result({"schema": 1, "code": code.strip().upper(), "text": text}, text=text)
        return
    from wellfit.diagnosis.findings import EXPLAINED

    titles = {name: entry.title for name, entry in EXPLAINED.items()}
    text = "\n".join(f"{name}  {title}" for name, title in titles.items())
    session.result({"schema": 1, "codes": titles}, text=text)
