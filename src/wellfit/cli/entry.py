"""The console script: parse the command line, run the command, and turn every ending into an exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from wellfit.cli.errors import guarded
from wellfit.cli.group import wellfit

_COMPLETION = "_WELLFIT_COMPLETE"


def main(argv: Sequence[str] | None = None) -> int:
    """Run `wellfit` with these arguments (default: those of the process).

    Returns:
        0 done; 1 a bug; 2 bad input, refusal, no room; 3 a gap with `--fail-on gap`; 130 interrupted.
    """
    if _COMPLETION in os.environ:  # the shell asks for completions; click answers and exits
        wellfit.main(prog_name="wellfit")
    arguments = list(sys.argv[1:] if argv is None else argv)
    return guarded(lambda: _run(arguments), debug="--debug" in arguments)


def _run(arguments: list[str]) -> int:
    with wellfit.make_context("wellfit", arguments) as context:
        code = wellfit.invoke(context)
    if sys.stdout is not None:  # closed by `>&-`
        sys.stdout.flush()  # a reader that went away shows here, not in the interpreter's shutdown
    return code if isinstance(code, int) else 0
