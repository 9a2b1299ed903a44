"""Which network an experiment stands for: of all that a command ended with, the one with the lowest dev loss.

Choosing on dev is what dev is for; every candidate is journaled, so that the number of choices can be counted.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from wellfit.exceptions import Refusal
from wellfit.journal.entry import Entry
from wellfit.journal.outcomes import OutcomeStore
from wellfit.journal.store import Journal
from wellfit.outcome import Outcome
from wellfit.sweeps.joining import parts_of
from wellfit.training.predict import Part

KIND = "candidate"


def propose(journal: Journal, outcome: Outcome, *, by: str) -> None:
    """Journal the network that a command ended with."""
    journal.append(KIND, {"identity": outcome.identity, "by": by, "dev": outcome.losses["dev"]})


def chosen_identity(entries: Iterable[Entry]) -> str | None:
    """Return the identity of the candidate with the lowest dev loss; the earlier one of equals, None without any."""
    candidates = [entry.body for entry in entries if entry.kind == KIND]
    best = min(candidates, key=lambda body: float(body["dev"]), default=None)
    return None if best is None else str(best["identity"])


def chosen_network(journal: Journal, models: Path) -> Outcome:
    """Return the candidate with the lowest dev loss, at its temperature; the earlier one of equals.

    Raises:
        Refusal: when nothing was trained yet.
    """
    candidates = [entry.body for entry in journal.entries(KIND)]
    outcomes = OutcomeStore(models, journal)
    for body in sorted(candidates, key=lambda body: float(body["dev"])):
        outcome = outcomes.get(body["identity"])
        if outcome is not None and all(outcomes.get(member) for member in outcome.members):
            at = outcomes.tempered(outcome)
            if at is not None:
                return at
    raise Refusal(
        "this needs a trained network",
        found=f"no finished training in {models.parent}",
        remedy="Train one first: `wellfit run EXPERIMENT`",
    )


def parts_in(outcome: Outcome, outcomes: OutcomeStore) -> tuple[Part, ...]:
    """What a network predicts with: its own weights, or those of the members of an ensemble."""
    if not outcome.members:
        return parts_of([outcome], {outcome.identity: 1.0})
    members = [member for identity in outcome.members if (member := outcomes.get(identity))]
    return parts_of(members, outcome.members)
