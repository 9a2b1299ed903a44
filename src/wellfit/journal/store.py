"""The journal file: SQLite in WAL mode, append-only, one writer.

A commit is durable before `append` returns, so no such entry is lost, whenever the process is killed.
Readers open the file read-only and never wait for the writer.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

from filelock import FileLock, Timeout

from wellfit.base.plain_files import parse_json
from wellfit.base.typing import Json
from wellfit.exceptions import NoRoom, Refusal

APPLICATION_ID = 0x77656C6C  # "well"
MIGRATIONS: tuple[str, ...] = (
    """
    CREATE TABLE entries (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        kind TEXT NOT NULL,
        key TEXT NOT NULL,
        body TEXT NOT NULL,
        at TEXT NOT NULL
    ) STRICT;
    CREATE INDEX entries_by_name ON entries (kind, key);
    """,
)
NETWORK_FILE_SYSTEMS = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "glusterfs", "lustre"})
MOUNTS = Path("/proc/mounts")


class Journal:
    """An open journal; a context manager. Each entry is parsed once.

    Use `open_journal` to get one. It must not be shared between threads.
    """

    def __init__(self, connection: sqlite3.Connection, *, path: Path, lock: FileLock | None, parsed: EntryLog) -> None:
        self._connection = connection
        self._lock = lock
        self._parsed = parsed
        self._opened = datetime.now(UTC)
        self._opened_at = time.monotonic()
        self.path = path

    def append(self, kind: str, body: Json, *, key: str = "") -> Entry:
        """Write one entry durably and return it.

        Raises:
            NoRoom: the disk is full or read-only; the journal stays as it was.
        """
        # Budgets are differences of these times: setting the clock while the journal is open must not change them.
        at = (self._opened + timedelta(seconds=time.monotonic() - self._opened_at)).isoformat(timespec="milliseconds")
        text = json.dumps(body, allow_nan=False, sort_keys=True)
        try:
            with self._connection:
                cursor = self._connection.execute(
                    "INSERT INTO entries (kind, key, body, at) VALUES (?, ?, ?, ?)", (kind, key, text, at)
                )
        except sqlite3.OperationalError as error:
            raise _no_room(self.path, error) from error
        return Entry(seq=cursor.lastrowid or 0, kind=kind, key=key, body=body, at=at)

    def entries(self, kind: str | None = None) -> list[Entry]:
        """Return all entries, or those of one kind, in the order in which they were written."""
        self._parse_new()
        return [entry for entry in self._parsed.entries if kind is None or entry.kind == kind]

    def find(self, kind: str, key: str) -> Entry | None:
        """Return the last entry of this kind and key, if there is one."""
        self._parse_new()
        return self._parsed.named.get((kind, key))

    def _parse_new(self) -> None:
        """Parse the entries written since the last call, by this or another process."""
        last = self._parsed.entries[-1].seq if self._parsed.entries else None
        rows = self._connection.execute(
            "SELECT seq, kind, key, body, at FROM entries WHERE ?1 IS NULL OR seq > ?1 ORDER BY seq", (last,)
        )
        try:
            for row in rows:
                try:
                    self._parsed.parse(row)
                except ValueError as error:
                    raise _foreign(self.path, f"the unreadable entry {row[0]} ({error})") from error
        except sqlite3.DatabaseError as error:
            raise _foreign(self.path, f"an unreadable entry ({error})") from error

    def close(self) -> None:
        """Close the file and let the next writer in."""
        self._connection.close()
        if self._lock is not None:
            self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_journal(path: Path, *, read_only: bool = False, parsed: EntryLog | None = None) -> Journal:
    """Open the journal at `path`, or start one there; with `read_only`, take no lock and write nothing.

    Entries that are already in `parsed` are not read again.

    Raises:
        Refusal: another process is writing to it; or it is on a network file system, not a journal of wellfit, damaged,
            or written by a newer wellfit.
        NoRoom: the folder cannot be written.
    """
    log = EntryLog() if parsed is None else parsed
    if read_only:
        return Journal(_connect_to_read(path), path=path, lock=None, parsed=log)
    kind = file_system_of(path.parent)
    if kind in NETWORK_FILE_SYSTEMS:
        raise Refusal(
            "an experiment must be on a local disk, because network locks can fail silently",
            found=f"{path.parent} on {kind}",
            remedy="Pass an --out on a local disk",
        )
    lock = _lock(path)
    try:
        connection = _checked(_connect_to_write(path), path)
        _migrate(connection, path)
    except BaseException:
        lock.release()
        raise
    return Journal(connection, path=path, lock=lock, parsed=log)


def _connect_to_read(path: Path) -> sqlite3.Connection:
    if not path.is_file():
        raise Refusal("an experiment must have a journal", found=f"no file {path}", remedy="Check the folder's name")
    # Without content in the -wal file there is nothing to merge. Reading beside a writer needs an index, a file of its
    # own. Where none can be made (a read-only folder, a full disk) nobody writes, and the file is read as it stands.
    log = path.with_name(path.name + "-wal")
    pending = log.exists() and log.stat().st_size > 0
    try:
        if pending or os.access(path.parent, os.W_OK):
            return _checked(_read_only(path, "mode=ro"), path, least=1)
    except NoRoom:
        if pending:
            raise
    return _checked(_read_only(path, "immutable=1"), path, least=1)


def _read_only(path: Path, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.resolve().as_uri()}?{mode}", uri=True)


def _connect_to_write(path: Path) -> sqlite3.Connection:
    try:
        return sqlite3.connect(path)
    except sqlite3.OperationalError as error:
        raise _no_room(path, error) from error


def _checked(connection: sqlite3.Connection, path: Path, *, least: int = 0) -> sqlite3.Connection:
    """Refuse a file that is not ours or is below version `least`, before anything in it runs: data are never code."""
    try:
        connection.execute("PRAGMA trusted_schema = OFF")
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        owner = connection.execute("PRAGMA application_id").fetchone()[0]
        objects = connection.execute("SELECT type, name FROM sqlite_master").fetchall()
        health = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite3.OperationalError as error:
        connection.close()
        raise _no_room(path, error) from error
    except sqlite3.DatabaseError as error:
        connection.close()
        raise _foreign(path, str(error)) from error
    problem = _problem(version=version, owner=owner, objects=objects, health=health)
    problem = problem or ("no table of entries" if version < least else "")
    if problem:
        connection.close()
        raise _foreign(path, problem)
    if version > len(MIGRATIONS):
        connection.close()
        raise Refusal(
            f"the journal must have a version that this wellfit can read, at most {len(MIGRATIONS)}",
            found=f"version {version} in {path}",
            remedy="Update wellfit (pip install -U wellfit)",
        )
    return connection


def _problem(*, version: int, owner: int, objects: list[tuple[str, str]], health: str) -> str:
    if health != "ok":
        return f"damage ({health})"
    if objects and owner != APPLICATION_ID:
        return "another program's database"
    if version == 0 and objects:
        return "tables without a version"
    if any(kind in ("trigger", "view") for kind, _ in objects):
        return "a trigger or view, which wellfit never writes"
    return ""


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        for version in range(connection.execute("PRAGMA user_version").fetchone()[0], len(MIGRATIONS)):
            # One transaction for a step and its version number: a kill in between leaves the step undone.
            connection.executescript(f"BEGIN; {MIGRATIONS[version]} PRAGMA user_version = {version + 1}; COMMIT;")
    except sqlite3.OperationalError as error:
        connection.close()
        raise _no_room(path, error) from error


def _lock(path: Path) -> FileLock:
    lock = FileLock(path.with_suffix(".lock"), timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        raise Refusal(
            "only one process may work on an experiment at a time",
            found=f"{path.parent} in use by another process",
            remedy="Wait until it has finished, stop it, or pass another --out",
        ) from error
    except OSError as error:
        raise _no_room(path, error) from error
    return lock


def file_system_of(folder: Path) -> str | None:
    """Return the name of the file system that contains `folder`; None if the system does not report it."""
    if not MOUNTS.is_file():
        return None
    mounts = [line.split(" ") for line in MOUNTS.read_text(encoding="utf-8").splitlines()]
    above = [fields for fields in mounts if folder.resolve().is_relative_to(fields[1])]
    return max(above, key=lambda fields: len(fields[1]))[2] if above else None


def _foreign(path: Path, problem: str) -> Refusal:
    return Refusal(
        "an experiment's journal must be written only by wellfit",
        found=f"{problem} in {path}",
        remedy="Pass another --out, or restore the folder from a copy",
    )


def _no_room(path: Path, error: Exception) -> NoRoom:
    return NoRoom(
        "the experiment's folder must be writable and have free space",
        found=f"{error} at {path.parent}",
        remedy="Free some space or pass another --out, and run the same command again: it continues",
    )


@dataclass(frozen=True)
class Entry:
    """One line of the journal."""

    seq: int
    """Number of the entry in the journal, counted from 1 without gaps."""
    kind: str
    """What the body is about ("split", "training", "step", ...)."""
    key: str
    """Name under which the body is recalled; empty if entries are only listed."""
    body: Json
    at: str
    """Time of writing, ISO 8601 in UTC."""


@dataclass(frozen=True)
class EntryLog:
    """The parsed entries of a journal, in their order and by (kind, key), kept while the file is closed."""

    entries: list[Entry] = field(default_factory=list)
    named: dict[tuple[str, str], Entry] = field(default_factory=dict)
    require: Callable[[str, Json], None] | None = None
    """Raises ValueError for an invalid body."""

    def parse(self, row: tuple[int, str, str, str, str]) -> None:
        """Add the entry of one row of the file; ValueError if its body is not a JSON object."""
        seq, kind, key, text, at = row
        body = parse_json(text)
        if not isinstance(body, dict):
            raise ValueError("no object")
        if self.require is not None:
            self.require(kind, body)
        entry = Entry(seq=seq, kind=kind, key=key, body=body, at=at)
        self.entries.append(entry)
        self.named[kind, key] = entry
