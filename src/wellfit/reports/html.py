"""One self-contained page: no script, no request, light and dark, for the screen and for paper."""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from wellfit.records.units import Unit, knob, seconds
from wellfit.reports import sentences
from wellfit.reports.charts import (
    curve_domain,
    ladder_chart,
    ladder_domain,
    learning_curve_chart,
)
from wellfit.reports.records import PARTS, Diagnosed, Network, Summary
from wellfit.reports.redact import redacted
from wellfit.reports.sweep_view import SLIM, WIDE, SweepView, svg, sweep_view

MOST_BYTES = 1_000_000
_STYLES = ("page.css", "charts.css")


def render_html(summary: Summary, *, redact: bool = False) -> str:
    """Write the page.

    Args:
        summary: the numbers.
        redact: leave the names of categories out.

    Returns:
        One HTML document under a million bytes; everything that came from a table or a user is escaped.
    """
    shown = redacted(summary) if redact else summary
    style = "\n".join(_file(name) for name in _STYLES)
    template = _environment(shown.unit).from_string(_file("page.html"))
    return template.render(
        it=shown,
        style=Markup(style),  # noqa: S704 (our own file)
        style_hash=_csp_hash(style),
        ladders=_ladders(shown),
        sweeps=_sweeps(shown),
        curves=_curves(shown),
    )


def _environment(unit: Unit) -> Environment:
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters.update(show=unit.show, gap=unit.gap, knob=knob, seconds=seconds)
    environment.globals.update(say=sentences, unit=unit, question=sentences.QUESTIONS, parts=PARTS)
    return environment


def _file(name: str) -> str:
    return (files("wellfit.reports") / name).read_text(encoding="utf-8")


def _csp_hash(style: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()}"


def _ladders(summary: Summary) -> list[tuple[Diagnosed, list[Markup]]]:
    """One ladder before and one after, on one axis; only the last carries the other methods."""
    both = [ladder for ladder in (summary.before, summary.after) if ladder is not None]
    shown = both[-1:] if summary.before is summary.after else both
    domain = ladder_domain(shown, summary.unit)
    return [
        (ladder, _ladder(ladder, summary, index, domain=domain, is_last=ladder is shown[-1]))
        for index, ladder in enumerate(shown)
    ]


def _ladder(
    ladder: Diagnosed, summary: Summary, index: int, *, domain: tuple[float, float], is_last: bool
) -> list[Markup]:
    others = summary.others if is_last else ()
    return [
        svg(ladder_chart(ladder, summary.unit, key=f"ladder{index}-{width}", width=width, others=others, domain=domain))
        for width in (WIDE, SLIM)
    ]


def _sweeps(summary: Summary) -> list[SweepView]:
    optimal = summary.after.diagnosis.errors.optimal if summary.after else None
    return [sweep_view(sweep, summary.unit, index=index, optimal=optimal) for index, sweep in enumerate(summary.sweeps)]


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
