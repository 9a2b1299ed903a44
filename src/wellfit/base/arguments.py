"""Public functions that answer a wrong keyword name with the nearest one, in place of a TypeError of an inner layer."""

from __future__ import annotations

import difflib
import functools
import inspect
from collections.abc import Callable, Iterable
from typing import Any, ParamSpec, TypeVar, get_args, get_type_hints

from wellfit.exceptions import BadInput

P = ParamSpec("P")
R = TypeVar("R")
C = TypeVar("C", bound=type)


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
                raise BadInput(
                    f"{function.__qualname__.removesuffix('.__init__')} must be given arguments that it has",
                    found=f"{name}=",
                    remedy=nearest(name, known or ()),
                )
        return function(*args, **kwargs)

    return checked


def named_fields(cls: C) -> C:
    """Return the class with the names of the arguments of its `__init__` checked as `named` does."""
    cls.__init__ = named(cls.__init__)  # type: ignore[misc]
    return cls


@functools.cache
def _names_of(function: Callable[..., Any]) -> tuple[str, ...] | None:
    """Return the names of a function's arguments; None if it takes any."""
    found: list[str] = []
    for each in inspect.signature(function).parameters.values():
        if each.kind is not inspect.Parameter.VAR_KEYWORD:
            found += [each.name] if each.name != "self" else []
            continue
        unpacked = get_args(get_type_hints(function).get(each.name))
        if not unpacked:
            return None
        found += unpacked[0].__annotations__
    return tuple(found)


def nearest(name: str, known: Iterable[str]) -> str:
    """Return the question whether the nearest of the known names was meant, or all of them."""
    near = difflib.get_close_matches(name, list(known), n=1)
    return f"Did you mean {near[0]}?" if near else f"The names are {', '.join(known)}"
