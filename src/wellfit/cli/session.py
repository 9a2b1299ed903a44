"""The session of a command: it prints results, events and progress, and writes the log.

Progress is a live line on a terminal, and one plain line per milestone elsewhere.
"""

from __future__ import annotations

import contextlib
import json
import logging
import math
import os
import shutil
import sys
import textwrap
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from wellfit.cli.errors import printable
from wellfit.cli.progress import progress

if TYPE_CHECKING:
    from wellfit.base.typing import Json, Notify
    from wellfit.experiment.experiment import Experiment

logger = logging.getLogger("wellfit.events")
_WIDTH = 100
"""Width of the text in characters when it does not go to a terminal."""


@dataclass(frozen=True, kw_only=True)
class Session:
    """The common options of one call.

    Results go to stdout: text, or with `as_json` one JSON object and nothing else. With `events`, stdout has one JSON
    object per line, the last of which is `{"event": "result", ...}`; together with `as_json`, the events go to stderr.
    Everything else goes to stderr.
    """

    as_json: bool = False
    events: bool = False
    seed: int | None = None
    quiet: bool = False
    log_file: Path | None = None
    debug: bool = False
    began: float = field(default_factory=time.monotonic)

    @property
    def seeded(self) -> Json:
        """`seed` as a keyword argument if the user passed one; otherwise an experiment keeps the seed of its split."""
        return {} if self.seed is None else {"seed": self.seed}

    @property
    def width(self) -> int:
        """Columns of the terminal; 100 without one."""
        return shutil.get_terminal_size((_WIDTH, 24)).columns

    def result(self, body: Json, *, text: str) -> None:
        """Print the result: `body` for scripts, `text` for people."""
        if self.as_json:
            click.echo(to_line(body, indent=2))
        elif self.events:
            click.echo(to_line({"event": "result", "result": body}))
        else:
            click.echo(printable(fitted(text, self.width) if sys.stdout.isatty() else text))

    def say(self, text: str) -> None:
        """Print something for people that is not the result."""
        if not self.quiet and not self.events:
            click.echo(printable(text), err=True)

    @contextlib.contextmanager
    def watching(self) -> Iterator[Notify]:
        """Yield the `notify` that a stage calls: it shows events as JSON lines, a live line, or plain lines."""
        with self._shown() as show:

            def notify(event: Mapping[str, Any]) -> None:
                logger.info("%s", to_line(event))
                show(event)

            yield notify

    @contextlib.contextmanager
    def _shown(self) -> Iterator[Notify]:
        if self.events:
            yield lambda event: click.echo(to_line(event), err=self.as_json)
        elif self.quiet:
            yield lambda _event: None
        else:
            with progress(began=self.began) as show:
                yield show

    @contextlib.contextmanager
    def logging(self) -> Iterator[None]:
        """Show the library's warnings as plain lines, and write everything to the log file if there is one."""
        logging.captureWarnings(True)  # other packages' warnings name their own files; they go to the log file only
        warnings, library, root = (logging.getLogger(name) for name in ("py.warnings", "wellfit", None))
        screen = logging.StreamHandler(sys.stderr)
        screen.setLevel(logging.ERROR if self.quiet else logging.WARNING)
        screen.setFormatter(_Plain("%(levelname)s: %(message)s"))
        library.addHandler(screen)
        # A handler keeps logging's handler of last resort from printing these records.
        warnings.addHandler(screen if self.debug else logging.NullHandler())
        previous = library.level
        file = logging.FileHandler(self.log_file, encoding="utf-8") if self.log_file else None
        if file is not None:
            file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
            root.addHandler(file)
            library.setLevel(logging.DEBUG)
        try:
            yield
        finally:
            logging.captureWarnings(False)
            library.setLevel(previous)
            library.removeHandler(screen)
            warnings.handlers.clear()
            if file is not None:
                root.removeHandler(file)
                file.close()


def fitted(text: str, width: int) -> str:
    """Break sentences that are longer than a terminal is wide between words; tables and commands stay as they are."""
    return "\n".join(
        line
        if len(line) <= width or "  " in line.strip() or "`" in line or "\x1b" in line
        else textwrap.fill(
            line,
            width,
            subsequent_indent=" " * (len(line) - len(line.lstrip())),
            break_long_words=False,
            break_on_hyphens=False,
        )
        for line in text.splitlines()
    )


class _Plain(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record))


def to_line(body: Mapping[str, Any], *, indent: int | None = None) -> str:
    """Return one JSON object; values that JSON cannot express (nan, infinity) become null."""
    return json.dumps(_plain(body), indent=indent, allow_nan=False, ensure_ascii=False)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if isinstance(value, str | bool | int) or value is None:
        return value
    if isinstance(value, Path):
        return str(value)
    number = value.item() if hasattr(value, "item") else value  # a NumPy scalar, without importing NumPy
    return number if not isinstance(number, float) or math.isfinite(number) else None


def show_experiment(session: Session, experiment: Experiment, *, full: bool = False) -> Json:
    """Print the end of an experiment's last run, or its whole report; return its JSON object for scripts."""
    from wellfit.reports.text import render_end, render_text

    body = experiment.to_json()
    if session.as_json or session.events:
        session.result(body, text="")
        return body
    width = session.width
    color = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    summary = experiment.summary()
    if full:
        text = f"{render_text(summary, width=width, color=color).rstrip()}\n\nReport: {experiment.folder.report}"
    else:
        text = render_end(summary, path=str(experiment.path), width=width, color=color).rstrip()
    session.result(body, text=text)
    return body
