"""Read `--over l2=10:10000,keep_prob=.5/.8/1`: the space that a sweep searches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wellfit.exceptions import BadInput
from wellfit.records.knobs import LAMBDA, NAMES

if TYPE_CHECKING:
    from wellfit.records.config import Config
    from wellfit.sweeps.space import Space, Values

MOST_IN_GRID = 2
"""Knobs of a grid; more than two knobs, or other ones, are searched over their usual ranges (sweeps/usual.py)."""


def parse_over(text: str, *, config: Config, rows: int, members: int | None) -> Space:
    """Parse the text of `--over` into a space; `config` and the number of training rows decide the useful lambdas.

    Raises:
        BadInput: values are not numbers, or a knob without values has no usual range.
    """
    from wellfit.sweeps.usual import usual_space

    asked = _asked(text)
    given = {name: _values(name, values) for name, values in asked.items() if values}
    bare = [name for name in asked if name not in given]
    if asked and not bare:
        return given
    grid = _grid(config, rows=rows, members=members, knobs=len(asked))
    # Where lr varies, a grid of lambda has no meaning of its own: the effect of a lambda is lr * lambda / m.
    if len(asked) <= MOST_IN_GRID and grid.keys() >= set(bare) and "lr" not in given:
        return {name: given[name] if name in given else grid[name] for name in asked}
    # lr determines the unit in which lambda is searched, even if its own values are given.
    usual = usual_space([*bare, *(["lr"] if "lr" in given else [])], config, rows=rows)
    return {**usual, **given}


def _asked(text: str) -> dict[str, str]:
    """Return the text of each knob's values; empty for a knob without values."""
    found: dict[str, str] = {}
    for item in text.split(","):
        spelled, equals, values = (part.strip() for part in item.partition("="))
        name = LAMBDA.get(spelled, spelled.replace("-", "_"))
        if name in found:
            raise BadInput(
                "a knob must be named only once in --over", found=f"{name} twice", remedy="Remove one of the two"
            )
        if equals and not values:
            raise BadInput(
                "a knob must have at least one value", found=f"{name}=", remedy=f"Pass values, or just {name}"
            )
        if name or values:
            found[name] = values
    return found


def _grid(config: Config, *, rows: int, members: int | None, knobs: int) -> dict[str, list[float]]:
    """Return the library's grid, by either name of each knob; a single knob gets the same range in finer steps."""
    from wellfit.sweeps.space import DEFAULT_MEMBERS, default_grid

    grid = default_grid(config, rows=rows, members=members if members and knobs > 1 else DEFAULT_MEMBERS)
    lambdas, keeps = _listed(grid["l2"]), _listed(grid["keep_prob"])
    if knobs == 1:
        count = members or DEFAULT_MEMBERS // 2
        least, steps = min(keeps), max(count - 1, 1)
        lambdas, keeps = _path(lambdas, count), [round(1 - (1 - least) * place / steps, 3) for place in range(count)]
    decays = {"l2": lambdas, "weight_decay": [value / rows for value in lambdas]}
    return decays | {"keep_prob": keeps, "dropout": [round(1 - value, 3) for value in keeps]}


def _listed(values: Values) -> list[float]:
    from wellfit.sweeps.space import Interval

    return [values.low, values.high] if isinstance(values, Interval) else list(values)


def _path(lambdas: list[float], count: int) -> list[float]:
    """Return 0 and the values from the smallest to the largest, in even steps of the logarithm."""
    least, most = min(value for value in lambdas if value > 0), max(lambdas)
    steps = max(count - 2, 1)
    return [0.0, *(float(f"{least * (most / least) ** (place / steps):.4g}") for place in range(count - 1))]


def _values(name: str, text: str) -> Values:
    from wellfit.sweeps.space import log_uniform, uniform

    try:
        parts = text.replace(":", "/").split("/")
        numbers = [int(part) if part.strip().isdecimal() else float(part) for part in parts]
    except ValueError as error:
        raise BadInput(
            "values in --over must be numbers",
            found=f"{name}={text}",
            remedy=f"Write {name}=LOW:HIGH or {name}=V/V/V",
        ) from error
    if ":" not in text:
        return numbers
    if len(numbers) != 2:
        raise BadInput("a range must be LOW:HIGH", found=f"{name}={text}", remedy="Pass two numbers")
    try:
        return (log_uniform if name in NAMES and NAMES[name].is_log else uniform)(*numbers)
    except BadInput as error:
        raise BadInput(error.rule, found=f"{name}={text} ({error.found})", remedy=error.remedy) from error
