"""One self-contained page: no script, no request, light and dark, for screen and paper.

Each chart of a sweep is drawn once for a wide screen and once for a narrow one.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined, Template, pass_context
from jinja2.runtime import Context
from markupsafe import Markup, escape

from wellfit.diagnosis.findings import EXPLAINED, topic_of
from wellfit.diagnosis.optimal_error import Optimal
from wellfit.records.goals import default_goal
from wellfit.records.knobs import KNOBS, OTHER_REGULARIZERS
from wellfit.records.units import Unit, knob, plain, punctuated, seconds, typeset
from wellfit.reports import sentences, verdict
from wellfit.reports.charts import (
    Series,
    Size,
    curve_domain,
    heatmap_chart,
    ladder_chart,
    ladder_domain,
    lambda_path_chart,
    learning_curve_chart,
    losses_panel,
    measure_panel,
    trade_off_chart,
)
from wellfit.reports.errors import shares_lines
from wellfit.reports.records import PARTS, Diagnosed, Network, Summary
from wellfit.reports.redact import redacted
from wellfit.reports.sweep_card import (
    EffectRow,
    Measured,
    Member,
    SweepCard,
    coupled,
    effect_rows,
    exported,
    is_one_line,
    knob_path,
    lambda_path,
    measures_of,
    plane,
)

MOST_BYTES = 1_000_000
OTHER_UNITS = ("weight_decay = λ/m", "shrink = lr·λ/m")
"""Knobs of the boards that are lambda in other units: shown on demand."""
_STYLES = ("page.css", "charts.css")
_WIDE, _SLIM = 780, 350
_KIB = 1024


def render_html(summary: Summary, *, redact: bool = False) -> str:
    """Write the page in under a million bytes: text from a table or a user is escaped, or left out by `redact`."""
    shown = verdict.told(redacted(summary) if redact else summary)
    style = "\n".join(_file(name) for name in _STYLES)
    optimal = shown.after.diagnosis.errors.optimal if shown.after else None
    return _page().render(
        it=shown,
        unit=shown.unit,
        counted=Unit(default_goal(shown.unit.goal.task)),
        style=Markup(style),  # noqa: S704 (our own file)
        style_hash=f"sha256-{base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()}",
        ladders=list(_ladders(shown)),
        sweeps=[sweep_view(it, shown.unit, index=index, optimal=optimal) for index, it in enumerate(shown.sweeps)],
        curves=_curves(shown),
    )


@cache
def _page() -> Template:
    """Return the template, compiled once: that takes longer than a page of it."""
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, finalize=_typeset
    )
    environment.filters.update(show=_show, knob=knob, seconds=seconds, verbatim=escape, told=_told, coded=_coded)
    environment.globals.update(
        OTHER_UNITS=OTHER_UNITS,
        EXPLAINED=EXPLAINED,
        topic_of=topic_of,
        verdict=verdict,
        say=sentences,
        question=sentences.QUESTIONS,
        shares_lines=shares_lines,
        parts=PARTS,
    )
    return environment.from_string(_file("page.html"))


@pass_context
def _show(context: Context, value: float | None) -> str:
    """Write a loss in the unit of the page's goal."""
    unit: Unit = context["unit"]
    return unit.show(value)


def _told(words: str) -> Markup:
    """Set a text that may contain names from the data: they stay as they are."""
    return escape(punctuated(words))


def _coded(words: str) -> Markup:
    """Set a sentence, with a link from each code to what the page says about it."""
    return Markup(re.sub(r"\b(WF\d{3})\b", r'<a href="#\1">\1</a>', str(escape(typeset(words)))))  # noqa: S704 (escaped)


def _typeset(shown: object) -> object:
    """Set text as people read it; drawings are set already, and what passed `verbatim` stays as it is."""
    return typeset(shown) if isinstance(shown, str) and not isinstance(shown, Markup) else shown


def _file(name: str) -> str:
    return (files("wellfit.reports") / name).read_text(encoding="utf-8")


def _ladders(summary: Summary) -> Iterator[tuple[Diagnosed, tuple[Markup, ...]]]:
    """Return one ladder before and one after, on one axis; only the last one shows the other methods."""
    both = [ladder for ladder in (summary.before, summary.after) if ladder is not None]
    shown = both[-1:] if summary.before is summary.after else both
    draw = partial(ladder_chart, unit=summary.unit, domain=ladder_domain(shown, summary.unit))
    for index, ladder in enumerate(shown):
        others = summary.others if ladder is shown[-1] else ()
        yield ladder, _at_both_widths(draw, ladder, others=others, key=f"ladder{index}")


def _curves(summary: Summary) -> list[tuple[str, Network, Markup]]:
    pairs = [("First network", summary.first), ("Chosen network", summary.best)]
    networks = [(title, found) for title, found in pairs if found is not None and len(found.curve) > 1]
    if summary.first is summary.best:
        networks = networks[:1]
    domain = curve_domain([network for _, network in networks], summary.unit)
    return [
        (title, network, _svg(learning_curve_chart(network, summary.unit, key=f"curve{index}", domain=domain)))
        for index, (title, network) in enumerate(networks)
    ]


@dataclass(frozen=True)
class Panel:
    """One small chart; `says` explains its size."""

    title: str
    says: str
    drawing: Markup


@dataclass(frozen=True)
class Along:
    """The effect of one knob, with the others at these values."""

    knob: str
    at: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True, kw_only=True)
class SweepView:
    """Charts and rows of one sweep; a chart without enough members is empty.

    `keep_prob` is that of the members on the lambda path, if they share one. `along` shows the knobs that varied, the
    others being as chosen. `stopped` compares the early-stopped members with the lambda path.
    """

    card: SweepCard
    heat: tuple[Markup, ...]
    path: tuple[Markup, ...]
    keep_prob: str
    along: tuple[Along, ...]
    stopped: tuple[Markup, ...]
    exported: tuple[Markup, ...]
    effects: tuple[EffectRow, ...]
    measured: tuple[Measured, ...]

    @property
    def coupled(self) -> tuple[Member, ...]:
        """Return the early-stopped members, by their dev loss."""
        return tuple(sorted(coupled(self.card), key=lambda member: member.dev.value if member.dev else 0.0))

    @property
    def smallest(self) -> Member | None:
        """Of the members tied with the best, return the one that exports the fewest bytes, if L1 was varied."""
        tied = [member for member in exported(self.card) if member.tied]
        return min(tied, key=lambda member: member.effects["exported_bytes"], default=None)

    @property
    def largest_bytes(self) -> float:
        """Return the most bytes that a member exports, if L1 was varied."""
        return max((member.effects["exported_bytes"] for member in exported(self.card)), default=0.0)


def _svg(drawing: str) -> Markup:
    """Mark a drawing as safe: the charts escape every text themselves."""
    return Markup(drawing)  # noqa: S704


def sweep_view(sweep: SweepCard, unit: Unit, *, index: int, optimal: Optimal | None) -> SweepView:
    """Draw one sweep; `index` is its place in the page, for the ids."""
    path, cells = lambda_path(sweep), plane(sweep)
    return SweepView(
        card=sweep,
        heat=_at_both_widths(heatmap_chart, cells, unit, key=f"heat{index}"),
        path=_at_both_widths(lambda_path_chart, path, unit, optimal=optimal, key=f"path{index}"),
        keep_prob=path[0].keep_probs if path and is_one_line(path, "l2") else "",
        along=tuple(_along(sweep, path, unit, index=index)),
        stopped=_stopped(sweep, path, unit, index=index),
        exported=_exported(sweep, unit, index=index),
        effects=effect_rows(sweep),
        measured=measures_of([member for member in sweep.members if member.effects]),
    )


def _at_both_widths(draw: Callable[..., str], *drawn: Any, key: str, **options: Any) -> tuple[Markup, ...]:
    """Draw a chart for a wide screen and for a narrow one; empty if there is nothing to draw."""
    drawings = (draw(*drawn, **options, key=f"{key}-{width}", width=width) for width in (_WIDE, _SLIM))
    return tuple(_svg(drawing) for drawing in drawings if drawing)


def _along(sweep: SweepCard, path: Sequence[Member], unit: Unit, *, index: int) -> Iterator[Along]:
    paths = {"l2": path} | {knob: knob_path(sweep, knob) for knob in ("keep_prob", *OTHER_REGULARIZERS)}
    for name, members in paths.items():
        if any(member.effects for member in members):
            panels = _panels(members, unit, along=name, key=f"{name}-{index}")
            yield Along(KNOBS[name].title, _elsewhere(members, name), panels)


def _elsewhere(members: Sequence[Member], along: str) -> str:
    """Return the values of lambda and keep_prob on a path along another knob."""
    if not is_one_line(members, along):
        return ""
    words = {"l2": f"λ = {knob(members[0].l2)}", "keep_prob": f"keep_prob {members[0].keep_probs}"}
    return ", ".join(each for name, each in words.items() if name != along)


def _panels(members: Sequence[Member], unit: Unit, *, along: str, key: str) -> tuple[Panel, ...]:
    first = Panel(f"train and dev {unit.noun}", "", _svg(losses_panel(members, unit, along=along, key=f"{key}-losses")))
    rest = (
        Panel(it.title, it.says, _svg(measure_panel(members, it, along=along, key=f"{key}-{it.name}")))
        for it in measures_of(members)
    )
    return first, *rest


def _stopped(sweep: SweepCard, path: Sequence[Member], unit: Unit, *, index: int) -> tuple[Markup, ...]:
    early = [member for member in coupled(sweep) if member.norm is not None]
    line = [member for member in path if member.norm is not None and not member.is_coupled]
    if not early or not line:
        return ()
    series = (
        Series("λ path, trained to the end", "dev", line, joined=is_one_line(line, "l2")),
        Series("stopped early (coupled)", "test", early),
    )
    size = Size("‖W‖", lambda member: member.norm or 0.0, plain)
    return _at_both_widths(trade_off_chart, series, unit, size=size, key=f"stop{index}")


def _exported(sweep: SweepCard, unit: Unit, *, index: int) -> tuple[Markup, ...]:
    members = exported(sweep)
    series = (
        Series("L1 off", "other", [member for member in members if not member.l1]),
        Series("L1 on", "dev", [member for member in members if member.l1]),
    )
    size = Size("exported size of W in KiB", lambda member: member.effects["exported_bytes"] / _KIB, knob)
    return _at_both_widths(trade_off_chart, series, unit, size=size, key=f"bytes{index}")
