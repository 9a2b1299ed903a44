"""Print an experiment in the terminal."""

from __future__ import annotations

import os
import shutil
import sys
from typing import TYPE_CHECKING

from wellfit.cli.session import Session

if TYPE_CHECKING:
    from wellfit.base.typing import Json
    from wellfit.experiment.experiment import Experiment

_WIDTH = 100
"""Columns of the text when it does not go to a terminal."""


def show_experiment(session: Session, experiment: Experiment) -> Json:
    """Print an experiment, and return what it is for scripts."""
    from wellfit.reports.text import render_text

    body = experiment.to_json()
    width = shutil.get_terminal_size((_WIDTH, 24)).columns
    color = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    text = "" if session.as_json or session.events else render_text(experiment.summary(), width=width, color=color)
    session.result(body, text=f"{text.rstrip()}\n\nReport: {experiment.folder.report}")
    if body["test"] is None:
        session.say(f"When the work is done: 'wellfit unseal {experiment.path}' shows the test error, once.")
    return body
