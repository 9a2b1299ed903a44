"""A summary without the names of categories, for a page that is shared."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import PurePath

from wellfit.reports.records import Diagnosed, Reproduction, SplitFacts, Summary

MARK = "[category]"


def redacted(summary: Summary) -> Summary:
    """Return the same numbers without class labels, tags, folders and pictures, also in sentences; columns stay."""
    if summary.split is None:
        return summary
    mark = partial(_pattern(summary.split.classes).sub, MARK)
    after = summary.after and _diagnosed(summary.after, mark)
    return replace(
        summary,
        split=_split(summary.split, mark),
        before=after if summary.before is summary.after else summary.before and _diagnosed(summary.before, mark),
        after=after,
        steps=tuple(
            replace(step, because=mark(step.because), did=mark(step.did), idea=mark(step.idea))
            for step in summary.steps
        ),
        sweeps=tuple(replace(sweep, warnings=tuple(map(mark, sweep.warnings))) for sweep in summary.sweeps),
        finished=mark(summary.finished),
        again=summary.again and _reproduction(summary.again),
        pictures=None,
        errors=None,
    )


def without_folders(summary: Summary) -> Summary:
    """Return the same summary with file names only, to be shared: folders may name people."""
    return replace(
        summary,
        split=summary.split and replace(summary.split, source=_name(summary.split.source)),
        again=summary.again and _reproduction(summary.again),
    )


def _diagnosed(found: Diagnosed, mark: Callable[[str], str]) -> Diagnosed:
    diagnosis = found.diagnosis
    findings = tuple(replace(row, evidence=mark(row.evidence), remedy=mark(row.remedy)) for row in diagnosis.findings)
    prescription = tuple(replace(row, why=mark(row.why)) for row in diagnosis.prescription)
    return replace(found, diagnosis=replace(diagnosis, findings=findings, prescription=prescription))


def _split(split: SplitFacts, mark: Callable[[str], str]) -> SplitFacts:
    return replace(
        split,
        source=_name(split.source),
        classes=tuple(f"class {index + 1}" for index in range(len(split.classes))),
        dropped=tuple((name, mark(note)) for name, note in split.dropped),
    )


def _reproduction(again: Reproduction) -> Reproduction:
    """Return files by name only."""
    command = again.command
    for path in filter(None, (again.data, again.more_data)):
        command = command.replace(path, _name(path))
    return replace(again, command=command, data=_name(again.data), more_data=_name(again.more_data))


def _pattern(classes: tuple[str, ...]) -> re.Pattern[str]:
    """Finds labels: as whole words, but short and numeric ones only in quotes, so that numbers stay."""
    patterns = [
        rf"(?<!\w){re.escape(label)}(?!\w)" if _is_a_word(label) else rf"(?<=['\"]){re.escape(label)}(?=['\"])"
        for label in sorted(filter(None, classes), key=len, reverse=True)
    ]
    return re.compile("|".join(patterns) or r"(?!)")


def _is_a_word(label: str) -> bool:
    return len(label) > 2 and not re.fullmatch(r"[\d.,eE+-]+", label)


def _name(path: str) -> str:
    return PurePath(path.replace("\\", "/")).name
