"""Which findings come first: what spoils the measurement before what the measurement says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from wellfit.diagnosis.findings import Finding
from wellfit.diagnosis.gaps import Gap, GapName
from wellfit.diagnosis.label_noise import MATERIAL

SPOILING = ("WF206", "WF207", "WF203", "WF205", "WF208")
"""Leakage, the gravest first: while one of them stands, no error says what it seems to say."""
GAP_CODES: Mapping[GapName, str] = {
    "avoidable_bias": "WF101",
    "variance": "WF102",
    "mismatch": "WF301",
    "dev_overfit": "WF401",
}


def spoiling(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Leakage that fired."""
    return _fired(findings, SPOILING)


def leading(findings: Sequence[Finding], gaps: Mapping[GapName, Gap | None]) -> tuple[Finding, ...]:
    """The findings to act on first; none where nothing is certainly wrong.

    In this order: leakage; a dev set that was chosen on too closely; a dev error below the optimal error; the gaps
    that are surely high, the largest lower limit first; then regions. Wrong labels look like bias: where they fired
    they lead in its place, and bias that they could be, where the rows cannot tell, does not lead.
    """
    for codes in (SPOILING, ("WF401", "WF403"), ("WF107",)):
        if found := _fired(findings, codes):
            return found
    noise = next((found.interval for found in findings if found.code == "WF209"), None)
    bias = gaps["avoidable_bias"]
    doubtful = noise is not None and bias is not None and noise.high > MATERIAL and bias.value <= noise.high
    high = [
        gap
        for gap in gaps.values()
        if gap is not None
        and gap.verdict == "yes"
        and not (gap.name == "avoidable_bias" and (doubtful or gap.by_chance))
    ]
    labels = _fired(findings, ("WF209",))
    if labels and all(gap.name == "avoidable_bias" for gap in high):
        return labels
    if high:
        order = [GAP_CODES[gap.name] for gap in sorted(high, key=lambda gap: -gap.low)]
        return _fired(findings, order)
    return _fired(findings, ("WF108", "WF109"))


def _fired(findings: Sequence[Finding], codes: Sequence[str]) -> tuple[Finding, ...]:
    by_code = {found.code: found for found in findings if found.status == "fired"}
    return tuple(by_code[code] for code in codes if code in by_code)
