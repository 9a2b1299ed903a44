"""What only pictures show: near copies, which their looks tell better than anything that was measured of them."""

from __future__ import annotations

from collections.abc import Sequence

from wellfit.diagnosis.findings import Finding, finding
from wellfit.splits.look_alikes import NEAR
from wellfit.splits.split import Split

CODE = "WF205"
MATERIAL = 0.01
"""Near copies of one dev or test picture in a hundred matter."""


def with_look_alikes(findings: Sequence[Finding], split: Split) -> tuple[Finding, ...]:
    """Put the near copies that the split found in place of those among measured columns; tables have none."""
    counts = {part[len(NEAR) :]: count for part, count in split.duplicates.items() if part.startswith(NEAR)}
    if not counts:
        return tuple(findings)
    said = ", ".join(f"{count:,} of {split.rows[part]:,} {part.replace('_', '-')}" for part, count in counts.items())
    fired = any(count > MATERIAL * split.rows[part] for part, count in counts.items())
    evidence = f"Pictures that look like one of train (perceptual hash, confirmed pixel by pixel): {said}."
    found = finding(CODE, fired=fired, evidence=evidence)
    return tuple(found if one.code == CODE else one for one in findings)
