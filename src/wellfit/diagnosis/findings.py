"""Findings: coded, three-valued answers with evidence and a remedy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from wellfit.base.serialize import Record, omitted_if
from wellfit.diagnosis.catalogue import entry_of
from wellfit.stats.intervals import Estimate

FindingStatus = Literal["fired", "passed", "not applicable"]


@dataclass(frozen=True)
class Finding(Record):
    """One check: what was found, and what to do when it fired; `interval` where one number decides it."""

    code: str
    title: str
    status: FindingStatus
    evidence: str
    remedy: str
    interval: Estimate | None = field(default=None, metadata=omitted_if(None))


def finding(code: str, *, fired: bool | None, evidence: str, interval: Estimate | None = None) -> Finding:
    """Return an entry of the catalogue with its outcome; `fired` None means not applicable."""
    entry = entry_of(code)
    status: FindingStatus = "not applicable" if fired is None else "fired" if fired else "passed"
    return Finding(entry.code, entry.title, status, evidence, entry.remedy, interval)


def fired(findings: Sequence[Finding], codes: Sequence[str]) -> tuple[Finding, ...]:
    """Return the findings of these codes that fired, in the order of the codes."""
    by_code = {found.code: found for found in findings if found.status == "fired"}
    return tuple(by_code[code] for code in codes if code in by_code)
