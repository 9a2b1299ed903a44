"""The temperature of a network that an experiment may stand for: fitted once, on dev, and kept beside the network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from wellfit.data.prepare import Prepared
from wellfit.data.training_rows import trained_on
from wellfit.experiment.candidates import parts_in
from wellfit.experiment.folder import Folder
from wellfit.goals import Goal
from wellfit.journal.outcomes import TEMPERATURE, OutcomeStore
from wellfit.journal.store import Journal
from wellfit.outcome import Outcome
from wellfit.stats.calibration import calibrated, tempered
from wellfit.training.predict import Part, at_temperature, predict_average


def temper(outcome: Outcome, *, folder: Folder, data: Prepared, journal: Journal) -> Outcome:
    """Return a network at its temperature, with what the journal knows of it or else with what dev says.

    A regression has none, nor has a network that errs nowhere on half of dev; and where a temperature does not help on
    rows that did not fit it, the network stays as it is.

    Raises:
        NoRoom: when the disk is full.
    """
    store = OutcomeStore(folder.models, journal)
    known = store.tempered(outcome) if journal.find(TEMPERATURE, outcome.identity) else None
    if known is not None:
        return known
    if data.preparation.schema.task == "regression":
        return outcome
    found = calibrated(data.dev.target, outcome.predictions["dev"], groups=data.dev.groups, seed=outcome.config.seed)
    if found is None:
        return outcome
    at = outcome
    if found.temperature != 1.0:
        at = _at(found.temperature, outcome, parts=parts_in(outcome, store), data=data, goal=folder.goal)
    store.temper(at, details=found.to_json())
    return at


def _at(temperature: float, outcome: Outcome, *, parts: Sequence[Part], data: Prepared, goal: Goal) -> Outcome:
    predictions = {part: tempered(each, temperature) for part, each in outcome.predictions.items()}
    at = replace(outcome, predictions=predictions, temperature=temperature)
    if goal.reads != "probabilities":
        # The likeliest class stays, and so does every error; an auc moves by ties of rounding alone.
        return at
    data = trained_on(data, outcome.config.data)
    on_train = at_temperature(predict_average(data.preparation, parts), temperature)(data.train)
    targets = {"train": data.train, "train_dev": data.train_dev, "dev": data.dev}
    losses = {
        part: goal.row_losses(arrays.target, on_train if part == "train" else predictions[part])
        for part, arrays in targets.items()
        if arrays
    }
    means = {part: float(rows.mean()) for part, rows in losses.items()}
    return replace(at, losses=means, train_losses=losses["train"])
