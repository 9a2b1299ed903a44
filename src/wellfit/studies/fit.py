"""What one fit tells: predictions or numbers of train and dev, read into an outcome of the recipe."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from wellfit.base.arguments import named_fields
from wellfit.base.typing import Floats, Integers
from wellfit.diagnosis.diagnosis import part_estimate
from wellfit.diagnosis.predictions import checked_pair, classified, valued
from wellfit.exceptions import BadInput
from wellfit.records.config import Config
from wellfit.records.goals import Goal
from wellfit.records.outcome import CurvePoint, Outcome, Status
from wellfit.stats.intervals import Estimate

PARTS = ("train", "train_dev", "dev")


@named_fields
@dataclass(frozen=True, kw_only=True)
class Fit:
    """The result of one training, as a function given to `Study.run` returns it.

    Attributes:
        train: (y, prediction) of the training rows: labels or values [rows], and labels, probabilities
            [rows, classes] or values [rows]. Or the train error alone, in the goal's own unit (.01 for 1 %).
        dev: the same of the dev rows, which must be the same rows in the same order in every fit.
        train_dev: the same of rows of the training distribution that were not trained on; None without any.
        train_rows: number of training rows, with errors as numbers.
        dev_rows: number of dev rows.
        train_dev_rows: number of train-dev rows.
        train_sd: standard deviation of the loss per row (of the squared error for rmse), for goals other than error.
        dev_sd: the same on dev.
        train_dev_sd: the same on train-dev.
        curve: (train, dev) after each epoch, in the goal's own unit, or a pair of vectors
            `{"train": [...], "dev": [...]}`.
        classes: the class of each column of probabilities; those of y, sorted, when None.
        artifact: where the trained model is kept, such as a file's name.
        early_stopped: True if dev chose the epoch: fitting and regularizing are then coupled, and the report says so.
    """

    train: Any
    dev: Any
    train_dev: Any = None
    train_rows: int | None = None
    dev_rows: int | None = None
    train_dev_rows: int | None = None
    train_sd: float | None = None
    dev_sd: float | None = None
    train_dev_sd: float | None = None
    curve: Any = None
    classes: Sequence[Any] | None = None
    artifact: str | None = None
    early_stopped: bool = False


@dataclass(frozen=True, kw_only=True)
class Read:
    """A fit that was read: its outcome, the errors with intervals, and the targets of its rows."""

    outcome: Outcome
    errors: Mapping[str, Estimate]
    targets: Mapping[str, Integers | Floats] = field(default_factory=dict)
    classes: Sequence[Any] | None = None


class NotFinite(ValueError):
    """A prediction or an error that is NaN or infinite: the fit diverged."""


def read_fit(fit: Fit, config: Config, *, goal: Goal, classes: Sequence[Any] | None, seconds: float) -> Read:
    """Read what a fit told.

    Args:
        fit: as it was told.
        config: the knobs that it was trained with.
        goal: of the study.
        classes: those of earlier fits; found in this one when None.
        seconds: how long it took.

    Raises:
        NotFinite: for a NaN or an infinite value among the predictions or errors.
        BadInput: for parts that do not fit together, or labels that earlier fits did not have.
    """
    given = {part: getattr(fit, part) for part in PARTS if getattr(fit, part) is not None}
    _require_finite(given)
    numbers = {part: isinstance(value, int | float | np.number) for part, value in given.items()}
    status = Status.STOPPED_EARLY if fit.early_stopped else Status.FINISHED
    curve = read_curve(fit.curve, goal)
    about: dict[str, Any] = {"config": config, "status": status, "updates": len(curve), "seconds": seconds}
    about |= {"curve": curve, "weight_norms": ()}
    if all(numbers.values()):
        errors = {part: _from_number(fit, part, goal) for part in given}
        losses = {part: error.value for part, error in errors.items()}
        return Read(outcome=Outcome(losses=losses, **about), errors=errors)
    if any(numbers.values()):
        raise BadInput(
            "a fit must tell all parts in one way: pairs (y, prediction), or errors",
            found=", ".join(f"{part} as {'a number' if is_one else 'a pair'}" for part, is_one in numbers.items()),
            remedy="Tell pairs for all of them: comparisons on the same rows see smaller gains",
        )
    return _from_rows(given, goal=goal, classes=_classes(fit, classes), about=about)


def _classes(fit: Fit, known: Sequence[Any] | None) -> Sequence[Any] | None:
    """Return the classes in the order of a fit's columns, which must be those of earlier fits."""
    given = None
    if fit.classes is not None:
        given = [label.item() if isinstance(label, np.generic) else label for label in fit.classes]
    if given is not None and known is not None and set(given) != set(known):
        raise BadInput(
            "the classes must be those of earlier fits",
            found=", ".join(map(str, given[:20])),
            remedy=f"They were {', '.join(map(str, list(known)[:20]))}",
        )
    return known if given is None else given


def _from_number(fit: Fit, part: str, goal: Goal) -> Estimate:
    rows, sd = getattr(fit, f"{part}_rows"), getattr(fit, f"{part}_sd")
    found = part_estimate(part, float(getattr(fit, part)), rows=rows, sd=sd, goal=goal)
    if found is None or (part == "dev" and found.is_fixed and not rows):
        raise BadInput(
            "an error on dev needs its number of rows, to be told from chance",
            found=f"dev={fit.dev!r} without dev_rows",
            remedy="Give dev_rows"
            + ("" if goal.counts_rows else " and dev_sd, the standard deviation of a row's loss"),
        )
    return found


def _from_rows(given: Mapping[str, Any], *, goal: Goal, classes: Sequence[Any] | None, about: dict[str, Any]) -> Read:
    pairs = {part: checked_pair(part, pair, several=goal.task == "regression") for part, pair in given.items()}
    if goal.task == "classification":
        ready, levels = classified(pairs, goal, classes)
        known = sorted(classes) if classes is not None else _plain(pairs, levels)
        about["predictions"] = {part: ready[part][1] for part in ready if part != "train"}
        found: Mapping[str, tuple[Integers | Floats, Floats]] = ready
    else:
        found, known = valued(pairs), None
        about["predictions"] = {part: found[part][1] for part in found if part != "train"}
    rows = goal.row_losses(*found["train"])
    losses = {part: float(goal.row_losses(*pair).mean()) for part, pair in found.items()}
    errors = {part: goal.estimate(*pair) for part, pair in found.items() if part != "train"}
    errors = {"train": Estimate.fixed(losses["train"], rows=len(rows)), **errors}
    outcome = Outcome(losses=losses, train_losses=rows, **about)
    return Read(outcome=outcome, errors=errors, targets={part: pair[0] for part, pair in found.items()}, classes=known)


def _plain(pairs: Mapping[str, tuple[Any, Any]], levels: Sequence[str]) -> list[Any]:
    """Return the classes as JSON has them, in the order of `levels`."""
    labels = [target for target, _ in pairs.values()] + [said for _, said in pairs.values() if said.ndim == 1]
    by_name = {str(label): label.item() for label in np.unique(np.concatenate(labels))}
    return [by_name.get(level, level) for level in levels]


def _require_finite(given: Mapping[str, Any]) -> None:
    for part, value in given.items():
        for array in value if isinstance(value, tuple | list) else (value,):
            try:
                numbers = np.asarray(array)
            except ValueError:
                return  # ragged: `checked_pair` says so
            if numbers.dtype.kind == "f" and not np.isfinite(numbers).all():
                raise NotFinite(f"{part} is not finite")


def read_curve(curve: Any, goal: Goal) -> tuple[CurvePoint, ...]:
    """Return the points of a learning curve: losses after each epoch, counted from 1.

    Raises:
        BadInput: for anything but pairs of numbers.
    """
    if curve is None:
        return ()
    pairs = zip(curve["train"], curve["dev"], strict=True) if isinstance(curve, Mapping) else curve
    try:
        points = [(float(train), float(dev)) for train, dev in pairs]
    except (TypeError, ValueError, KeyError) as error:
        raise BadInput(
            "a curve must have a train and a dev error for each epoch",
            found=f"{type(curve).__name__}: {error}",
            remedy="Give [(train, dev), ...] or {'train': [...], 'dev': [...]}, of one length",
        ) from error
    return tuple(
        CurvePoint(epoch, goal.loss_of(train), goal.loss_of(dev))
        for epoch, (train, dev) in enumerate(points, start=1)
        if math.isfinite(train) and math.isfinite(dev)
    )
