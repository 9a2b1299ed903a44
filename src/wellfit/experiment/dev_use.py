"""How many networks an experiment has compared on dev, and what that costs: counted from its journal."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from wellfit.data.prepare import Prepared
from wellfit.diagnosis.dev_overuse.corrected import dev_use, dev_use_finding
from wellfit.diagnosis.diagnosis import Diagnosis
from wellfit.diagnosis.findings import completed
from wellfit.journal.outcomes import KIND, SNAPSHOT, OutcomeStore
from wellfit.journal.store import Journal
from wellfit.outcome import Status
from wellfit.stats.scores import row_losses


def with_dev_use(diagnosis: Diagnosis, journal: Journal, *, models: Path, data: Prepared) -> Diagnosis:
    """The same diagnosis with WF403, over all trainings and snapshots in the journal that did not diverge."""
    store, goal = OutcomeStore(models, journal), diagnosis.goal
    # Workers end in any order, and of equals the first is chosen: sorted, a killed run says the same when it goes on.
    # A training that was cut short and taken up again has two entries, and is one network.
    identities = sorted({entry.body["identity"] for kind in (KIND, SNAPSHOT) for entry in journal.entries(kind)})
    outcomes = [store.get(identity) for identity in identities]
    losses = [
        row_losses(goal, data.dev.target, outcome.predictions["dev"])
        for outcome in outcomes
        if outcome is not None and outcome.status is not Status.DIVERGED
    ]
    found = dev_use(np.stack(losses), tolerance=diagnosis.tolerance) if losses else None
    finding = dev_use_finding(found, goal=goal)
    return replace(diagnosis, findings=completed((*diagnosis.findings, finding)))
