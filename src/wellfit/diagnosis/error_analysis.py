"""Error analysis: which dev rows a model gets wrong, of which kinds they are, and how much fixing each kind could win.

A person tags the wrong rows of the eyeball; the share of a tag is the ceiling on what fixing it can win (Ng 2018,
Machine Learning Yearning, chapters 13 to 19).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
from scipy import special

from wellfit.base.files import write_whole
from wellfit.base.rendering import Rendered
from wellfit.base.serialize import OMITTED, Record
from wellfit.base.typing import Booleans, Floats, Integers, Json
from wellfit.diagnosis.eyeball import draw_eyeball
from wellfit.diagnosis.findings import Finding
from wellfit.diagnosis.label_noise import FEWEST_ROWS
from wellfit.exceptions import BadInput, Refusal
from wellfit.records.goals import Goal, default_goal
from wellfit.stats.intervals import (
    LEVEL,
    Estimate,
    grouped_mean,
    grouped_rate,
    has_groups,
    mean_interval,
    on_logit_scale,
    wilson,
)

DOUBTFUL = "doubtful label"
"""The tag of rows whose labels two models doubt."""
NOTHING = "-"
"""What stands in the column of tags for a row that was looked at and has none."""
MOST = 5
"""Confusions and classes that are named."""
_OWN = ("row", "y", "prediction", "loss", "tags")
"""The columns of a file of errors before the row's own."""


@dataclass(frozen=True, kw_only=True)
class Predictions:
    """A model's predictions for dev, with everything by which its errors are analysed; arrays are [dev rows]."""

    target: Integers | Floats  # class codes, or values
    predictions: Floats  # [dev rows, classes] probabilities, or values
    classes: tuple[str, ...] = ()  # their names; none for values
    groups: Integers | None = None
    table: pa.Table | None = None  # the rows as the user wrote them
    names: Integers | None = None  # number of each row in the user's file, by default in dev, from 1
    opinion: Floats | None = None  # [dev rows, classes] probabilities of another model

    @property
    def goal(self) -> Goal:
        """The goal whose loss says how wrong a row is: the error of classes, the squared error of values."""
        return default_goal("classification" if self.classes else "regression")

    @property
    def wrong(self) -> Floats:
        """The loss of each row: 1 for another class than the label's, or the squared error."""
        return np.asarray(self.goal.row_losses(self.target, self.predictions), np.float64)

    @property
    def rate(self) -> float:
        """The share of rows that have something to look at: the errors of classes, or every row with a value."""
        return float(self.wrong.mean()) if self.classes else 1.0

    @property
    def severity(self) -> Floats:
        """How wrong each row is: minus the log of the probability of its label, or the squared error."""
        if not self.classes:
            return self.wrong
        given = self.predictions[np.arange(len(self.target)), self.target]
        return np.asarray(-np.log(np.clip(given, 1e-12, 1.0)) + 0.0)

    @property
    def sureness(self) -> Floats | None:
        """The distance between the two largest probabilities; None for values."""
        if not self.classes:
            return None
        top = np.sort(self.predictions, axis=1)[:, -2:]
        return np.asarray(top[:, 1] - top[:, 0])

    @property
    def doubted(self) -> Booleans:
        """Whether this model and another one, if there is one, are confident of the same other class.

        A model is confident of a class if it gives it at least the probability that it gives on average to rows with
        that label (confident learning; Northcutt et al., 2021, equation 2).
        """
        if not self.classes or self.opinion is None or len(self.target) < FEWEST_ROWS:
            return np.zeros(len(self.target), bool)
        target = np.asarray(self.target, np.int64)
        ours, others = (confident_class(target, each) for each in (self.predictions, self.opinion))
        return np.asarray((ours == others) & (ours >= 0) & (ours != target))

    def number(self, place: int) -> int:
        """Return the number by which the user knows a row."""
        return int(place) + 1 if self.names is None else int(self.names[place])

    def label(self, place: int) -> str:
        """Return the label of a row, or its value."""
        return self.classes[int(self.target[place])] if self.classes else f"{self.target[place]:.6g}"

    def predicted(self, place: int) -> str:
        """Return the most probable class of a row, or the predicted value."""
        return self.classes[int(self.predictions[place].argmax())] if self.classes else f"{self.predictions[place]:.6g}"


def confident_class(target: Integers, probabilities: Floats) -> Integers:
    """Return the most probable class of each row [rows] of which a model is confident, or -1.

    `target` is [rows] class codes, `probabilities` [rows, classes].
    """
    own = probabilities[np.arange(len(target)), target]
    counts = np.bincount(target, minlength=probabilities.shape[1])
    sums = np.bincount(target, weights=own, minlength=probabilities.shape[1])
    usual = np.where(counts > 0, sums / np.maximum(counts, 1), np.inf)
    said = probabilities.argmax(axis=1)
    return np.where(probabilities[np.arange(len(target)), said] >= usual[said], said, -1)


@dataclass(frozen=True, kw_only=True)
class ErrorRow(Record):
    """One dev row that a model gets wrong, or is least sure of."""

    row: int
    loss: float
    """Minus the log of the probability of its label; the squared error for values."""
    y: str
    prediction: str
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Ceiling(Record):
    """What fixing all errors of one tag could win."""

    share: float
    """Its share of the loss (of the errors, for classes)."""
    low: float
    high: float
    ceiling: float
    """The fall of the dev loss if all of it were fixed."""
    ceiling_low: float
    ceiling_high: float
    rows: int
    """Rows with the tag."""


@dataclass(frozen=True, kw_only=True)
class Confusion(Record):
    """Rows of one class that are taken for another one."""

    y: str
    prediction: str
    rows: int
    share: float
    """Their share of all errors."""


@dataclass(frozen=True, kw_only=True)
class ErrorShares(Record):
    """The kinds of errors that a model makes, as far as they are kept and reported."""

    tags: Mapping[str, Ceiling]
    """Those of the highest ceiling first."""
    errors: int
    """Errors in the eyeball; for values, its rows."""
    seen: int
    """How many of them have been looked at."""
    confusions: tuple[Confusion, ...]
    classes: Mapping[str, Estimate]
    """Classes with the highest error on dev."""
    eyeball: Estimate
    """The dev loss on the rows to look at."""
    blackbox: Estimate | None
    """The dev loss on the others."""


@dataclass(frozen=True, kw_only=True)
class ErrorAnalysis(Rendered, ErrorShares):
    """What a model gets wrong; `print` shows it."""

    goal: Goal = field(metadata=OMITTED)
    rows: tuple[ErrorRow, ...]
    """The most wrong rows of the eyeball, the worst first."""
    unsure: tuple[ErrorRow, ...]
    """Its rows with the smallest distance between the two largest probabilities."""
    finding: Finding | None = None
    listing: pa.Table = field(repr=False, metadata=OMITTED)
    """All errors of the eyeball in the order in which they are to be looked at, with their columns."""

    def __repr__(self) -> str:
        tags = f"; tags: {', '.join(self.tags)}" if self.tags else ""
        return f"ErrorAnalysis({self.goal.name}: {self.listing.num_rows} errors to look at{tags})"

    @property
    def shares(self) -> ErrorShares:
        """The kinds of errors alone."""
        return ErrorShares(**{each.name: getattr(self, each.name) for each in fields(ErrorShares)})

    def to_json(self) -> Json:
        """Return the object that `errors --json` prints."""
        return {"schema": 1, "goal": self.goal.name, **super().to_json()}

    def write(self, path: Path | str) -> int:
        """Write the errors of the eyeball to a CSV file with an empty column `tags`; return their number.

        Raises:
            Refusal: the file exists, and may have tags in it.
        """
        path = Path(path)
        if path.exists():
            raise Refusal(
                "a file of errors must be a new one, because an old one may have tags in it",
                found=f"{path} exists",
                remedy="Choose another name, or read its tags with --tags",
            )
        write_whole(path, lambda file: pyarrow.csv.write_csv(self.listing, file))
        return int(self.listing.num_rows)

    def to_frame(self) -> pa.Table:
        """Return the errors of the eyeball as an Arrow table, as `write` writes them."""
        return self.listing


def analysis_of(
    model: Predictions, *, tags: Mapping[int, Sequence[str]] | None, eyeball: int | None, rows: int, seed: int
) -> ErrorAnalysis:
    """Draw the rows to look at, and analyse the errors in them, for predictions without an experiment."""
    chosen = draw_eyeball(len(model.target), error=model.rate, groups=model.groups, size=eyeball, seed=seed)
    require_rows(tags or {}, [model.number(int(place)) for place in chosen])
    return analyse(model, eyeball=chosen, tags=tags, rows=rows)


def analyse(
    model: Predictions,
    *,
    eyeball: Integers,
    tags: Mapping[int, Sequence[str]] | None = None,
    rows: int = 10,
    finding: Finding | None = None,
) -> ErrorAnalysis:
    """Analyse a model's errors on dev.

    Args:
        model: its predictions.
        eyeball: places of the dev rows to look at, in their order (`eyeball.draw_eyeball`).
        tags: the tags of each row that was looked at, by its number; an empty list if it got none.
        rows: number of rows to list.
        finding: WF404, if known.
    """
    tags = tags or {}
    wrong, doubted = model.wrong, model.doubted
    shown = np.zeros(len(wrong), bool)
    shown[eyeball] = True
    errors = eyeball[wrong[eyeball] > 0]
    # The errors before the first one that is not in the list have been looked at, with or without a tag.
    seen = next((place for place, row in enumerate(errors) if model.number(int(row)) not in tags), len(errors))
    severity, sureness = model.severity, model.sureness

    def row_of(place: int) -> ErrorRow:
        own = tuple(dict.fromkeys([*tags.get(model.number(place), ()), *([DOUBTFUL] if doubted[place] else [])]))
        return ErrorRow(
            row=model.number(place),
            loss=float(severity[place]),
            y=model.label(place),
            prediction=model.predicted(place),
            tags=own,
        )

    worst = errors[np.argsort(-severity[errors], kind="stable")][:rows]
    unsure = eyeball[np.argsort(sureness[eyeball], kind="stable")][:rows] if sureness is not None else eyeball[:0]
    return ErrorAnalysis(
        goal=model.goal,
        rows=tuple(map(row_of, worst)),
        unsure=tuple(map(row_of, unsure)),
        tags=_ceilings(model, eyeball=eyeball, errors=errors, seen=seen, tags=tags),
        errors=len(errors),
        seen=seen,
        confusions=_confusions(model),
        classes=_worst_classes(model),
        eyeball=_mean(model, wrong[shown], np.flatnonzero(shown)),
        blackbox=None if shown.all() else _mean(model, wrong[~shown], np.flatnonzero(~shown)),
        finding=finding,
        listing=_listing(model, errors=errors, row_of=[row_of(place) for place in errors]),
    )


def _ceilings(
    model: Predictions, *, eyeball: Integers, errors: Integers, seen: int, tags: Mapping[int, Sequence[str]]
) -> dict[str, Ceiling]:
    """Return the ceiling of each tag, the highest first.

    The rows up to the last error that was looked at are a random sample of dev, whatever is tagged in them.
    """
    marks = [frozenset(tags.get(model.number(int(row)), ())) for row in eyeball]
    passed = len(eyeball) if seen == len(errors) else int(np.flatnonzero(eyeball == errors[seen])[0])
    wrong = model.wrong[eyeball] > 0
    named = {name for own, counts in zip(marks[:passed], wrong[:passed], strict=True) if counts for name in own}
    found = {
        name: _ceiling(model, eyeball[:passed], np.array([name in own for own in marks[:passed]]))
        for name in sorted(named - {DOUBTFUL})
    }
    # Two models have looked at every row.
    doubted = model.doubted[eyeball] | np.array([DOUBTFUL in own for own in marks], bool)
    if (doubted & wrong).any():
        found[DOUBTFUL] = _ceiling(model, eyeball, doubted)
    return dict(sorted(found.items(), key=lambda each: -each[1].ceiling))


def _ceiling(model: Predictions, rows: Integers, tagged: Booleans) -> Ceiling:
    """Return the ceiling of the tagged ones [rows] among the dev rows at these places."""
    wrong = model.wrong[rows]
    ceiling = _mean(model, wrong * tagged, rows)
    share = _share(wrong, tagged, groups=None if model.groups is None else model.groups[rows])
    return Ceiling(
        share=share.value,
        low=share.low,
        high=share.high,
        ceiling=ceiling.value,
        ceiling_low=ceiling.low,
        ceiling_high=ceiling.high,
        rows=int(np.count_nonzero(tagged & (wrong > 0))),
    )


def _share(wrong: Floats, tagged: Booleans, *, groups: Integers | None) -> Estimate:
    """Return the share of the loss that the tagged rows have: Wilson's for errors, a linearized ratio otherwise."""
    grouped = groups is not None and has_groups(groups)
    if not grouped and set(np.unique(wrong)) <= {0.0, 1.0}:
        return wilson(float((wrong * tagged).sum()), float(wrong.sum()))
    codes = np.arange(len(wrong)) if groups is None else np.unique(groups, return_inverse=True)[1]
    losses, share = np.bincount(codes, weights=wrong), float((wrong * tagged).sum() / wrong.sum())
    apart, units = np.bincount(codes, weights=wrong * (tagged - share)), len(losses)
    error = math.sqrt(units / max(units - 1, 1) * float((apart**2).sum())) / float(wrong.sum())
    # A few rows or groups may hold most of the loss: Student's quantile takes Kish's effective number of them.
    worth = float(losses.sum() ** 2 / (losses**2).sum())
    student = float(special.stdtrit(max(worth - 1, 1.0), (1 + LEVEL) / 2))
    limits = on_logit_scale(share, error=error, quantile=student, sure_rows=max(worth, 1.0), level=LEVEL)
    return Estimate(share, *limits, len(wrong))


def _mean(model: Predictions, own: Floats, rows: Integers) -> Estimate:
    """Return the mean of the losses [rows] of the dev rows at these places, with its interval."""
    groups = None if model.groups is None else model.groups[rows]
    grouped = groups is not None and has_groups(groups) and len(np.unique(groups)) > 1
    if model.classes:
        return grouped_rate(own, groups) if grouped and groups is not None else wilson(float(own.sum()), len(own))
    if len(own) < 2:
        return Estimate.fixed(float(own.mean()), rows=len(own))
    return grouped_mean(own, groups) if grouped and groups is not None else mean_interval(own)


def _confusions(model: Predictions) -> tuple[Confusion, ...]:
    if not model.classes:
        return ()
    size = len(model.classes)
    said = model.predictions.argmax(axis=1)
    counts = np.bincount(np.asarray(model.target, np.int64) * size + said, minlength=size * size)
    counts[np.arange(size) * (size + 1)] = 0
    errors = max(1, int(counts.sum()))
    most = [int(place) for place in np.argsort(-counts, kind="stable")[:MOST] if counts[place]]
    return tuple(
        Confusion(
            y=model.classes[place // size],
            prediction=model.classes[place % size],
            rows=int(counts[place]),
            share=float(counts[place] / errors),
        )
        for place in most
    )


def _worst_classes(model: Predictions) -> dict[str, Estimate]:
    """Return the error of the classes in which most is wrong, by the lower limit: few rows prove little."""
    found = {
        name: _mean(model, model.wrong[model.target == code], np.flatnonzero(model.target == code))
        for code, name in enumerate(model.classes)
        if (model.target == code).any()
    }
    worst = sorted(found, key=lambda name: -found[name].low)[:MOST]
    return {name: found[name] for name in worst if found[name].value > 0}


def _listing(model: Predictions, *, errors: Integers, row_of: Sequence[ErrorRow]) -> pa.Table:
    own = {
        "row": [each.row for each in row_of],
        "y": [each.y for each in row_of],
        "prediction": [each.prediction for each in row_of],
        "loss": [each.loss for each in row_of],
        "tags": ["; ".join(name for name in each.tags if name != DOUBTFUL) for each in row_of],
    }
    listing = pa.table({name: pa.array(values, type=_TYPES.get(name, pa.string())) for name, values in own.items()})
    if model.table is None:
        return listing
    for name in model.table.column_names:
        if name not in _OWN and not pa.types.is_nested(model.table.schema.field(name).type):
            listing = listing.append_column(name, model.table[name].take(pa.array(errors)))
    return listing


_TYPES = {"row": pa.int64(), "loss": pa.float64()}


def read_tags(table: pa.Table) -> dict[int, tuple[str, ...]]:
    """Return the tags of each row of a file of errors, up to the last one that has any: names between ";" or ",".

    A row above the last one with tags was looked at too; so was one with "-" alone.

    Raises:
        BadInput: the columns row and tags are missing, or a row's number is not one.
    """
    for name in ("row", "tags"):
        if name not in table.column_names:
            raise BadInput(
                "a file of tags must have the columns row and tags",
                found=f"no column {name} among {', '.join(table.column_names[:20])}",
                remedy="Write one with --out, and fill in its column tags",
            )
    found: dict[int, tuple[str, ...]] = {}
    last = 0
    for line, (row, said) in enumerate(zip(table["row"].to_pylist(), table["tags"].to_pylist(), strict=True), start=1):
        words = "" if said is None else str(said)
        if row is None and not words.strip():
            continue  # spreadsheets leave blank lines
        if not str(row).isdigit():
            raise BadInput(
                "the column row must have the numbers that --out wrote",
                found=f"{row!r} in row {line}",
                remedy="Restore the number, or remove the line",
            )
        own = [name.strip() for name in words.replace(",", ";").split(";") if name.strip()]
        found[int(row)] = tuple(dict.fromkeys((*found.get(int(row), ()), *own)))
        last = len(found) if own else last
    return {row: tuple(name for name in found[row] if name != NOTHING) for row in list(found)[:last]}


def require_rows(tags: Mapping[int, Sequence[str]], known: Iterable[int]) -> None:
    """Refuse tags of rows that were not shown, since they are not a sample; `known` are the numbers of those shown."""
    text = next((names for names in tags.values() if isinstance(names, str)), None)
    if text is not None:
        raise BadInput("the tags of a row must be a list of names", found=repr(text), remedy=f"Pass [{text!r}]")
    shown = set(known)
    strange = sorted(set(tags) - shown)
    if strange:
        raise BadInput(
            "tags must be given to the rows that --out wrote",
            found=f"row {strange[0]}, which is not among the {len(shown):,} rows of the eyeball",
            remedy="Remove it, or write the errors again with --out",
        )
