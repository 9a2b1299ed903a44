"""A summary without the names of categories: for a page that leaves the house."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import PurePath

from wellfit.reports.records import Redo, SealCard, Summary

MARK = "[category]"


def redacted(summary: Summary) -> Summary:
    """The same numbers without class labels, and without any label in sentences that the data had a part in.

    The folder of the source goes too, and so do pictures; column names stay.
    """
    seal = summary.seal
    if seal is None:
        return summary
    hide = _hider(seal.classes)
    return replace(
        summary,
        seal=_seal(seal, hide),
        findings=tuple(
            replace(row, evidence=hide.sub(MARK, row.evidence), remedy=hide.sub(MARK, row.remedy))
            for row in summary.findings
        ),
        prescription=tuple(replace(row, why=hide.sub(MARK, row.why)) for row in summary.prescription),
        steps=tuple(
            replace(
                row, because=hide.sub(MARK, row.because), did=hide.sub(MARK, row.did), idea=hide.sub(MARK, row.idea)
            )
            for row in summary.steps
        ),
        sweeps=tuple(
            replace(card, warnings=tuple(hide.sub(MARK, words) for words in card.warnings)) for card in summary.sweeps
        ),
        finished=hide.sub(MARK, summary.finished),
        redo=summary.redo and _redo(summary.redo),
        pictures=None,
    )


def _seal(seal: SealCard, hide: re.Pattern[str]) -> SealCard:
    return replace(
        seal,
        source=_name(seal.source),
        classes=tuple(f"class {index + 1}" for index in range(len(seal.classes))),
        dropped=tuple((name, hide.sub(MARK, note)) for name, note in seal.dropped),
        duplicates=tuple((name, hide.sub(MARK, value)) for name, value in seal.duplicates),
    )


def _redo(redo: Redo) -> Redo:
    """Files by their names alone."""
    command = redo.command
    for path in filter(None, (redo.data, redo.more_data)):
        command = command.replace(path, _name(path))
    return replace(redo, command=command, data=_name(redo.data), more_data=_name(redo.more_data))


def _hider(classes: tuple[str, ...]) -> re.Pattern[str]:
    """Finds labels: as whole words, but short and numeric ones only in quotes, or numbers would go as well."""
    patterns = [
        rf"(?<!\w){re.escape(label)}(?!\w)" if _is_a_word(label) else rf"(?<=['\"]){re.escape(label)}(?=['\"])"
        for label in sorted(filter(None, classes), key=len, reverse=True)
    ]
    return re.compile("|".join(patterns) or r"(?!)")


def _is_a_word(label: str) -> bool:
    return len(label) > 2 and not re.fullmatch(r"[\d.,eE+-]+", label)


def _name(path: str) -> str:
    return PurePath(path.replace("\\", "/")).name
