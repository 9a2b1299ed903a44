"""The end of a run, the whole report and a diagnosis for a terminal: readable without colour, at any width."""

from __future__ import annotations

import io
import re
import shlex
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING

from wellfit.diagnosis.diagnosis import Diagnosis
from wellfit.diagnosis.findings import Finding, topic_of
from wellfit.diagnosis.prescribe import is_cut_short as training_cut_short
from wellfit.records.goals import default_goal
from wellfit.records.units import Unit, punctuated, seconds, typeset
from wellfit.reports.errors import shares_lines
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
    optimal_note,
    optimal_source,
    optimal_text,
    rows_text,
    score_sentence,
    shown,
    sweep_line,
    temperature_sentence,
    tolerance_note,
    trade_sentence,
    verdict_text,
    without_gain,
)
from wellfit.reports.sweep_card import effect_rows
from wellfit.reports.verdict import cares, is_cut_short, most_text, next_steps, standing, state_of, why_not

if TYPE_CHECKING:
    from rich.console import RenderableType

WIDTH = 100
MOST_LINES = 25
_NARROW = 80
"""Columns below which intervals are left out of the end of a run."""
_STYLES = {"yes": "red", "no": "green", "cannot tell": "yellow"}


def render_text(summary: Summary, *, width: int = WIDTH, color: bool = False) -> str:
    """Write the whole report; the text wraps to `width` columns, with escape codes if it is in color."""
    return _printed(_blocks(summary), width=width, color=color)


def render_end(summary: Summary, *, path: str = "", width: int = WIDTH, color: bool = False) -> str:
    """Write the end of a run: what was wrong, what was done, how sure that is, what is next, in 25 lines.

    `path` is the experiment's folder, for the commands that show the rest.
    """
    text = ""
    for steps in range(len(summary.steps), -1, -1):
        text = _printed(_end(summary, path=path, steps=steps, width=width), width=width, color=color)
        if text.count("\n") <= MOST_LINES:
            break
    return text


def diagnosis_text(diagnosis: Diagnosis, *, width: int = WIDTH) -> str:
    """Write a diagnosis: errors, gaps, findings with their remedies, the prescription."""
    return _printed(_diagnosis_blocks(diagnosis), width=width, color=False).rstrip("\n")


def findings_text(findings: Sequence[Finding], *, width: int = WIDTH) -> str:
    """Write findings, those that fired first, with their remedies."""
    return _printed(_findings_in_full(findings), width=width, color=False).strip("\n")


def _printed(blocks: Iterable[RenderableType | _Wrapped], *, width: int, color: bool) -> str:
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
        if isinstance(block, _Wrapped):
            console.print(block.lines, soft_wrap=True)
        else:
            console.print(_unbroken(block) if isinstance(block, str) else block)
    shown = sink.getvalue().replace(_NO_BREAK, " ")
    return "\n".join(line.rstrip() for line in shown.splitlines()) + "\n"


_NO_BREAK = "\ue000"
"""Stands for a space inside a command until the lines are broken."""


def _unbroken(words: str) -> str:
    """Typeset words, but leave the commands in them as they are, and on one line."""
    parts, write = re.split("(`[^`]+`)", words), punctuated if isinstance(words, _Told) else typeset
    return "".join(part.replace(" ", _NO_BREAK) if place % 2 else write(part) for place, part in enumerate(parts))


class _Told(str):
    """A sentence that may contain names from the data."""


def _end(summary: Summary, *, path: str, steps: int, width: int) -> Iterator[RenderableType | _Wrapped]:
    from rich.text import Text

    yield Text(_subject(summary), style="dim")
    yield Text(f"\n{summary.headline}", style="bold")
    yield from summary.remarks
    if summary.after is not None and not is_cut_short(summary.best):
        yield ""
        yield _rungs(summary, summary.after, wide=width >= _NARROW)
    yield from _taken(summary, most=steps)
    told = {"Take care": list(cares(summary)), "Next": list(next_steps(summary))[:2]}
    if path:
        folder = shlex.quote(path)
        told["Report"] = [f"`{PurePath(path) / 'report.html'}`; all of it: `wellfit show {folder} --full`"]
        if summary.split is not None and not summary.openings and not summary.elsewhere:
            told["Test set"] = [f"sealed: `wellfit unseal {folder}` opens it, once"]
    if any(told.values()):
        yield ""
        yield _labelled(told, width=width)


def _subject(summary: Summary) -> str:
    if summary.split is None:
        return summary.title
    counts = [f"{rows:,} {part.lower()}" for part, rows in summary.split.rows]
    return f"{summary.title}: {', '.join(counts)}" + ("" if summary.openings else " (sealed)")


def _rungs(summary: Summary, after: Diagnosed, *, wide: bool) -> RenderableType:
    """Return each error before and now, with the gap to the one above it."""
    unit = summary.unit
    earlier = summary.before if summary.before is not after and not is_cut_short(summary.first) else None
    optimal = after.diagnosis.errors.optimal
    whole = optimal_text(unit, optimal).removeprefix("unknown: ")
    is_open = optimal.source == "none"
    blank = [""] if earlier else []
    rows = [["optimal", *blank, "unknown" if is_open else whole, whole if is_open else "", "", ""]]
    for part, error in after.errors.items():
        gap = next((each for each in after.gaps if _UPPER[each.name] == part), None)
        gap = gap or next((each for each in after.gaps if part == "dev" and each.name == "variance"), None)
        old = [shown(unit, earlier.errors.get(part)) if earlier.errors.get(part) else ""] if earlier else []
        told = f"{gap.kind.cause} {gap_text(unit, after, gap).removesuffix(' points')}" if gap else ""
        verdict = "" if gap is None else "no" if gap.below_reference else gap.verdict
        now = shown(unit, error) if error else "sealed"
        limits = interval_text(unit, error) if error and not error.is_fixed else ""
        rows.append([PARTS[part].lower(), *old, now, limits, told, verdict])
    gap_head = "gap, in points" if unit.is_percent else "gap"
    head = [unit.noun, *(["before"] if earlier else []), "now", "95% interval", gap_head, "too large?"]
    kept = [place for place, name in enumerate(head) if wide or name != "95% interval"]
    return _table([head[place] for place in kept], [[row[place] for place in kept] for row in rows])


_UPPER = {"avoidable_bias": "train", "variance": "train_dev", "mismatch": "dev", "dev_overfit": "test"}
"""The part at the upper end of each gap; without train-dev, dev is that of the variance."""


def _taken(summary: Summary, *, most: int) -> Iterator[RenderableType]:
    """Return the steps of the run, those that led to the network first to be kept where there are too many lines."""
    if not summary.steps or most == 0:
        return
    unit = summary.unit
    path = sorted(summary.path, key=lambda step: step.after["dev"] - step.before["dev"])
    wanted = [*path, *(step for step in summary.steps if step not in path)][:most]
    rows = [
        [
            f"{step.step}",
            step.did if len(step.did) <= _LONG else step.did.partition(":")[0],  # without a long list of knobs
            f"{unit.show(step.before['dev'])} → {unit.show(step.after['dev'])}",
            state_of(summary, step),
        ]
        for step in summary.steps
        if step in wanted
    ]
    if most < len(summary.steps):
        rows.append(["", f"and {len(summary.steps) - most} more", "", ""])
    yield ""
    yield _table(["step", "", f"dev {unit.noun}", ""], rows, left=2)
    yield from filter(None, [standing(summary, summary.steps)])


_LONG = 48


@dataclass(frozen=True)
class _Wrapped:
    """Lines that are broken already; one may be longer than the terminal is wide."""

    lines: str


def _labelled(told: Mapping[str, Sequence[str]], *, width: int) -> _Wrapped:
    """Return sentences beside their labels; a path or a command that is too long for a line is never cut or broken."""
    indent = max(len(name) for name, each in told.items() if each) + 2
    lines = [
        textwrap.fill(
            _unbroken(words),
            width,
            initial_indent=("" if place else name).ljust(indent),
            subsequent_indent=" " * indent,
            break_long_words=False,
            break_on_hyphens=False,
        )
        for name, each in told.items()
        for place, words in enumerate(each)
    ]
    return _Wrapped("\n".join(lines))


def _blocks(summary: Summary) -> Iterator[RenderableType]:
    from rich.text import Text

    yield Text(summary.headline, style="bold")
    yield from summary.remarks
    whole = not is_cut_short(summary.best)
    if summary.after is not None and whole:
        yield _heading(QUESTIONS["ladder"])
        yield from _ladder(summary.unit, summary.after, summary.before)
    yield from _knobs(summary)
    yield from _steps(summary)
    yield from _fits(summary)
    yield from _sweeps(summary)
    yield from _trade(summary)
    yield from _others(summary)
    yield from _errors_by_kind(summary)
    yield from _split(summary)
    yield from _findings(summary) if whole else ()
    told = list(next_steps(summary))
    if told:
        yield _heading(QUESTIONS["next"])
        yield from told
    if summary.finished and whole:
        # The reason why the run stopped comes last: a sentence that a manager understands.
        yield _heading(QUESTIONS["end"])
        yield summary.finished
        yield from [summary.time.sentence] if summary.time else []


def _diagnosis_blocks(diagnosis: Diagnosis) -> Iterator[RenderableType]:
    from rich.text import Text

    unit = Unit(diagnosis.goal)
    yield Text(diagnosis.headline, style="bold")
    yield ""
    found = Diagnosed(diagnosis=diagnosis, has_test=False)
    if training_cut_short(diagnosis.findings):
        yield _errors(unit, found, None)
        return
    yield from _ladder(unit, found, None)
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


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], *, left: int = 1) -> RenderableType:
    """Return a table whose columns are never narrower than their longest word; only the first `left` ones wrap."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for index, name in enumerate(head):
        words = [word for cell in (name, *(row[index] for row in rows)) for word in cell.split()]
        least = min(max(map(len, words), default=1), _LONG)
        table.add_column(name, justify="left" if index < left else "right", overflow="fold", min_width=least)
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
    return _table([unit.noun, *(["before"] if earlier else []), "now", "95% interval", "rows"], rows)


def _gaps(unit: Unit, after: Diagnosed, earlier: Diagnosed | None) -> RenderableType:
    rows = []
    for gap in after.gaps:
        old = earlier.diagnosis.gap(gap.name) if earlier else None
        before = [gap_text(unit, earlier, old, sign=True) if old else ""] if earlier else []
        name = gap.kind.noun + (" (with any mismatch)" if gap.includes_mismatch else "")
        now = gap_text(unit, after, gap, sign=True)
        rows.append([name, verdict_text(after, gap), *before, now, gap_interval(unit, after, gap)])
    return _table(["gap", "high?", *(["before"] if earlier else []), "now", "95% interval"], rows, left=2)


def _knobs(summary: Summary) -> Iterator[RenderableType]:
    boards = {"data": summary.data, "optimization": summary.optimization, "regularization": summary.regularization}
    turned = [[board, it.name, it.before, it.after] for board, knobs in boards.items() for it in knobs if it.turned]
    if turned:
        yield _heading(QUESTIONS["knobs"])
        yield _table(["board", "knob", "before", "now"], turned, left=2)
    if summary.temperature is not None:
        yield ""
        yield temperature_sentence(summary.temperature)


def _steps(summary: Summary) -> Iterator[RenderableType]:
    unit = summary.unit
    rows = [_step(unit, step, low=step.low or 0.0, high=step.high) for step in summary.steps if step.high is not None]
    if rows:
        yield _heading(QUESTIONS["steps"])
        yield _table(["step", "board", "expected", "90% interval", "got"], rows, left=2)
    sentences = [luck_sentence(unit, step) for step in summary.steps]
    sentences += [without_gain(step) for step in summary.steps]
    yield from filter(None, [*sentences, standing(summary, summary.steps), score_sentence(summary)])


def _step(unit: Unit, step: Step, *, low: float, high: float) -> list[str]:
    name = f"{step.step} {step.kind.replace('_', ' ')}" + (f" (round {step.round})" if step.round > 1 else "")
    end = step.before["train" if step.board == "optimization" and not step.coupled else "dev"]
    expected, got = (unit.gap(value, end=end) for value in (step.expected, step.got))
    limits = unit.gap_range(low, high, end=end)
    return [f"{name}: {'kept' if step.kept else 'dropped'}", step.turned, expected, limits, got]


def _fits(summary: Summary) -> Iterator[RenderableType]:
    if summary.fits is None:
        return
    show = summary.unit.show
    rows = [
        [
            f"{row.number}",
            *row.knobs,
            show(row.train) if row.train is not None else "-",
            show(row.dev) if row.dev is not None else "-",
            seconds(row.seconds),
            row.note,
        ]
        for row in summary.fits.rows
    ]
    yield _heading(QUESTIONS["fits"])
    yield _table(["fit", *summary.fits.knobs, "train", "dev", "took", ""], rows)
    yield from filter(None, [summary.fits.noise])


def _sweeps(summary: Summary) -> Iterator[RenderableType]:
    for sweep in summary.sweeps:
        yield _heading(sweep.title)
        yield sweep_line(summary.unit, sweep)
        yield from filter(None, [why_not(summary, sweep.chosen.identity) if sweep.chosen else ""])
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
            row.lambdas,
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
    yield _table([unit.noun, "dev", "95% interval", *(["test"] if opened else [])], rows)


def _errors_by_kind(summary: Summary) -> Iterator[RenderableType]:
    if summary.errors is not None:
        yield _heading(QUESTIONS["errors"])
        yield from shares_lines(summary.errors, Unit(default_goal(summary.unit.goal.task)))


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
    yield _heading(QUESTIONS["findings"])
    for row in summary.findings:
        if row.status == "fired":
            evidence = "see the end." if typeset(row.evidence) in summary.finished else row.evidence
            yield _Told(f"{row.code} {row.title}: {evidence}")
    passed = [f"{topic_of(row)} ({row.code})" for row in summary.findings if row.status == "passed"]
    yield f"Looked at and found in order: {', '.join(passed) or 'nothing'}."
    yield "`wellfit explain CODE` says what a finding means and what to do."


def _findings_in_full(findings: Sequence[Finding]) -> Iterator[RenderableType]:
    for row in findings:
        if row.status == "fired":
            yield _Told(f"{row.code} {row.title}: {row.evidence}")
            yield _indented(f"→ {row.remedy}", indent=6)
    absent = [row for row in findings if row.status == "not applicable"]
    unchecked = [row.code for row in absent if row.evidence.startswith("Not checked")]
    yield from (
        _Told(f"{row.code} {row.title}: not applicable. {row.evidence}") for row in absent if row.code not in unchecked
    )
    passed = [f"{topic_of(row)} ({row.code})" for row in findings if row.status == "passed"]
    if passed:
        yield f"Looked at and found in order: {', '.join(passed)}."
    if unchecked:
        yield f"Not checked here: {', '.join(unchecked)}."


def _prescription(unit: Unit, diagnosis: Diagnosis) -> Iterator[RenderableType]:
    """Return the remedies in order, each cause once."""
    earlier = ""
    for place, remedy in enumerate(diagnosis.prescription, start=1):
        cause, _, reason = remedy.why.partition(": ")
        if reason and cause != earlier:
            yield f"{cause}; closing it gains {most_text(unit, diagnosis, remedy)}:"
            earlier = cause
        kind = "" if remedy.kind == "none" else f"{remedy.kind.replace('_', ' ')}: "
        yield _indented(f"{place}. {kind}{reason or cause}", indent=2)
