"""Compile the functions of the files called `kernels.py` with numba, at their first call, and keep the result on disk.

Numba notices a stale function only by its own file, not by the files of the functions that it calls.
Compiled functions that call each other are therefore in one file.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable
from typing import Any, TypeVar

import llvmlite
import numba
from numba.core.caching import CompileResultCacheImpl, FunctionCache

Function = TypeVar("Function", bound=Callable[..., Any])

_OPTIONS: dict[str, Any] = {
    # Sums may be reordered, so that they vectorize; NaN and infinity must survive, since they reveal divergence.
    "fastmath": {"reassoc", "contract", "arcp", "nsz"},
    "error_model": "numpy",
    "nogil": True,
}


class _Files(CompileResultCacheImpl):
    """Names the kept files after everything that a kept function depends on and numba does not compare.

    Numba writes the index of a function before its code, under a number that restarts when the index is stale.
    Between the two writes, another process reads the old code with the new index (from an older version of LLVM, or
    for a record of arguments whose fields have changed) and fails. Files with distinct names are never confused.
    """

    def get_filename_base(self, fullname: str, abiflags: str) -> str:
        """Return the name that numba gives, followed by a digest."""
        name = super().get_filename_base(fullname, abiflags)  # type: ignore[no-untyped-call]
        return f"{name}-{self._digest}"

    def __init__(self, function: Callable[..., Any]) -> None:
        records = sorted(
            (value.__module__, value.__qualname__, value._fields)
            for value in function.__globals__.values()
            if isinstance(value, type) and hasattr(value, "_fields")
        )
        versions = (numba.__version__, llvmlite.__version__)
        self._digest = hashlib.sha256(repr((versions, records)).encode()).hexdigest()[:12]
        super().__init__(function)  # type: ignore[no-untyped-call]


class _Cache(FunctionCache):
    _impl_class = _Files


def is_compiled(function: Callable[..., Any]) -> bool:
    """Return True if a call need not compile: a compiled version is in memory, or was kept on disk for this code."""
    kept = getattr(getattr(function, "_cache", None), "_cache_file", None)
    return bool(getattr(function, "signatures", ())) or (kept is not None and bool(kept._load_index()))


def compiled(function: Function) -> Function:
    """Return `function`, compiled at its first call for the types of its arguments."""
    found: Function = numba.njit(**_OPTIONS)(function)
    # Where neither the package's folder nor the user's cache can be written: compile in every process.
    with contextlib.suppress(RuntimeError):
        # As numba's own `enable_caching` does.
        found._cache = _Cache(function)  # type: ignore[attr-defined,no-untyped-call]
    return found
