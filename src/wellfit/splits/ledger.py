"""The experiment's own record of openings: append-only JSON lines, each with the hash of the line before it."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import filelock

from wellfit.base.files import room_at
from wellfit.base.plain_files import parse_json
from wellfit.base.typing import Json
from wellfit.exceptions import Refusal

LEDGER_NAME = "ledger.jsonl"
EntryKind = Literal["opening", "result", "failed"]


@dataclass(frozen=True)
class LedgerEntry:
    """One line: its number, what happened, and the hash that binds it to all lines before it."""

    seq: int
    kind: EntryKind
    at: str
    body: Json
    previous: str
    hash: str


@dataclass(frozen=True)
class Chain:
    """The lines of the chain up to the first invalid one, and what is wrong with that one ("" if all are valid)."""

    entries: tuple[LedgerEntry, ...]
    broken: str

    @property
    def openings(self) -> int:
        """Number of openings of the test set."""
        return sum(entry.kind == "opening" for entry in self.entries)

    @property
    def pending(self) -> LedgerEntry | None:
        """The opening whose result was never written, because the process died or the prediction failed."""
        latest = next((entry for entry in reversed(self.entries) if entry.kind != "failed"), None)
        return latest if latest is not None and latest.kind == "opening" else None

    @property
    def failed(self) -> bool:
        """Whether the last entry is a prediction that failed, which revealed nothing."""
        return bool(self.entries) and self.entries[-1].kind == "failed"

    def extends(self, *, head: str, count: int) -> bool:
        """Return True if these lines begin with the `count` lines that ended in `head`."""
        return count == 0 or (len(self.entries) >= count and self.entries[count - 1].hash == head)


@dataclass
class Ledger:
    """The ledger of one sealed test set, in a file or (for a split without a folder) in memory.

    `root` starts the chain: the SHA-256 of the sealed rows, so that a ledger of another experiment does not fit.
    """

    root: str
    path: Path | None = None
    _lines: list[str] = field(default_factory=list, repr=False)

    def read(self) -> Chain:
        """Read and verify all lines."""
        entries: list[LedgerEntry] = []
        for line in self._texts():
            entry = _parsed(line)
            previous = entries[-1].hash if entries else self.root
            if (
                entry is None
                or entry.seq != len(entries) + 1
                or entry.previous != previous
                or _digest(entry) != entry.hash
            ):
                return Chain(tuple(entries), f"line {len(entries) + 1} of the ledger was changed")
            entries.append(entry)
        return Chain(tuple(entries), "")

    def append(self, kind: EntryKind, body: Json, *, at: str) -> LedgerEntry:
        """Add one line, on disk before this returns; after an invalid line, it is chained to the last valid one."""
        chain = self.read()
        previous = chain.entries[-1].hash if chain.entries else self.root
        bare = LedgerEntry(len(chain.entries) + 1, kind, at, body, previous, "")
        entry = LedgerEntry(bare.seq, kind, at, body, previous, _digest(bare))
        line = json.dumps(vars(entry), sort_keys=True)
        if self.path is None:
            self._lines.append(line)
            return entry
        with room_at(self.path), self.path.open("ab+") as file:
            file.seek(0)
            content = file.read()
            file.truncate(content.rfind(b"\n") + 1)
            file.write(line.encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        return entry

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Lock the ledger for one whole opening; Refusal if another process is opening this test set."""
        if self.path is None:
            yield
            return
        with room_at(self.path):
            lock = filelock.FileLock(self.path.with_suffix(".lock"), timeout=0)
            try:
                lock.acquire()
            except filelock.Timeout as error:
                raise Refusal(
                    "only one process may open a test set at a time",
                    found=f"another process opening {self.path.parent}",
                    remedy="Wait until it has finished",
                ) from error
        try:
            yield
        finally:
            lock.release()

    def _texts(self) -> list[str]:
        if self.path is None:
            return self._lines
        if not self.path.exists():
            return []
        text = self.path.read_text(encoding="utf-8", errors="replace")
        # An unterminated last line was being written when the process died: it never counted.
        return text.split("\n")[:-1]


def _digest(entry: LedgerEntry) -> str:
    content = {name: value for name, value in vars(entry).items() if name != "hash"}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _parsed(line: str) -> LedgerEntry | None:
    try:
        return LedgerEntry(**parse_json(line))
    except (ValueError, TypeError):
        return None
