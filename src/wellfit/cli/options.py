"""Options that several commands share, and the values that the user passed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from wellfit.cli.errors import ExitCode
from wellfit.cli.stage import FILE, Callback
from wellfit.exceptions import BadInput
from wellfit.records.config import BOARDS
from wellfit.records.goals import GOALS
from wellfit.records.knobs import KNOBS, Knob, knobs_of

if TYPE_CHECKING:
    from wellfit.base.typing import Json

Decorator = Callable[[Callback], Callback]

goal_option = click.option(
    "--goal",
    metavar="GOAL",
    help=f"What to minimize or maximize: {', '.join(GOALS)}.  [default: error; rmse for regression]",
)

fail_on_option = click.option(
    "--fail-on", type=click.Choice(["gap"]), help="Exit with code 3 if a verdict is yes (for scripts and CI)."
)

ray_option = click.option(
    "--ray",
    is_flag=False,
    flag_value="auto",
    metavar="[ADDRESS]",
    help="Train on a Ray cluster: HOST:PORT of its head node; by default RAY_ADDRESS, or the cluster of this machine.",
)


def reference_options(function: Callback) -> Callback:
    """Add options for the reference with which the error is compared."""
    return all_of(
        function,
        click.option("--human-error", type=float, metavar="E", help="Human error on this task, the usual reference."),
        click.option(
            "--human-rows", type=int, metavar="N", help="Number of rows on which the human error was measured."
        ),
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
            help="Largest gap that does not matter.  [default: the smaller of .02 and a quarter of the dev error]",
        ),
    )


def format_options(function: Callback) -> Callback:
    """Add options for the format of files, for every command that reads one."""
    return all_of(
        function,
        click.option("--delimiter", metavar="SIGN", help="Delimiter of a CSV file.  [default: detected]"),
        click.option(
            "--decimal", metavar="SIGN", help="Decimal sign in all columns of text that it fits.  [default: detected]"
        ),
        click.option(
            "--thousands",
            metavar="SIGN",
            help="Sign between thousands in all columns of text that it fits.  [default: detected]",
        ),
        click.option(
            "--encoding", metavar="NAME", help="Encoding of a CSV file, such as latin-1.  [default: detected]"
        ),
        click.option(
            "--missing",
            metavar="WORDS",
            help='Words for a missing value, such as NA,?; "" means the empty cell only.  '
            "[default: NA, null, nan, ? and similar]",
        ),
        click.option(
            "--no-header/--header",
            default=None,
            help="Whether the first line of a CSV file is a row or has the names.  "
            "[default: names; an error if it looks like a row]",
        ),
    )


def _reading_options(function: Callback) -> Callback:
    return all_of(
        format_options(function),
        click.option("--target", metavar="COLUMN", help="Column to predict."),
        goal_option,
        click.option(
            "--task",
            type=click.Choice(["classification", "regression"]),
            help="Kind of target.  [default: classification for strings, booleans, two values and at most 20 distinct "
            "whole numbers]",
        ),
        click.option(
            "--types",
            metavar="COL=KIND,...",
            help="Types of columns: number, category, boolean or date; date-dmy, date-mdy or date-ymd sets the order "
            "of a date, number-comma or number-point the decimal sign.  [default: detected]",
        ),
        click.option(
            "--spellings",
            type=click.Choice(["merge", "keep"]),
            help="Whether classes that differ only by case or blanks are one (merge) or several (keep).  "
            "[default: an error]",
        ),
        click.option("--drop", multiple=True, metavar="COLUMN", help="Leave out this column; may be repeated."),
    )


def split_options(function: Callback) -> Callback:
    """Add the options for reading and splitting a table."""
    return all_of(
        _reading_options(function),
        click.option(
            "--stratify-on",
            metavar="COLUMN",
            help="Column whose values get equal shares in all parts.  [default: the target]",
        ),
        click.option("--group-on", metavar="COLUMN", help="Column of groups (such as customers) that stay together."),
        click.option(
            "--time-on", metavar="COLUMN", help="Column of times: train on the past, measure on the time after it."
        ),
        click.option("--split-on", metavar="COLUMN", help="Column that assigns each row to train, dev or test."),
        click.option(
            "--sizes", metavar="T/D/T", help="Sizes of the parts, as shares (60/20/20) or rows (8000/1000/1000)."
        ),
        click.option("--test-data", type=FILE, metavar="FILE", help="File with a test set that was made elsewhere."),
        click.option(
            "--deployment-data",
            type=FILE,
            metavar="FILE",
            help="File with rows as they occur in use: dev and test are drawn from it, train and train-dev from DATA.",
        ),
        click.option(
            "--pictures", metavar="COLUMN", help="Column with the paths of pictures, if DATA is a table of pictures."
        ),
        click.option(
            "--picture-size",
            type=int,
            metavar="PIXELS",
            help="Side of the pictures in pixels.  [default: their own, at most 64]",
        ),
        click.option("--skip-corrupt", is_flag=True, default=None, help="Leave out pictures that cannot be read."),
        click.option(
            "--move-source",
            is_flag=True,
            help="Move the files of DATA and --test-data into the experiment, out of reach.",
        ),
        click.option(
            "--out", "-o", type=FILE, metavar="FOLDER", help="Folder of the experiment.  [default: ./NAME.wellfit]"
        ),
    )


def config_options(function: Callback) -> Callback:
    """Add an option for every knob; a module can be passed in Python only."""
    knobs = [knob for board in BOARDS for knob in knobs_of(board) if knob.kind != "text"]
    return all_of(function, *(_knob_option(knob) for knob in knobs))


def flag(name: str) -> str:
    """Return the option for a name: `keep_prob` becomes `--keep-prob`."""
    return "--" + name.replace("_", "-")


def _knob_option(knob: Knob) -> Decorator:
    kind = {"number": float, "whole": int}.get(knob.kind, str) if knob.shape == "one" else click.UNPROCESSED
    default = _shown(getattr(BOARDS[knob.board], knob.name))
    return click.option(
        flag(knob.name), metavar=knob.metavar or "NAME", type=kind, help=f"{knob.help}  [default: {default}]"
    )


def _shown(default: object) -> str:
    """Return a default in the form that people type: .9,.999."""
    if isinstance(default, tuple):
        return ",".join(map(_shown, default))
    if default is None:
        return "off"
    return f"{default:g}".removeprefix("0") or "0" if isinstance(default, float) else str(default)


def boards_of(asked: Mapping[str, Any]) -> dict[str, Json]:
    """Sort the knobs passed as options onto their boards; `64,64` becomes a list of numbers."""
    boards: dict[str, Json] = {board: {} for board in BOARDS}
    for name, value in asked.items():
        knob = KNOBS[name]
        boards[knob.board][name] = value if knob.shape == "one" else _numbers(knob, value)
    return boards


def _numbers(knob: Knob, text: str | float | Sequence[float]) -> Any:
    """Parse `.8` as .8 and `.8,.9` as (.8, .9); widths are always a list. A TOML file may contain numbers directly."""
    try:
        parts = [float(part) for part in text.split(",")] if isinstance(text, str) else text
    except ValueError as error:
        raise BadInput(
            f"{knob.name} must be a number or several separated by commas",
            found=repr(text),
            remedy="Write, for example, .8 or .9,.999",
        ) from error
    several = parts if isinstance(parts, Sequence) else [parts]
    return several[0] if knob.shape == "layer" and len(several) == 1 else tuple(several)


def one_or_several(data: tuple[Path, ...]) -> Path | list[Path]:
    """Return DATA in the form that the library takes."""
    return data[0] if len(data) == 1 else list(data)


def given(options: Mapping[str, Any]) -> Json:
    """Return the options that the user passed; the others get the library's own defaults."""
    return {name: value for name, value in options.items() if value is not None and value != ()}


def exit_code(body: Mapping[str, Any], *, fail_on: str | None) -> ExitCode:
    """Return 3 with --fail-on gap if a verdict is yes, otherwise 0."""
    verdicts = [gap["verdict"] for gap in body["gaps"].values() if gap is not None]
    return ExitCode.GAP if fail_on and "yes" in verdicts else ExitCode.DONE


def all_of(function: Callback, *decorators: Decorator) -> Callback:
    """Add options to a command; the help shows them in this order."""
    # click shows options in the order of the decorators read downwards, so they are applied from the last.
    return reduce(lambda made, decorator: decorator(made), reversed(decorators), function)
