"""A run at work as `wellfit watch` shows it: from the journal alone, and without changing it."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

import wellfit as wf
from wellfit.journal.store import Entry
from wellfit.records.goals import GOALS
from wellfit.records.units import Unit
from wellfit.reports.watch import Member, Work, _chart, render_watch, work_of

START = datetime(2026, 12, 1, 9, tzinfo=UTC)
COMMAND = "import sys; from wellfit.cli import main; sys.exit(main(sys.argv[1:]))"


def _entries(*kinds):
    """Entries 10 seconds apart; a body stands beside its kind."""
    at = [(START + timedelta(seconds=10 * place)).isoformat() for place in range(len(kinds))]
    return [
        Entry(place + 1, kind, "", body, when) for place, ((kind, body), when) in enumerate(zip(kinds, at, strict=True))
    ]


def _trained(l2, dev, status="finished"):
    return "training", {"losses": {"dev": dev}, "status": status, "config": {"regularization": {"l2": l2}}}


RUN = ("session", {"asked": {"budget": "60s"}, "command": "run", "seconds_before": 2.5})


def test_the_clock_counts_all_sessions_of_a_run():
    entries = _entries(("split", {}), RUN, _trained(0.0, 0.2), RUN, _trained(0.0, 0.1))
    work = work_of(entries, now=START + timedelta(seconds=45))
    # 2.5 before, 10 until the last entry of the first session; 2.5 before and 15 since in the second one.
    assert work.seconds == pytest.approx(2.5 + 10 + 2.5 + 15)
    assert work.quiet == pytest.approx(5)


def test_the_members_are_those_since_the_last_step():
    entries = _entries(RUN, _trained(0.0, 0.2), ("step", {}), _trained(8.0, 0.1, "dropped"), _trained(64.0, 0.15))
    work = work_of(entries, now=START + timedelta(minutes=1))
    assert (work.step, work.networks, work.best, work.ended) == (2, 3, 0.1, False)
    assert work.members == (Member(l2=8.0, dev=0.1, kept=False), Member(l2=64.0, dev=0.15, kept=True))


@pytest.mark.parametrize("entries", [_entries(), _entries(("split", {}))], ids=["empty", "split only"])
def test_a_journal_without_a_run_is_preparing(entries):
    work = work_of(entries, now=START)
    assert (work.networks, work.best, work.members, work.ended) == (0, None, (), False)


def test_a_network_without_a_finite_loss_is_not_a_point():
    work = work_of(_entries(RUN, _trained(1.0, float("nan"), "diverged")), now=START)
    assert work.members == ()
    assert work.best is None


def test_the_chart_has_the_best_at_the_bottom_and_the_largest_lambda_at_the_right():
    members = [
        Member(l2=0.0, dev=0.3, kept=True),
        Member(l2=10.0, dev=0.1, kept=True),
        Member(l2=1000.0, dev=0.2, kept=False),
    ]
    lines = list(_chart(members, Unit(GOALS["error"]), color=False))
    top, bottom = lines[0], lines[5]
    assert top.startswith("  30.0% ┤●")
    assert bottom.startswith("  10.0% ┤   ●")
    assert any(line.rstrip().endswith("·") for line in lines[1:5])
    assert "1,000" in lines[6]
    assert "1 of them dropped" in lines[7]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 2))
    table = pa.table({"a": x[:, 0], "b": x[:, 1], "y": np.where(x[:, 0] > 0, "yes", "no")})
    return wf.run(table, target="y", budget="200updates", out=tmp_path_factory.mktemp("watched") / "e.wellfit")


def test_while_it_is_at_work_nothing_says_that_it_has_not_finished(finished):
    summary = finished.summary()
    work = Work(seconds=12.0, quiet=0.0, step=2, networks=7, best=0.05, members=(), ended=False)
    said = render_watch(summary, work, path="e.wellfit")
    assert said.splitlines()[0] == "e.wellfit: working on step 2, 12 s, 7 networks, best dev error 5.0%"
    assert summary.headline.split()[0] in said
    stale = Work(seconds=900.0, quiet=700.0, step=2, networks=7, best=0.05, members=(), ended=False)
    assert "may have been stopped" in render_watch(summary, stale)


def test_without_a_terminal_it_shows_the_state_once(finished):
    before = finished.folder.journal.read_bytes()
    words = [sys.executable, "-c", COMMAND, "watch", finished.path]
    ran = subprocess.run(words, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert "the run has ended" in ran.stdout
    assert "\x1b" not in ran.stdout
    assert finished.folder.journal.read_bytes() == before


def test_on_a_terminal_it_ends_with_the_run_and_leaves_its_end(finished):
    parent, child = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", COMMAND, "watch", str(finished.path)], stdout=child, stderr=child
    ) as it:
        os.close(child)
        shown = b""
        while True:
            try:
                part = os.read(parent, 65536)
            except OSError:  # Linux says so where the other end is closed
                break
            if not part:
                break
            shown += part
    os.close(parent)
    assert it.returncode == 0
    assert b"the run has ended" in shown.rpartition(b"\x1b[?1049l")[2]  # after the screen of its own was left
