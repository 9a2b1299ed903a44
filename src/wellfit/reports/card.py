"""The model card: what a model is, what it was made from, and what is known of its error, as Markdown.

The headings are those of "Model cards for model reporting" (Mitchell et al., 2019), as far as a journal can fill them.
Every number comes from the summary that the report is drawn from.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from wellfit.reports.records import Ladder, Network, SealCard, Summary
from wellfit.reports.values import Measure
from wellfit.units import Unit, knob


def model_card(summary: Summary) -> str:
    """Return the card of an experiment's model."""
    sections = {
        "Model": _model(summary),
        "Data": _data(summary.seal),
        "Error": _errors(summary),
        "Test set": _test(summary),
        "Other methods on the same rows": _others(summary),
        "What to know before it is used": _cautions(summary),
        "How to make it again": _again(summary),
    }
    blocks = [f"# {_text(summary.title)}", _text(summary.headline)]
    for title, lines in sections.items():
        body = "\n".join(lines)
        if body:
            blocks.append(f"## {title}\n\n{body}")
    return "\n\n".join(blocks) + "\n"


def _model(summary: Summary) -> Iterator[str]:
    if summary.best is None:
        return
    yield from _bullets(
        [
            ("task", summary.seal.task if summary.seal else ""),
            ("chosen by", f"{summary.unit.noun} on dev"),
            ("training ended", summary.best.status),
            ("probabilities", summary.tempered.sentence if summary.tempered else ""),
        ]
    )
    knobs = [*summary.optimization, *summary.regularization]
    yield ""
    yield from _table(["knob", "value"], [[each.name, each.after] for each in knobs])
    yield from _decay(summary.best)


def _decay(network: Network) -> Iterator[str]:
    if network.l2 and network.weight_decay is not None and network.shrink is not None:
        yield ""
        yield (
            f"λ = {knob(network.l2)} is a weight_decay of {knob(network.weight_decay)} for SGD and AdamW, and takes "
            f"{knob(network.shrink)} of each weight per update."
        )


def _data(seal: SealCard | None) -> Iterator[str]:
    if seal is None:
        return
    dropped = ", ".join(f"{name} ({why})" for name, why in seal.dropped)
    yield from _bullets(
        [
            ("source", seal.source),
            ("target", seal.target),
            ("classes", ", ".join(seal.classes)),
            ("features", str(seal.features)),
            ("left out", dropped),
            ("rows", ", ".join(f"{part} {count:,}" for part, count in seal.rows)),
            ("division", seal.policy),
            ("seed", str(seal.seed)),
        ]
    )


def _errors(summary: Summary) -> Iterator[str]:
    ladder, unit = summary.after, summary.unit
    if ladder is None:
        return
    yield from _table([unit.noun, "value", "95 % interval", "rows"], _rungs(ladder, unit))
    yield ""
    said = [[gap.name, unit.gap(gap.value, start=gap.start, end=gap.end), gap.verdict] for gap in ladder.gaps]
    yield from _table(["gap", "value", "high?"], said)


def _rungs(ladder: Ladder, unit: Unit) -> Iterator[list[str]]:
    if ladder.optimal is not None:
        low, high = unit.show(ladder.optimal.low), unit.show(ladder.optimal.high)
        yield [f"optimal ({ladder.optimal.name})", "", f"{low} to {high}", ""]
    for rung in ladder.rungs:
        if rung.measure is not None:
            yield [rung.label.lower(), *_measured(rung.measure, unit)]


def _measured(measure: Measure, unit: Unit) -> list[str]:
    interval = "exact" if measure.is_fixed else f"{unit.show(measure.low)} to {unit.show(measure.high)}"
    return [unit.show(measure.value), interval, "" if measure.rows is None else f"{measure.rows:,}"]


def _test(summary: Summary) -> Iterator[str]:
    if summary.seal is not None:
        yield f"Sealed {summary.seal.sealed_at}, SHA-256 `{summary.seal.sha256}`."
        yield ""
    if not summary.openings:
        yield "Nobody has opened it: the error on new rows is not proven yet."
    for opening in summary.openings:
        value, interval, rows = _measured(opening.error, summary.unit)
        state = "certified" if opening.certified else f"not certified ({opening.reason})"
        yield (
            f"- opening {opening.opening}, {state}: {summary.unit.noun} {value} ({interval}, {rows} rows), "
            f"receipt `{opening.receipt}`"
        )


def _others(summary: Summary) -> Iterator[str]:
    rows = [[each.label, *_measured(each.dev, summary.unit)[:2]] for each in summary.others if each.dev is not None]
    if rows:
        yield from _table(["method", f"dev {summary.unit.noun}", "95 % interval"], rows)


def _cautions(summary: Summary) -> Iterator[str]:
    for found in summary.findings:
        if found.status == "fired":
            yield f"- {found.code} {found.title}: {_text(found.evidence)}"


def _again(summary: Summary) -> Iterator[str]:
    if summary.redo is None:
        return
    yield f"    {' '.join(summary.redo.command.split())}"
    yield ""
    versions = ", ".join(f"{name} {version}" for name, version in summary.redo.versions)
    yield from _bullets([("data", summary.redo.data), ("seed", str(summary.redo.seed)), ("versions", versions)])


def _bullets(pairs: Iterable[tuple[str, str]]) -> Iterator[str]:
    yield from (f"- {name}: {_text(value)}" for name, value in pairs if value)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    yield from (f"| {' | '.join(_cell(cell) for cell in row)} |" for row in rows)


def _cell(text: str) -> str:
    return _text(text).replace("|", "\\|")


def _text(text: str) -> str:
    """One line that Markdown takes as text: names of columns and classes are a stranger's."""
    line = " ".join(text.split())
    return line.replace("\\", "\\\\").replace("<", "&lt;").replace("[", "\\[").replace("`", "\\`")
