"""`wellfit size`."""

from __future__ import annotations

import math

import pytest


def test_rows_for_a_margin_as_in_the_design(run):
    body = run("size", "--error", ".05", "--margin", ".01", "--json").json
    assert body == {"rows": 1838, "method": "wilson", "assumptions": {"error": 0.05, "margin": 0.01, "level": 0.95}}


def test_rows_that_tell_two_models_apart_as_in_the_design(run):
    body = run("size", "--detect", ".01", "--disagreement", ".05", "--json").json
    assert (body["rows"], body["method"]) == (3923, "paired")
    assert body["assumptions"] == {
        "difference": 0.01,
        "disagreement": 0.05,
        "level": 0.95,
        "power": 0.8,
        "candidates": 1,
    }


def test_more_candidates_need_more_rows(run):
    rows = [run("size", "--detect", ".01", "--candidates", k, "--json").json["rows"] for k in (1, 5, 50)]
    assert rows == sorted(set(rows))


def test_a_plan_covers_the_table_and_says_what_it_buys(run):
    body = run("size", "--rows", 1000, "--json").json
    assert (body["train"], body["dev"], body["test"]) == (600, 200, 200)
    # Wilson's half-width at p = 1/2: z / (2 sqrt(n + z^2)).
    assert body["precision"]["test_margin"] == pytest.approx(1.959964 / (2 * math.sqrt(200 + 1.959964**2)), rel=1e-5)


@pytest.mark.parametrize("option", [("--margin", ".01"), ("--detect", ".01"), ("--rows", "5000")], ids=" ".join)
def test_text_names_the_rows(run, option):
    ran = run("size", *option)
    assert ran.code == 0
    assert f"{max(v for v in run('size', *option, '--json').json.values() if isinstance(v, int)):,}" in ran.out


OTHER_QUESTIONS = {
    "several models at once": (["--margin", ".01", "--candidates", "100"], 41_471, "hoeffding"),
    "a mean loss": (["--relative", ".1"], 769, "normal"),
    "recall": (["--recall", ".5", "--margin", ".01", "--prevalence", ".5"], 2 * 9600, "wilson"),
    "groups": (
        ["--error", ".05", "--margin", ".01", "--group-size", "11", "--group-correlation", ".1"],
        3676,
        "wilson",
    ),
}


@pytest.mark.parametrize("case", OTHER_QUESTIONS)
def test_other_questions(run, case):
    options, rows, method = OTHER_QUESTIONS[case]
    body = run("size", *options, "--json").json
    assert (body["rows"], body["method"]) == (rows, method)
    assert f"{rows:,} rows" in run("size", *options).out


def test_an_auc_is_sized_by_its_rarer_class(run):
    rows = [
        run("size", "--auc", ".85", "--margin", ".02", "--prevalence", share, "--json").json["rows"]
        for share in (0.5, 0.1)
    ]
    assert rows[1] > 2 * rows[0]


REFUSED = {
    "nothing": ([], "no question"),
    "two questions": (["--margin", ".01", "--detect", ".01"], "--margin"),
    "error with detect": (["--error", ".1", "--detect", ".01"], "--error"),
    "power with margin": (["--margin", ".1", "--power", ".9"], "--margin"),
    "task without rows": (["--margin", ".1", "--task", "regression"], "--task"),
    "candidates with rows": (["--rows", "1000", "--candidates", "3"], "--candidates"),
    "rate above one": (["--error", "1.5", "--margin", ".01"], "1.5"),
    "negative rate": (["--error", "-.1", "--margin", ".01"], "-0.1"),
    "auc and recall": (["--auc", ".8", "--recall", ".9"], "--recall"),
    "prevalence of an error": (["--margin", ".1", "--prevalence", ".2"], "--prevalence"),
    "groups of half a row": (["--margin", ".1", "--group-size", ".5"], "0.5"),
    "not a rate": (["--error", "nan", "--margin", ".01"], "nan"),
    "no margin": (["--margin", "0"], "0"),
    "wide margin": (["--margin", ".7"], "0.7"),
    "difference above disagreement": (["--detect", ".2", "--disagreement", ".1"], "difference 0.2, disagreement 0.1"),
    "no candidates": (["--detect", ".1", "--candidates", "0"], "0"),
    "few rows": (["--rows", "29"], "29 rows"),
    "negative rows": (["--rows", "-5"], "-5 rows"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_question_without_an_answer_is_refused(name, run):
    options, found = REFUSED[name]
    run("size", *options).assert_refused(found)
