"""Weights and dropped rows inside an experiment: found in the rows, carried out, the same after a kill, and usable."""

from __future__ import annotations

import shutil
import sqlite3

import numpy as np
import pyarrow as pa
import pytest

import wellfit as wf

VOLATILE = {"seconds", "time", "experiment", "report"}
LINE = {"network": {"widths": (), "embedding": "none"}, "optimization": {"lr": 0.02}}


def _bent(rows: int, *, at: float, seed: int) -> pa.Table:
    """A boundary that bends, so that no line is right everywhere."""
    rng = np.random.default_rng(seed)
    a, b = rng.normal(at, 0.8, rows), rng.normal(size=rows)
    return pa.table({"a": a, "b": b, "y": np.where(b > np.abs(a) - 1.0, "yes", "no")})


def _copied() -> pa.Table:
    """Labels that are mostly noise, and 60 dev rows that train has too."""
    rng = np.random.default_rng(7)
    part = np.repeat(["train", "dev", "test"], [240, 240, 60])
    x = rng.normal(size=(len(part), 6))
    y = x[:, 0] + 1.5 * rng.normal(size=len(part)) > 0
    x[240:300], y[240:300] = x[:60], y[:60]
    columns = {f"x{place}": column for place, column in enumerate(x.T)}
    return pa.table({**columns, "y": np.where(y, "yes", "no"), "part": part})


CASES = {
    "reweight": (
        _bent(1_000, at=-0.8, seed=1),
        {"deployment_data": _bent(900, at=1.0, seed=2), "only": "reweight", "fixed": LINE, "budget": "6000updates"},
    ),
    "drop_rows": (_copied(), {"split_on": "part", "only": "drop_rows", "budget": "3000updates"}),
}


@pytest.fixture(scope="module", params=CASES)
def finished(request, tmp_path_factory):
    table, options = CASES[request.param]
    out = tmp_path_factory.mktemp(request.param) / "run.wellfit"
    return request.param, wf.run(table, target="y", out=out, human_error=0.02, ensemble=False, **options)


def _stable(body):
    return {name: value for name, value in body.items() if name not in VOLATILE}


def test_the_finding_is_answered_and_the_network_is_of_use(finished):
    kind, experiment = finished
    (step,) = experiment.to_json()["steps"]
    assert (step["kind"], step["board"], step["kept"]) == (kind, "data", True)
    assert not experiment.network.config.data.is_off
    assert wf.predict(experiment, experiment.split.dev).num_rows == experiment.split.rows["dev"]
    assert experiment.more_data(refits=12).rows == len(experiment.network.train_losses)


def test_what_was_found_in_the_rows_is_said_of_those_that_are_trained_on(finished):
    kind, experiment = finished
    before = {found.code: found.status for found in experiment.data_findings.findings}
    after = {found.code: found.status for found in experiment.diagnose().findings}
    called_by, says = {"reweight": ("WF302", "fired"), "drop_rows": ("WF203", "passed")}[kind]
    assert (before[called_by], after[called_by]) == ("fired", says)


def test_a_killed_run_goes_on_to_the_same_end(finished, tmp_path):
    kind, experiment = finished
    cut = tmp_path / "cut.wellfit"
    shutil.copytree(experiment.path, cut)
    with sqlite3.connect(cut / "journal.sqlite") as connection:
        (first,) = connection.execute("SELECT MIN(seq) FROM entries WHERE kind = 'step'").fetchone()
        # In the middle of the step: one of its trainings is there, the step is not.
        connection.execute("DELETE FROM entries WHERE seq >= ?", (first,))
    options = {name: CASES[kind][1][name] for name in ("only", "fixed", "budget") if name in CASES[kind][1]}
    again = wf.run(cut, human_error=0.02, ensemble=False, **options)
    assert _stable(again.to_json()) == _stable(experiment.to_json())
