"""Public functions that answer a wrong keyword name with the nearest one, in place of a TypeError of an inner layer."""

from __future__ import annotations

import difflib
import functools
import inspect
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, get_args, get_type_hints

from wellfit.exceptions import BadInput

P = ParamSpec("P")
R = TypeVar("R")


def named(function: Callable[P, R]) -> Callable[P, R]:
    """Return the function with its keyword names checked before it runs.

    Where it takes `**options: Unpack[Options]`, the fields of that TypedDict are its names too; any other `**options`
    takes every name.

    Raises:
        BadInput: when called with a name that it does not have; it tells the nearest one.
    """

    @functools.wraps(function)
    def checked(*args: P.args, **kwargs: P.kwargs) -> R:
        known = _names_of(function) if kwargs else None
        for name in kwargs if known is not None else ():
            if name not in (known or ()):
                raise _unknown(name, function.__name__, known or ())
        return function(*args, **kwargs)

    return checked


@functools.cache
def _names_of(function: Callable[..., Any]) -> tuple[str, ...] | None:
    """Return the names of a function's arguments; None if it takes any."""
    found: list[str] = []
    for each in inspect.signature(function).parameters.values():
        if each.kind is not inspect.Parameter.VAR_KEYWORD:
            found.append(each.name)
            continue
        unpacked = get_args(get_type_hints(function).get(each.name))
        if not unpacked:
            return None
        found += unpacked[0].__annotations__
    return tuple(found)


def _unknown(name: str, function: str, known: tuple[str, ...]) -> BadInput:
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"Did you mean {near[0]}?" if near else f"The names are {', '.join(known)}."
    return BadInput(f"{function} must be given arguments that it has", found=f"{name}=", remedy=hint)
