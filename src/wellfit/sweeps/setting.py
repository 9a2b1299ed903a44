"""A setting of some knobs, by any of their names, makes a config of another."""

from __future__ import annotations

import difflib
import numbers
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np

from wellfit.exceptions import BadInput
from wellfit.records.config import BOARDS, Config
from wellfit.records.knobs import NAMES, Around, Knob, own_name

Setting: TypeAlias = Mapping[str, Any]
"""A value for each of some knobs, by any of their names."""

_TURNED = {name: knob for name, knob in NAMES.items() if knob.board in BOARDS and knob.kind != "text"}
"""The names that a sweep can search: neither a module nor the choice of rows is a value."""


def changed(config: Config, setting: Setting, *, rows: float) -> Config:
    """Return `config` with the knobs in `setting`, each in the unit of its name; lambda converts by m, `rows`."""
    # The other knobs may only fit together with the new one, so all change at once.
    return replace(config, **_boards(config, setting, rows=rows))


def require_value(config: Config, name: str, value: Any, *, rows: float) -> None:
    """Check one value of one knob on its own; a refusal names the knob by the name that was used."""
    try:
        _boards(config, {name: value}, rows=rows)
    except BadInput as error:
        asked = f"{name}={value!r}"
        same = own_name(name) == name or error.found == asked
        found = error.found if same else f"{asked}, that is {error.found}"
        raise BadInput(error.rule, found=found, remedy=error.remedy) from error


def require_names(names: Collection[str]) -> None:
    """Refuse knobs that are not known, with the nearest known name, and one that is named twice."""
    if not names:
        raise BadInput("a sweep must be over at least one knob", found="none", remedy="Name a knob, such as l2")
    for name in names:
        if name not in _TURNED:
            meant = [knob.name for knob in _TURNED.values() if name in knob.meant]
            near = meant or difflib.get_close_matches(name, _TURNED, n=1)
            raise BadInput(
                "a sweep must be over known knobs",
                found=f"over={name!r}",
                remedy=f"Did you mean {near[0]!r}?" if near else f"Choose from {', '.join(_TURNED)}",
            )
    for name in names:
        same = [other for other in names if own_name(other) == own_name(name)]
        if len(same) > 1:
            raise BadInput(
                "a knob must have one name in a sweep",
                found=f"{' and '.join(same)}, which are the same knob",
                remedy="Keep one of them",
            )


def differs_only(config: Config, other: Config, names: Collection[str]) -> bool:
    """Return True if two configs differ at most in the knobs of these names."""
    taken: dict[str, dict[str, Any]] = {}
    for knob in map(NAMES.__getitem__, names):
        taken.setdefault(knob.board, {})[knob.own] = getattr(getattr(other, knob.board), knob.own)
    boards: dict[str, Any] = {board: replace(getattr(config, board), **knobs) for board, knobs in taken.items()}
    return replace(config, **boards) == other


def setting_of(config: Config, names: Collection[str], *, rows: float) -> Setting:
    """Return the values that `config` has of knobs, in the units of their names: `changed` backwards."""
    around = Around(rows, config.optimization.lr, config.optimization.betas[0])
    return {name: _value_of(config, NAMES[name], around) for name in names}


def _value_of(config: Config, knob: Knob, around: Around) -> Any:
    value = getattr(getattr(config, knob.board), knob.own)
    if knob.shape == "layer":
        value = sum(config.keep_probs) / len(config.keep_probs) if config.keep_probs else 1.0
    return knob.from_own(value, around) if knob.from_own else value


def _boards(config: Config, setting: Setting, *, rows: float) -> dict[str, Any]:
    plain = {name: _plain(name, value) for name, value in setting.items()}
    # Refuses an lr of 0 before anything is divided by it.
    optimization = replace(config.optimization, lr=plain.get("lr", config.optimization.lr))
    around = Around(rows, optimization.lr, optimization.betas[0])
    boards: dict[str, dict[str, Any]] = {}
    for name, value in plain.items():
        knob = NAMES[name]
        boards.setdefault(knob.board, {})[knob.own] = knob.to_own(value, around) if knob.to_own else value
    return {board: replace(getattr(config, board), **values) for board, values in boards.items()}


def _plain(name: str, value: Any) -> Any:
    """Return a value as a config keeps it: 1, 1.0 and numpy's 1 are one value, so they must name one config."""
    if isinstance(value, np.generic):
        value = value.item()
    knob = NAMES[name]
    if knob.kind == "word" or (value is None and knob.optional):
        return value
    several, takes_several = isinstance(value, list | tuple), knob.shape == "several"
    if several != takes_several and not (several and knob.shape == "layer"):
        rule = f"{name} takes {'several numbers' if takes_several else 'one number'} at once"
        remedy = f"Write {name}=({value!r},)" if takes_several else "Give one number"
        raise BadInput(rule, found=f"{name}={value!r}", remedy=remedy)
    whole = knob.kind == "whole"
    return tuple(_number(name, one, whole=whole) for one in value) if several else _number(name, value, whole=whole)


def _number(name: str, value: Any, *, whole: bool) -> float:
    number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not number or (whole and float(value) % 1):
        raise BadInput(
            f"{name} takes {'whole ' if whole else ''}numbers", found=f"{name}={value!r}", remedy="Correct the value"
        )
    return int(float(value)) if whole else float(value)
