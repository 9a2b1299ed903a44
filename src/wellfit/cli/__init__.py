"""The command line: `wellfit COMMAND`. Each command parses options, calls one public function, and prints."""

from wellfit.cli.group import main

__all__ = ["main"]
