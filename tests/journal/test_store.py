"""The journal keeps what was appended, in order, whatever happens to the process."""

from __future__ import annotations

import resource
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wellfit.exceptions import NoRoom, Refusal
from wellfit.journal import store
from wellfit.journal.store import MIGRATIONS, open_journal

BODIES = st.dictionaries(st.text(max_size=5), st.one_of(st.none(), st.integers(-5, 5), st.text(max_size=5)), max_size=3)
NOTES = st.lists(st.tuples(st.sampled_from(["step", "training"]), BODIES), max_size=8)


@given(notes=NOTES, cut=st.integers(0, 8))
@settings(max_examples=25, deadline=None)
def test_a_journal_read_after_any_prefix_holds_exactly_that_prefix(tmp_path_factory, notes, cut):
    path = tmp_path_factory.mktemp("journal") / "journal.sqlite"
    with open_journal(path) as journal:
        for kind, body in notes[:cut]:
            journal.append(kind, body)
    with open_journal(path) as journal:
        assert [(entry.kind, entry.body) for entry in journal.entries()] == notes[:cut]
        for kind, body in notes[cut:]:
            journal.append(kind, body)
    with open_journal(path, read_only=True) as journal:
        assert [(entry.kind, entry.body) for entry in journal.entries()] == notes
        assert [entry.seq for entry in journal.entries()] == list(range(1, len(notes) + 1))


def test_find_returns_the_last_entry_of_a_key(tmp_path):
    with open_journal(tmp_path / "journal.sqlite") as journal:
        journal.append("step", {"n": 1}, key="a")
        journal.append("step", {"n": 2}, key="a")
        journal.append("training", {"n": 3}, key="a")
        found = journal.find("step", "a")
        assert found is not None
        assert found.body == {"n": 2}
        assert journal.find("step", "b") is None
        assert [entry.body["n"] for entry in journal.entries("step")] == [1, 2]


WRITER = """
import sys
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from wellfit.journal.store import open_journal
journal = open_journal(Path(sys.argv[1]))
for n in range(10**9):
    journal.append("step", {"n": n})
    print(n, flush=True)
"""


def test_sigkill_loses_no_entry_whose_append_returned(tmp_path):
    path = tmp_path / "journal.sqlite"
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    reported = [int(writer.stdout.readline()) for _ in range(50)]
    writer.send_signal(signal.SIGKILL)
    reported += [int(line) for line in writer.stdout.read().split() if line.isdigit()]
    writer.stdout.close()
    writer.wait()
    with open_journal(path) as journal:
        kept = [entry.body["n"] for entry in journal.entries()]
    assert kept == list(range(len(kept)))
    assert len(kept) >= len(reported) - 1  # the last printed number may be cut in half by the kill


def test_a_second_writer_is_refused_and_a_reader_is_not(tmp_path):
    path = tmp_path / "journal.sqlite"
    imports = "import sys; from pathlib import Path; from wellfit.journal.store import open_journal"
    code = f"{imports}; open_journal(Path(sys.argv[1]))"
    with open_journal(path) as journal:
        journal.append("step", {"n": 1})
        other = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False)
        assert "only one process may work on an experiment at a time" in other.stderr
        with open_journal(path, read_only=True) as reader:
            assert len(reader.entries()) == 1


def _foreign_program(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    connection.close()


def _not_sqlite(path: Path) -> None:
    path.write_bytes(b"not a database at all, only text" * 40)


def _newer(path: Path) -> None:
    open_journal(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    connection.close()


def _trigger(path: Path) -> None:
    open_journal(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TRIGGER t AFTER INSERT ON entries BEGIN DELETE FROM entries; END")
    connection.close()


def _truncated(path: Path) -> None:
    with open_journal(path) as journal:
        for n in range(400):
            journal.append("step", {"n": n, "pad": "x" * 200})
    path.write_bytes(path.read_bytes()[:9000])


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        pytest.param(_foreign_program, "written only by wellfit", id="another program"),
        pytest.param(_not_sqlite, "written only by wellfit", id="no database"),
        pytest.param(_newer, "a version that this wellfit can read", id="newer version"),
        pytest.param(_trigger, "trigger", id="planted trigger"),
        pytest.param(_truncated, "written only by wellfit", id="truncated"),
    ],
)
@pytest.mark.parametrize("read_only", [True, False], ids=["reading", "writing"])
def test_what_is_not_ours_is_refused_and_left_alone(tmp_path, spoil, message, read_only):
    path = tmp_path / "journal.sqlite"
    spoil(path)
    before = path.read_bytes()
    with pytest.raises(Refusal, match=message):
        open_journal(path, read_only=read_only)
    assert path.read_bytes() == before


def test_a_missing_journal_is_refused_for_reading(tmp_path):
    with pytest.raises(Refusal, match="no file"):
        open_journal(tmp_path / "journal.sqlite", read_only=True)


def test_network_file_systems_are_refused(tmp_path, monkeypatch):
    mounts = tmp_path / "mounts"
    mounts.write_text(f"/dev/vda / ext4 rw 0 0\nserver:/x {tmp_path} nfs4 rw 0 0\n")
    monkeypatch.setattr(store, "MOUNTS", mounts)
    with pytest.raises(Refusal, match="nfs4"):
        open_journal(tmp_path / "journal.sqlite")


def test_an_older_version_is_migrated(tmp_path, monkeypatch):
    path = tmp_path / "journal.sqlite"
    with open_journal(path) as journal:
        journal.append("step", {"n": 1})
    monkeypatch.setattr(store, "MIGRATIONS", (*MIGRATIONS, "ALTER TABLE entries ADD COLUMN later TEXT;"))
    with open_journal(path) as journal:
        assert [entry.body for entry in journal.entries()] == [{"n": 1}]
    monkeypatch.undo()
    with pytest.raises(Refusal, match="version 2"):
        open_journal(path)


def test_a_full_disk_leaves_the_journal_as_it_was(tmp_path):
    path = tmp_path / "journal.sqlite"
    with open_journal(path) as journal:
        journal.append("step", {"n": 1})
        # SQLite answers "database or disk is full" at its page limit exactly as at a full disk.
        pages = journal._connection.execute("PRAGMA page_count").fetchone()[0]
        journal._connection.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(NoRoom, match="full"):
            journal.append("step", {"pad": "x" * 100_000})
        journal.append("step", {"n": 2})
    with open_journal(path) as journal:
        assert [entry.body["n"] for entry in journal.entries()] == [1, 2]


def test_nan_never_enters(tmp_path):
    with open_journal(tmp_path / "journal.sqlite") as journal, pytest.raises(ValueError, match="JSON"):
        journal.append("step", {"n": float("nan")})


def test_an_entry_is_parsed_once_however_often_the_file_is_opened(tmp_path, monkeypatch):
    path, log, parsed = tmp_path / "journal.sqlite", store.EntryLog(), []
    parse = store.EntryLog.parse
    monkeypatch.setattr(store.EntryLog, "parse", lambda log, row: parsed.append(row[0]) or parse(log, row))
    with open_journal(path, parsed=log) as journal:
        journal.append("step", {"a": 1}, key="1")
        assert [entry.body for entry in journal.entries("step")] == [{"a": 1}]
    with open_journal(path) as other:
        other.append("step", {"a": 2}, key="1")
    for _ in range(2):
        with open_journal(path, read_only=True, parsed=log) as reader:
            assert [entry.body["a"] for entry in reader.entries()] == [1, 2]
            assert reader.find("step", "1").body == {"a": 2}
    assert parsed == [1, 2]


@pytest.mark.parametrize("days", [-400, 400], ids=["set back", "set forward"])
def test_a_clock_that_is_set_while_the_journal_is_open_moves_no_budget(tmp_path, monkeypatch, days):
    class Clock(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.now(tz) + timedelta(days=days)

    with open_journal(tmp_path / "journal.sqlite") as journal:
        first = journal.append("session", {"command": "run"})
        monkeypatch.setattr(store, "datetime", Clock)
        second = journal.append("step", {})
    passed = datetime.fromisoformat(second.at) - datetime.fromisoformat(first.at)
    assert 0 <= passed.total_seconds() < 60


@pytest.mark.parametrize("body", ["[" * 100_000, "[]", "{"], ids=["too deep", "no object", "no JSON"])
def test_an_entry_that_is_no_object_is_damage(tmp_path, body):
    path = tmp_path / "journal.sqlite"
    open_journal(path).close()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("INSERT INTO entries (kind, key, body, at) VALUES ('step', '', ?, '')", (body,))
    with open_journal(path, read_only=True) as journal, pytest.raises(Refusal, match="the unreadable entry 1"):
        journal.entries()


def test_an_entry_that_is_no_text_is_damage(tmp_path):
    path = tmp_path / "journal.sqlite"
    open_journal(path).close()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("INSERT INTO entries (kind, key, body, at) VALUES ('step', '', CAST(x'7bff7d' AS TEXT), '')")
    with open_journal(path, read_only=True) as journal, pytest.raises(Refusal, match="an unreadable entry"):
        journal.entries()


def test_an_empty_file_is_no_journal_to_read(tmp_path):
    (tmp_path / "journal.sqlite").touch()
    with pytest.raises(Refusal, match="no table of entries"):
        open_journal(tmp_path / "journal.sqlite", read_only=True)


def test_a_full_disk_does_not_keep_anybody_from_reading(tmp_path):
    with open_journal(tmp_path / "journal.sqlite") as journal:
        journal.append("step", {"n": 1})
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))  # refuses every write, as a full disk does
    try:
        with open_journal(tmp_path / "journal.sqlite", read_only=True) as journal:
            assert [entry.body for entry in journal.entries()] == [{"n": 1}]
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
