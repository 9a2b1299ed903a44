"""How the functions of the files called `kernels.py` are compiled: by numba, at their first call, and kept on disk.

Numba knows that a kept function is stale by the file that it is written in, and not by the files of what it calls.
Compiled functions that call each other therefore stand in one file.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numba

Function = TypeVar("Function", bound=Callable[..., Any])

_OPTIONS: dict[str, Any] = {
    # Sums may be reordered, so that they vectorize; NaN and infinity must survive, since they tell divergence.
    "fastmath": {"reassoc", "contract", "arcp", "nsz"},
    "error_model": "numpy",
    "nogil": True,
}


def compiled(function: Function) -> Function:
    """Return `function`, compiled at its first call for the types of its arguments."""
    try:
        found: Function = numba.njit(cache=True, **_OPTIONS)(function)
    except RuntimeError:
        # Neither the package's folder nor the user's cache can be written: compile in every process.
        found = numba.njit(**_OPTIONS)(function)
    return found
