"""Reference models of an experiment: fit once, journaled, and compared with the network row by row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors.numpy import save

from wellfit._files import write_whole
from wellfit._typing import Floats, Notify
from wellfit.data.prepare import Prepared
from wellfit.goals import Goal
from wellfit.journal.outcomes import load_arrays
from wellfit.journal.store import Journal
from wellfit.outcome import Outcome
from wellfit.stats.differences import paired_difference
from wellfit.stats.intervals import Estimate
from wellfit.stats.scores import estimate, row_losses
from wellfit.training.references import Reference, fit_references

FILE = "references.safetensors"


@dataclass(frozen=True)
class Rivals:
    """Reference models on dev: estimates, and the loss of each row."""

    dev: Mapping[str, Estimate]
    dev_losses: Mapping[str, Floats]

    def ahead_of(self, outcome: Outcome, *, data: Prepared, goal: Goal) -> dict[str, Estimate]:
        """By how much each reference is ahead of a network on the same dev rows: network minus reference, paired.

        References were fit on all training rows: with a network that was trained without those that have copies in dev
        they are compared on the dev rows without.
        """
        own = row_losses(goal, data.dev.target, outcome.predictions["dev"])
        fair = np.ones(len(own), dtype=bool)
        if outcome.config.data.drop_rows and data.copies is not None:
            fair = ~data.copies.dev
        return {name: paired_difference(own[fair], losses[fair]) for name, losses in self.dev_losses.items()}


def known_rivals(folder: Path, journal: Journal) -> Rivals:
    """Reference models that are in the journal already; none where nothing was run."""
    entries = {entry.body["name"]: entry.body for entry in journal.entries("reference")}
    losses = load_arrays(folder / FILE) or {}
    dev = {name: Estimate.from_json(entries[name]["errors"]["dev"]) for name in losses if name in entries}
    return Rivals(dev, losses)


def remembered_rivals(
    data: Prepared, *, goal: Goal, seed: int, folder: Path, journal: Journal, notify: Notify
) -> Rivals:
    """Take the reference models from the journal, or fit them and write them down."""
    rivals = known_rivals(folder, journal)
    if rivals.dev and rivals.dev.keys() == rivals.dev_losses.keys():
        return rivals
    notify({"event": "references", "rows": data.train.rows})
    references = fit_references(data, goal=goal, seed=seed)
    losses = {each.name: row_losses(goal, data.dev.target, each.predictions["dev"]) for each in references}
    content = save({name: np.ascontiguousarray(rows) for name, rows in losses.items()})
    write_whole(folder / FILE, lambda file: file.write(content))
    for reference in references:
        if reference.name not in rivals.dev:
            journal.append("reference", _body(reference, data=data, goal=goal), key=reference.name)
    return known_rivals(folder, journal)


def _body(reference: Reference, *, data: Prepared, goal: Goal) -> dict[str, object]:
    train = Estimate.fixed(reference.losses["train"], rows=data.train.rows)
    dev = estimate(goal, data.dev.target, reference.predictions["dev"], groups=data.dev.groups)
    return {
        "name": reference.name,
        "errors": {"train": train.to_json(), "dev": dev.to_json()},
        "seconds": reference.seconds,
        "note": reference.note,
    }
