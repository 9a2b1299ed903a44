"""What a report shows of the search of both boards that closes a run."""

from __future__ import annotations

import pytest
from report_cases import Line, finished, summarize

from wellfit.records.goals import goal_named
from wellfit.records.units import Unit
from wellfit.reports.html import render_html, sweep_view
from wellfit.reports.records import Summary
from wellfit.reports.sentences import sweep_line
from wellfit.reports.sweep_card import SweepCard, lambda_path, plane, sweep_from
from wellfit.reports.text import render_text

UNIT = Unit(goal_named("error"))


def _row(identity: str, *, l2: float, **knobs: object) -> dict[str, object]:
    measured = {"train": 0.1, "dev": 0.2, "norm": 1.0, "norms": [1.0], "effects": {}}
    measured |= {"weight_decay": l2 / 100, "shrink": l2 / 1e5}
    return {"identity": identity, "l2": l2, "keep_prob": 1.0, "status": "finished", "knobs": knobs, **measured}


def _body(*, coupled: bool) -> dict[str, object]:
    rows = [_row(str(place), l2=float(place), lr=0.001 * (1 + place % 2), widths=[64, 64]) for place in range(5)]
    return {
        "members": rows,
        "warnings": [],
        "seconds": 1.0,
        "best": "3",
        "chosen": "3",
        "tied": ["3"],
        "planned": 5,
        "coupled": coupled,
    }


def _read(*, coupled: bool) -> SweepCard:
    return sweep_from(_body(coupled=coupled), intervals={})


def test_it_has_a_title_of_its_own_and_names_what_it_has_set():
    view = sweep_view(_read(coupled=True), UNIT, index=0, optimal=None)
    assert view.card.title == "What did a search of both boards find?"
    assert "lr 0.002, widths 64 × 64" in sweep_line(UNIT, view.card)
    assert _read(coupled=False).title == "How much regularization?"


def test_no_line_joins_its_members():
    assert lambda_path(_read(coupled=True)) == ()
    assert len(lambda_path(_read(coupled=False))) == 5
    assert plane(_read(coupled=True)) == ()
    assert len(plane(_read(coupled=False))) == 5


@pytest.mark.parametrize(("coupled", "said"), [(True, "Best found: λ = 3"), (False, "Chosen: λ = 3")])
def test_what_it_found_may_not_be_what_is_chosen(coupled, said):
    assert said in sweep_line(UNIT, _read(coupled=coupled))


@pytest.mark.parametrize(("chosen", "found"), [("2", "0"), ("3", None)], ids=["same lr", "another lr"])
def test_only_a_member_with_the_same_optimizer_shows_what_regularizing_did(chosen, found):
    card = sweep_from(_body(coupled=True) | {"chosen": chosen}, intervals={})
    assert (card.unregularized and card.unregularized.identity) == found


def test_a_step_that_turned_both_boards_is_on_both():
    both, one = (_told(kind="search_both_boards", coupled=coupled).steps[0] for coupled in (True, False))
    assert (both.turned, one.turned) == ("both", "regularization")


def _told(**changes: object) -> Summary:
    return summarize([Line(one.kind, {**one.body, **changes}) if one.kind == "step" else one for one in finished()])


DID = "search both boards: lr 0.001 -> 0.003, epochs 64 -> 32, lambda 0 -> 1,194"


def test_the_headline_gives_no_regularizer_the_merit_of_a_search():
    summary = _told(kind="search_both_boards", coupled=True, kept=True, board="regularization", did=DID)
    assert "A search of all knobs took the dev error from 17.0% to 14.3%." in summary.headline
    assert not any("price of regularization" in line for line in summary.remarks)
    alone = _told(kind="regularize", coupled=False, kept=True, board="regularization", did=DID)
    assert "search of all knobs" not in alone.headline
    assert any("price of regularization" in line for line in alone.remarks)


@pytest.mark.parametrize("kept", [True, False])
def test_the_page_says_whether_dev_chose_the_epochs(kept):
    page = render_html(_told(kind="search_both_boards", coupled=True, kept=kept, board="regularization"))
    assert ("it set the number of epochs by dev as well" in page) == kept
    assert ("Early stopping would turn both boards at once" in page) != kept


LUCK = "networks retrained with other seeds reach 27.9"


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
    assert ("was lucky" in render_text(summary, width=200), LUCK in render_text(summary, width=200)) == (said, said)
    assert (LUCK in render_html(summary)) == said


EXPECTED = {"expected": 0.01, "expected_low": 0.0, "expected_high": 0.05}
