"""One code of the catalogue."""

from __future__ import annotations

from dataclasses import dataclass

VERDICT = (
    "The gap's interval is MOVER's, from the intervals of its two sides. Fired when its lower limit, Holm-adjusted "
    "over all gaps, is above the tolerance; passed when its 95 % upper limit is at most the tolerance; otherwise not "
    "applicable, because the numbers cannot tell."
)
"""How every gap becomes a verdict."""


@dataclass(frozen=True)
class CatalogueEntry:
    """One code of the catalogue."""

    code: str
    title: str
    meaning: str
    computed: str
    remedy: str

    def __str__(self) -> str:
        return (
            f"{self.code} {self.title}\n\n{self.meaning}\n\nHow it is computed. {self.computed}\n\n"
            f"What to do. {self.remedy}"
        )
