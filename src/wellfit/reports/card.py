"""The model card in Markdown: the model, the data it was made from, and what is known about its error.

The headings are those of "Model cards for model reporting" (Mitchell et al., 2019), as far as a journal can fill them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from wellfit.records.units import Unit, knob, punctuated
from wellfit.reports.records import PARTS, SplitFacts, Summary
from wellfit.reports.redact import without_folders
from wellfit.reports.sentences import (
    elsewhere_sentence,
    gap_text,
    interval_text,
    optimal_source,
    rows_text,
    temperature_sentence,
)
from wellfit.reports.verdict import told
from wellfit.stats.intervals import LEVEL, Estimate


def model_card(summary: Summary) -> str:
    """Return the card of an experiment's model; it travels with the model, so it names no folder."""
    summary = told(without_folders(summary))
    sections = {
        "Model": _model(summary),
        "Data": _data(summary.split),
        "Error": _errors(summary),
        "Test set": _test(summary),
        "Other methods on the same rows": _others(summary),
        "What to know before you use it": _cautions(summary),
        "How to reproduce it": _again(summary),
    }
    blocks = [f"# {_text(summary.title)}", _text(summary.headline)]
    for title, lines in sections.items():
        body = "\n".join(lines)
        if body:
            blocks.append(f"## {title}\n\n{body}")
    return "\n\n".join(blocks) + "\n"


def _model(summary: Summary) -> Iterator[str]:
    best = summary.best
    if best is None:
        return
    yield from _bullets(
        [
            ("task", summary.split.task if summary.split else ""),
            ("chosen by", f"{summary.unit.noun} on dev"),
            ("training ended", best.outcome.status.value),
            ("probabilities", temperature_sentence(summary.temperature) if summary.temperature else ""),
        ]
    )
    knobs = [*summary.optimization, *summary.regularization]
    yield ""
    yield from _table(["knob", "value"], [[each.name, each.after] for each in knobs])
    if best.l2 and not best.parts and best.weight_decay is not None and best.shrink is not None:
        yield ""
        yield (
            f"λ = {knob(best.l2)} is a weight_decay of {knob(best.weight_decay)} for SGD and AdamW, and removes "
            f"{knob(best.shrink)} of each weight per update."
        )


def _data(split: SplitFacts | None) -> Iterator[str]:
    if split is None:
        return
    dropped = ", ".join(f"{name} ({why})" for name, why in split.dropped)
    yield from _bullets(
        [
            ("source", split.source),
            ("target", split.target),
            ("classes", ", ".join(split.classes)),
            ("features", str(split.features)),
            ("left out", dropped),
            ("rows", ", ".join(f"{part} {count:,}" for part, count in split.rows)),
            ("division", split.policy),
            ("seed", str(split.seed)),
        ]
    )


def _errors(summary: Summary) -> Iterator[str]:
    ladder, unit = summary.after, summary.unit
    if ladder is None:
        return
    optimal = ladder.diagnosis.errors.optimal
    limits = unit.interval(optimal.at_level(LEVEL))
    rows = [[f"optimal ({optimal_source(optimal)})", "", limits, ""]]
    rows += [[PARTS[part].lower(), *_measured(error, unit)] for part, error in ladder.errors.items() if error]
    yield from _table([unit.noun, "value", "95% interval", "rows"], rows)
    yield ""
    gaps = [[gap.kind.noun, gap_text(unit, ladder, gap, sign=True), gap.verdict] for gap in ladder.gaps]
    yield from _table(["gap", "value", "high?"], gaps)


def _measured(error: Estimate, unit: Unit) -> list[str]:
    return [unit.show(error.value), interval_text(unit, error), rows_text(error)]


def _test(summary: Summary) -> Iterator[str]:
    if summary.split is not None:
        yield f"Sealed {summary.split.sealed_at}, SHA-256 `{summary.split.sha256}`."
        yield ""
    if not summary.openings and not summary.elsewhere:
        yield "The test set has not been opened, so the error on new rows has not been measured yet."
    for opening in summary.openings:
        value, interval, rows = _measured(opening.error, summary.unit)
        state = "certified" if opening.certified else f"not certified ({opening.reason})"
        yield (
            f"- opening {opening.opening}, {state}: {summary.unit.noun} {value} ({interval}, {rows} rows), "
            f"receipt `{opening.receipt}`"
        )
    yield from (f"- {elsewhere_sentence(opening)}" for opening in summary.elsewhere)


def _others(summary: Summary) -> Iterator[str]:
    rows = [[each.label, *_measured(each.dev, summary.unit)[:2]] for each in summary.others]
    if rows:
        yield from _table(["method", f"dev {summary.unit.noun}", "95% interval"], rows)


def _cautions(summary: Summary) -> Iterator[str]:
    for found in summary.findings:
        if found.status == "fired":
            yield f"- {found.code} {found.title}: {_text(punctuated(found.evidence))}"


def _again(summary: Summary) -> Iterator[str]:
    if summary.again is None:
        return
    yield f"    {' '.join(summary.again.command.split())}"
    yield ""
    versions = ", ".join(f"{name} {version}" for name, version in summary.again.versions)
    yield from _bullets([("data", summary.again.data), ("seed", str(summary.again.seed)), ("versions", versions)])


def _bullets(pairs: Iterable[tuple[str, str]]) -> Iterator[str]:
    yield from (f"- {name}: {_text(value)}" for name, value in pairs if value)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        cells = (_text(cell).replace("|", "\\|") for cell in row)
        yield f"| {' | '.join(cells)} |"


def _text(text: str) -> str:
    """Return one line that Markdown shows as text: names of columns and classes are not trusted."""
    line = " ".join(text.split())
    return line.replace("\\", "\\\\").replace("<", "&lt;").replace("[", "\\[").replace("`", "\\`")
