"""`@stage`: a click command with the options that every command of wellfit has."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import click

from wellfit.cli.session import Session
from wellfit.cli.settings import apply_settings

Callback = Callable[..., int | None]
"""A command's function: it takes the session first and returns an exit code, or None for 0."""

FILE = click.Path(path_type=Path)
"""A path; the library checks whether it exists, with a better message."""

_SEEDS = click.IntRange(min=0)


def stage(*, tables: Iterable[str] = (), examples: str = "") -> Callable[[Callback], click.Command]:
    """Make a function a command with its name, its docstring as the help, and the TOML tables that it takes."""

    def decorate(function: Callback) -> click.Command:
        epilog = f"\b\nExamples:\n{examples.strip(chr(10))}" if examples else None
        made = click.command(
            cls=StageCommand,
            name=function.__name__,
            context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
            epilog=epilog,
        )(function)
        made.tables = tuple(tables)
        return made

    return decorate


class StageCommand(click.Command):
    """A command with the common options, which passes its function a `Session` made from them."""

    tables: tuple[str, ...] = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params.extend(_common_options())

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments, and add the command to every error, so that the message can name the command's help."""
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            error.ctx = error.ctx or ctx
            raise

    def invoke(self, ctx: click.Context) -> Any:
        """Run the function inside the session's logging."""
        taken = {name: ctx.params.pop(name) for name in ("as_json", "events", "seed", "quiet", "log_file", "debug")}
        session = Session(**taken)
        ctx.params["session"] = session
        with session.logging():
            return super().invoke(ctx)


def _common_options() -> list[click.Parameter]:
    return [
        click.Option(["--json", "as_json"], is_flag=True, help="Print one JSON object on stdout, and nothing else."),
        click.Option(
            ["--events"], is_flag=True, help="Print one JSON object per line while it runs; the last one is the result."
        ),
        click.Option(["--seed"], type=_SEEDS, metavar="N", help="Seed of all random choices.  [default: 0]"),
        click.Option(["-q", "--quiet"], is_flag=True, help="Write no progress and no warnings to stderr."),
        click.Option(["--log-file"], type=FILE, metavar="FILE", help="Append a detailed log to FILE."),
        click.Option(
            ["--config"],
            type=FILE,
            metavar="FILE.toml",
            is_eager=True,
            expose_value=False,
            callback=_read_config,
            help="Read options from FILE.toml, named like the Python arguments; the command line takes precedence.",
        ),
        click.Option(["--debug"], is_flag=True, help="Show the traceback when something fails."),
    ]


def _read_config(ctx: click.Context, _option: click.Parameter, path: Path | None) -> None:
    if path is not None and isinstance(ctx.command, StageCommand):
        apply_settings(ctx, path, tables=ctx.command.tables)
