"""Progress in words: what is being done, time and budget, the best dev error so far, and a bar.

On a terminal one live line, elsewhere one plain line a milestone.
"""

from __future__ import annotations

import contextlib
import math
import os
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import click

from wellfit.cli.errors import printable

if TYPE_CHECKING:
    from rich.text import Text

    from wellfit.base.typing import Notify

FREQUENT = frozenset({"point", "member", "snapshot", "pictures", "run"})
"""Events that come many times a second, or only carry figures for others: only the live line shows them."""
_WORDS: Mapping[str, str] = {
    "pictures": "decoding pictures: {done:,} of {of:,}",
    "read": "read {rows:,} rows, {columns} columns",
    "split": "split {policy}; the test set is sealed",
    "shortened": "to keep to the budget: {what}",
    "uncompiled": "the engine is not compiled yet, so torch trains, much slower: `wellfit demo` compiles it",
    "references": "fitting the reference models on {rows:,} rows",
    "fixed": "fixed, as in the last run: {knobs}",
    "training": "training {identity}",
    "pilot": "trying {networks} small changes, to see which ones help",
    "round": "going around again: regularizing has brought bias back",
    "step": "step {step}: {does}",
    "curve": "training {refits} networks on parts of the rows, to predict the gain from more data",
    "check": "checking the network",
    "waiting": "waiting for workers: {free:g} of {of:g} CPUs are free",
    "put back": "training {networks} networks again: {why}",
}
"""Words for the events of the stages; an event with other fields is written out plainly."""
_STEPS: Mapping[str, str] = {
    "bigger_network": "trying bigger networks",
    "train_longer": "training for longer",
    "better_optimizer": "trying other optimizer settings",
    "architecture": "trying other architectures",
    "search_architecture": "trying other architectures",
    "regularize": "regularizing with λ and dropout",
    "more_data": "training on more rows",
    "augment": "trying augmentation",
    "augment_toward": "changing pictures to look like those of dev",
    "average_weights": "averaging weights",
    "smooth_labels": "smoothing the labels",
    "sparsify": "trying L1",
    "stop_early": "stopping early",
    "search_both_boards": "searching all knobs together",
    "ensemble": "averaging networks",
    "reweight": "weighting rows by how much they look like dev",
    "drop_rows": "leaving out rows that dev shares with train",
}
_SKIPPED = frozenset({"event", "config"})
_BAR = 12
_FEWEST = 40
"""Columns below which the line is what is being done alone."""


@dataclass
class Progress:
    """What a run has said about itself so far."""

    began: float = field(default_factory=time.monotonic)
    doing: str = "starting"
    networks: int = 0
    best: float = math.inf
    goal: str = ""
    seconds: float | None = None
    """Budget in time; None for one in updates, or without a run."""

    def take(self, event: Mapping[str, Any]) -> None:
        """Learn from one event."""
        kind, dev = event.get("event"), event.get("dev")
        if kind == "run":
            self.goal, self.seconds = str(event["goal"]), event["seconds"]
        if kind in ("member", "snapshot"):
            self.networks += 1
            if isinstance(dev, float) and dev < self.best:
                self.best = dev
        if kind not in FREQUENT or kind == "pictures":
            self.doing = line_of(event)

    @property
    def clock(self) -> str:
        """The time that has passed, and the budget if it is one in time."""
        passed = time.monotonic() - self.began
        return f"{passed:.0f} s" if self.seconds is None else f"{passed:.0f} of {self.seconds:.0f} s"

    @property
    def so_far(self) -> str:
        """The networks that were compared, and the best dev error among them, in the goal's own unit."""
        if not math.isfinite(self.best) or not self.goal:
            return ""
        from wellfit.records.goals import goal_named
        from wellfit.records.units import Unit

        unit = Unit(goal_named(self.goal))
        return f"best dev {unit.noun} {unit.show(self.best)} of {self.networks:,} networks"

    @property
    def bar(self) -> str:
        """The share of the budget that is spent; "" without a budget in time."""
        if not self.seconds:
            return ""
        spent = round(_BAR * min(1.0, (time.monotonic() - self.began) / self.seconds))
        return "█" * spent + "░" * (_BAR - spent)

    def line(self, width: int) -> str:
        """Everything in one line of at most `width` columns, the least important left out first."""
        wanted = [self.doing, self.clock, self.bar, self.so_far]
        for kept in ((0, 2, 1, 3), (0, 1, 3), (0, 1), (0,)):
            told = "  ".join(wanted[place] for place in kept if wanted[place])
            if len(told) <= width and (width >= _FEWEST or kept == (0,)):
                return told
        return self.doing[:width]

    def milestone(self) -> str:
        """One plain line: the time, what is being done, and the best so far."""
        told = f"[{self.clock:>7}] {self.doing}"
        return f"{told}  ({self.so_far})" if self.so_far else told


@dataclass(frozen=True)
class _Live:
    """The live line, written anew at each refresh so that its clock goes on."""

    progress: Progress
    width: int

    def __rich__(self) -> Text:
        from rich.text import Text

        return Text(self.progress.line(self.width), no_wrap=True)


def line_of(event: Mapping[str, Any]) -> str:
    """Return one line for people: the words for this event, or its name and plain values."""
    kind = str(event.get("kind", ""))
    told = {**event, **({"does": _STEPS.get(kind, kind.replace("_", " "))} if kind else {})}
    with contextlib.suppress(KeyError, ValueError, TypeError):
        return printable(_WORDS[str(event["event"])].format_map(told))
    values = [
        f"{name.replace('_', ' ')} {value:.4g}" if isinstance(value, float) else f"{name.replace('_', ' ')} {value}"
        for name, value in event.items()
        if name not in _SKIPPED and isinstance(value, str | int | float)
    ]
    return printable(": ".join(part for part in (str(event.get("event", "")), ", ".join(values)) if part))


@contextlib.contextmanager
def progress(*, began: float | None = None) -> Iterator[Notify]:
    """Yield a `notify` that shows events as they come; `began` is `time.monotonic()` when the command did."""
    state = Progress() if began is None else Progress(began=began)
    if not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":

        def plain(event: Mapping[str, Any]) -> None:
            state.take(event)
            if event.get("event") not in FREQUENT:
                click.echo(state.milestone(), err=True)

        yield plain
        return
    from rich.console import Console  # takes 0.04 s: only where its output is seen
    from rich.text import Text

    console = Console(stderr=True, highlight=False)
    with console.status(_Live(state, console.width - 3)):

        def notify(event: Mapping[str, Any]) -> None:
            state.take(event)
            if event.get("event") not in FREQUENT:
                console.print(Text(state.milestone()))

        yield notify
