"""What terminal and page say about real runs agrees with the journal, and with what its arrays give again."""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa
import pytest
from word_rules import require_people_words, visible

import wellfit as wf
from wellfit.records.outcome import Status
from wellfit.reports.html import render_html
from wellfit.reports.text import MOST_LINES, render_end, render_text
from wellfit.reports.verdict import MOST_WORDS
from wellfit.stats.differences import paired_difference

pytestmark = [pytest.mark.proof, pytest.mark.timeout(900)]
ROWS = 360


def _numbers(seed):
    return np.random.default_rng(seed), {f"x{place}": column for place, column in enumerate(_columns(seed))}


def _columns(seed):
    return np.random.default_rng(seed + 1).normal(size=(8, ROWS))


def _noisy(seed):
    """One label in five is wrong: a network memorizes it."""
    rng, columns = _numbers(seed)
    clean = columns["x0"] + columns["x1"] > 0
    return pa.table({**columns, "y": np.where(clean ^ (rng.random(ROWS) < 0.2), "yes", "no")})


def _values(seed):
    rng, columns = _numbers(seed)
    return pa.table({**columns, "y": 900 * columns["x0"] + 300 * rng.normal(size=ROWS)})


def _many(seed):
    """Twelve classes that two units cannot tell apart."""
    _, columns = _numbers(seed)
    return pa.table({**columns, "y": [f"c{each}" for each in np.digitize(columns["x0"] * columns["x1"], _EDGES)]})


_EDGES = np.linspace(-1.5, 1.5, 11)
NARROW = {"network": {"widths": [2], "embedding": "none"}}
RUNS = {
    "memorizes": (_noisy, {"optimal_error": 0.2, "budget": "6000updates"}),
    "memorizes, no reference": (_noisy, {"budget": "2500updates"}),
    "values": (_values, {"budget": "4000updates"}),
    "values, mean absolute error": (_values, {"goal": "mae", "budget": "1500updates"}),
    "order": (_noisy, {"goal": "auc", "budget": "2500updates"}),
    "bias": (_many, {"human_error": 0.0, "fixed": NARROW, "budget": "4000updates"}),
    "log loss": (_many, {"goal": "log_loss", "budget": "1500updates"}),
    "another distribution": (_noisy, {"deployment_data": 9, "budget": "2500updates"}),
    "one network alone": (_noisy, {"budget": "60updates"}),
    "only an average": (_noisy, {"only": "ensemble", "budget": "4000updates"}),
    "both boards": (_noisy, {"only": "search_both_boards", "budget": "9000updates"}),
    "cut short": (_many, {"fixed": {"optimization": {"epochs": 20_000}}, "budget": "3s"}),
}


@pytest.fixture(scope="module", params=RUNS)
def run(request, tmp_path_factory):
    make, asked = RUNS[request.param]
    asked = dict(asked)
    if "deployment_data" in asked:
        asked["deployment_data"] = make(asked["deployment_data"])
    return wf.run(make(0), target="y", out=tmp_path_factory.mktemp("runs") / "e.wellfit", **asked)


@pytest.fixture(scope="module")
def texts(run):
    summary = run.summary()
    return {
        **{f"end at {width}": render_end(summary, path="e.wellfit", width=width) for width in (60, 100)},
        "all": render_text(summary),
        "page": visible(render_html(summary)),
    }


def _single(run, identity):
    return run.workspace.outcome(identity)


def _rows(run, outcome):
    return run.goal.row_losses(run.workspace.prepared.dev.target, outcome.predictions["dev"])


def _is_cut(run):
    return run.network.status is Status.OUT_OF_BUDGET


def test_texts_are_written_for_people(run, texts):
    summary = run.summary()
    # How far apart two models must be is told in points of error for every goal of a classification.
    for text in texts.values():
        told = " ".join(text.split()).replace(summary.split.precision, "")
        require_people_words(told, summary.unit, names=frozenset({"search_both_boards"}))
    assert max(map(len, texts["end at 60"].splitlines())) <= 60
    assert texts["end at 100"].count("\n") <= MOST_LINES


def test_the_headline_says_the_errors_of_the_networks(run, texts):
    summary = run.summary()
    assert len(summary.headline.split()) <= MOST_WORDS
    if _is_cut(run):
        assert "Nothing can be said yet" in summary.headline
        assert not re.search(r"underfit|overfits|avoidable|Sure:", texts["end at 100"])
        return
    last = summary.unit.show(float(_rows(run, run.network).mean()))
    assert last in summary.headline
    for text in texts.values():
        assert last in text
        assert " ".join(summary.headline.split()) in " ".join(text.split())


def test_sure_is_what_the_rows_say(run, texts):
    summary, network = run.summary(), run.network
    if _is_cut(run) or not summary.path:
        assert all("Sure:" not in text for text in texts.values())
        return
    found = paired_difference(_rows(run, _single(run, summary.first.identity)), _rows(run, network))
    sure = found.low - summary.optimism > 0
    for text in texts.values():
        assert ("Sure: better by" in text) == sure


def test_lambda_is_that_of_the_networks_that_stand(run):
    network, shown = run.network, {each.name: each.after for each in run.summary().regularization}
    singles = [_single(run, identity) for identity in network.members] or [network]
    l2s = sorted({each.config.regularization.l2 for each in singles})
    told = [float(each.replace(",", "")) for each in shown["λ (l2)"].split(" to ")]
    assert told == pytest.approx([l2s[0], l2s[-1]][: len(l2s)], rel=0.01)
    assert shown.get("networks averaged", "1") == str(max(1, len(network.members)))


def test_steps_are_those_of_the_journal(run, texts):
    steps, unit = run.history.of("step"), run.summary().unit
    for step in steps:
        before, after = (unit.show(step[name]["dev"]) for name in ("errors_before", "errors_after"))
        for text in (texts["page"], texts["end at 100"]):
            assert f"{before} → {after}" in text or _is_cut(run) or "more" in text


def test_networks_are_counted_as_they_were_trained(run, texts):
    trained = [body for body in run.history.of("training", "snapshot") if body["status"] != "diverged"]
    for text in texts.values():
        for count in re.findall(r"among ([\d,]+) networks", text):
            assert int(count.replace(",", "")) == len(trained)
