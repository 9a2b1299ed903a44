"""Findings (coded, three-valued answers with evidence and a remedy) and the catalogue that explains each code."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from wellfit.base.arguments import named
from wellfit.base.serialize import Record, omitted_if
from wellfit.diagnosis.catalogue import data, gradients, model, network, shift
from wellfit.diagnosis.catalogue.entry import CatalogueEntry
from wellfit.exceptions import BadInput
from wellfit.stats.intervals import Estimate

CATALOGUE: Mapping[str, CatalogueEntry] = {
    entry.code: entry for entries in (model.ENTRIES, data.ENTRIES, shift.ENTRIES) for entry in entries
}
"""The codes in every diagnosis."""
OF_NETWORKS: Mapping[str, CatalogueEntry] = {entry.code: entry for entry in (*network.ENTRIES, *gradients.ENTRIES)}
"""The codes of `wf.check`."""
EXPLAINED: Mapping[str, CatalogueEntry] = {**CATALOGUE, **OF_NETWORKS}


def entry_of(code: str) -> CatalogueEntry:
    """Return the entry of a code, given in upper or lower case.

    Raises:
        BadInput: for a code that is not in the catalogue; names the nearest one.
    """
    found = EXPLAINED.get(code.strip().upper())
    if found is not None:
        return found
    nearest = difflib.get_close_matches(code.strip().upper().replace("O", "0"), EXPLAINED, n=1, cutoff=0.0)[0]
    raise BadInput(
        "a finding must have a code such as WF102",
        found=repr(code),
        remedy=f"Did you mean {nearest}? Known codes: {', '.join(EXPLAINED)}",
    )


@named
def explain(code: str) -> str:
    """Explain a finding: its meaning, its computation, and its remedy.

    Raises:
        BadInput: for a code that is not in the catalogue; names the nearest one.
    """
    return str(entry_of(code))


UNCHECKED = "Not checked: this check needs the table or the training run itself."
"""The evidence of a check that had nothing to look at."""
FindingStatus = Literal["fired", "passed", "not applicable"]


@dataclass(frozen=True)
class Finding(Record):
    """The result of one check: the evidence, the remedy if it fired, and an `interval` if one number decides it."""

    code: str
    title: str
    status: FindingStatus
    evidence: str
    remedy: str
    interval: Estimate | None = field(default=None, metadata=omitted_if(None))


def finding(code: str, *, fired: bool | None, evidence: str, interval: Estimate | None = None) -> Finding:
    """Return the finding of a catalogue entry with its outcome; `fired` None means not applicable."""
    entry = entry_of(code)
    status: FindingStatus = "not applicable" if fired is None else "fired" if fired else "passed"
    return Finding(entry.code, entry.title, status, evidence, entry.remedy, interval)


def counted(findings: Sequence[Finding]) -> str:
    """Return in one line which findings fired, and how many did not."""
    fired_codes = ", ".join(found.code for found in findings if found.status == "fired")
    states = [found.status for found in findings]
    return f"fired {fired_codes or 'none'}; {states.count('passed')} passed, {states.count('not applicable')} open"


def findings_frame(findings: Sequence[Finding]) -> Any:
    """Return findings as an Arrow table: code, title, status, evidence, remedy."""
    import pyarrow as pa

    names = ("code", "title", "status", "evidence", "remedy")
    return pa.table({name: [getattr(found, name) for found in findings] for name in names})


def topic_of(found: Finding) -> str:
    """Return in a few words what the check of a finding looks at."""
    return EXPLAINED[found.code].topic if found.code in EXPLAINED else found.title


def fired(findings: Sequence[Finding], codes: Sequence[str]) -> tuple[Finding, ...]:
    """Return those findings that fired and have one of these codes, in the order of the codes."""
    by_code = {found.code: found for found in findings if found.status == "fired"}
    return tuple(by_code[code] for code in codes if code in by_code)
