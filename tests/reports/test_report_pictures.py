from __future__ import annotations

import pytest

from wellfit.reports.summary import picture_sheet

BODY = {"png": "iVBORw0KGgo=", "labels": ["a", "b"], "changes": 6, "ranges": {"flip_horizontal": 0.5, "rotate": 15.0}}


def test_a_sheet_is_read_from_the_journal():
    found = picture_sheet(BODY, curve={"worth": {"sentence": "Worth 10."}})
    assert found is not None
    assert (found.labels, found.changes) == (("a", "b"), 6)
    assert found.worth == "Worth 10."
    assert found.ranges == (("flip horizontal", "0.5"), ("rotate", "15"))


@pytest.mark.parametrize("png", [None, "", '"><script>', "iVBORw0KGgo=\n"])
def test_what_is_no_picture_does_not_reach_the_page(png):
    assert picture_sheet({**BODY, "png": png}, curve={}) is None
