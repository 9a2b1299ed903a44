"""A run that was killed after any entry of its journal ends as if it never was, branches included."""

from __future__ import annotations

import random
import shutil
import sqlite3

import pytest

import wellfit as wf
from wellfit.journal.store import open_journal

RUN = {"budget": "2500updates"}
BRANCH = {"branch": 0, "only": "average_weights", "budget": "2500updates"}
SHARES = (0.4, 0.9)
VOLATILE = {"seconds", "time", "experiment", "report"}


@pytest.fixture(scope="module")
def finished(cancer_csv, tmp_path_factory):
    """A run and a branch of it, never killed."""
    folder = tmp_path_factory.mktemp("run") / "cancer.wellfit"
    wf.run(cancer_csv, target="target", out=folder, **RUN)
    return folder, wf.run(folder, **BRANCH).to_json()


def _stable(body):
    return {name: value for name, value in body.items() if name not in VOLATILE}


def _cut(folder, *, last: int) -> None:
    """What a kill leaves: the entries up to one of them; arrays that were written stay."""
    with sqlite3.connect(folder / "journal.sqlite") as connection:
        connection.execute("DELETE FROM entries WHERE seq > ?", (last,))


def _shuffle_trainings(folder, *, seed: int) -> None:
    with sqlite3.connect(folder / "journal.sqlite") as connection:
        places = [row[0] for row in connection.execute("SELECT seq FROM entries WHERE kind = 'training'")]
        random.Random(seed).shuffle(places)
        # Below all others, so that no two are ever the same.
        for place, old in enumerate(places):
            connection.execute("UPDATE entries SET seq = ? WHERE seq = ?", (-1 - place, old))


def _steps(folder) -> list[dict]:
    """The steps of both plans, without what a clock has measured."""
    with open_journal(folder / "journal.sqlite", read_only=True) as journal:
        bodies = [entry.body for entry in journal.entries("step")]
    return [{name: value for name, value in body.items() if name != "seconds"} for body in bodies]


@pytest.mark.parametrize("share", SHARES)
def test_a_journal_cut_anywhere_leads_to_the_same_end(finished, tmp_path, share):
    folder, branched = finished
    cut = tmp_path / "cut.wellfit"
    shutil.copytree(folder, cut)
    with open_journal(folder / "journal.sqlite", read_only=True) as journal:
        count = len(journal.entries())
    _cut(cut, last=max(2, round(share * count)))
    wf.run(cut, **RUN)
    again = wf.run(cut, **BRANCH).to_json()
    assert _stable(again) == _stable(branched)
    assert len(_steps(cut)) > 1
    assert _steps(cut) == _steps(folder)


def test_the_order_in_which_workers_end_changes_no_diagnosis(finished, tmp_path):
    """Many networks make the same error on dev: which of them counts as the best must not hang on who ended first."""
    folder, _ = finished
    expected = wf.diagnose(wf.open_experiment(folder)).to_json()
    for order in range(3):
        turned = tmp_path / f"{order}.wellfit"
        shutil.copytree(folder, turned)
        _shuffle_trainings(turned, seed=order)
        assert wf.diagnose(wf.open_experiment(turned)).to_json() == expected
