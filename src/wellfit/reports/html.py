"""One self-contained page: no script, no request, light and dark, for the screen and for paper."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from functools import partial
from importlib.resources import files

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from wellfit.records.units import Unit, knob, seconds
from wellfit.reports import sentences
from wellfit.reports.charts import curve_domain, ladder_chart, ladder_domain, learning_curve_chart
from wellfit.reports.records import PARTS, Diagnosed, Network, Summary
from wellfit.reports.redact import redacted
from wellfit.reports.sweep_view import at_both_widths, svg, sweep_view

MOST_BYTES = 1_000_000
_STYLES = ("page.css", "charts.css")


def render_html(summary: Summary, *, redact: bool = False) -> str:
    """Write the page in under a million bytes: what came from a table or a user is escaped, or left out by `redact`."""
    shown = redacted(summary) if redact else summary
    style = "\n".join(_file(name) for name in _STYLES)
    template = _environment(shown.unit).from_string(_file("page.html"))
    optimal = shown.after.diagnosis.errors.optimal if shown.after else None
    return template.render(
        it=shown,
        style=Markup(style),  # noqa: S704 (our own file)
        style_hash=f"sha256-{base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()}",
        ladders=list(_ladders(shown)),
        sweeps=[sweep_view(it, shown.unit, index=index, optimal=optimal) for index, it in enumerate(shown.sweeps)],
        curves=_curves(shown),
    )


def _environment(unit: Unit) -> Environment:
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters.update(show=unit.show, gap=unit.gap, knob=knob, seconds=seconds)
    environment.globals.update(say=sentences, unit=unit, question=sentences.QUESTIONS, parts=PARTS)
    return environment


def _file(name: str) -> str:
    return (files("wellfit.reports") / name).read_text(encoding="utf-8")


def _ladders(summary: Summary) -> Iterator[tuple[Diagnosed, tuple[Markup, ...]]]:
    """Return one ladder before and one after, on one axis; only the last carries the other methods."""
    both = [ladder for ladder in (summary.before, summary.after) if ladder is not None]
    shown = both[-1:] if summary.before is summary.after else both
    draw = partial(ladder_chart, unit=summary.unit, domain=ladder_domain(shown, summary.unit))
    for index, ladder in enumerate(shown):
        others = summary.others if ladder is shown[-1] else ()
        yield ladder, at_both_widths(draw, ladder, others=others, key=f"ladder{index}")


def _curves(summary: Summary) -> list[tuple[str, Network, Markup]]:
    pairs = [("First network", summary.first), ("Chosen network", summary.best)]
    networks = [(title, found) for title, found in pairs if found is not None and len(found.curve) > 1]
    if summary.first is summary.best:
        networks = networks[:1]
    domain = curve_domain([network for _, network in networks], summary.unit)
    return [
        (title, network, svg(learning_curve_chart(network, summary.unit, key=f"curve{index}", domain=domain)))
        for index, (title, network) in enumerate(networks)
    ]
