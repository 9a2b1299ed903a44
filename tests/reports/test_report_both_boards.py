"""What a report shows of the search of both boards that closes a run."""

from __future__ import annotations

import pytest
from report_cases import Line, finished

from wellfit.goals import goal_named
from wellfit.reports import reading
from wellfit.reports.html import render_html
from wellfit.reports.summary import Summary, summarize
from wellfit.reports.sweep_card import lambda_path, plane
from wellfit.reports.sweep_view import sweep_view
from wellfit.reports.text import render_text, sweep_line
from wellfit.units import Unit

UNIT = Unit(goal_named("error"))


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
    assert plane(reading.sweep(_body(coupled=True))) == ()
    assert len(plane(reading.sweep(_body(coupled=False)))) == 5


@pytest.mark.parametrize(("coupled", "said"), [(True, "Best found: λ 3"), (False, "Chosen: λ 3")], ids=["both", "one"])
def test_what_it_found_may_not_be_what_is_chosen(coupled, said):
    assert said in sweep_line(UNIT, reading.sweep(_body(coupled=coupled)))


@pytest.mark.parametrize(("chosen", "found"), [("2", "0"), ("3", None)], ids=["same lr", "another lr"])
def test_only_a_member_with_the_same_optimizer_shows_what_regularizing_did(chosen, found):
    card = reading.sweep(_body(coupled=True) | {"chosen": chosen})
    assert (card.unregularized and card.unregularized.identity) == found


def test_a_step_that_turned_both_boards_is_on_both():
    body = {"step": 1, "board": "regularization", "kind": "search_both_boards", "coupled": True}
    assert reading.step(body).turned == "both"
    assert reading.step(body | {"coupled": False}).turned == "regularization"


def _told(**changes: object) -> Summary:
    return summarize([Line(one.kind, {**one.body, **changes}) if one.kind == "step" else one for one in finished()])


DID = "search both boards: lr 0.001 -> 0.003, epochs 64 -> 32, lambda 0 -> 1,194"


def test_the_headline_gives_no_regularizer_the_merit_of_a_search():
    summary = _told(kind="search_both_boards", coupled=True, kept=True, board="regularization", did=DID)
    assert "A search of both boards removed the variance." in summary.headline
    assert not any("price of regularizing" in line for line in summary.remarks)
    alone = _told(kind="regularize", coupled=False, kept=True, board="regularization", did=DID)
    assert "search of both boards" not in alone.headline
    assert any("price of regularizing" in line for line in alone.remarks)


@pytest.mark.parametrize("kept", [True, False])
def test_the_page_says_whether_dev_chose_the_epochs(kept):
    page = render_html(_told(kind="search_both_boards", coupled=True, kept=kept, board="regularization"))
    assert ("it set the number of epochs by dev as well" in page) == kept
    assert ("Early stopping would turn both boards at once" in page) != kept


LUCK = "others trained alike, with other seeds, have 27.9"


@pytest.mark.parametrize(
    ("got", "kept", "alike", "said"),
    [
        pytest.param(-0.02, True, 0.279, True, id="behind"),
        pytest.param(0.02, True, 0.279, False, id="ahead"),
        pytest.param(-0.02, False, 0.279, False, id="dropped"),
        pytest.param(-0.02, True, 0.01, False, id="no luck"),
    ],
)
def test_an_average_that_is_behind_on_dev_says_why_it_is_kept(got, kept, alike, said):
    summary = _told(kind="ensemble", kept=kept, got=got, ensemble={"honest_single": alike}, **EXPECTED)
    assert ("was luck" in render_text(summary, width=200), LUCK in render_text(summary, width=200)) == (said, said)
    assert (LUCK in render_html(summary)) == said


EXPECTED = {"expected": 0.01, "expected_low": 0.0, "expected_high": 0.05}
