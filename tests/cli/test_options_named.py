"""Every option that the text of the source names exists in some command."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from wellfit.cli.group import COMMANDS, wellfit

SOURCE = Path(__file__).parents[2] / "src" / "wellfit"
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z0-9-]*")
ELSEWHERE = {"--upgrade", "--head", "--address", "--object-store-memory"}  # of pip and ray


def known_options():
    commands = [wellfit, *(wellfit.get_command(None, name) for name in COMMANDS)]
    return {
        text
        for command in commands
        for parameter in command.params
        for text in (*parameter.opts, *parameter.secondary_opts)
    } | {"--help"}


def options_named():
    """Return option -> file, of every string in the source; an f-string counts by its plain pieces."""
    return {
        option: path.relative_to(SOURCE)
        for path in SOURCE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        for option in OPTION.findall(node.value)
        if not option.endswith("-")
    }


def test_an_option_that_a_message_names_exists():
    known = known_options() | ELSEWHERE
    assert {option: str(path) for option, path in options_named().items() if option not in known} == {}


def test_the_options_of_a_csv_file_are_looked_for():
    assert {"--delimiter", "--decimal", "--encoding"} <= set(options_named())
