"""What cannot be diagnosed is one clear error, or an answer of three values: never NaN in a report."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pytest

import wellfit as wf

ROWS = 300
RNG = np.random.default_rng(0)
LABELS = RNG.integers(0, 2, ROWS)
VALUES = RNG.normal(size=ROWS)
COLUMNS = {part: RNG.normal(size=(ROWS, 3)) for part in ("train", "dev")}
ALONE = {"train": np.arange(ROWS), "dev": ROWS + np.arange(ROWS)}


def few(rows: int) -> dict[str, object]:
    return {
        "train": (LABELS[:rows], LABELS[:rows]),
        "dev": (LABELS[:rows], 1 - LABELS[:rows]),
        "features": {part: values[:rows] for part, values in COLUMNS.items()},
    }


ANSWERED = {
    "a constant score for the AUC": {
        "train": (LABELS, np.full(ROWS, 0.5)),
        "dev": (LABELS, np.full(ROWS, 0.5)),
        "goal": "auc",
        "features": COLUMNS,
    },
    "groups of one row each": {
        "train": (LABELS, LABELS),
        "dev": (LABELS, 1 - LABELS),
        "groups": ALONE,
        "features": COLUMNS,
    },
    "five rows": few(5),
    "one row": few(1),
    "thirty rows": few(30),
    "one class": {"train": (["a"] * ROWS, ["a"] * ROWS), "dev": (["a"] * ROWS, ["a"] * ROWS), "features": COLUMNS},
    "a class that train has not": {
        "train": (["a"] * ROWS, ["a"] * ROWS),
        "dev": (["a"] * 290 + ["b"] * 10, ["a"] * ROWS),
        "features": COLUMNS,
    },
    "features that are all missing": {
        "train": (LABELS, LABELS),
        "dev": (LABELS, 1 - LABELS),
        "features": {part: np.full((ROWS, 2), np.nan) for part in COLUMNS},
    },
    "a target that never varies": {
        "train": (np.ones(ROWS), VALUES),
        "dev": (np.ones(ROWS), VALUES),
        "goal": "rmse",
        "features": COLUMNS,
    },
    "values without any error": {
        "train": (VALUES, VALUES),
        "dev": (VALUES, VALUES),
        "goal": "rmse",
        "features": COLUMNS,
    },
}


@pytest.mark.parametrize("case", ANSWERED)
def test_an_answer_never_holds_nan(case):
    found = wf.diagnose_predictions(**ANSWERED[case])
    json.dumps(found.to_json(), allow_nan=False)
    told = f"{found.headline} {found}".split()
    assert not {"nan", "inf", "-inf"} & {word.strip(",.()").lower() for word in told}
    assert {each.status for each in found.findings} <= {"fired", "passed", "not applicable"}


def test_groups_of_one_row_change_nothing_and_say_so():
    plain, grouped = (
        wf.diagnose_predictions(**{**ANSWERED["groups of one row each"], "groups": groups}) for groups in (None, ALONE)
    )
    assert grouped.errors.dev == plain.errors.dev
    told = next(each for each in grouped.findings if each.code == "WF207")
    assert told.status == "not applicable"
    assert "No group has more than one row" in told.evidence


PAIRS = {"train": (LABELS, LABELS), "dev": (LABELS, 1 - LABELS)}
REFUSED = {
    "a rate above 1": (lambda: wf.diagnose_errors(train=1.2, dev=0.3), "between 0 and 1; found 1.2"),
    "a negative rate": (lambda: wf.diagnose_errors(train=-0.2, dev=0.3), "between 0 and 1; found -0.2"),
    "a rate that is none": (lambda: wf.diagnose_errors(train=float("nan"), dev=0.3), "between 0 and 1"),
    "rows without an error": (lambda: wf.diagnose_errors(train=0.1, dev=0.2, test_rows=10), "must come with an error"),
    "counts that do not match": (
        lambda: wf.diagnose_predictions(**{**PAIRS, "dev": (LABELS, LABELS[:5])}),
        "one entry for each prediction",
    ),
    "one label for each row": (
        lambda: wf.diagnose_predictions(**PAIRS, labels_per_row=[list("ab" * 150), [None] * ROWS]),
        "10 rows with 2 or more labels; found 0",
    ),
    "no common columns": (
        lambda: wf.diagnose_predictions(
            **PAIRS, features={"train": pa.table({"a": VALUES}), "dev": pa.table({"b": VALUES})}
        ),
        "no column 'a'",
    ),
    "one class for the AUC": (
        lambda: wf.diagnose_predictions(
            train=(LABELS, VALUES * 0 + 0.5), dev=(np.zeros(ROWS, int), VALUES * 0 + 0.5), goal="auc"
        ),
        "rows of every class",
    ),
    "one group": (
        lambda: wf.diagnose_predictions(**PAIRS, groups={part: np.zeros(ROWS) for part in PAIRS}),
        "at least two groups",
    ),
    "groups of fewer rows of train": (
        lambda: wf.diagnose_predictions(**PAIRS, groups={"train": LABELS[:5]}, features=COLUMNS),
        "every row of train must have a group",
    ),
    "groups of two columns": (
        lambda: wf.diagnose_predictions(**PAIRS, groups={"dev": np.zeros((ROWS, 2))}),
        "every row of dev must have a group",
    ),
    "groups without their part": (lambda: wf.diagnose_predictions(**PAIRS, groups=LABELS), "part by part"),
    "features without their part": (lambda: wf.diagnose_predictions(**PAIRS, features=LABELS), "part by part"),
    "groups of a part that does not exist": (
        lambda: wf.diagnose_predictions(**PAIRS, groups={"trian": LABELS}),
        "Did you mean 'train'",
    ),
    "features of fewer rows": (
        lambda: wf.diagnose_predictions(**PAIRS, features={**COLUMNS, "dev": COLUMNS["dev"][:5]}),
        "dev: features and y must have the same number of rows",
    ),
    "labels of different rows": (
        lambda: wf.diagnose_predictions(**PAIRS, labels_per_row=[list("ab" * 150), list("ab" * 15)]),
        "columns of 300, 30 labels",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_makes_no_sense_is_refused_with_what_was_found(case):
    call, words = REFUSED[case]
    with pytest.raises(wf.BadInput, match=words):
        call()
