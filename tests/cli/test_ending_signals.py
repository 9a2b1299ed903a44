"""A terminal that is closed, a scheduler that ends a job, a group that is killed: nothing is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import wellfit as wf

if not hasattr(signal, "SIGHUP"):
    pytest.skip("POSIX signals", allow_module_level=True)


def begun(experiment: Path, temporary: Path) -> subprocess.Popen[str]:
    """A sweep of long trainings in a process group of its own, its workers at work."""
    process = subprocess.Popen(
        [sys.executable, "-m", "wellfit", "sweep", str(experiment), "--members", "4", "--epochs", "20000"],
        env={**os.environ, "TMPDIR": str(temporary)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    until = time.monotonic() + 60
    # The data is written in full when the last of its arrays is there; then the workers start.
    while not list(temporary.glob("wellfit-*/dev.target.npy")) and process.poll() is None:
        assert time.monotonic() < until
        time.sleep(0.05)
    time.sleep(1)
    return process


@pytest.fixture
def experiment(cancer_csv, tmp_path):
    (tmp_path / "temporary").mkdir()
    return wf.split(cancer_csv, target="target", out=tmp_path / "e").folder


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
@pytest.mark.parametrize("send", [os.kill, os.killpg], ids=["process", "group"])
def test_a_signal_that_ends_is_one_message_and_leaves_nothing(experiment, tmp_path, number, send):
    process = begun(experiment, tmp_path / "temporary")
    send(process.pid, number)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 130, told
    assert "Interrupted. Finished work is kept" in told
    assert "Traceback" not in told
    assert list((tmp_path / "temporary").iterdir()) == []


def test_what_a_killed_group_leaves_is_swept_at_the_next_start(experiment, tmp_path):
    process = begun(experiment, tmp_path / "temporary")
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)
    assert len(list((tmp_path / "temporary").iterdir())) == 1
    subprocess.run(
        [sys.executable, "-m", "wellfit", "sweep", str(experiment), "--members", "1", "--epochs", "1"],
        env={**os.environ, "TMPDIR": str(tmp_path / "temporary")},
        check=True,
        capture_output=True,
    )
    assert list((tmp_path / "temporary").iterdir()) == []


def test_workers_of_a_killed_parent_end_without_a_word_and_leave_nothing(experiment, tmp_path):
    process = begun(experiment, tmp_path / "temporary")
    process.kill()
    _, told = process.communicate(timeout=60)  # ends when the last worker has closed the pipe
    assert "Traceback" not in told
    assert list((tmp_path / "temporary").iterdir()) == []
