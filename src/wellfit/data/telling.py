"""The decisions made while reading DATA, as lines for a person: task, classes, types, missing words, dates, dropped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from wellfit.data.dialect import BLANKS, Dialect
from wellfit.data.missing import missing_option
from wellfit.data.schema import Column, Schema

MOST_SHOWN = 20  # classes and columns; split.json has all
_LONGEST_WORD = 60  # characters; a longer text is no word for a missing value
_DELIMITERS = {"\t": "tabs", BLANKS: "blanks"}
_PLURALS = {"number": "numbers", "category": "categories", "boolean": "true or false", "date": "dates"}


def told(schema: Schema, written: Dialect | None, *, unlabelled: int = 0) -> list[str]:
    """Return the lines that tell how DATA was read."""
    lines = [*(_file(written) if written else ()), _task(schema), _types(schema)]
    lines += _limited(_how_read(schema))
    lines += _missing(schema, unlabelled=unlabelled)
    lines += _odd(schema)
    dropped = [f"  {column.name}: {column.note}" for column in schema.dropped]
    return [*lines, *(["Left out:", *_limited(iter(dropped))] if dropped else [])]


def _limited(lines: Iterator[str]) -> list[str]:
    every = list(lines)
    rest = len(every) - MOST_SHOWN
    return every if rest <= 0 else [*every[:MOST_SHOWN], f"  and {rest:,} more columns (split.json lists them all)"]


def _file(written: Dialect) -> Iterator[str]:
    sign = _DELIMITERS.get(written.delimiter, repr(written.delimiter))
    parts = [f"Read as {written.encoding} text, {sign} between the fields"]
    if not written.header and written.skip == 0:
        parts.append("no header")
    if written.before:
        count = len(written.before)
        parts.append(f"skipped {count} line{'s' * (count > 1)} before the names ({written.before[0][:40]!r})")
    yield "; ".join(parts) + "."
    if written.garbled:
        yield f"Text such as {written.garbled!r} is probably in another encoding: name it with --encoding."


def _task(schema: Schema) -> str:
    if schema.task == "regression":
        return f"Task: regression, because {schema.target} is numeric (override with --task)."
    shown = [f"{name!r} {schema.counts.get(name, 0):,}" for name in schema.classes[:MOST_SHOWN]]
    more = f" and {len(schema.classes) - MOST_SHOWN:,} more" if len(schema.classes) > MOST_SHOWN else ""
    other = "" if schema.class_kind in ("string", "boolean") else " (override with --task)"
    classes = f"{len(schema.classes):,} classes of {schema.target}"
    return f"Task: classification, {classes}: {', '.join(shown)}{more}{other}."


def _types(schema: Schema) -> str:
    counts = Counter(column.kind for column in schema.features)
    kinds = ", ".join(f"{count:,} {_PLURALS[kind] if count > 1 else kind}" for kind, count in counts.most_common())
    return f"Features: {kinds}."


def _how_read(schema: Schema) -> Iterator[str]:
    for column in schema.columns:
        parts = _parts(column)
        if parts and (column.role != "dropped" or not column.note.startswith("asked")):
            yield f"  {column.name}: {'; '.join(parts)}"


def _parts(column: Column) -> list[str]:
    reading = column.reading
    parts = [reading.why] if reading.why else []
    if reading.first:
        parts.append(f"{'' if parts else 'dates, '}{reading.first} to {reading.last}")
    return parts


def _odd(schema: Schema) -> Iterator[str]:
    """Yield the option that would read odd words and numbers as missing; it repeats those already read as missing."""
    kept = [column.reading for column in schema.columns if column.role not in ("dropped", "picture")]
    odd = list(dict.fromkeys(word for reading in kept for word in reading.odd if len(word) <= _LONGEST_WORD))
    if odd:
        known = {word for column in schema.columns for word in column.reading.missing}
        named = " or ".join(odd[:MOST_SHOWN])
        yield f"If {named} means missing, split again with {missing_option(known, odd[:MOST_SHOWN])}."


def _missing(schema: Schema, *, unlabelled: int) -> Iterator[str]:
    found = [column for column in schema.columns if column.reading.missing]
    if not found:
        return
    yield "Read as missing (choose the words with --missing; --missing '' turns this off):"
    for column in found[:MOST_SHOWN]:
        words = ", ".join(f"{word!r} {count:,}" for word, count in column.reading.missing.items())
        target = column.role == "target"
        note = f"; {unlabelled:,} rows have no target and are in no part" if target and unlabelled else ""
        yield f"  {column.name}: {words}{note}"
    if len(found) > MOST_SHOWN:
        yield f"  and {len(found) - MOST_SHOWN:,} more columns (split.json lists them all)"
