"""`wellfit unseal`: the test set, once, after a typed confirmation."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from wellfit.cli.session import Session
from wellfit.cli.stage import FILE, stage
from wellfit.exceptions import Refusal

if TYPE_CHECKING:
    from wellfit.opening import Opening
    from wellfit.records.goals import Goal


@stage(examples="\n  wellfit unseal churn.wellfit\n  wellfit unseal churn.wellfit --yes --json\n")
@click.argument("experiment", type=FILE)
@click.option("--yes", is_flag=True, help="Open it without asking for the experiment's name.")
@click.option(
    "--again", is_flag=True, help="Open it another time; the result is not certified and has a wider interval."
)
def unseal(*, session: Session, experiment: Path, yes: bool, again: bool) -> None:
    """Open the sealed test set of EXPERIMENT, once, and measure the final network on it.

    Each opening is recorded in the experiment's ledger and in your registry. Only the first one is certified:
    a number that was seen while choosing is no longer an honest number.
    """
    import wellfit as wf

    opened = wf.open_experiment(experiment)
    if not yes:
        _confirm(experiment)
    opening = opened.unseal(again=again)
    body = {**opening.to_json(), "error": opened.goal.in_unit(opening.error).to_json()}
    session.result(body, text=_text(opening, opened.goal))


def _confirm(experiment: Path) -> None:
    name = experiment.resolve().name.removesuffix(".wellfit")
    if not sys.stdin.isatty():
        raise Refusal(
            "opening the test set must be confirmed", found="no terminal for the question", remedy="Add --yes"
        )
    click.echo(
        "The test set can be opened only once with a certified result. Make sure that the work is done.", err=True
    )
    click.echo(f"Type the experiment's name ({name}) to open it: ", err=True, nl=False)
    typed = sys.stdin.readline().strip()
    if typed != name:
        raise Refusal(
            "the experiment's name must be typed to open the test set",
            found=repr(typed),
            remedy=f"Type {name}, or leave the test set sealed",
        )


def _text(opening: Opening, goal: Goal) -> str:
    from wellfit.records.units import Unit

    unit, error = Unit(goal), opening.error
    standing = "certified" if opening.certified else f"NOT certified: {opening.reason}"
    return "\n".join(
        [
            f"Test {unit.noun}: {unit.show(error.value)} ({unit.interval(error)}, {error.rows:,} rows). "
            f"Opening {opening.opening}, {standing}.",
            *(
                []
                if opening.dev_optimism is None
                else [f"Test minus dev: {unit.gap(opening.dev_optimism, end=error.value, sign=True)}."]
            ),
            *(f"  {name}: {unit.show(each.value)}" for name, each in opening.references.items()),
            f"Receipt: {opening.receipt}",
        ]
    )
