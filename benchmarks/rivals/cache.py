"""What the rivals came to, kept in a file: they need hours, so they are measured once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple


class Cell(NamedTuple):
    """One side on one table and seed. Seconds of another machine (named in words) are never compared with ours."""

    metric: float
    seconds: float
    machine: str | None = None


class Cache:
    """Cells by table, seed and rival; kept in a file, or forgotten."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._known: dict[str, Cell] = {}
        self._known = self._read()

    def get(self, key: str) -> Cell | None:
        """Return what is known of `key`, a `cell_key`."""
        return self._known.get(key)

    def put(self, key: str, cell: Cell) -> None:
        """Keep it, on the disk at once: the next rival may take an hour."""
        self._known = self._read() | {key: cell}
        if self._path:
            kept = {key: [each for each in cell if each is not None] for key, cell in self._known.items()}
            self._path.write_text(json.dumps(kept, indent=1, sort_keys=True))

    def _read(self) -> dict[str, Cell]:
        """Return what the file knows by now: another process may fill it too."""
        if not (self._path and self._path.is_file()):
            return self._known
        return {key: Cell(*kept) for key, kept in json.loads(self._path.read_text()).items()}


def cell_key(table: str, seed: int, rival: str) -> str:
    """Return what a cell goes by in the file."""
    return f"{table}/{seed}/{rival}"
