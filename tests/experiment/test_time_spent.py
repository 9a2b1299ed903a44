"""Where the time of a run went, from entries whose seconds are known."""

from __future__ import annotations

import pytest

from wellfit.experiment.time_spent import time_spent
from wellfit.journal.store import Entry
from wellfit.records.time_spent import TimeSpent

RUN = {"command": "run", "seconds_before": 2.0}
ONLY = RUN | {"asked": {"only": "regularize"}}


def _entries(*rows: tuple[str, dict[str, object]]) -> list[Entry]:
    return [Entry(place, kind, "", body, "2026-01-01T00:00:00+00:00") for place, (kind, body) in enumerate(rows)]


def _trained(identity: str, seconds: float) -> tuple[str, dict[str, object]]:
    return "training", {"identity": identity, "seconds": seconds}


def _step(before: str, after: str, *, kept: bool = True) -> tuple[str, dict[str, object]]:
    return "step", {"config_before": before, "config_after": after, "kept": kept}


WORK = [
    ("session", RUN),
    ("reference", {"seconds": 3.0}),
    _trained("first", 4.0),
    _trained("larger", 8.0),
    _trained("tried", 5.0),
    _step("first", "larger"),
    _step("larger", "larger", kept=False),
    _trained("one", 6.0),
    _trained("two", 7.0),
    _step("larger", "average"),
]
RESULT = {"average", "one", "two"}


def _spent(entries: list[Entry], *, result: set[str] = RESULT, seconds: float = 25.0, workers: int = 2) -> TimeSpent:
    return time_spent(entries, asked={}, result=result, seconds=seconds, workers=workers)


def test_every_second_of_every_worker_is_counted_once():
    found = _spent(_entries(*WORK))
    assert (found.reading, found.references) == (2.0, 3.0)
    assert found.result == 4.0 + 8.0 + 6.0 + 7.0
    assert found.others == 5.0
    trained_or_not = found.result + found.others + found.rest
    assert trained_or_not == pytest.approx(2 * (25.0 - found.reading - found.references))


def test_networks_that_led_nowhere_are_others():
    found = _spent(_entries(*WORK), result={"first"})
    assert (found.result, found.others) == (4.0, 8.0 + 5.0 + 6.0 + 7.0)


@pytest.mark.parametrize(
    ("more", "result", "others"),
    [
        pytest.param([("session", RUN), _trained("one", 6.0)], 31.0, 5.0, id="a continuation counts"),
        pytest.param([("session", {"command": "train"}), _trained("x", 9.0)], 25.0, 5.0, id="another command does not"),
        pytest.param([("session", ONLY), _trained("x", 9.0)], 25.0, 5.0, id="nor does another path"),
    ],
)
def test_only_the_sessions_of_the_run_count(more, result, others):
    found = _spent(_entries(*WORK, *more), seconds=60.0)
    assert (found.result, found.others) == (result, others)


def test_clocks_that_disagree_never_give_a_negative_rest():
    assert _spent(_entries(*WORK), seconds=6.0).rest == 0.0


@pytest.mark.parametrize(("workers", "said"), [(1, "training: "), (2, "added up over 2 workers")])
def test_the_sentence_tells_whose_seconds_they_are(workers, said):
    assert said in _spent(_entries(*WORK), workers=workers).sentence
