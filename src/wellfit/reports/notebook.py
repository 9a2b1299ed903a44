"""What a notebook shows of a result: its text, and the same as HTML with one drawing; no script, nothing computed."""

from __future__ import annotations

import hashlib
import json
from importlib.resources import files

from markupsafe import Markup

from wellfit._typing import Json
from wellfit.goals import GOALS
from wellfit.reports import reading, rungs
from wellfit.reports.charts import heatmap_chart, ladder_chart, lambda_path_chart
from wellfit.reports.records import Summary
from wellfit.reports.sweep_card import lambda_path, plane
from wellfit.reports.text import sweep_line
from wellfit.reports.values import text
from wellfit.units import Unit

MOST_BYTES = 15_000
"""Of the HTML (docs/methods.md, "Charts and notebooks"): notebooks are kept in version control."""

Bundle = dict[str, str]
_WIDTH = 640


def diagnosis_bundle(body: Json, *, headline: str, plain: str) -> Bundle:
    """The ladder of a diagnosis.

    Args:
        body: `Diagnosis.to_json()`.
        headline: its first sentence.
        plain: its text, shown where there is no HTML.
    """
    drawing = ladder_chart(rungs.ladder(body), _unit(text(body.get("goal"))), key=_key(body), width=_WIDTH)
    return _bundle(headline, drawing, plain=plain)


def experiment_bundle(summary: Summary, *, plain: str) -> Bundle:
    """The ladder of the network that an experiment stands for, other methods beside it."""
    if summary.after is None:
        return {"text/plain": plain}
    key = _key({"title": summary.title, "headline": summary.headline, "identity": summary.after.identity})
    drawing = ladder_chart(summary.after, summary.unit, key=key, width=_WIDTH, others=summary.others)
    return _bundle(summary.headline, drawing, plain=plain)


def sweep_text(body: Json, *, goal: str) -> str:
    """What a sweep chose, and its warnings, from `Sweep.to_json()` and the goal of its losses."""
    card = reading.sweep(body)
    return "\n".join([sweep_line(_unit(goal), card), *(f"Warning: {words}" for words in card.warnings)])


def sweep_bundle(body: Json, *, goal: str) -> Bundle:
    """Dev over lambda and keep_prob, or the lambda path, of a sweep; arguments as `sweep_text`."""
    card, unit, key = reading.sweep(body), _unit(goal), _key(body)
    drawing = heatmap_chart(plane(card), unit, key=key, width=_WIDTH) or lambda_path_chart(
        lambda_path(card), unit, key=key, width=_WIDTH, optimal=card.optimal
    )
    return _bundle(sweep_line(unit, card), drawing, plain=sweep_text(body, goal=goal))


def _bundle(headline: str, drawing: str, *, plain: str) -> Bundle:
    """Text and HTML; the drawing is left out where it would make a notebook heavy."""
    own, charts = ((files("wellfit.reports") / name).read_text("utf-8") for name in ("notebook.css", "charts.css"))
    scoped = f"{own}.wellfit {{\n{charts}}}"
    head = Markup('<p class="say">{}</p>').format(headline)
    fits = len(drawing) + len(scoped) + len(head) < MOST_BYTES
    body = Markup(drawing) if fits else Markup("<pre>{}</pre>").format(plain)  # noqa: S704 - charts escape their texts
    page = f'<div class="wellfit"><style>{scoped}</style>{head}{body}</div>'
    return {"text/plain": plain, "text/html": page}


def _unit(goal: str) -> Unit:
    return Unit(GOALS.get(goal, GOALS["error"]))


def _key(body: Json) -> str:
    """A prefix for ids: a notebook shows several drawings on one page."""
    digest = hashlib.sha256(json.dumps(body, sort_keys=True, default=str).encode()).hexdigest()
    return f"wf{digest[:8]}"
