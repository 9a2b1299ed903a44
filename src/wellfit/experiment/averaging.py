"""The ensemble of a sweep as a network of its experiment: kept, and proposed where it is ahead."""

from __future__ import annotations

from wellfit.data.prepare import Prepared
from wellfit.experiment.candidates import propose
from wellfit.experiment.folder import Folder
from wellfit.experiment.running import described
from wellfit.experiment.tempering import temper
from wellfit.journal.outcomes import OutcomeStore
from wellfit.journal.store import Journal
from wellfit.sweeps.joining import joined
from wellfit.sweeps.search import Sweep


def propose_average(found: Sweep, *, folder: Folder, data: Prepared, journal: Journal) -> None:
    """Make the ensemble of a sweep a candidate, where it beats the chosen member on rows that did not choose it."""
    ensemble = found.ensemble
    if ensemble is None or not ensemble.is_ahead or len(ensemble.picks) == 1:
        return
    outcome = joined([*found.members, *found.snapshots], ensemble.weights, data=data, goal=found.goal)
    OutcomeStore(folder.models, journal).put(outcome, details=described(outcome, folder=folder, data=data))
    propose(journal, temper(outcome, folder=folder, data=data, journal=journal), by="sweep")
