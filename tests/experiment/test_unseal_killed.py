"""`unseal` is killed at a hundred places between its first and its last write; none of them loses a result."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import sys
from pathlib import Path

import numpy as np
import pytest

import wellfit as wf

pytestmark = pytest.mark.proof
POINTS = 100
WRITERS = (
    "base/files.py",
    "base/plain_files.py",
    "experiment/experiment.py",
    "experiment/workspace.py",
    "journal/store.py",
    "opening.py",
    "splits/ledger.py",
    "splits/registry.py",
    "splits/seal.py",
)
"""The modules whose lines are counted: everything that writes, and what calls it."""
PRELOADED = ("jinja2", "sklearn.ensemble", "sklearn.linear_model", "torch", "wellfit.experiment.experiment")


def _unseal(folder, home, moment, lines):
    """Open the test set, and die at the line of this number; count the lines meanwhile."""
    os.environ["WELLFIT_HOME"] = str(home)
    places = tuple(str(Path("wellfit") / each) for each in WRITERS)

    def local(_frame, event, _argument):
        if event == "line":
            lines.value += 1
            if lines.value == moment:
                os.kill(os.getpid(), signal.SIGKILL)
        return local

    experiment = wf.open_experiment(folder)
    sys.settrace(lambda frame, _event, _argument: local if frame.f_code.co_filename.endswith(places) else None)
    experiment.unseal()


def _killed_at(moment, folder, home):
    """Return the exit code of the process, and the lines that it ran."""
    context = multiprocessing.get_context("forkserver")  # a clean one: no thread of the tests lives in its children
    context.set_forkserver_preload(list(PRELOADED))
    lines = context.Value("q", 0, lock=False)
    process = context.Process(target=_unseal, args=(folder, home, moment, lines))
    process.start()
    process.join()
    return process.exitcode, lines.value


@pytest.mark.timeout(1500)
def test_a_result_is_shown_or_its_opening_does_not_count(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    rows = {"x": rng.normal(size=300), "z": rng.normal(size=300)}
    rows["y"] = np.where(rows["x"] + rng.normal(size=300) > 0, "yes", "no")
    wf.split(rows, target="y", out=tmp_path / "whole")
    wf.train(tmp_path / "whole", wf.Config(optimization=wf.Optimization(epochs=2)))
    code, lines = _killed_at(-1, shutil.copytree(tmp_path / "whole", tmp_path / "counted"), tmp_path / "home")
    assert (code, wf.open_experiment(tmp_path / "counted").to_json()["test"] is None) == (0, False)
    assert lines > POINTS
    shown_at_once = []
    for place, moment in enumerate(np.linspace(1, lines, POINTS).astype(int)):
        folder, home = tmp_path / f"e{place}", tmp_path / f"home{place}"
        shutil.copytree(tmp_path / "whole", folder)
        code, _ = _killed_at(int(moment), folder, home)
        assert code == -signal.SIGKILL, moment
        monkeypatch.setenv("WELLFIT_HOME", str(home))
        later = wf.open_experiment(folder)
        shown_at_once.append(later.to_json()["test"] is not None)
        if not shown_at_once[-1]:
            found = later.unseal()
            assert (found.opening, found.certified) == (1, True), moment
        assert wf.open_experiment(folder).to_json()["test"] is not None
        assert [each.body["certified"] for each in wf.open_experiment(folder).workspace.entries("opening")] == [True]
        shutil.rmtree(folder)
        shutil.rmtree(home, ignore_errors=True)
    assert set(shown_at_once) == {True, False}  # the points lie on both sides of the signature
