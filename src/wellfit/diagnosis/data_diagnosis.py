"""What rows show before anything is trained on them."""

from __future__ import annotations

from dataclasses import dataclass

from wellfit._rendering import Rendered
from wellfit._typing import Json
from wellfit.diagnosis.findings import Finding
from wellfit.goals import Goal


@dataclass(frozen=True)
class DataDiagnosis(Rendered):
    """Findings about a split; `print` shows them, those that fired first.

    Attributes:
        goal: in whose loss a network will be compared.
        findings: every code of the catalogue; those that need a network are "not applicable".
    """

    goal: Goal
    findings: tuple[Finding, ...]

    @property
    def fired(self) -> tuple[Finding, ...]:
        """What asks to be looked at."""
        return tuple(found for found in self.findings if found.status == "fired")

    @property
    def headline(self) -> str:
        """One sentence."""
        if not self.fired:
            return "Nothing was trained yet. The rows show nothing that should stop you."
        titles = "; ".join(found.title for found in self.fired)
        return f"Nothing was trained yet. Look at the rows first: {titles}."

    def to_json(self) -> Json:
        """The object of `diagnose --json`; errors and gaps are those of no network."""
        return {
            "schema": 1,
            "goal": self.goal.name,
            "tolerance": None,
            "errors": {},
            "gaps": {},
            "findings": [found.to_json() for found in self.findings],
            "prescription": [],
        }
