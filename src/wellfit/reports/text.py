"""The same numbers for a terminal: readable without colour, at any width."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import TYPE_CHECKING

from wellfit.reports.records import Gap, Ladder, StepRow, Summary
from wellfit.reports.sweep_card import SweepCard, coupled, effect_rows, fitting_of
from wellfit.reports.values import Measure
from wellfit.units import Unit, knob, seconds

if TYPE_CHECKING:
    from rich.console import RenderableType

_STYLES = {"yes": "red", "no": "green", "cannot tell": "yellow"}


def render_text(summary: Summary, *, width: int = 100, color: bool = False) -> str:
    """Write the terminal report.

    Args:
        summary: the numbers.
        width: columns of the terminal; the text wraps to it.
        color: whether to write escape codes.
    """
    from rich.console import Console

    sink = io.StringIO()
    console = Console(
        file=sink,
        width=width,
        force_terminal=color,
        color_system="standard" if color else None,
        no_color=not color,
        highlight=False,
        markup=False,
        emoji=False,
        legacy_windows=False,
    )
    for block in _blocks(summary):
        console.print(block)
    return "\n".join(line.rstrip() for line in sink.getvalue().splitlines()) + "\n"


def _blocks(summary: Summary) -> Iterator[RenderableType]:
    from rich.text import Text

    yield Text(summary.headline, style="bold")
    yield from summary.remarks
    yield from _ladder_blocks(summary)
    yield from _knobs(summary)
    yield from _steps(summary)
    yield from _sweeps(summary)
    yield from _trade(summary)
    yield from _others(summary)
    yield from _seal(summary)
    yield from _findings(summary)
    yield from _next(summary)
    yield from _end(summary)


def _heading(words: str) -> RenderableType:
    from rich.text import Text

    return Text(f"\n{words}", style="bold cyan")


def _table(head: Iterable[str], rows: Iterable[Iterable[str]], *, left: int = 1) -> RenderableType:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for index, name in enumerate(head):
        table.add_column(name, justify="left" if index < left else "right", overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell, style=_STYLES.get(cell.split(":")[0], "")) for cell in row))
    return table


def _ladder_blocks(summary: Summary) -> Iterator[RenderableType]:
    after, before = summary.after, summary.before
    if after is None:
        return
    earlier = before if before is not after else None
    yield _heading("Where does the error come from?")
    yield _rungs(summary.unit, after, earlier)
    yield ""
    yield _gaps(summary.unit, after, earlier)
    if after.tolerance is not None:
        yield f"A gap is high when it is surely above the tolerance of {summary.unit.gap(after.tolerance, sign=False)}."


def _rungs(unit: Unit, after: Ladder, earlier: Ladder | None) -> RenderableType:
    head = [unit.noun, *(["before"] if earlier else []), "now", "95 % interval", "rows"]
    rows = []
    if after.optimal is not None:
        optimal = after.optimal
        between = f"{unit.show(optimal.low)} to {unit.show(optimal.high)}"
        point = "unknown" if optimal.source == "none" else unit.show(optimal.middle)
        rows.append([f"optimal ({optimal.name})", *([""] if earlier else []), point, between, ""])
    for rung in after.rungs:
        old = [_shown(unit, earlier.rung(rung.part))] if earlier else []
        now = unit.show(rung.measure.value) if rung.measure else "sealed"
        rows.append([rung.label.lower(), *old, now, _interval(unit, rung.measure), _rows(rung.measure)])
    return _table(head, rows)


def _shown(unit: Unit, measure: Measure | None) -> str:
    return unit.show(measure.value) if measure else ""


def _interval(unit: Unit, measure: Measure | None) -> str:
    if measure is None:
        return ""
    return "exact" if measure.is_fixed else f"{unit.show(measure.low)} to {unit.show(measure.high)}"


def _rows(measure: Measure | None) -> str:
    return f"{measure.rows:,}" if measure and measure.rows is not None else ""


def _gaps(unit: Unit, after: Ladder, earlier: Ladder | None) -> RenderableType:
    head = ["gap", "high?", *(["before"] if earlier else []), "now"]
    rows = []
    for gap in after.gaps:
        old = earlier.gap(gap.name) if earlier else None
        before = [_gap(unit, old) if old else ""] if earlier else []
        rows.append([gap.name + (" (with any mismatch)" if gap.includes_mismatch else ""), _verdict(gap), *before])
        rows[-1].append(_gap(unit, gap))
    return _table(head, rows, left=2)


def _gap(unit: Unit, gap: Gap) -> str:
    return "none" if gap.below_reference else unit.gap(gap.value, start=gap.start, end=gap.end)


def _verdict(gap: Gap) -> str:
    if gap.below_reference:
        return "no: memorized, or better than the reference"
    if gap.rows_needed and gap.verdict == "cannot tell":
        return f"cannot tell: needs {gap.rows_needed:,} rows"
    return gap.verdict or "-"


def _knobs(summary: Summary) -> Iterator[RenderableType]:
    boards = (
        ("data", summary.data),
        ("optimization", summary.optimization),
        ("regularization", summary.regularization),
    )
    turned = [(board, it.name, it.before, it.after) for board, knobs in boards for it in knobs if it.turned]
    if turned:
        yield _heading("What did we change?")
        yield _table(["board", "knob", "before", "now"], turned, left=2)


def _steps(summary: Summary) -> Iterator[RenderableType]:
    rows = [_step(summary.unit, step) for step in summary.steps if step.expected_high is not None]
    if rows:
        yield _heading("What was expected of each step, and what came?")
        yield _table(["step", "board", "expected", "90 % interval", "got", ""], rows, left=2)
    yield from (_luck(summary.unit, step) for step in summary.steps if step.was_luck)
    yield from (step.beside for step in summary.steps if step.beside)
    if summary.score:
        yield str(summary.score)


def _luck(unit: Unit, step: StepRow) -> str:
    alike = f"others trained alike, with other seeds, have {unit.show(step.worth or 0.0)}"
    return f"Step {step.step} is kept: the dev {unit.noun} before was luck, {alike}."


def _step(unit: Unit, step: StepRow) -> list[str]:
    low, high = (unit.gap(limit or 0.0, sign=False) for limit in (step.expected_low, step.expected_high))
    name = f"{step.step} {step.kind.replace('_', ' ')}" + (f" (round {step.round})" if step.round > 1 else "")
    shown = [unit.gap(value or 0.0, sign=False) for value in (step.expected, step.got)]
    return [name, step.turned, shown[0], f"{low} to {high}", shown[1], "kept" if step.kept else "dropped"]


def _sweeps(summary: Summary) -> Iterator[RenderableType]:
    for sweep in summary.sweeps:
        yield _heading(sweep.title)
        yield sweep_line(summary.unit, sweep)
        yield from (f"Warning: {words}" for words in sweep.warnings)
        effects = effect_rows(sweep)
        if effects:
            rows = [[row.title, row.before, row.after] for row in effects]
            yield _table(["measured without dropout", "no regularization", "chosen"], rows)
        yield from _coupled(summary.unit, sweep)
        yield from _monte_carlo(summary.unit, sweep)


def _coupled(unit: Unit, sweep: SweepCard) -> Iterator[str]:
    for member in coupled(sweep):
        yield (
            f"Coupled: stopped early by dev at ‖W‖ {knob(member.norm)}, dev {_shown(unit, member.dev)} (optimistic): "
            "one knob fits and regularizes at once."
        )


def _monte_carlo(unit: Unit, sweep: SweepCard) -> Iterator[str]:
    if sweep.monte_carlo:
        found = sweep.monte_carlo
        low, high = (unit.gap(-limit) for limit in (found.gain.high, found.gain.low))
        yield (
            f"Monte-Carlo dropout: {found.passes} passes change dev {unit.noun} by {unit.gap(-found.gain.value)} "
            f"({low} to {high}) and cost {knob(found.cost)} times one pass."
        )


def sweep_line(unit: Unit, sweep: SweepCard) -> str:
    """What a sweep chose, in two sentences."""
    planned = f" (of {sweep.planned} planned)" if sweep.planned > len(sweep.members) else ""
    done = f"{len(sweep.members)} networks{planned} in {seconds(sweep.seconds)}."
    chosen = sweep.chosen
    if chosen is None:
        return done
    others = "".join(f", {words}" for words in (chosen.others, fitting_of(chosen.fitting)) if words)
    return (
        f"{done} {sweep.verb}: λ {knob(chosen.l2)} (weight_decay {knob(chosen.weight_decay)}, shrink "
        f"{knob(chosen.shrink)} per update), keep_prob {chosen.keep_probs}{others}: train {unit.show(chosen.train)}, "
        f"dev {_shown(unit, chosen.dev)}; {sum(member.tied for member in sweep.members)} are tied with the best."
    )


def _trade(summary: Summary) -> Iterator[RenderableType]:
    if not summary.trade:
        return
    show = summary.unit.show
    sealed = "-" if summary.openings else "sealed"
    yield _heading("What did regularization cost, and what did it buy?")
    yield _table(
        ["network", "λ", "keep_prob", "train", "dev", "test"],
        [
            [
                row.label,
                knob(row.l2),
                row.keep_probs,
                show(row.train),
                show(row.dev),
                show(row.test) if row.test else sealed,
            ]
            for row in summary.trade
        ],
    )
    yield summary.trade_sentence


def _others(summary: Summary) -> Iterator[RenderableType]:
    if not summary.others:
        return
    unit = summary.unit
    ours = summary.after.rung("dev") if summary.after else summary.best.dev if summary.best else None
    rows = [["the network", _shown(unit, ours), _interval(unit, ours)]] if ours else []
    rows += [[method.label, _shown(unit, method.dev), _interval(unit, method.dev)] for method in summary.others]
    tests = [_shown(unit, summary.openings[0].error)] if summary.openings and ours else []
    tests += [_shown(unit, method.test) for method in summary.others] if summary.openings else []
    yield _heading("Would another method do better?")
    if tests:
        rows = [[*row, test] for row, test in zip(rows, tests, strict=True)]
    yield _table([unit.noun, "dev", "95 % interval", *(["test"] if tests else [])], rows)


def _seal(summary: Summary) -> Iterator[RenderableType]:
    seal = summary.seal
    if seal is None:
        return
    yield _heading("Is the split fair?")
    yield seal.policy
    yield from (f"{name}: {value}" for name, value in seal.precision)
    if not summary.openings:
        yield f"The test set is sealed (SHA-256 {seal.sha256[:12]}…): `wellfit unseal` opens it once."
    for opening in summary.openings:
        state = "certified" if opening.certified else "not certified"
        interval = f"{_shown(summary.unit, opening.error)} ({_interval(summary.unit, opening.error)})"
        yield f"Opening {opening.opening}, {state}: test {summary.unit.noun} {interval}. Receipt {opening.receipt}"


def _findings(summary: Summary) -> Iterator[RenderableType]:
    if not summary.findings:
        return
    fired = [row for row in summary.findings if row.status == "fired"]
    passed = [row.code for row in summary.findings if row.status == "passed"]
    yield _heading("What was checked?")
    for row in fired:
        yield f"{row.code} {row.title}: {row.evidence}"
    yield f"Passed: {', '.join(passed) or 'none'}. `wellfit explain CODE` says what a finding means and what to do."


def _next(summary: Summary) -> Iterator[RenderableType]:
    if summary.prescription:
        yield _heading("What next?")
    for cause, rows in groupby(summary.prescription, key=lambda row: (row.why.partition(": ")[0], row.ceiling)):
        kinds = ", ".join(row.kind.replace("_", " ") for row in rows if row.kind != "none")
        worth = f" (at most {summary.unit.gap(cause[1], sign=False)})" if cause[1] else ""
        yield f"{cause[0].rstrip('.')}{f': {kinds}{worth}' if kinds else ''}."


def _end(summary: Summary) -> Iterator[RenderableType]:
    """Why the run stopped: the last line is a sentence that a manager understands."""
    if summary.finished:
        yield _heading("How did it end?")
        yield summary.finished
