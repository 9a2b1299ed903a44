"""The report and a diagnosis for a terminal: readable without colour, at any width."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from wellfit.diagnosis.diagnosis import Diagnosis
from wellfit.diagnosis.findings import Finding
from wellfit.records.units import Unit, knob
from wellfit.reports.records import PARTS, Diagnosed, Step, Summary
from wellfit.reports.sentences import (
    QUESTIONS,
    coupled_lines,
    elsewhere_sentence,
    gap_interval,
    gap_text,
    interval_text,
    luck_sentence,
    monte_carlo_line,
    next_lines,
    optimal_note,
    optimal_source,
    optimal_text,
    rows_text,
    score_sentence,
    shown,
    sweep_line,
    tolerance_note,
    trade_sentence,
    verdict_text,
    without_gain,
)
from wellfit.reports.sweep_card import effect_rows

if TYPE_CHECKING:
    from rich.console import RenderableType

WIDTH = 100
_STYLES = {"yes": "red", "no": "green", "cannot tell": "yellow"}


def render_text(summary: Summary, *, width: int = WIDTH, color: bool = False) -> str:
    """Write the report; the text wraps to `width` columns, with escape codes if it is in color."""
    return _printed(_blocks(summary), width=width, color=color)


def diagnosis_text(diagnosis: Diagnosis) -> str:
    """Write a diagnosis: errors, gaps, findings with their remedies, the prescription."""
    return _printed(_diagnosis_blocks(diagnosis), width=WIDTH, color=False).rstrip("\n")


def findings_text(findings: Sequence[Finding]) -> str:
    """Write findings, those that fired first, with their remedies."""
    return _printed(_findings_in_full(findings), width=WIDTH, color=False).strip("\n")


def _printed(blocks: Iterable[RenderableType], *, width: int, color: bool) -> str:
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
    for block in blocks:
        console.print(block)
    return "\n".join(line.rstrip() for line in sink.getvalue().splitlines()) + "\n"


def _blocks(summary: Summary) -> Iterator[RenderableType]:
    from rich.text import Text

    yield Text(summary.headline, style="bold")
    yield from summary.remarks
    if summary.after is not None:
        yield _heading(QUESTIONS["ladder"])
        yield from _ladder(summary.unit, summary.after, summary.before)
    yield from _knobs(summary)
    yield from _steps(summary)
    yield from _sweeps(summary)
    yield from _trade(summary)
    yield from _others(summary)
    yield from _split(summary)
    yield from _findings(summary)
    if summary.prescription:
        yield _heading(QUESTIONS["next"])
        yield from next_lines(summary.unit, summary.prescription)
    if summary.finished:
        # The reason why the run stopped comes last: a sentence that a manager understands.
        yield _heading(QUESTIONS["end"])
        yield summary.finished


def _diagnosis_blocks(diagnosis: Diagnosis) -> Iterator[RenderableType]:
    from rich.text import Text

    unit = Unit(diagnosis.goal)
    yield Text(diagnosis.headline, style="bold")
    yield ""
    yield from _ladder(unit, Diagnosed(diagnosis=diagnosis, has_test=False), None)
    yield _heading("Findings")
    yield from _findings_in_full(diagnosis.findings)
    yield _heading("Prescription")
    yield from _prescription(unit, diagnosis)
    if diagnosis.notes:
        yield ""
    yield from (f"Note: {note}" for note in diagnosis.notes)


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


def _indented(words: str, *, indent: int) -> RenderableType:
    from rich.padding import Padding

    return Padding(words, (0, 0, 0, indent))


def _ladder(unit: Unit, after: Diagnosed, before: Diagnosed | None) -> Iterator[RenderableType]:
    earlier = before if before is not after else None
    yield _errors(unit, after, earlier)
    yield ""
    yield _gaps(unit, after, earlier)
    yield tolerance_note(unit, after)
    yield from filter(None, [optimal_note(unit, after.diagnosis.errors.optimal)])


def _errors(unit: Unit, after: Diagnosed, earlier: Diagnosed | None) -> RenderableType:
    optimal = after.diagnosis.errors.optimal
    blank = [""] if earlier else []
    rows = [[f"optimal ({optimal_source(optimal)})", *blank, optimal_text(unit, optimal), "", ""]]
    for part, error in after.errors.items():
        old = [shown(unit, earlier.errors.get(part)) if earlier.errors.get(part) else ""] if earlier else []
        now = shown(unit, error) if error else "sealed"
        rows.append([PARTS[part].lower(), *old, now, interval_text(unit, error), rows_text(error)])
    return _table([unit.noun, *(["before"] if earlier else []), "now", "95 % interval", "rows"], rows)


def _gaps(unit: Unit, after: Diagnosed, earlier: Diagnosed | None) -> RenderableType:
    rows = []
    for gap in after.gaps:
        old = earlier.diagnosis.gap(gap.name) if earlier else None
        before = [gap_text(unit, earlier, old, sign=True) if old else ""] if earlier else []
        name = gap.kind.noun + (" (with any mismatch)" if gap.includes_mismatch else "")
        now = gap_text(unit, after, gap, sign=True)
        rows.append([name, verdict_text(after, gap), *before, now, gap_interval(unit, gap)])
    return _table(["gap", "high?", *(["before"] if earlier else []), "now", "95 % interval"], rows, left=2)


def _knobs(summary: Summary) -> Iterator[RenderableType]:
    boards = {"data": summary.data, "optimization": summary.optimization, "regularization": summary.regularization}
    turned = [[board, it.name, it.before, it.after] for board, knobs in boards.items() for it in knobs if it.turned]
    if turned:
        yield _heading(QUESTIONS["knobs"])
        yield _table(["board", "knob", "before", "now"], turned, left=2)


def _steps(summary: Summary) -> Iterator[RenderableType]:
    unit = summary.unit
    rows = [_step(unit, step, low=step.low or 0.0, high=step.high) for step in summary.steps if step.high is not None]
    if rows:
        yield _heading(QUESTIONS["steps"])
        yield _table(["step", "board", "expected", "90 % interval", "got", ""], rows, left=2)
    sentences = [luck_sentence(unit, step) for step in summary.steps]
    sentences += [without_gain(step) for step in summary.steps]
    yield from filter(None, [*sentences, score_sentence(summary)])


def _step(unit: Unit, step: Step, *, low: float, high: float) -> list[str]:
    name = f"{step.step} {step.kind.replace('_', ' ')}" + (f" (round {step.round})" if step.round > 1 else "")
    expected, got = (unit.gap(value) for value in (step.expected, step.got))
    return [name, step.turned, expected, unit.gap_range(low, high), got, "kept" if step.kept else "dropped"]


def _sweeps(summary: Summary) -> Iterator[RenderableType]:
    for sweep in summary.sweeps:
        yield _heading(sweep.title)
        yield sweep_line(summary.unit, sweep)
        yield from (f"Warning: {words}" for words in sweep.warnings)
        effects = [[row.title, row.before, row.after] for row in effect_rows(sweep)]
        if effects:
            yield _table(["measured without dropout", "no regularization", "chosen"], effects)
        yield from coupled_lines(summary.unit, sweep)
        yield from filter(None, [monte_carlo_line(summary.unit, sweep)])


def _trade(summary: Summary) -> Iterator[RenderableType]:
    if not summary.trade:
        return
    show = summary.unit.show
    sealed = "-" if summary.openings or summary.elsewhere else "sealed"
    rows = [
        [
            row.label,
            knob(row.l2),
            row.keep_probs,
            show(row.train),
            show(row.dev),
            show(row.test) if row.test else sealed,
        ]
        for row in summary.trade
    ]
    yield _heading(QUESTIONS["trade"])
    yield _table(["network", "λ", "keep_prob", "train", "dev", "test"], rows)
    yield trade_sentence(summary)


def _others(summary: Summary) -> Iterator[RenderableType]:
    if not summary.others:
        return
    unit, opened = summary.unit, summary.openings[:1]
    methods = [(each.label, each.dev, each.test) for each in summary.others]
    if summary.dev is not None:
        methods.insert(0, ("the network", summary.dev, opened[0].error if opened else None))
    rows = [
        [label, shown(unit, dev), interval_text(unit, dev), *([shown(unit, test)] if opened else [])]
        for label, dev, test in methods
    ]
    yield _heading(QUESTIONS["others"])
    yield _table([unit.noun, "dev", "95 % interval", *(["test"] if opened else [])], rows)


def _split(summary: Summary) -> Iterator[RenderableType]:
    split, unit = summary.split, summary.unit
    if split is None:
        return
    yield _heading(QUESTIONS["split"])
    yield split.policy
    yield split.precision
    if not summary.openings and not summary.elsewhere:
        yield f"The test set is sealed (SHA-256 {split.sha256[:12]}…): `wellfit unseal` opens it once."
    for opening in summary.openings:
        state = "certified" if opening.certified else "not certified"
        error = f"{shown(unit, opening.error)} ({interval_text(unit, opening.error)})"
        yield f"Opening {opening.opening}, {state}: test {unit.noun} {error}. Receipt {opening.receipt}"
    yield from map(elsewhere_sentence, summary.elsewhere)


def _findings(summary: Summary) -> Iterator[RenderableType]:
    if not summary.findings:
        return
    passed = [row.code for row in summary.findings if row.status == "passed"]
    yield _heading(QUESTIONS["findings"])
    for row in summary.findings:
        if row.status == "fired":
            evidence = "see the end." if row.evidence in summary.finished else row.evidence
            yield f"{row.code} {row.title}: {evidence}"
    yield f"Passed: {', '.join(passed) or 'none'}. `wellfit explain CODE` says what a finding means and what to do."


def _findings_in_full(findings: Sequence[Finding]) -> Iterator[RenderableType]:
    for row in findings:
        if row.status == "fired":
            yield f"{row.code} {row.title}: {row.evidence}"
            yield _indented(f"→ {row.remedy}", indent=6)
    absent = [row for row in findings if row.status == "not applicable"]
    unchecked = [row.code for row in absent if row.evidence.startswith("Not checked")]
    yield from (
        f"{row.code} {row.title}: not applicable. {row.evidence}" for row in absent if row.code not in unchecked
    )
    passed = [f"{row.code} {row.title}" for row in findings if row.status == "passed"]
    if passed:
        yield f"Passed: {', '.join(passed)}."
    if unchecked:
        yield f"Not checked here: {', '.join(unchecked)}."


def _prescription(unit: Unit, diagnosis: Diagnosis) -> Iterator[RenderableType]:
    """Return the remedies in order, each cause once."""
    earlier = ""
    for place, remedy in enumerate(diagnosis.prescription, start=1):
        cause, _, reason = remedy.why.partition(": ")
        if reason and cause != earlier:
            yield f"{cause}; closing it gains at most {unit.gap(remedy.ceiling)}:"
            earlier = cause
        yield _indented(f"{place}. {remedy.kind}: {reason or cause}", indent=2)
