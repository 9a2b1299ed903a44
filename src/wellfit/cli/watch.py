"""`wellfit watch`: see a run at work, in another terminal or over SSH, from its journal."""

from __future__ import annotations

import os
import shutil
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from wellfit.cli.errors import printable
from wellfit.cli.session import Session, show_experiment
from wellfit.cli.stage import FILE, stage
from wellfit.exceptions import Refusal

if TYPE_CHECKING:
    from wellfit.experiment.experiment import Experiment


@stage(examples="\n  wellfit watch churn.wellfit\n  ssh cluster wellfit watch churn.wellfit\n")
@click.argument("experiment", type=FILE)
@click.option(
    "--every", type=click.FloatRange(0.2), default=1.0, show_default=True, metavar="SECONDS", help="Time between looks."
)
def watch(*, session: Session, experiment: Path, every: float) -> None:
    """Watch the run in EXPERIMENT at work: what it is doing, how far it is, what it has found, what comes next.

    The command only reads the journal, so it neither slows nor changes the run; Ctrl-C ends the command, not the run.
    It waits for a run that has not begun, and ends with the run. Without a terminal it shows the present state once.
    """
    from wellfit.experiment.experiment import open_experiment

    if session.as_json or session.events or not sys.stdout.isatty():
        opened = open_experiment(experiment)
        if session.as_json or session.events:
            show_experiment(session, opened)
        else:
            click.echo(state_of(opened, color=False)[0], nl=False)
        return
    try:
        _look(experiment, every=every)
    except KeyboardInterrupt:
        return


def _look(path: Path, *, every: float) -> None:
    """Show the state again and again, on a screen of its own, until the run has ended; then leave its end there."""
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    from wellfit.experiment.experiment import open_experiment

    color = not os.environ.get("NO_COLOR")
    console, opened, text = Console(highlight=False), None, ""
    with Live(console=console, auto_refresh=False, screen=True) as live:
        ended = False
        while not ended:
            try:
                opened = opened or open_experiment(path)
                text, ended = state_of(opened, color=color)
            except Refusal:
                if opened is not None or (path.exists() and any(path.iterdir() if path.is_dir() else [path])):
                    raise
                text = f"No experiment at {path} yet. Start one with `wellfit run DATA --target COLUMN --out {path}`."
            live.update(Text.from_ansi(text), refresh=True)
            if not ended:
                time.sleep(every)
    click.echo(text, nl=False)


def state_of(experiment: Experiment, *, color: bool) -> tuple[str, bool]:
    """Return what the run is doing in words, and whether it has ended."""
    from wellfit.reports.watch import render_watch, work_of

    size = shutil.get_terminal_size((100, 60))
    work = work_of(experiment.workspace.entries(), now=datetime.now(UTC))
    shown = render_watch(
        experiment.summary(), work, path=str(experiment.path), width=size.columns, height=size.lines, color=color
    )
    return printable(shown), work.ended
