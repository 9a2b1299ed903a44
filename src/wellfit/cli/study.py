"""`wellfit study`: the recipe applied to the user's own training program, in any language."""

from __future__ import annotations

from pathlib import Path

import click

from wellfit.cli.session import Session, show_experiment
from wellfit.cli.stage import FILE, stage


@stage(
    examples="""
  wellfit study cats.toml
  wellfit study cats.toml --budget 32fits --workers 4

cats.toml:
  command = "python train.py {width} {lr} {l2} {out}"
  goal = "error"
  human_error = 0.01
  budget = "16fits"                # or 2h
  [knobs]
  width = { role = "size", low = 32, high = 1024 }
  lr = { role = "learning_rate", low = 1e-5, high = 1e-1 }
  l2 = { role = "decay", rows = 45000 }

Roles: size, epochs, learning_rate, optimizer, choice (optimization board); decay, keep_prob, strength, averaging
(regularization board); rows (data board).
"""
)
@click.argument("file", type=FILE, metavar="FILE.toml")
@click.option("--budget", metavar="TEXT", help="Upper limit: 16fits, 90s, 10m, 2h.  [default: 24fits]")
@click.option(
    "--workers", type=click.IntRange(min=1), metavar="N", help="Number of commands that run at the same time."
)
@click.option(
    "--timeout", type=float, metavar="SECONDS", help="Time after which a command is ended and counts as a failed fit."
)
@click.option("--only", metavar="KIND", help="Carry out this one kind of remedy, such as regularize.")
@click.option("--branch", type=click.IntRange(min=0), metavar="STEP", help="Go on from the network of this step.")
@click.option("--idea", metavar="TEXT", help="Your reason for the study; kept with each step.")
def study(
    *,
    session: Session,
    file: Path,
    budget: str | None,
    workers: int | None,
    timeout: float | None,
    only: str | None,
    branch: int | None,
    idea: str | None,
) -> None:
    """Apply the recipe to your own training program: diagnose, then reduce bias first and variance second.

    The command writes its predictions to {out}, with the columns that `wellfit diagnose` reads: split, y, and
    prediction or one p_<class> for each class. The knobs are also in the environment (WELLFIT_KNOB_WIDTH) and, as
    JSON, in the file {knobs}. The study is the folder NAME.wellfit next to the file; the same command continues it.
    """
    import wellfit as wf
    from wellfit.studies.file import read_study

    asked = read_study(file)
    given = {name: value for name, value in (("workers", workers), ("timeout", timeout)) if value is not None}
    of_study = {**asked.of_study, **({} if budget is None else {"budget": budget})}
    with session.watching() as notify:
        made = wf.Study(asked.folder, knobs=asked.knobs, only=only, branch=branch, idea=idea, notify=notify, **of_study)
        made.run_command(asked.command, folder=file.parent, **{**asked.of_run, **given})
    show_experiment(session, made.experiment)
