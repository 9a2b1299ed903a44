"""The arguments of the estimators, their defaults, and the config that they define for given rows.

scikit-learn reads the arguments of an estimator from the signature of its `__init__`. The four estimators have two
dozen arguments in common, which are therefore defined once (in classifier.py) as a typed dictionary, and `takes` turns
it into signatures.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from wellfit.base.arguments import nearest
from wellfit.estimators.inputs import Rows
from wellfit.exceptions import BadInput
from wellfit.records.config import BOARDS, Config, Network, Optimization, updates_per_epoch
from wellfit.records.knobs import KNOBS, NAMES, OFF
from wellfit.sweeps.space import changed
from wellfit.sweeps.usual import (
    ENOUGH_UPDATES,
    FEWEST_BINS,
    FEWEST_EPOCHS,
    LR,
    MOST_EPOCHS,
    batch_size_for,
    bins_for,
)

ROWS_PER_BIN, ROWS_PER_INPUT = 50, 4
"""Fewest training rows per bin of a single column, and per bin of all columns together."""

Init = TypeVar("Init", bound=Callable[..., None])


def takes(arguments: type, **defaults: Any) -> Callable[[Init], Init]:
    """Give an `__init__` with `**arguments` the signature of a typed dictionary; `defaults` precede `default_of`."""

    def signed(init: Init) -> Init:
        named = inspect.Parameter
        names = {name: defaults.get(name, default_of(name)) for name in inspect.get_annotations(arguments)}
        own = named("self", named.POSITIONAL_OR_KEYWORD)
        keywords = [named(name, named.KEYWORD_ONLY, default=default) for name, default in names.items()]
        init.__signature__ = inspect.Signature([own, *keywords])  # type: ignore[attr-defined]
        return init

    return signed


def store(estimator: Any, arguments: Mapping[str, Any]) -> None:
    """Store arguments, and the defaults of the others, under their own names; TypeError for an unknown argument."""
    signature = inspect.signature(type(estimator).__init__)
    for name in arguments:
        if name not in signature.parameters:
            raise TypeError(f"{type(estimator).__name__} has no argument {name}. {nearest(name, signature.parameters)}")
    bound = signature.bind(estimator, **arguments)
    bound.apply_defaults()
    for name, value in bound.arguments.items():
        if name != "self":
            setattr(estimator, name, value)


def default_of(argument: str) -> Any:
    """Return the default of an argument; for a knob it is that of `Config`, or None if it depends on the rows."""
    if argument in KNOBS and not KNOBS[argument].sized:
        return getattr(BOARDS[KNOBS[argument].board], argument)
    return None


def config_of(arguments: Mapping[str, Any], *, rows: Rows, columns: int, seed: int) -> Config:
    """Return the config that the arguments of an estimator define for these rows.

    The batch size and the epochs depend on the number of rows, and the bins also on the number of numeric `columns`.
    The total weight m of the rows converts weight_decay to lambda. Raises BadInput if a knob is given by both of its
    names, or if a value is out of range.
    """
    size = arguments["batch_size"] or batch_size_for(len(rows))
    base = Config(
        network=Network(bins=bins_of(len(rows), columns=columns)),
        optimization=Optimization(lr=LR, batch_size=batch_size_for(len(rows))),
        seed=seed,
    )
    config = changed(base, _setting(arguments), rows=rows.total)
    if arguments["epochs"] is not None:
        return config
    return changed(config, {"epochs": epochs_of(rows, batch_size=size)}, rows=rows.total)


def _setting(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the knobs that are set, each by one of its names."""
    setting = {name: value for name, value in arguments.items() if name in NAMES and value is not None}
    for name, value in list(setting.items()):
        own = NAMES[name].own
        if name == own:
            continue
        if arguments[own] != OFF[own]:
            raise BadInput(
                f"only one of {own} and {name} may be set, because they are two names for the same knob",
                found=f"{own}={arguments[own]!r} and {name}={value!r}",
                remedy="Give one of them",
            )
        del setting[own]
    return setting


def epochs_of(rows: Rows, *, batch_size: int) -> int:
    """Return the number of epochs that gives enough updates, within bounds."""
    updates = updates_per_epoch(rows=len(rows), batch_size=batch_size)
    # A thousand rows of which fifty are distinct are gone through as often as a thousand rows.
    counted = not (rows.weights % 1).any()
    most = MOST_EPOCHS * max(1, math.ceil(rows.total / len(rows)) if counted else 1)
    return min(max(math.ceil(ENOUGH_UPDATES / updates), FEWEST_EPOCHS), most)


def bins_of(rows: int, *, columns: int) -> int:
    """Return the number of bins per numeric column for a given number of rows and columns."""
    # Measured on the tables that scikit-learn ships: a small one is learnt by heart bin by bin, and takes longer.
    fitting = min(rows // ROWS_PER_BIN, rows // (ROWS_PER_INPUT * max(columns, 1)))
    return min(bins_for(columns, rows=rows), max(fitting, FEWEST_BINS))
