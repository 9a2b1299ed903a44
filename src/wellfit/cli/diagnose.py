"""`wellfit diagnose`: diagnose a file of predictions, an experiment, or just numbers, depending on the argument."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from wellfit.cli.options import (
    all_of,
    exit_code,
    fail_on_option,
    flag,
    format_options,
    given,
    goal_option,
    reference_options,
)
from wellfit.cli.session import Session
from wellfit.cli.stage import FILE, Callback, stage
from wellfit.exceptions import BadInput

if TYPE_CHECKING:
    from wellfit.base.typing import Json
    from wellfit.diagnosis.diagnosis import DataDiagnosis, Diagnosis

PARTS = {
    "train": "the training set",
    "train_dev": "train-dev: rows drawn like train but not trained on",
    "dev": "the dev set",
    "test": "the test set",
}
_NUMBERS = {
    **{part: flag(f"{part}_error") for part in PARTS},
    **{f"{part}_{name}": flag(f"{part}_{name}") for name in ("rows", "sd") for part in PARTS},
}
"""The option for each argument of `wf.diagnose_errors`."""
_FORMAT = ("delimiter", "decimal", "thousands", "encoding", "missing", "no_header")


def number_options(function: Callback) -> Callback:
    """Add options for the errors of the parts, without a file: each with its rows and the spread of its losses."""
    options = []
    for part, words in PARTS.items():
        options += [
            click.option(_NUMBERS[part], part, type=float, metavar="E", help=f"Error on {words}."),
            click.option(_NUMBERS[f"{part}_rows"], type=int, metavar="N", help=f"Rows of {words.partition(':')[0]}."),
        ]
    for part, words in PARTS.items():
        told = f"Standard deviation of the per-row loss on {words.partition(':')[0]}, for goals other than error."
        options.append(click.option(_NUMBERS[f"{part}_sd"], type=float, metavar="SD", help=told))
    return all_of(function, *options)


@stage(
    examples="""
  wellfit diagnose --train-error .01 --dev-error .11 --human-error 0 --train-rows 50000 --dev-rows 1000
  wellfit diagnose predictions.parquet --human-error .01
  wellfit diagnose predictions.csv --labels-per-row anna,ben,carl
  wellfit diagnose churn.wellfit --json --fail-on gap
  wellfit diagnose churn.wellfit --refits 24

If nothing has been trained in the experiment yet, as after `wellfit split`, the command diagnoses the rows.

PREDICTIONS is a CSV or Parquet file with the columns split (train, train_dev, dev, test), y, and prediction
or one p_<class> for each class; any other columns are features.
"""
)
@click.argument("source", required=False, type=FILE, metavar="[PREDICTIONS|EXPERIMENT]")
@number_options
@click.option(
    "--refits",
    type=int,
    metavar="N",
    help="Train EXPERIMENT's network N times (such as 24) on parts of its rows, to predict the gain from more data and "
    "how many pictures augmentation is worth.",
)
@click.option(
    "--views",
    type=int,
    metavar="N",
    help="Measure the gain on dev and the cost of averaging over N changed views of each picture in EXPERIMENT.",
)
@click.option(
    "--labels-per-row",
    metavar="C,C,...",
    type=click.UNPROCESSED,
    help="Columns of PREDICTIONS, each with one annotator's labels; their disagreement is the reference.",
)
@click.option(
    "--label-voters",
    type=click.IntRange(1),
    metavar="R",
    help="With --labels-per-row, y is the majority of R such labels.  [default: 1]",
)
@click.option(
    "--group-on",
    metavar="COLUMN",
    help="Column of PREDICTIONS that identifies groups of rows; intervals resample whole groups.",
)
@format_options
@goal_option
@reference_options
@fail_on_option
def diagnose(*, session: Session, source: Path | None, fail_on: str | None, **options: Any) -> int:
    """Say where the error comes from and what to do about it.

    Shows the errors with their intervals, the gaps (avoidable bias, variance, mismatch, dev overfit) with verdicts,
    coded findings, and the remedies in the order to try. Without an argument, pass the errors as options.
    """
    import wellfit as wf
    from wellfit.reports.show import text_of

    asked = given(options)
    _check_source(asked, source)
    views, refits = asked.pop("views", None), asked.get("refits")
    diagnosis: Diagnosis | DataDiagnosis
    if source is None:
        diagnosis = _of_numbers(asked)
    else:
        _refuse_numbers(asked, source)
        diagnosis = _of_experiment(source, asked) if source.is_dir() else _of_predictions(source, asked)
    body = diagnosis.to_json()
    text = "\n".join([text_of(diagnosis, width=session.width), *(refit_lines(body) if refits is not None else ())])
    if views is not None and source is not None:
        found = wf.open_experiment(source).views(views)
        body, text = {**body, "views": found.to_json()}, f"{text}\n{found.sentence}"
    session.result(body, text=text)
    return exit_code(body, fail_on=fail_on)


def refit_lines(body: Json) -> list[str]:
    """Return the answer to --refits, which the list of findings merely counts as passed."""
    found = [each for each in body["findings"] if each["code"] == "WF210" and each["status"] == "passed"]
    return [f"WF210 {each['title']}: no. {each['evidence']}" for each in found]


def _check_source(asked: Json, source: Path | None) -> None:
    """Check that each option has the source that it needs: an experiment, or a file of predictions."""
    for name, does in (
        ("refits", "must be used with EXPERIMENT"),
        ("views", "must be used with EXPERIMENT"),
    ):
        if name in asked and (source is None or not source.is_dir()):
            raise BadInput(
                f"--{name} {does}",
                found="no experiment",
                remedy="Pass EXPERIMENT, the folder that `wellfit run` made",
            )
    if "label_voters" in asked and "labels_per_row" not in asked:
        raise BadInput(
            "--label-voters must be used with --labels-per-row",
            found="no --labels-per-row",
            remedy="Pass the columns of the labels with --labels-per-row",
        )
    remedies = {
        "labels_per_row": "Pass PREDICTIONS, or the error of people with --human-error",
        "group_on": "Pass PREDICTIONS; an experiment has its groups from `wellfit split --group-on`",
    }
    remedies |= dict.fromkeys(_FORMAT, "Remove it: an experiment keeps the format of its DATA")
    for name, remedy in remedies.items():
        if name in asked and (source is None or source.is_dir()):
            raise BadInput(f"{flag(name)} must be used with a file of predictions", found="no such file", remedy=remedy)


def _of_numbers(asked: Json) -> Diagnosis:
    import wellfit as wf

    missing = [_NUMBERS[name] for name in ("train", "dev") if name not in asked]
    if missing:
        raise BadInput(
            "a diagnosis must have the errors of train and dev, a file of predictions, or an experiment",
            found=f"no {' and no '.join(missing)}",
            remedy="Pass one of these; 'wellfit diagnose --help' shows examples",
        )
    return wf.diagnose_errors(**asked)


def _of_experiment(path: Path, asked: Json) -> Diagnosis | DataDiagnosis:
    import wellfit as wf

    if "goal" in asked:
        raise BadInput(
            "the goal of an experiment must not change",
            found=f"--goal {asked['goal']} together with {path}",
            remedy="Remove --goal",
        )
    refits = asked.pop("refits", None)
    if refits is not None:
        wf.open_experiment(path).more_data(refits=refits, **asked)
    return wf.diagnose(path, **asked)


def _of_predictions(path: Path, asked: Json) -> Diagnosis:
    from wellfit.data.dialect import CsvFormat
    from wellfit.diagnosis.table import diagnose_table, read_predictions

    if "labels_per_row" in asked:
        asked = {**asked, "labels_per_row": [name.strip() for name in asked["labels_per_row"].split(",")]}
    csv_format = CsvFormat(**{name: asked.pop(name, None) for name in _FORMAT})
    return diagnose_table(read_predictions(path, csv_format=csv_format), **asked)


def _refuse_numbers(asked: Json, source: Path) -> None:
    extra = [option for name, option in _NUMBERS.items() if name in asked]
    if extra:
        raise BadInput(
            "the errors must come from PREDICTIONS, from EXPERIMENT, or from options",
            found=f"{', '.join(extra)} together with {source}",
            remedy="Remove the argument or these options",
        )
