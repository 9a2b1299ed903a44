"""The knobs of a training function that is the user's own: each has a role, and the role puts it on a board.

The recipe knows what a role does to a network (a larger size fits more, more strength memorizes less), never what the
knob's name means.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

from wellfit.base.arguments import named
from wellfit.base.serialize import ClosedRecord, omitted_if
from wellfit.exceptions import BadInput
from wellfit.records.config import Config, Told
from wellfit.sweeps.space import LEAST_SHRINK, MOST_SHRINK

# fmt: off
Role = Literal[
    "size", "epochs", "learning_rate", "optimizer", "choice", "decay", "keep_prob", "strength", "averaging", "rows"
]
# fmt: on
Value: TypeAlias = float | str
Unit = Literal["lambda", "weight_decay"]

_OPTIMIZATION = ("size", "epochs", "learning_rate", "optimizer", "choice")
_REGULARIZATION = ("decay", "keep_prob", "strength", "averaging")
WHOLE = ("size", "epochs", "rows")
OFF: Mapping[str, float] = {"decay": 0.0, "keep_prob": 1.0, "strength": 0.0, "averaging": 0.0}
"""The value of each role of regularizers at which it does nothing."""
ROOM_OF_OFF = 0.15
"""Between off and the smallest strength of a regularizer, as a share of what a search tries."""
_DIGITS = 4


@dataclass(frozen=True, kw_only=True)
class OwnKnob(ClosedRecord):
    """One knob of a training function: made by `wf.size`, `wf.decay` and the other functions named after roles.

    Attributes:
        role: what it does to the network.
        low: smallest value that may be tried; of a decay the smallest one above 0.
        high: largest value.
        start: value of the first fit; regularizers start off.
        choices: all values of an optimizer or a choice, the first of which is the start.
        rows: number m of training rows, for a decay whose useful range follows from the learning rate.
        unit: of a decay: "lambda", or "weight_decay" = lambda / m.
    """

    role: Role
    low: float | None = field(default=None, metadata=omitted_if(None))
    high: float | None = field(default=None, metadata=omitted_if(None))
    start: float | str | None = field(default=None, metadata=omitted_if(None))
    choices: tuple[str, ...] = field(default=(), metadata=omitted_if(()))
    rows: int | None = field(default=None, metadata=omitted_if(None))
    unit: Unit = field(default="lambda", metadata=omitted_if("lambda"))

    @property
    def board(self) -> str:
        """The board that it is on."""
        if self.role in _OPTIMIZATION:
            return "optimization"
        return "regularization" if self.role in _REGULARIZATION else "data"

    @property
    def off(self) -> float | None:
        """Value at which a regularizer does nothing; None for any other knob."""
        return OFF.get(self.role)

    @property
    def first(self) -> Value:
        """The value of the first fit."""
        if self.off is not None:
            return self.off
        if isinstance(self.start, str):
            return self.start
        if self.start is not None:
            return self.fit(self.start)
        if self.choices:
            return self.choices[0]
        low, high = self.low or 0.0, self.high or 0.0
        return self.fit(math.sqrt(low * high) if self.role == "learning_rate" else low)

    def limits(self, lr: float | None) -> tuple[float, float]:
        """Return the smallest and the largest value to try, which for a decay may depend on the learning rate.

        A decay with `rows` is useful where lr * lambda / m, the share that one update takes off each weight, is from
        1e-6 to 3e-3.
        """
        if self.role != "decay" or self.rows is None or lr is None:
            return self.low or 0.0, self.high or 0.0
        per_shrink = 1 / lr if self.unit == "weight_decay" else self.rows / lr
        low, high = LEAST_SHRINK * per_shrink, MOST_SHRINK * per_shrink
        return max(low, self.low or low), min(high, self.high or high)

    def at(self, place: float, *, lr: float | None) -> float:
        """Return the value of a regularizer at a place between the weak end 0 of its range and the strong end 1."""
        low, high = self.limits(lr)
        if self.role == "decay":
            return self.fit(low * (high / low) ** place)
        return self.fit(high - (high - low) * place if self.role == "keep_prob" else low + (high - low) * place)

    def place(self, value: Value, *, lr: float | None) -> float:
        """Return where a value is between the one end 0 of what a search tries and the other 1; off is 0."""
        if self.choices:
            return (self.choices.index(str(value)) + 0.5) / len(self.choices)
        number = float(value)
        if number == self.off:
            return 0.0
        if self.role == "keep_prob":
            return (1.0 - number) / (1.0 - (self.low or 0.0))
        low, high = self.limits(lr)
        if high <= low:
            return 1.0
        if self.off is None or self.role == "decay":
            low, high, number = math.log(low), math.log(high), math.log(number)
        share = min(max((number - low) / (high - low), 0.0), 1.0)
        return share if self.off is None else ROOM_OF_OFF + (1 - ROOM_OF_OFF) * share

    def value_at(self, place: float, *, lr: float | None) -> Value:
        """Return the value at a place, as the function takes it: the inverse of `place`."""
        if self.choices:
            return self.choices[min(int(place * len(self.choices)), len(self.choices) - 1)]
        if self.off is None:
            low, high = self.limits(lr)
            return self.fit(low * (high / low) ** place)
        if self.role == "keep_prob":
            return self.at(place, lr=lr)
        return self.off if place < ROOM_OF_OFF / 2 else self.at(max(place - ROOM_OF_OFF, 0) / (1 - ROOM_OF_OFF), lr=lr)

    def fit(self, value: float) -> float:
        """Return a value as the function takes it: whole where the role is, with four digits elsewhere."""
        return round(value) if self.role in WHOLE else rounded(value)


def rounded(value: float) -> float:
    """Return a number with four digits: knobs are read by people."""
    return float(f"{value:.{_DIGITS}g}")


@named
def size(low: int, high: int, start: int | None = None) -> OwnKnob:
    """Make a knob that lets the network fit more as it grows: width, depth, number of trees or filters.

    Args:
        low: smallest value, at least 1.
        high: largest value.
        start: value of the first fit; `low` when None.

    Raises:
        BadInput: for a range that is empty or not whole, or a start outside it.
    """
    return checked(OwnKnob(role="size", low=low, high=high, start=start))


@named
def epochs(low: int, high: int, start: int | None = None) -> OwnKnob:
    """Make a knob that counts passes over the training rows (or updates).

    Args:
        low: smallest value, at least 1.
        high: largest value.
        start: value of the first fit; `low` when None.

    Raises:
        BadInput: for a range that is empty or not whole, or a start outside it.
    """
    return checked(OwnKnob(role="epochs", low=low, high=high, start=start))


@named
def learning_rate(low: float, high: float, start: float | None = None) -> OwnKnob:
    """Make the knob of the learning rate.

    Args:
        low: smallest value, above 0.
        high: largest value.
        start: value of the first fit; the geometric middle when None.

    Raises:
        BadInput: for an empty range, or a start outside it.
    """
    return checked(OwnKnob(role="learning_rate", low=low, high=high, start=start))


@named
def optimizer(*choices: str) -> OwnKnob:
    """Make the knob of the optimizer.

    Args:
        *choices: its names, two at least; the first fit takes the first.

    Raises:
        BadInput: for fewer than two different names.
    """
    return checked(OwnKnob(role="optimizer", choices=tuple(choices)))


@named
def choice(*choices: str) -> OwnKnob:
    """Make a knob of several ways to build the network: an activation, an architecture, an initialization.

    Args:
        *choices: its values, two words at least; the first fit takes the first.

    Raises:
        BadInput: for fewer than two different values.
    """
    return checked(OwnKnob(role="choice", choices=tuple(choices)))


@named
def decay(
    low: float | None = None, high: float | None = None, *, rows: int | None = None, unit: Unit = "lambda"
) -> OwnKnob:
    """Make the knob of L2 regularization: 0 is off.

    Args:
        low: smallest value above 0 that is tried.
        high: largest value.
        rows: number m of training rows; the range then follows the learning rate lr, as [1e-6, 3e-3] * rows / lr for
            lambda. With `low` and `high` too, it stays within them.
        unit: "lambda" of J = (1/m) sum L + lambda/(2m) ||W||^2, or "weight_decay" = lambda / m.

    Raises:
        BadInput: without a range and without rows, or for an empty range.
    """
    return checked(OwnKnob(role="decay", low=low, high=high, rows=rows, unit=unit))


@named
def keep_prob(low: float = 0.5) -> OwnKnob:
    """Make the knob of dropout, as the share of units that is kept: 1 is off.

    Args:
        low: smallest value that is tried, in (0, 1).

    Raises:
        BadInput: for a value outside (0, 1).
    """
    return checked(OwnKnob(role="keep_prob", low=low, high=1.0))


@named
def strength(low: float, high: float) -> OwnKnob:
    """Make the knob of any other regularizer that grows from 0 (off): augmentation, label smoothing, noise, mixup.

    Args:
        low: smallest value; 0 is off and is always among the values.
        high: largest value.

    Raises:
        BadInput: for an empty range.
    """
    return checked(OwnKnob(role="strength", low=low, high=high))


@named
def averaging(low: float, high: float) -> OwnKnob:
    """Make the knob of the decay of a moving average of the weights: 0 is off.

    Args:
        low: smallest value above 0 that is tried, such as .9.
        high: largest value, below 1, such as .9999.

    Raises:
        BadInput: for a range that is empty or outside (0, 1).
    """
    return checked(OwnKnob(role="averaging", low=low, high=high))


@named
def rows(low: int, high: int, start: int | None = None) -> OwnKnob:
    """Make the knob of the number of training rows.

    Args:
        low: smallest value, at least 1.
        high: largest value, all rows there are.
        start: value of the first fit; `low` when None.

    Raises:
        BadInput: for a range that is empty or not whole, or a start outside it.
    """
    return checked(OwnKnob(role="rows", low=low, high=high, start=start))


_MAKERS = (size, epochs, learning_rate, optimizer, choice, decay, keep_prob, strength, averaging, rows)
ROLES: Mapping[str, Callable[..., OwnKnob]] = {each.__name__: each for each in _MAKERS}
"""Role -> the function that makes a knob of it."""


def checked(knob: OwnKnob) -> OwnKnob:
    """Return a knob, or raise BadInput for a range or a start that it cannot have."""
    if knob.role in ("optimizer", "choice"):
        _require_choices(knob)
        return knob
    if knob.role == "decay" and knob.low is None and knob.high is None:
        if knob.rows is None or knob.rows < 1:
            raise BadInput(
                "a decay needs a range, or the number of training rows",
                found=f"rows={knob.rows!r}",
                remedy="Give rows=m (the range then follows the learning rate), or low and high",
            )
        return knob
    _require_range(knob)
    if knob.start is not None and not _is_inside(knob, knob.start):
        raise BadInput(
            f"the start of a {knob.role} must be inside its range",
            found=f"start={knob.start!r} outside [{knob.low:g}, {knob.high:g}]",
            remedy="Give a start between low and high, or leave it out",
        )
    return replace(knob, start=None if knob.start is None else float(knob.start))


def _require_choices(knob: OwnKnob) -> None:
    words = knob.choices
    if len(set(words)) < 2 or len(set(words)) < len(words) or not all(isinstance(word, str) for word in words):
        raise BadInput(
            f"a knob of the role {knob.role} needs two different words at least",
            found=", ".join(map(repr, words)) or "none",
            remedy='Name them, as in wf.optimizer("adam", "sgd"); a number has another role',
        )


def _require_range(knob: OwnKnob) -> None:
    low, high = knob.low, knob.high
    ends = (low, high)
    numbers = all(isinstance(end, int | float) and not isinstance(end, bool) and math.isfinite(end) for end in ends)
    least = 0.0 if knob.role == "strength" else 1 if knob.role in WHOLE else math.ulp(0.0)
    most = 1.0 if knob.role in ("keep_prob", "averaging") else math.inf
    if not numbers or low is None or high is None or not least <= low < high <= most:
        wanted = "0 <= low < high <= 1" if most == 1.0 else f"{'0' if least < 1 else '1'} <= low < high"
        raise BadInput(
            f"the range of a {knob.role} must be {wanted}" + (", with low above 0" if 0 < least < 1 else ""),
            found=f"low={low!r}, high={high!r}",
            remedy="Correct the two ends",
        )
    if knob.role in WHOLE and not all(float(end).is_integer() for end in (low, high)):
        raise BadInput(
            f"a {knob.role} must be a whole number", found=f"low={low!r}, high={high!r}", remedy="Round the two ends"
        )


def _is_inside(knob: OwnKnob, value: Any) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and (knob.low or 0.0) <= value <= (knob.high or 0.0)


def checked_knobs(knobs: Mapping[str, Any]) -> dict[str, OwnKnob]:
    """Return the knobs by name, from knobs or from tables such as `{"role": "size", "low": 32, "high": 1024}`.

    Raises:
        BadInput: for no knob at all, a name that is no identifier, a knob without a role, an unknown role or argument.
    """
    if not knobs:
        remedy = 'Give knobs={"lr": wf.learning_rate(1e-5, 1e-1)}'
        raise BadInput("a study needs at least one knob", found="none", remedy=remedy)
    return {name: _knob(name, given) for name, given in knobs.items()}


def _knob(name: str, given: Any) -> OwnKnob:
    if not str(name).isidentifier():
        raise BadInput(
            "the name of a knob must be one word of letters, digits and _",
            found=repr(name),
            remedy="Rename it",
        )
    if isinstance(given, OwnKnob):
        return given
    table = dict(given) if isinstance(given, Mapping) else {}
    role = table.pop("role", None)
    if role not in ROLES:
        near = difflib.get_close_matches(str(role), ROLES, n=1)
        raise BadInput(
            f"knob {name} needs a role: one of {', '.join(ROLES)}",
            found=repr(given) if role is None else f"role {role!r}",
            remedy=f"Did you mean {near[0]!r}?" if near else f"Give it one, as in {name}=wf.size(32, 1024)",
        )
    choices: Sequence[str] = table.pop("choices", ())
    try:
        return ROLES[role](*choices, **table)
    except TypeError as error:
        raise BadInput(
            f"knob {name} must have the arguments of its role {role}",
            found=str(error).split("() ")[-1],
            remedy=f"See wf.{role} in docs/api.md",
        ) from error


def start_of(knobs: Mapping[str, OwnKnob]) -> Config:
    """Return the config of the first fit: every regularizer off."""
    return config_of(knobs, {name: knob.first for name, knob in knobs.items()})


def config_of(knobs: Mapping[str, OwnKnob], values: Mapping[str, Value], *, seed: int = 0) -> Config:
    """Return the config with these values, one for each knob; what is off is left out."""
    told = (Told(knobs[name].board, name, value) for name, value in values.items() if value != knobs[name].off)
    return Config(own=tuple(told), seed=seed)


def values_of(knobs: Mapping[str, OwnKnob], config: Config) -> dict[str, Value]:
    """Return the value of every knob in a config, in the order of the knobs."""
    known = {told.knob: told.value for told in config.own}
    return {name: known.get(name, knob.first) for name, knob in knobs.items()}
