"""The knobs that a sweep can turn: their names, their off values, and how a setting of them makes a config.

lambda goes by the names `l2`, `weight_decay` (= lambda / m) and `shrink` (= lr * lambda / m, what one update at the
peak learning rate takes off each weight, whatever lr the member has); l1 also by `l1_step` (= lr * l1 / m); keep_prob
by `dropout` (= 1 - keep_prob); the second of `betas` by `beta2`.
"""

from __future__ import annotations

import difflib
import numbers
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, TypeAlias

import numpy as np

from wellfit.config import Config, Network, Optimization, Regularization, l2_of
from wellfit.exceptions import BadInput

BOARDS = (("network", Network), ("optimization", Optimization), ("regularization", Regularization))
ALIASES: Mapping[str, str] = {
    "weight_decay": "l2",
    "shrink": "l2",
    "l1_step": "l1",
    "dropout": "keep_prob",
    "beta2": "betas",
}
OFF: Mapping[str, float] = {
    **dict.fromkeys(("l2", "weight_decay", "shrink", "l1", "l1_step", "dropout"), 0.0),
    **dict.fromkeys(("label_smoothing", "input_noise", "mixup", "ema", "augment"), 0.0),
    "keep_prob": 1.0,
}
"""The value at which a regularizer does nothing."""

Setting: TypeAlias = Mapping[str, Any]
"""A value for each of some knobs, by any of their names."""

_WHOLE = frozenset({"widths", "bins", "epochs", "batch_size", "early_stopping"})
_MAYBE_NONE = frozenset({"clip_norm", "early_stopping"})
_TUPLES = frozenset({"widths", "betas"})
_WORDS = frozenset({"activation", "embedding", "kind", "optimizer", "schedule", "l2_schedule", "keep_prob_schedule"})
_PER_LAYER = frozenset({"keep_prob", "dropout"})
_NO_KNOBS = frozenset({"module"})
"""Fields of a config that a sweep cannot turn."""
_MEANT: Mapping[str, str] = {"lambda": "l2", "lambda_": "l2", "learning_rate": "lr"}
"""What people call knobs, far from their names here."""


@dataclass(frozen=True)
class _Around:
    """What the conversion of one knob needs of the others."""

    rows: float
    lr: float
    beta1: float


_CONVERSIONS: Mapping[str, Callable[[Any, _Around], Any]] = {
    "weight_decay": lambda value, around: l2_of(weight_decay=value, rows=around.rows),
    "shrink": lambda value, around: value * around.rows / around.lr,
    "l1_step": lambda value, around: value * around.rows / around.lr,
    "dropout": lambda value, _: tuple(1 - one for one in value) if isinstance(value, tuple) else 1 - value,
    "beta2": lambda value, around: (around.beta1, value),
}


def changed(config: Config, setting: Setting, *, rows: float) -> Config:
    """Return `config` with the knobs in `setting` set.

    Args:
        config: everything that the setting does not name.
        setting: values by knob, in the unit of the name that was used.
        rows: m, the training rows, by which lambda converts.

    Raises:
        BadInput: for a value outside a knob's range, or of another kind.
    """
    # The other knobs may only fit together with the new one, so all change at once.
    return replace(config, **_boards(config, setting, rows=rows))


def require_value(config: Config, name: str, value: Any, *, rows: float) -> None:
    """Check one value of one knob on its own.

    Raises:
        BadInput: that names the knob by the name that was used.
    """
    try:
        _boards(config, {name: value}, rows=rows)
    except BadInput as error:
        asked = f"{name}={value!r}"
        same = canonical(name) == name or error.found == asked
        found = error.found if same else f"{asked}, that is {error.found}"
        raise BadInput(error.rule, found=found, remedy=error.remedy) from error


def require_names(names: Collection[str]) -> None:
    """Check that knobs are known, and each named once.

    Raises:
        BadInput: with the nearest known name.
    """
    if not names:
        raise BadInput("a sweep is over at least one knob", found="none", remedy="Name a knob, such as l2")
    known = [knob.name for _, kind in BOARDS for knob in fields(kind) if knob.name not in _NO_KNOBS] + list(ALIASES)
    for name in names:
        if name not in known:
            near = [_MEANT[name]] if name in _MEANT else difflib.get_close_matches(name, known, n=1)
            raise BadInput(
                "a sweep is over known knobs",
                found=f"over={name!r}",
                remedy=f"Did you mean {near[0]!r}?" if near else f"Choose from {', '.join(known)}",
            )
    for name in names:
        same = [other for other in names if canonical(other) == canonical(name)]
        if len(same) > 1:
            raise BadInput(
                "a knob has one name in a sweep",
                found=f"{' and '.join(same)}, which are the same knob",
                remedy="Keep one of them",
            )


def canonical(name: str) -> str:
    """The name of a knob in `Config`."""
    return ALIASES.get(name, name)


def is_number(name: str) -> bool:
    """Whether the knob takes numbers, so that a range of them makes sense."""
    return name not in _TUPLES | _WORDS


def is_whole(name: str) -> bool:
    """Whether the knob takes whole numbers only."""
    return name in _WHOLE


def own_value(config: Config, name: str) -> Any:
    """The value that `config` has of a knob that is no regularizer."""
    value = next(getattr(getattr(config, board), canonical(name)) for board, kind in BOARDS if _has(kind, name))
    return value[1] if name == "beta2" else value


def differs_only(config: Config, other: Config, names: Collection[str]) -> bool:
    """Whether two configs are one but for the knobs of these names."""
    turned = {canonical(name) for name in names}
    taken = {
        board: {knob.name: getattr(getattr(other, board), knob.name) for knob in fields(kind) if knob.name in turned}
        for board, kind in BOARDS
    }
    boards: dict[str, Any] = {board: replace(getattr(config, board), **knobs) for board, knobs in taken.items()}
    return replace(config, **boards) == other


def setting_of(config: Config, names: Collection[str], *, rows: float) -> Setting:
    """The values that `config` has of knobs, in the units of their names: `changed` backwards."""
    lr, board = config.optimization.lr, config.regularization
    keep_prob = sum(config.keep_probs) / len(config.keep_probs) if config.keep_probs else 1.0
    known = {
        "l2": board.l2,
        "weight_decay": board.l2 / rows,
        "shrink": lr * board.l2 / rows,
        "l1_step": lr * board.l1 / rows,
        "keep_prob": keep_prob,
        "dropout": 1 - keep_prob,
    }
    return {name: known[name] if name in known else own_value(config, name) for name in names}


def _has(kind: type[Any], name: str) -> bool:
    return canonical(name) in (knob.name for knob in fields(kind))


def _boards(config: Config, setting: Setting, *, rows: float) -> dict[str, Any]:
    plain = {name: _plain(name, value) for name, value in setting.items()}
    # Refuses an lr of 0 before anything is divided by it.
    optimization = replace(config.optimization, lr=plain.get("lr", config.optimization.lr))
    around = _Around(rows, optimization.lr, optimization.betas[0])
    knobs = {
        canonical(name): _CONVERSIONS[name](value, around) if name in _CONVERSIONS else value
        for name, value in plain.items()
    }
    own = {board: {name: knobs[name] for name in knobs if _has(kind, name)} for board, kind in BOARDS}
    return {board: replace(getattr(config, board), **values) for board, values in own.items() if values}


def _plain(name: str, value: Any) -> Any:
    """The value as a config keeps it: 1, 1.0 and numpy's 1 are one value of a knob, so they must name one config."""
    if isinstance(value, np.generic):
        value = value.item()
    if name in _WORDS or (value is None and name in _MAYBE_NONE):
        return value
    several = isinstance(value, list | tuple)
    if several != (name in _TUPLES) and not (several and name in _PER_LAYER):
        rule = f"{name} takes several numbers at once" if name in _TUPLES else f"{name} takes one number at once"
        remedy = f"Write {name}=({value!r},)" if name in _TUPLES else "Give one number"
        raise BadInput(rule, found=f"{name}={value!r}", remedy=remedy)
    whole = is_whole(name)
    return tuple(_number(name, one, whole=whole) for one in value) if several else _number(name, value, whole=whole)


def _number(name: str, value: Any, *, whole: bool) -> float:
    number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not number or (whole and float(value) % 1):
        raise BadInput(
            f"{name} takes {'whole ' if whole else ''}numbers", found=f"{name}={value!r}", remedy="Correct the value"
        )
    return int(float(value)) if whole else float(value)
