"""`wellfit errors`: look at the rows that a network gets wrong, tag them, and see what fixing each kind could win."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from wellfit.cli.options import format_options, given, goal_option
from wellfit.cli.session import Session
from wellfit.cli.stage import FILE, stage

ROWS = 10


@stage(
    examples="""
  wellfit errors churn.wellfit
  wellfit errors churn.wellfit --out errors.csv      then fill in the column tags, from the top: night; blurred
  wellfit errors churn.wellfit --tags errors.csv
  wellfit errors predictions.csv --rows 20
"""
)
@click.argument("source", type=FILE, metavar="EXPERIMENT|PREDICTIONS")
@click.option("--rows", type=click.IntRange(0), default=ROWS, show_default=True, help="Number of rows to list.")
@click.option("--out", "-o", type=FILE, metavar="FILE.csv", help="Write all errors of the eyeball, to tag them.")
@click.option("--tags", type=FILE, metavar="FILE.csv", help="Read the tags in a file that --out wrote.")
@click.option(
    "--eyeball",
    type=click.IntRange(1),
    metavar="ROWS",
    help="Number of dev rows to look at, drawn once.  [default: enough for about 100 errors, at most half of dev]",
)
@click.option("--group-on", metavar="COLUMN", help="Column of PREDICTIONS that identifies groups of rows.")
@format_options
@goal_option
def errors(*, session: Session, source: Path, out: Path | None, **options: Any) -> None:
    """Show the dev rows with the worst predictions, and what fixing each kind of error could win.

    Only a part of dev is shown, drawn at random: the eyeball. Nobody looks at the others, the blackbox, so that they
    show whether later changes fit only the rows that were looked at. --out writes the errors of the eyeball to a table,
    in random order. Write what is special about each into its column tags ("-" for nothing), from the top, for as many
    as you like: the rows above the last one that has something count as looked at. --tags reads them. For values, a tag
    has a share of the squared error.
    """
    import wellfit as wf
    from wellfit.reports.errors import errors_text

    found = wf.errors(source, **given(options), **session.seeded)
    text = errors_text(found, session.width)
    if out is not None:
        text += f"\n{found.write(out):,} errors are in {out}: fill in the column tags, then pass it with --tags."
    elif not found.seen and found.errors:
        text += "\nTo see what fixing each kind could win: write them with --out errors.csv, tag them, pass --tags."
    session.result(found.to_json(), text=text)
