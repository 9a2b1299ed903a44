"""The renderer that results are shown by: in a terminal, in a notebook, as a page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wellfit.diagnosis.diagnosis import DataDiagnosis, Diagnosis
from wellfit.records.units import Unit
from wellfit.reports.html import render_html
from wellfit.reports.notebook import Bundle, diagnosis_bundle, experiment_bundle, sweep_bundle, sweep_text
from wellfit.reports.records import Summary
from wellfit.reports.summary import summarize
from wellfit.reports.text import diagnosis_text, findings_text, render_text

if TYPE_CHECKING:
    from wellfit.experiment.experiment import Experiment
    from wellfit.sweeps.search import Sweep

    Result = Diagnosis | DataDiagnosis | Sweep | Experiment


def text_of(result: Result) -> str:
    """The result as `print` shows it."""
    if isinstance(result, DataDiagnosis):
        return f"{result.headline}\n\n{findings_text(result.findings)}"
    if isinstance(result, Diagnosis):
        return diagnosis_text(result)
    from wellfit.sweeps.search import Sweep  # which trains: only here, where something was trained

    if isinstance(result, Sweep):
        return sweep_text(result.to_json(), Unit(result.goal))
    return render_text(summary_of(result))


def bundle_of(result: Result) -> Bundle:
    """MIME type -> the result as a notebook shows it."""
    plain = text_of(result)
    if isinstance(result, DataDiagnosis):
        return {"text/plain": plain}
    if isinstance(result, Diagnosis):
        return diagnosis_bundle(result, plain=plain)
    from wellfit.sweeps.search import Sweep

    if isinstance(result, Sweep):
        return sweep_bundle(result.to_json(), Unit(result.goal))
    return experiment_bundle(summary_of(result), plain=plain)


def summary_of(experiment: Experiment) -> Summary:
    """Everything that the report of an experiment shows, as numbers."""
    return summarize(experiment.history)


def page_of(experiment: Experiment, *, redact: bool) -> str:
    """The report of an experiment, as HTML."""
    return render_html(summary_of(experiment), redact=redact)
