"""scikit-learn's callbacks, from 1.9 on: a fit is one task, and every fold of a search a task of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

__all__ = ["CallbackSupport", "fit_context", "subtask_context", "with_callbacks"]

Method = TypeVar("Method", bound=Callable[..., Any])

try:
    from sklearn.callback import CallbackSupportMixin as CallbackSupport
    from sklearn.callback import with_callbacks as _with_callbacks
except ImportError:  # scikit-learn before 1.9

    class CallbackSupport:  # type: ignore[no-redef]
        """Nothing to support."""

    def _with_callbacks(method: Method) -> Method:
        return method


def with_callbacks(method: Method) -> Method:
    """Return a `fit` that tears the callbacks down when it ends, however it ends."""
    found: Method = _with_callbacks(method)
    return found


@contextmanager
def fit_context(estimator: Any, *, subtasks: int, data: tuple[Any, Any], metadata: Mapping[str, Any]) -> Iterator[Any]:
    """Tell the callbacks that a fit begins and, unless it fails, that it has ended; yield its context, if any."""
    if not hasattr(estimator, "_init_callback_context"):
        yield None
        return
    context = estimator._init_callback_context(max_subtasks=subtasks)
    X, y = data
    given = {name: value for name, value in metadata.items() if value is not None} or None
    context.call_on_fit_task_begin(estimator=estimator, X=X, y=y, metadata=given)
    yield context
    context.call_on_fit_task_end(estimator=estimator, X=X, y=y, metadata=given, reconstruction_attributes={})


@contextmanager
def subtask_context(estimator: Any, context: Any, name: str) -> Iterator[None]:
    """Tell the callbacks that one task of a fit begins and has ended."""
    if context is None:
        yield
        return
    subtask = context.subcontext(task_name=name)
    subtask.call_on_fit_task_begin(estimator=estimator)
    yield
    subtask.call_on_fit_task_end(estimator=estimator)
