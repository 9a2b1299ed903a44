"""The command `wellfit`: a list of commands, whose modules are imported only when they run, and the exit code."""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from types import MappingProxyType

import click

from wellfit.base.plain_files import require_utf8
from wellfit.cli.errors import guarded

COMMANDS: Mapping[str, str] = MappingProxyType(
    {
        "diagnose": "Show where the error comes from, given predictions, an experiment, or numbers.",
        "run": "Do the whole job on a table: split, train, diagnose, improve, report.",
        "split": "Divide a table into train, dev and a sealed test set.",
        "size": "Compute how many dev and test rows are needed.",
        "check": "Check whether a network of your own can learn at all.",
        "study": "Apply the recipe to your own training program.",
        "train": "Train one configuration in an experiment.",
        "sweep": "Search lambda and keep_prob, and show the lambda path.",
        "watch": "Watch a run at work, from another terminal.",
        "show": "Print the end of an experiment's last run again, or all of its report.",
        "compare": "Show which of two networks is better on dev, and which knobs differ.",
        "errors": "Show the rows that a network gets wrong, and what fixing each kind could win.",
        "unseal": "Open the test set, once.",
        "label": "Label dev pictures by hand, to measure the human error.",
        "predict": "Predict new rows with the experiment's best network.",
        "export": "Write the model for use elsewhere, as a folder, ONNX or pt2.",
        "report": "Write the report page again.",
        "explain": "Explain what a finding such as WF102 means, and what to do.",
        "demo": "Show the whole job on digits with wrong labels, in about a minute.",
        "doctor": "Show what is installed and what wellfit would use.",
    }
)
"""Every command with its line in the help, in the order of the stages."""
_MODULES = {
    "compare": "show",
    "errors": "error_analysis",
    "explain": "show",
    "export": "predict",
    "report": "show",
    "train": "sweep",
}
"""The modules of commands whose module has a different name."""


class StageGroup(click.Group):
    """A group that imports a command's module only when it is called, and writes its help without importing any."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Return the names in the order of the stages."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import one command."""
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"wellfit.cli.{_MODULES.get(cmd_name, cmd_name)}")
        command: click.Command = getattr(module, cmd_name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or suggest the nearest name."""
        name = args[0]
        if name not in COMMANDS and not name.startswith("-"):
            near = difflib.get_close_matches(name, COMMANDS, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else f" The commands are {', '.join(COMMANDS)}."
            raise click.UsageError(f"No such command {name!r}.{hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the list of commands from the table above."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def _version(ctx: click.Context, _option: click.Parameter, asked: bool) -> None:
    if asked:
        from importlib import metadata

        click.echo(f"wellfit {metadata.version('wellfit')}")
        ctx.exit()


@click.group(
    cls=StageGroup,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
    epilog="""\b
Start here:
  wellfit demo
  wellfit diagnose --train-error .01 --dev-error .11 --human-error 0 --train-rows 50000 --dev-rows 1000
  wellfit run churn.csv --target churned --human-error .01 --budget 10m

Every command has its own help: wellfit COMMAND --help.""",
)
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show the version.")
@click.pass_context
def wellfit(ctx: click.Context) -> None:
    """Give a neural network the fit it deserves.

    Tells you whether a network underfits, overfits, or was measured on the wrong data, does the next right thing
    about it, and proves the result once on a sealed test set.
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def main(argv: Sequence[str] | None = None) -> int:
    """Run `wellfit` with these arguments (by default, those of the process).

    Returns:
        The exit code: 0 done, 1 a bug, 2 bad input or a refusal, 3 a gap with `--fail-on gap`, 130 interrupted.
    """
    if "_WELLFIT_COMPLETE" in os.environ:  # the shell asks for completions; click answers and exits
        wellfit.main(prog_name="wellfit")
    arguments = list(sys.argv[1:] if argv is None else argv)
    _open_closed_streams()
    return guarded(lambda: _run(arguments), debug="--debug" in arguments)


def _open_closed_streams() -> None:
    """Give a process that was started with closed streams (`<&-`, `2>&-`) empty ones, as daemons have."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode))  # noqa: SIM115 - open for the rest of the process


def _run(arguments: list[str]) -> int:
    require_utf8(*arguments)
    with wellfit.make_context("wellfit", arguments) as context:
        code = wellfit.invoke(context)
    sys.stdout.flush()  # a reader that went away shows here, not in the interpreter's shutdown
    return code if isinstance(code, int) else 0
