"""A budget in time counts over continuations, and only what `run` used."""

from __future__ import annotations

import contextlib
import time
from datetime import UTC, datetime, timedelta

import pytest

import wellfit as wf
from wellfit.experiment.request import RunRequest
from wellfit.journal.history import seconds_spent
from wellfit.journal.store import Entry
from wellfit.recipe.budget import parse_budget
from wellfit.recipe.state import Rules

START = datetime(2026, 1, 1, tzinfo=UTC)


def _entries(*rows: tuple[float, str, dict[str, object]]) -> list[Entry]:
    return [
        Entry(place, kind, "", body, (START + timedelta(seconds=seconds)).isoformat())
        for place, (seconds, kind, body) in enumerate(rows)
    ]


RUN, TRAIN = {"command": "run", "seconds_before": 2.0}, {"command": "train"}
ONLY, BRANCH, SHOW = RUN | {"asked": {"only": "regularize"}}, RUN | {"asked": {"branch": "3f2a"}}, {"command": "show"}


@pytest.mark.parametrize(
    ("rows", "seconds"),
    [
        pytest.param([], 0.0, id="nothing"),
        pytest.param([(0, "split", {})], 0.0, id="split alone"),
        pytest.param([(0, "session", RUN), (10, "training", {})], 12.0, id="killed after ten"),
        pytest.param(
            [(0, "session", RUN), (10, "training", {}), (500, "session", RUN), (505, "step", {})], 19.0, id="continued"
        ),
        pytest.param(
            [(0, "session", RUN), (10, "training", {}), (500, "session", TRAIN), (590, "training", {})],
            12.0,
            id="another command between",
        ),
        pytest.param(
            [(0, "session", RUN), (10, "training", {}), (500, "session", SHOW), (501, "session", RUN)],
            14.0,
            id="shown between",
        ),
        pytest.param(
            [(0, "session", RUN), (10, "step", {}), (20, "session", ONLY), (60, "session", BRANCH), (90, "step", {})],
            12.0,
            id="other paths after it",
        ),
    ],
)
def test_the_time_that_earlier_sessions_used(rows, seconds):
    assert seconds_spent(_entries(*rows), {}) == pytest.approx(seconds)


def test_one_remedy_and_a_branch_have_a_budget_in_time_of_their_own():
    rows = [(0, "session", RUN), (100, "step", {}), (200, "session", ONLY), (230, "step", {}), (300, "session", BRANCH)]
    assert seconds_spent(_entries(*rows), {"only": "regularize"}) == pytest.approx(32.0)
    assert seconds_spent(_entries(*rows), {"only": "augment"}) == 0
    assert seconds_spent(_entries(*rows), {"branch": "3f2a"}) == pytest.approx(2.0)


def test_a_plan_is_named_by_what_decides_it_and_not_by_the_idea():
    def plan(**changed) -> str:
        rules = Rules(**{name: changed.pop(name) for name in ("only", "idea") if name in changed})
        asked = {"budget": parse_budget("60s"), "reference": {}, **changed}
        return RunRequest(rules=rules, **asked).identity

    assert plan(idea="because") == plan()
    assert (
        len({plan(), plan(budget=parse_budget("61s")), plan(reference={"human_error": 0.1}), plan(only="regularize")})
        == 4
    )


def test_the_wait_for_a_cluster_costs_the_budget_of_a_continued_run_nothing(cancer_csv, tmp_path, monkeypatch):
    waited = 2.0

    @contextlib.contextmanager
    def late(*_asked, **_how):
        time.sleep(waited)
        yield None

    monkeypatch.setattr("wellfit.experiment.run.joined", late)
    began = time.monotonic()
    made = wf.run(cancer_csv, target="target", budget="50updates", out=tmp_path / "cancer.wellfit")
    took = time.monotonic() - began
    entries = made.entries()
    asked = next(entry.body["asked"] for entry in entries if entry.kind == "session" and "asked" in entry.body)
    assert seconds_spent(entries, asked) < took - waited + 0.1
