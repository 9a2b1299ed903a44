"""A summary without the names of categories: for a page that leaves the house."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import PurePath

from wellfit.reports.records import Diagnosed, Reproduction, SplitFacts, Step, Summary

MARK = "[category]"


def redacted(summary: Summary) -> Summary:
    """The same numbers without class labels, also in sentences that were made from the data.

    The folder of the source goes too, and so do pictures; column names stay.
    """
    if summary.split is None:
        return summary
    hide = _pattern(summary.split.classes)
    after = summary.after and _diagnosed(summary.after, hide)
    return replace(
        summary,
        split=_split(summary.split, hide),
        before=after if summary.before is summary.after else summary.before and _diagnosed(summary.before, hide),
        after=after,
        steps=tuple(_step(step, hide) for step in summary.steps),
        sweeps=tuple(
            replace(sweep, warnings=tuple(hide.sub(MARK, words) for words in sweep.warnings))
            for sweep in summary.sweeps
        ),
        finished=hide.sub(MARK, summary.finished),
        again=summary.again and _reproduction(summary.again),
        pictures=None,
    )


def without_folders(summary: Summary) -> Summary:
    """The same summary with files named alone, for what leaves the house: folders tell of people."""
    return replace(
        summary,
        split=summary.split and replace(summary.split, source=_name(summary.split.source)),
        again=summary.again and _reproduction(summary.again),
    )


def _diagnosed(found: Diagnosed, hide: re.Pattern[str]) -> Diagnosed:
    diagnosis = found.diagnosis
    findings = tuple(
        replace(row, evidence=hide.sub(MARK, row.evidence), remedy=hide.sub(MARK, row.remedy))
        for row in diagnosis.findings
    )
    prescription = tuple(replace(row, why=hide.sub(MARK, row.why)) for row in diagnosis.prescription)
    return replace(found, diagnosis=replace(diagnosis, findings=findings, prescription=prescription))


def _step(step: Step, hide: re.Pattern[str]) -> Step:
    because, did, idea = (hide.sub(MARK, words) for words in (step.because, step.did, step.idea))
    return replace(step, because=because, did=did, idea=idea)


def _split(split: SplitFacts, hide: re.Pattern[str]) -> SplitFacts:
    return replace(
        split,
        source=_name(split.source),
        classes=tuple(f"class {index + 1}" for index in range(len(split.classes))),
        dropped=tuple((name, hide.sub(MARK, note)) for name, note in split.dropped),
    )


def _reproduction(again: Reproduction) -> Reproduction:
    """Files by their names alone."""
    command = again.command
    for path in filter(None, (again.data, again.more_data)):
        command = command.replace(path, _name(path))
    return replace(again, command=command, data=_name(again.data), more_data=_name(again.more_data))


def _pattern(classes: tuple[str, ...]) -> re.Pattern[str]:
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
