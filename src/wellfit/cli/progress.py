"""Progress on stderr: a live line on a terminal, one plain line a milestone elsewhere."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import click

from wellfit.cli.errors import printable

if TYPE_CHECKING:
    from wellfit.base.typing import Notify

# Events that come many times a second: they move the live line and are never printed as lines of their own.
FREQUENT = frozenset({"point", "member", "snapshot", "pictures"})
_WORDS: Mapping[str, str] = {
    "pictures": "decoded {done:,} of {of:,} pictures",
    "read": "read {rows} rows, {columns} columns",
    "split": "split {policy}; the test set is sealed",
    "references": "fitting the reference models on {rows} rows",
    "fixed": "fixed, as in the last run: {knobs}",
    "training": "training {identity}",
    "step": "step {step}: {kind} ({board})",
    "curve": "{refits} trainings on parts of the rows: what would more data buy?",
    "member": "one more network: dev {dev:.4g}",
    "snapshot": "one more network, at a rung: dev {dev:.4g}",
    "point": "update {update} of {updates}: train {train:.4g}, dev {dev:.4g}",
}
"""Words for the events of the stages; an event of another shape is written out plainly."""
_SKIPPED = frozenset({"event", "config"})


def line_of(event: Mapping[str, Any]) -> str:
    """One line for people: the words for this event, or its name and plain values."""
    with contextlib.suppress(KeyError, ValueError, TypeError):
        return printable(_WORDS[str(event["event"])].format_map(event))
    values = [
        f"{name} {_short(value)}"
        for name, value in event.items()
        if name not in _SKIPPED and isinstance(value, str | int | float)
    ]
    return printable(": ".join(part for part in (str(event.get("event", "")), ", ".join(values)) if part))


@contextlib.contextmanager
def progress() -> Iterator[Notify]:
    """Give a `notify` that shows events as they come."""
    if not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        yield _plain_lines(time.monotonic())
        return
    from rich.console import Console  # 0.04 s: only where it is seen
    from rich.markup import escape

    console = Console(stderr=True, highlight=False)
    with console.status("starting") as status:

        def notify(event: Mapping[str, Any]) -> None:
            line = escape(line_of(event))
            if event.get("event") not in FREQUENT:
                console.print(line)
            status.update(line)

        yield notify


def _plain_lines(started: float) -> Callable[[Mapping[str, Any]], None]:
    def notify(event: Mapping[str, Any]) -> None:
        if event.get("event") not in FREQUENT:
            click.echo(f"[{time.monotonic() - started:6.1f} s] {line_of(event)}", err=True)

    return notify


def _short(value: str | float) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
