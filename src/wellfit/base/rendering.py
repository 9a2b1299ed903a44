"""The renderer that results use to show themselves: the reports are in a higher layer, and are registered late.

`wellfit/__init__.py` registers the renderer, so that no module below the api imports the reports, and none of the
report modules is imported before something is shown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol


class Renderer(Protocol):
    """The functions of the reports that results need."""

    def text_of(self, result: Any) -> str:
        """Return the result as `print` shows it."""

    def bundle_of(self, result: Any) -> Mapping[str, str]:
        """Return the result as a notebook shows it, by MIME type."""

    def summary_of(self, experiment: Any) -> Any:
        """Return everything that the report of an experiment shows, as numbers."""

    def page_of(self, experiment: Any, *, redact: bool) -> str:
        """Return the report of an experiment as HTML."""

    def markdown_of(self, experiment: Any, *, redact: bool) -> str:
        """Return its end as Markdown."""

    def junit_of(self, experiment: Any, *, redact: bool) -> str:
        """Return its gaps and findings as JUnit XML."""


_registered: list[Callable[[], Renderer]] = []


def register(importer: Callable[[], Renderer]) -> None:
    """Register the function that imports the renderer when it is first needed."""
    _registered[:] = [importer]


def renderer() -> Renderer:
    """Return the renderer of this process."""
    return _registered[0]()


class Rendered:
    """Base class of results that print themselves and that notebooks show with a picture."""

    def __str__(self) -> str:
        return renderer().text_of(self)

    def _repr_mimebundle_(self, **_: Any) -> Mapping[str, str]:
        return renderer().bundle_of(self)
