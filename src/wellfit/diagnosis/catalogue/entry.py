"""An entry of the catalogue, which gives `wellfit explain` and the page in the docs the same text."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

WIDTH = 100
"""Columns of the text that `wellfit explain` prints."""


@dataclass(frozen=True)
class States:
    """Conditions under which a finding fires, passes, or does neither ("not applicable")."""

    fired: str
    passed: str
    unknown: str

    def items(self) -> tuple[tuple[str, str], ...]:
        """Return pairs (state, condition), in the order in which they are printed."""
        return ("Fired", self.fired), ("Passed", self.passed), ("Cannot tell", self.unknown)


@dataclass(frozen=True)
class Command:
    """A command that shows the finding or acts on it, with a description."""

    line: str
    does: str


@dataclass(frozen=True)
class CatalogueEntry:
    """One code of the catalogue.

    Attributes:
        code: such as WF102.
        title: the finding in a few words.
        topic: what the check looks at, by which a passed finding is named.
        meaning: what a fired finding means.
        computed: how the evidence is measured.
        states: the conditions under which it fires, passes, or cannot tell.
        remedy: what to do if it fires; printed with every finding.
        caution: cases in which it misleads.
        commands: the commands that show the finding or act on it.
        source: the method, by its name in the literature.
    """

    code: str
    title: str
    topic: str
    meaning: str
    computed: str
    states: States
    remedy: str
    caution: str
    commands: tuple[Command, ...]
    source: str

    def __str__(self) -> str:
        paragraphs = (
            self.meaning,
            f"How it is computed. {self.computed}",
            "\n".join(f"{state}: {when}" for state, when in self.states.items()),
            f"What to do. {self.remedy}",
            f"Take care. {self.caution}",
        )
        commands = "\n".join(f"  {each.line}\n      {each.does}" for each in self.commands)
        told = "\n\n".join(map(_filled, paragraphs))
        return f"{self.code} {self.title}\n\n{told}\n\nCommands:\n{commands}\n\n{_filled(f'Source. {self.source}')}"


def _filled(lines: str) -> str:
    return "\n".join(
        textwrap.fill(line, WIDTH, break_long_words=False, break_on_hyphens=False) for line in lines.splitlines()
    )


GAP = States(
    fired="the lower limit of the gap, Holm-adjusted over all gaps, is above the tolerance.",
    passed="the 95 % upper limit of the gap is at most the tolerance.",
    unknown="the interval contains the tolerance, or one side of the gap is not known. WF402 gives the number of rows "
    "that would decide.",
)
"""Conditions of the verdict on every gap."""

MOVER = "The interval of the gap is computed by MOVER from the intervals of its two sides (Wilson's for error rates)."
MOVER_SOURCE = (
    "MOVER (Newcombe's method 10 for two error rates); Holm's step-down procedure (1979) over the gaps; Wilson's "
    "interval."
)
TV_SOURCE = "Lower bounds on the total variation; the Dvoretzky-Kiefer-Wolfowitz band; Newcombe's method 10."
DIAGNOSE = Command("wellfit diagnose churn.wellfit", "lists all findings of an experiment, the fired ones first")
