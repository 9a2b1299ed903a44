"""What a report shows of the search of both boards that closes a run."""

from __future__ import annotations

import pytest

from wellfit.goals import Goal
from wellfit.reports import reading
from wellfit.reports.paths import lambda_path
from wellfit.reports.sweep_view import sweep_view
from wellfit.reports.text import sweep_line
from wellfit.reports.units import Unit

UNIT = Unit(Goal("error"))


def _row(identity: str, *, l2: float, **knobs: object) -> dict[str, object]:
    measured = {"train": 0.1, "dev": 0.2, "norm": 1.0, "norms": [1.0], "effects": {}}
    return {"identity": identity, "l2": l2, "keep_prob": 1.0, "status": "finished", "knobs": knobs, **measured}


def _body(*, coupled: bool) -> dict[str, object]:
    rows = [_row(str(place), l2=float(place), lr=0.001 * (1 + place % 2), widths=[64, 64]) for place in range(5)]
    return {"members": rows, "best": "3", "chosen": "3", "tied": ["3"], "planned": 5, "coupled": coupled}


def test_it_has_a_title_of_its_own_and_names_what_it_has_set():
    view = sweep_view(reading.sweep(_body(coupled=True)), UNIT, index=0, optimal=None)
    assert view.card.title == "What did a search of both boards find?"
    assert view.fitting == "lr 0.002, widths 64 × 64"
    assert "lr 0.002, widths 64 × 64" in sweep_line(UNIT, view.card)
    assert reading.sweep(_body(coupled=False)).title == "How much regularization?"


def test_no_line_joins_its_members():
    assert lambda_path(reading.sweep(_body(coupled=True))) == ()
    assert len(lambda_path(reading.sweep(_body(coupled=False)))) == 5


@pytest.mark.parametrize(("chosen", "found"), [("2", "0"), ("3", None)], ids=["same lr", "another lr"])
def test_only_a_member_with_the_same_optimizer_shows_what_regularizing_did(chosen, found):
    card = reading.sweep(_body(coupled=True) | {"chosen": chosen})
    assert (card.unregularized and card.unregularized.identity) == found


def test_a_step_that_turned_both_boards_is_on_both():
    body = {"step": 1, "board": "regularization", "kind": "search_both_boards", "coupled": True}
    assert reading.step(body).turned == "both"
    assert reading.step(body | {"coupled": False}).turned == "regularization"
