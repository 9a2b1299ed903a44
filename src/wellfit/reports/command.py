"""The command that asks for the same again."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping

from wellfit.base.typing import Json

KNOBS_FILE = "knobs.toml"


def command_of(source: str, options: Json) -> str:
    """A line for a shell; options that were not given are left out.

    Fixed knobs have no option: they are named in a comment, as lines of the file to write.

    Args:
        source: DATA.
        options: name -> value, by the names of the Python arguments.
    """
    fixed = options.get("fixed")
    words = ["wellfit", "run", source or "DATA", *_words(options)]
    if not isinstance(fixed, Mapping):
        return shlex.join(words)
    knobs = [f"{board}.{name} = {json.dumps(value)}" for board, found in fixed.items() for name, value in found.items()]
    return f"{shlex.join([*words, '--config', KNOBS_FILE])}  # {KNOBS_FILE}: {'; '.join(knobs)}"


def _words(options: Json) -> Iterator[str]:
    for name, value in options.items():
        option = f"--{name.replace('_', '-')}"
        if name == "optimal_error" and isinstance(value, list):
            yield from (option, *map(str, value))
        elif isinstance(value, bool):
            yield option if value else option.replace("--", "--no-", 1)
        elif isinstance(value, list):
            yield from (word for each in value for word in (option, str(each)))
        elif isinstance(value, str | int | float):
            yield from (option, str(value))
