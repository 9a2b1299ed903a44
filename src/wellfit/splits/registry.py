"""The user's record of opened rows, outside every experiment: rows opened once are never certified again.

It is one SQLite file in `$WELLFIT_HOME` (or `~/.wellfit`), written under a lock, with hashes of rows and never rows.
"""

from __future__ import annotations

import sqlite3
import zipfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import filelock

from wellfit.base.files import HOME_VARIABLE, home_folder, make_folder, room_at
from wellfit.data.hashing import as_bytes
from wellfit.exceptions import NoRoom, Refusal
from wellfit.splits.known_rows import AskedRows, Fingerprint

DATABASE_NAME = "openings.sqlite"
LOCK_SECONDS = 60.0
# docs/design.md, promise 1: an opening is certified only if fewer of its rows were opened before.
CERTIFIED_OVERLAP = 0.05
ALL = 0

_TABLES = """
CREATE TABLE IF NOT EXISTS opening (
    id INTEGER PRIMARY KEY, entry TEXT UNIQUE NOT NULL, seal TEXT NOT NULL, at TEXT NOT NULL, place TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS opened (
    hash BLOB NOT NULL, opening INTEGER NOT NULL REFERENCES opening(id), PRIMARY KEY (hash, opening)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS fingerprint (
    opening INTEGER PRIMARY KEY REFERENCES opening(id), digest TEXT NOT NULL, body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS chain (seal TEXT PRIMARY KEY, head TEXT NOT NULL, count INTEGER NOT NULL);
"""
_SHARED = """
SELECT opened.opening, COUNT(*) FROM asked JOIN opened USING (hash) GROUP BY opened.opening
"""
_SEEN = """
SELECT COUNT(DISTINCT asked.hash) FROM asked JOIN opened USING (hash) JOIN opening ON opening.id = opened.opening
WHERE opening.entry != ?
"""


@dataclass(frozen=True)
class Memory:
    """The registry's entries about a set of rows and their seal.

    Attributes:
        opened_share: share of the rows that were opened before, in any experiment.
        openings: number of earlier openings of at least 5 % of these rows.
        head: hash of the last line of this seal's ledger that the registry has recorded, line number `count`.
    """

    opened_share: float
    openings: int
    head: str
    count: int


@dataclass(frozen=True)
class Registry:
    """The registry in one folder."""

    home: Path

    @contextmanager
    def locked(self) -> Iterator[sqlite3.Connection]:
        """Lock the registry for one transaction: either everything written inside is kept, or nothing is.

        Raises NoRoom if it cannot be written, Refusal if it stays locked for a minute or the file is not a registry.
        """
        make_folder(self.home)
        path = self.home / DATABASE_NAME
        try:
            with (
                room_at(path),
                filelock.FileLock(path.with_suffix(".lock"), timeout=LOCK_SECONDS),
                closing(sqlite3.connect(path, isolation_level=None)) as connection,
            ):
                connection.executescript("PRAGMA trusted_schema=OFF; PRAGMA synchronous=FULL;" + _TABLES)
                connection.execute("BEGIN IMMEDIATE")
                yield connection
                connection.execute("COMMIT")
        except filelock.Timeout as error:
            raise _unusable(path, "locked by another process") from error
        except sqlite3.OperationalError as error:
            raise NoRoom(
                "the registry of openings must be writable",
                found=f"{error} at {path}",
                remedy=f"Free some space, or set {HOME_VARIABLE} to another folder",
            ) from error
        except sqlite3.DatabaseError as error:
            raise _unusable(path, str(error)) from error


def default_registry() -> Registry:
    """Return the registry of this user."""
    return Registry(home_folder())


def remember(connection: sqlite3.Connection, rows: AskedRows, *, seal: str, except_entry: str = "") -> Memory:
    """Look up these rows, ignoring the opening that the ledger calls `except_entry`."""
    shares = _equal_shares(connection, rows, except_entry=except_entry)
    kept = "SELECT id, digest, body FROM fingerprint JOIN opening ON id = opening WHERE entry != ?"
    for opening, digest, body in connection.execute(kept, (except_entry,)):
        known = 1.0 if digest and digest == rows.digest else rows.share_in(_fingerprint(body))
        shares[opening] = max(shares.get(opening, 0.0), known)
    chain = connection.execute("SELECT head, count FROM chain WHERE seal = ?", (seal,)).fetchone()
    head, count = chain if chain else ("", 0)
    openings = sum(share >= CERTIFIED_OVERLAP for place, share in shares.items() if place != ALL)
    return Memory(max(shares.values(), default=0.0), openings, head, count)


def _equal_shares(connection: sqlite3.Connection, rows: AskedRows, *, except_entry: str) -> dict[int, float]:
    """Return, for each opening, the share of rows equal in all columns; number 0 stands for all openings together."""
    connection.execute("CREATE TEMP TABLE asked (hash BLOB PRIMARY KEY) WITHOUT ROWID")
    connection.executemany("INSERT INTO asked VALUES (?)", ((key,) for key in as_bytes(rows.single)))
    (seen,) = connection.execute(_SEEN, (except_entry,)).fetchone()
    own = connection.execute("SELECT id FROM opening WHERE entry = ?", (except_entry,)).fetchone()
    agreed = {place: count for place, count in connection.execute(_SHARED) if own is None or place != own[0]}
    connection.execute("DROP TABLE asked")
    opened = "SELECT COUNT(*) FROM opened WHERE opening = ?"
    among = {place: int(connection.execute(opened, (place,)).fetchone()[0]) for place in agreed}
    shares = {place: rows.equal_share(count, among=among[place]) for place, count in agreed.items()}
    return {ALL: rows.equal_share(seen, among=sum(among.values())), **shares}


def _fingerprint(body: bytes) -> Fingerprint:
    try:
        return Fingerprint.from_bytes(body)
    except (ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise sqlite3.DatabaseError(f"a damaged fingerprint ({error})") from error


def record_opening(
    connection: sqlite3.Connection, rows: AskedRows, *, seal: str, entry: str, at: str, place: str
) -> None:
    """Remember that these rows were opened, once for each entry of a ledger."""
    cursor = connection.execute(
        "INSERT OR IGNORE INTO opening (entry, seal, at, place) VALUES (?, ?, ?, ?)", (entry, seal, at, place)
    )
    if cursor.rowcount == 1:
        keys = ((key, cursor.lastrowid) for key in as_bytes(rows.whole))
        connection.executemany("INSERT OR IGNORE INTO opened VALUES (?, ?)", keys)
        kept = (cursor.lastrowid, rows.digest, rows.fingerprint.to_bytes())
        connection.execute("INSERT INTO fingerprint VALUES (?, ?, ?)", kept)


def withdraw_opening(connection: sqlite3.Connection, *, entry: str, seal: str, before: Memory) -> None:
    """Forget an opening that revealed nothing because its prediction failed; restore the earlier record of its seal."""
    connection.execute("DELETE FROM opened WHERE opening IN (SELECT id FROM opening WHERE entry = ?)", (entry,))
    connection.execute("DELETE FROM fingerprint WHERE opening IN (SELECT id FROM opening WHERE entry = ?)", (entry,))
    connection.execute("DELETE FROM opening WHERE entry = ?", (entry,))
    if before.count:
        record_chain(connection, seal=seal, head=before.head, count=before.count)
    else:
        connection.execute("DELETE FROM chain WHERE seal = ?", (seal,))


def record_chain(connection: sqlite3.Connection, *, seal: str, head: str, count: int) -> None:
    """Remember the length and the last hash of the ledger of this seal."""
    connection.execute("INSERT OR REPLACE INTO chain VALUES (?, ?, ?)", (seal, head, count))


def _unusable(path: Path, reason: str) -> Refusal:
    return Refusal(
        "every opening must be recorded in the registry",
        found=f"{path}: {reason}",
        remedy=f"Wait and try again, or move the file away and set {HOME_VARIABLE} to another folder",
    )
