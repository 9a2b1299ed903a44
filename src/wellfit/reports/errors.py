"""What a model gets wrong, in lines: rows, confusions, classes, and what fixing the errors of each tag could win."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from wellfit.diagnosis.error_analysis import ErrorAnalysis, ErrorRow, ErrorShares
from wellfit.records.units import Unit

WIDTH = 100
_UNSURE = 5


def errors_text(found: ErrorAnalysis, width: int = WIDTH) -> str:
    """Return an analysis of errors in lines of at most `width` columns."""
    lines = [(line, " " * (len(line) - len(line.lstrip()) + 2)) for line in _lines(found)]
    said = (textwrap.fill(line, width, subsequent_indent=indent) for line, indent in lines)
    return "\n".join(said)


def counted(count: int, noun: str) -> str:
    """Return a number with its noun: 1 row, 2 rows."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def shares_lines(found: ErrorShares, unit: Unit) -> Iterator[str]:
    """Yield the kinds of errors without their rows; `unit` is that of the error, or of the squared error."""
    yield from part_lines(found, unit)
    yield from class_lines(found, unit)
    yield from tag_lines(found, unit)


def _lines(found: ErrorAnalysis) -> Iterator[str]:
    unit = Unit(found.goal)
    yield from part_lines(found, unit)
    if found.finding is not None and found.finding.status == "fired":
        yield f"{found.finding.code} {found.finding.title}: {found.finding.evidence} {found.finding.remedy}"
    yield from _row_lines("Most wrong", found.rows)
    yield from _row_lines("Least sure", found.unsure[:_UNSURE])
    yield from class_lines(found, unit)
    yield from tag_lines(found, unit)


def part_lines(found: ErrorShares, unit: Unit) -> Iterator[str]:
    """Yield the error on the rows to look at, and on the others."""
    own = found.eyeball
    wrong = f" with {counted(found.errors, 'error')}" if unit.goal.counts_rows else ""
    yield (
        f"To look at (eyeball): {own.rows:,} dev rows{wrong}; {unit.noun} {unit.show(own.value)} "
        f"({unit.interval(own)})."
    )
    if found.blackbox is not None:
        rest = found.blackbox
        yield (
            f"Not to be looked at (blackbox): {rest.rows:,} dev rows; {unit.noun} {unit.show(rest.value)} "
            f"({unit.interval(rest)})."
        )


def class_lines(found: ErrorShares, unit: Unit) -> Iterator[str]:
    """Yield the classes that are taken for each other, and those with the highest error."""
    if found.confusions:
        said = "; ".join(f"{each.y} for {each.prediction} ({each.rows})" for each in found.confusions)
        yield f"Classes most often taken for another one (dev rows): {said}."
    if found.classes:
        said = "; ".join(
            f"{name}: {unit.show(each.value)} of {each.rows:,} rows" for name, each in found.classes.items()
        )
        yield f"Worst classes: {said}."


def _row_lines(title: str, rows: Sequence[ErrorRow]) -> Iterator[str]:
    if not rows:
        return
    yield f"{title}:"
    for each in rows:
        tags = f"  [{', '.join(each.tags)}]" if each.tags else ""
        yield f"  row {each.row:<7} {each.y}, predicted {each.prediction}{tags}"


def tag_lines(found: ErrorShares, unit: Unit) -> Iterator[str]:
    """Yield what was looked at, and for each tag its share and its ceiling."""
    what = "errors" if unit.goal.counts_rows else "squared error"
    if found.seen:
        yield f"Looked at: the first {found.seen:,} of {found.errors:,}."
    for name, each in found.tags.items():
        limits = f"{100 * each.low:.0f} to {100 * each.high:.0f} %"
        said = f"  {name}: {100 * each.share:.0f} % of the {what} ({limits}, {counted(each.rows, 'row')})"
        if unit.goal.counts_rows:
            limits = f"{100 * each.ceiling_low:.1f} to {100 * each.ceiling_high:.1f}"
            said += f"; fixing all of it wins at most {unit.gap(each.ceiling)} ({limits})"
        yield f"{said}."
