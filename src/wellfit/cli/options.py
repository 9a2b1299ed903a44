"""Options that several commands share, and what was given of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from typing import TYPE_CHECKING, Any

import click

from wellfit.cli.errors import ExitCode
from wellfit.cli.stage import FILE, Callback
from wellfit.exceptions import BadInput
from wellfit.goals import GOALS

if TYPE_CHECKING:
    from wellfit._typing import Json

Decorator = Callable[[Callback], Callback]

_BOARD_KNOBS = {
    "network": ("widths", "activation", "embedding", "bins", "kind"),
    "regularization": (
        *("l2", "keep_prob", "l1", "label_smoothing", "input_noise", "mixup", "ema", "augment"),
        *("l2_schedule", "keep_prob_schedule"),
    ),
}
_SEVERAL = ("widths", "betas", "keep_prob")
"""Knobs that are written with commas between."""

goal_option = click.option("--goal", metavar="GOAL", help=f"{', '.join(GOALS)}.  [default: error; rmse for regression]")

fail_on_option = click.option(
    "--fail-on", type=click.Choice(["gap"]), help="Exit with code 3 when a verdict is yes (for scripts and CI)."
)


def reference_options(function: Callback) -> Callback:
    """What the error is compared with."""
    return _all(
        function,
        click.option(
            "--human-error", type=float, metavar="E", help="Error of people on this task, the usual reference."
        ),
        click.option("--human-rows", type=int, metavar="N", help="Rows on which the human error was measured."),
        click.option(
            "--optimal-error",
            type=float,
            nargs=2,
            metavar="LOW HIGH",
            help="Known range of the lowest reachable error.",
        ),
        click.option(
            "--tolerance",
            type=float,
            metavar="T",
            help="Gap that does not matter.  [default: the smaller of .02 and a quarter of the dev error]",
        ),
    )


def split_options(function: Callback) -> Callback:
    """How a table is divided."""
    return _all(
        function,
        click.option("--target", metavar="COLUMN", help="Column to predict."),
        goal_option,
        click.option(
            "--task",
            type=click.Choice(["classification", "regression"]),
            help="[default: classification for strings, booleans and at most 20 distinct integers]",
        ),
        click.option("--drop", multiple=True, metavar="COLUMN", help="Leave this column out; may be repeated."),
        click.option(
            "--stratify-on", metavar="COLUMN", help="Same shares of its values everywhere.  [default: the target]"
        ),
        click.option(
            "--group-on", metavar="COLUMN", help="Rows with the same value stay together (customer, patient)."
        ),
        click.option("--time-on", metavar="COLUMN", help="Train on the past, dev and test on the time after it."),
        click.option("--split-on", metavar="COLUMN", help="A column that says train, dev or test."),
        click.option("--sizes", metavar="T/D/T", help="Shares (60/20/20) or rows (8000/1000/1000)."),
        click.option("--test-data", type=FILE, metavar="FILE", help="A test set that was made elsewhere."),
        click.option(
            "--deployment-data",
            type=FILE,
            metavar="FILE",
            help="Rows as they are met in use: dev and test are drawn from them, train and train-dev from DATA.",
        ),
        click.option("--pictures", metavar="COLUMN", help="DATA is a table of pictures: the column with their paths."),
        click.option(
            "--picture-size", type=int, metavar="PIXELS", help="Their side.  [default: their own, at most 64]"
        ),
        click.option("--skip-corrupt", is_flag=True, default=None, help="Leave out pictures that cannot be read."),
        click.option("--move-source", is_flag=True, help="Move DATA into the experiment, out of reach."),
        click.option(
            "--out", "-o", type=FILE, metavar="FOLDER", help="The experiment's folder.  [default: ./NAME.wellfit]"
        ),
    )


def config_options(function: Callback) -> Callback:
    """The two boards of knobs."""
    return _all(
        function,
        click.option(
            "--widths",
            metavar="W,W,...",
            type=click.UNPROCESSED,
            help="Hidden widths, from input to output.  [default: 64,64]",
        ),
        click.option("--activation", metavar="NAME", help="relu, tanh or gelu.  [default: relu]"),
        click.option("--embedding", metavar="NAME", help="Of numbers: ple (in bins), or none.  [default: ple]"),
        click.option("--bins", type=int, metavar="N", help="Of each number, at most.  [default: 32]"),
        click.option("--kind", metavar="NAME", help="mlp, or conv for pictures.  [default: mlp]"),
        click.option("--optimizer", metavar="NAME", help="adam, sgd or momentum.  [default: adam]"),
        click.option("--lr", type=float, metavar="LR", help="Learning rate, at its peak.  [default: .001]"),
        click.option("--epochs", type=int, metavar="N", help="Passes over the training rows.  [default: 32]"),
        click.option("--batch-size", type=int, metavar="N", help="Rows per update.  [default: 256]"),
        click.option("--schedule", metavar="NAME", help="cosine, constant or coslog4.  [default: cosine]"),
        click.option("--momentum", type=float, metavar="SHARE", help="Of the optimizer momentum.  [default: .9]"),
        click.option(
            "--betas", metavar="B1,B2", type=click.UNPROCESSED, help="Of the optimizer adam.  [default: .9,.999]"
        ),
        click.option("--clip-norm", type=float, metavar="NORM", help="Largest norm of a gradient.  [default: none]"),
        click.option("--l2", type=float, metavar="LAMBDA", help="Lambda in lambda/(2m) ||W||^2.  [default: 0]"),
        click.option(
            "--keep-prob",
            metavar="P[,P...]",
            type=click.UNPROCESSED,
            help="Share of units that dropout keeps.  [default: 1]",
        ),
        click.option("--l1", type=float, metavar="L1", help="In (l1/m) ||W||_1; makes exact zeros.  [default: 0]"),
        click.option(
            "--label-smoothing", type=float, metavar="SHARE", help="Of a label, for all classes.  [default: 0]"
        ),
        click.option("--input-noise", type=float, metavar="SD", help="Added to standardized numbers.  [default: 0]"),
        click.option("--mixup", type=float, metavar="ALPHA", help="Mix rows, by Beta(alpha, alpha).  [default: 0]"),
        click.option("--ema", type=float, metavar="DECAY", help="Average the weights, for instance .99.  [default: 0]"),
        click.option("--augment", type=float, metavar="S", help="Change pictures at random, 1 strongly.  [default: 0]"),
        click.option("--l2-schedule", metavar="NAME", help="Of l2 and l1: constant or flat_cos.  [default: constant]"),
        click.option("--keep-prob-schedule", metavar="NAME", help="constant or flat_cos.  [default: constant]"),
        click.option(
            "--early-stopping",
            type=int,
            metavar="POINTS",
            help="Points of the curve without a lower dev error; couples the fit to dev.  [default: off]",
        ),
    )


def boards_of(asked: Mapping[str, Any]) -> dict[str, Json]:
    """Sort the knobs given as options onto their boards; `64,64` becomes a list of numbers."""
    boards: dict[str, Json] = {"network": {}, "optimization": {}, "regularization": {}}
    for knob, value in asked.items():
        board = next((name for name, knobs in _BOARD_KNOBS.items() if knob in knobs), "optimization")
        boards[board][knob] = _numbers(knob, value) if knob in _SEVERAL else value
    return boards


def _numbers(knob: str, text: str | float | Sequence[float]) -> Any:
    """`.8` -> .8; `.8,.9` -> (.8, .9); widths are always several. A TOML file may give numbers as they are."""
    try:
        parts = [float(part) for part in text.split(",")] if isinstance(text, str) else text
    except ValueError as error:
        raise BadInput(
            f"{knob} is a number, or numbers with commas between", found=repr(text), remedy="Write .9,.999 or .8"
        ) from error
    several = parts if isinstance(parts, Sequence) else [parts]
    return several[0] if knob == "keep_prob" and len(several) == 1 else tuple(several)


def given(options: Mapping[str, Any]) -> Json:
    """The options that were given: the library's own defaults hold for the others."""
    return {name: value for name, value in options.items() if value is not None and value != ()}


def exit_code(body: Mapping[str, Any], *, fail_on: str | None) -> ExitCode:
    """3 when asked to fail on a gap and a verdict is yes, else 0."""
    verdicts = [gap["verdict"] for gap in body["gaps"].values() if gap is not None]
    return ExitCode.GAP if fail_on and "yes" in verdicts else ExitCode.DONE


def _all(function: Callback, *decorators: Decorator) -> Callback:
    # click shows options in the order of the decorators read downwards, so they are applied from the last.
    return reduce(lambda made, decorator: decorator(made), reversed(decorators), function)
