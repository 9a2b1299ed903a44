"""Open the sealed test set of an experiment for its network, and for the reference models beside it."""

from __future__ import annotations

import pyarrow as pa

from wellfit._typing import Floats
from wellfit.data.prepare import Prepared
from wellfit.experiment.candidates import parts_in
from wellfit.experiment.folder import Folder
from wellfit.goals import Goal
from wellfit.journal.outcomes import OutcomeStore
from wellfit.journal.store import Journal
from wellfit.opening import Opening, Predict, open_test
from wellfit.outcome import Outcome
from wellfit.splits.split import Split
from wellfit.stats.intervals import Estimate
from wellfit.training.predict import at_temperature, predict_average
from wellfit.training.references import fit_references

NAMES = ("dummy", "linear", "trees")


def unseal_for(
    outcome: Outcome, *, folder: Folder, split: Split, data: Prepared, journal: Journal, again: bool
) -> Opening:
    """Open the test set once for `outcome`, and journal what it showed.

    Raises:
        Refusal: it was opened before (without `again`), or is not what was sealed.
        NoRoom: the ledger, the registry or the journal cannot be written.
    """
    average = predict_average(data.preparation, parts_in(outcome, OutcomeStore(folder.models, journal)))
    network = at_temperature(average, outcome.temperature)
    dev = folder.goal.estimate(data.dev.target, outcome.predictions["dev"], groups=data.dev.groups)
    references = RefitReferences(data, goal=folder.goal, seed=split.seed)
    opening = open_test(
        split,
        predict=lambda test: network(data.preparation.transform(test)),
        goal=folder.goal,
        dev=dev,
        references={name: references.model(name) for name in NAMES},
        subject=outcome.identity,
        again=again,
    )
    losses = {name: found.to_json() for name, found in opening.references.items()}
    body = {**opening.to_json(), "identity": outcome.identity, "at": opening.at, "references": losses}
    journal.append("opening", body)
    return opening


def known_test(outcome: Outcome, journal: Journal, *, goal: Goal) -> Estimate | None:
    """The first opening's test loss where it was opened for `outcome`, else None."""
    opened = [entry.body for entry in journal.entries("opening")]
    if not opened or opened[0]["identity"] != outcome.identity:
        return None
    return Estimate.from_json(opened[0]["error"], binomial=goal.counts_rows)


class RefitReferences:
    """Reference models as functions of the test table: fit on train again once it is there, never pickled."""

    def __init__(self, data: Prepared, *, goal: Goal, seed: int) -> None:
        self._data = data
        self._goal = goal
        self._seed = seed
        self._predictions: dict[str, Floats] = {}

    def model(self, name: str) -> Predict:
        """Return the model of one name."""
        return lambda test: self._predicted(test)[name]

    def _predicted(self, test: pa.Table) -> dict[str, Floats]:
        if not self._predictions:
            arrays = self._data.preparation.transform(test)
            references = fit_references(self._data, goal=self._goal, seed=self._seed, extra={"test": arrays})
            self._predictions = {reference.name: reference.predictions["test"] for reference in references}
        return self._predictions
