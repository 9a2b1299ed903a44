"""The renderer that shows results in a terminal, in a notebook or as a page.

A notebook shows the text, and the same as HTML with one drawing: no script, nothing computed.
"""

from __future__ import annotations

import hashlib
import json
import textwrap
from importlib.resources import files
from typing import TYPE_CHECKING

from markupsafe import Markup

from wellfit.base.typing import Json
from wellfit.diagnosis.diagnosis import DataDiagnosis, Diagnosis
from wellfit.diagnosis.error_analysis import ErrorAnalysis
from wellfit.records.units import Unit
from wellfit.reports.charts import heatmap_chart, ladder_chart, lambda_path_chart
from wellfit.reports.errors import errors_text
from wellfit.reports.html import render_html
from wellfit.reports.junit import render_junit
from wellfit.reports.markdown import render_markdown
from wellfit.reports.records import Diagnosed, Summary
from wellfit.reports.sentences import sweep_line
from wellfit.reports.summary import summarize
from wellfit.reports.sweep_card import lambda_path, plane, sweep_from
from wellfit.reports.text import WIDTH, diagnosis_text, findings_text, render_end
from wellfit.reports.verdict import told

if TYPE_CHECKING:
    from wellfit.experiment.experiment import Experiment
    from wellfit.sweeps.search import Sweep

    Result = Diagnosis | DataDiagnosis | ErrorAnalysis | Sweep | Experiment

MOST_BYTES = 15_000
"""Largest HTML: notebooks are kept in version control."""

Bundle = dict[str, str]
_WIDTH = 640


def text_of(result: Result, *, width: int = WIDTH) -> str:
    """Return the result as `print` shows it; a diagnosis wraps to `width` columns."""
    if isinstance(result, DataDiagnosis):
        return f"{textwrap.fill(result.headline, width)}\n\n{findings_text(result.findings, width=width)}"
    if isinstance(result, ErrorAnalysis):
        return errors_text(result)
    if isinstance(result, Diagnosis):
        return diagnosis_text(result, width=width)
    from wellfit.sweeps.search import Sweep  # it imports the training code: only here, where something was trained

    if isinstance(result, Sweep):
        return sweep_text(result.to_json(), Unit(result.goal))
    return render_end(summary_of(result), path=str(result.path))


def bundle_of(result: Result) -> Bundle:
    """Return a dict from MIME type to the result as a notebook shows it."""
    plain = text_of(result)
    if isinstance(result, DataDiagnosis | ErrorAnalysis):
        return {"text/plain": plain}
    if isinstance(result, Diagnosis):
        return diagnosis_bundle(result, plain=plain)
    from wellfit.sweeps.search import Sweep

    if isinstance(result, Sweep):
        return sweep_bundle(result.to_json(), Unit(result.goal))
    return experiment_bundle(summary_of(result), plain=plain)


def summary_of(experiment: Experiment) -> Summary:
    """Return everything that the report of an experiment shows, as numbers."""
    return summarize(experiment.history)


def page_of(experiment: Experiment, *, redact: bool) -> str:
    """Return the report of an experiment, as HTML."""
    return render_html(summary_of(experiment), redact=redact)


def markdown_of(experiment: Experiment, *, redact: bool) -> str:
    """Return the end of an experiment's last run, as Markdown."""
    return render_markdown(summary_of(experiment), redact=redact)


def junit_of(experiment: Experiment, *, redact: bool) -> str:
    """Return the gaps and findings of an experiment, as JUnit XML."""
    return render_junit(summary_of(experiment), redact=redact)


def diagnosis_bundle(diagnosis: Diagnosis, *, plain: str) -> Bundle:
    """Draw the ladder of a diagnosis; `plain` is its text, shown if there is no HTML."""
    ladder = Diagnosed(diagnosis=diagnosis, has_test=False)
    drawing = ladder_chart(ladder, Unit(diagnosis.goal), key=_key(diagnosis.to_json()), width=_WIDTH)
    return _bundle(diagnosis.headline, drawing, plain=plain)


def experiment_bundle(summary: Summary, *, plain: str) -> Bundle:
    """Draw the ladder of the network that represents an experiment, with the reference models."""
    if told(summary).after is None or summary.after is None:
        return {"text/plain": plain}
    key = _key({"title": summary.title, "headline": summary.headline, "identity": summary.after.identity})
    drawing = ladder_chart(summary.after, summary.unit, key=key, width=_WIDTH, others=summary.others)
    return _bundle(summary.headline, drawing, plain=plain)


def sweep_text(body: Json, unit: Unit) -> str:
    """Return the choice of a sweep and its warnings, from `Sweep.to_json()`."""
    sweep = sweep_from(body, intervals={})
    return "\n".join([sweep_line(unit, sweep), *(f"Warning: {words}" for words in sweep.warnings)])


def sweep_bundle(body: Json, unit: Unit) -> Bundle:
    """Draw dev over lambda and keep_prob, or the lambda path, of a sweep."""
    sweep, key = sweep_from(body, intervals={}), _key(body)
    drawing = heatmap_chart(plane(sweep), unit, key=key, width=_WIDTH)
    drawing = drawing or lambda_path_chart(lambda_path(sweep), unit, key=key, width=_WIDTH)
    return _bundle(sweep_line(unit, sweep), drawing, plain=sweep_text(body, unit))


def _bundle(headline: str, drawing: str, *, plain: str) -> Bundle:
    """Return text and HTML; the drawing is left out if it would make a notebook too large."""
    own, charts = ((files("wellfit.reports") / name).read_text("utf-8") for name in ("notebook.css", "charts.css"))
    scoped = f"{own}.wellfit {{\n{charts}}}"
    head = Markup('<p class="say">{}</p>').format(headline)
    fits = len(drawing) + len(scoped) + len(head) < MOST_BYTES
    body = Markup(drawing) if fits else Markup("<pre>{}</pre>").format(plain)  # noqa: S704 - charts escape their texts
    page = f'<div class="wellfit"><style>{scoped}</style>{head}{body}</div>'
    return {"text/plain": plain, "text/html": page}


def _key(body: Json) -> str:
    """Return a prefix for ids: a notebook shows several drawings on one page."""
    digest = hashlib.sha256(json.dumps(body, sort_keys=True, default=str).encode()).hexdigest()
    return f"wf{digest[:8]}"
