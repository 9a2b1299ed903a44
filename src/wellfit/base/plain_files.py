"""Folders from elsewhere must be safe: their files are plain, of a usual size, and never lead out of the folder.

An experiment or a model may come from a stranger or a damaged disk. A link in it would let a command write somewhere
else, a pipe would make it wait forever, and a huge file would fill the memory.
"""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

from wellfit.exceptions import BadInput, Refusal

MOST_JSON = 2**28
"""Maximum size of a JSON file in bytes, far more than the schema of 100,000 columns needs."""


def require_plain(folder: Path) -> None:
    """Refuse a folder that contains anything but regular files and folders.

    Raises:
        Refusal: it contains a link, a pipe, a socket or a device.
        OSError: the folder cannot be listed.
    """
    for place, folders, files in os.walk(folder, onerror=_raise):
        for name in (*folders, *files):
            path = Path(place, name)
            mode = path.lstat().st_mode
            if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                raise Refusal(
                    "the folder of an experiment or a model must contain only plain files",
                    found=f"{'a link' if stat.S_ISLNK(mode) else 'a pipe or device'} at {path}",
                    remedy="Remove it, or restore the folder from a copy",
                )


def require_utf8(*names: str) -> None:
    """Refuse a name that is not UTF-8: neither JSON nor Parquet can hold it.

    Raises:
        BadInput: Python could not decode the name when it was given, or when its folder was listed.
    """
    for name in names:
        try:
            name.encode()
        except UnicodeEncodeError:
            raise BadInput(
                "names of files and other arguments must be UTF-8",
                found=os.fsencode(name).decode(errors="backslashreplace"),
                remedy="Rename the file",
            ) from None


def read_json(path: Path) -> Any:
    """Return the content of a JSON file.

    Raises:
        ValueError: the file is not JSON, larger than `MOST_JSON`, or nested too deeply.
        OSError: the file cannot be read.
    """
    size = path.stat().st_size
    if size > MOST_JSON:
        raise ValueError(f"{size:,} bytes instead of at most {MOST_JSON:,}")
    return parse_json(path.read_bytes())


def parse_json(text: str | bytes) -> Any:
    """Return the value of a JSON text; ValueError if it is not JSON or nested too deeply."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _raise(error: OSError) -> None:
    raise error
