"""One experiment's folder in use: its journal, outcomes, split and prepared data, each read at most once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np

from wellfit.base.typing import Floats, Integers, Json
from wellfit.data.hashing import Words
from wellfit.data.prepare import Arrays, Prepared
from wellfit.data.training_rows import trained_on
from wellfit.diagnosis.diagnosis import Diagnosis
from wellfit.diagnosis.findings import Finding
from wellfit.diagnosis.rows import OpenRows
from wellfit.exceptions import Refusal
from wellfit.experiment.diagnosing import Diagnoses, Diagnostician, findings_on_data, open_rows, referred
from wellfit.experiment.folder import Folder
from wellfit.experiment.prepared import ReferenceModels, prepared_in, with_copies, with_importance
from wellfit.journal.bodies import require_fields
from wellfit.journal.history import CANDIDATE, History
from wellfit.journal.outcomes import KIND, SNAPSHOT, TEMPERATURE, OutcomeStore
from wellfit.journal.store import Entry, EntryLog, Journal, open_journal
from wellfit.opening import signed_results
from wellfit.recipe.context import losses_of
from wellfit.records.config import lambda_by_unit
from wellfit.records.outcome import Outcome, Status
from wellfit.splits.ledger import LEDGER_NAME, Ledger
from wellfit.splits.split import Split, load_split
from wellfit.stats.calibration import calibrated, tempered
from wellfit.stats.differences import paired_difference
from wellfit.stats.intervals import Estimate
from wellfit.sweeps.forward_selection import parts_of
from wellfit.training.tensors import Part, at_temperature, predict_average

OPENING = "opening"
STEP_FIELDS = (
    *("step", "board", "did", "because", "expected", "got", "gaps_before", "gaps_after", "round", "locked", "kind"),
    *("finding", "kept", "coupled", "idea", "ceiling", "expected_low", "expected_high", "cost", "spent", "as_expected"),
    "without_gain",
)
"""The fields of a step that the JSON of an experiment shows."""


class Workspace:
    """The parts of an experiment's folder, read when they are first asked for and kept in memory.

    The journal's file is open only inside `reading` and `writing`; its entries are parsed once and kept. `split` is
    passed if it was just made.
    """

    def __init__(self, folder: Folder, *, split: Split | None = None) -> None:
        self.folder = folder
        self.goal = folder.goal
        if split is not None:
            self.split = split
        self._log = EntryLog(require=require_fields)
        self._journal: Journal | None = None
        self._estimates: dict[tuple[str, float], dict[str, Estimate]] = {}
        self.restored: list[Json] = []
        """Openings signed in the ledger but missing from the journal, because the process died in between."""

    @cached_property
    def split(self) -> Split:
        """The split; its test rows stay sealed."""
        return load_split(self.folder.path)

    @cached_property
    def prepared(self) -> Prepared:
        """Train, train-dev, dev and the rows that were added to train, as arrays."""
        return prepared_in(self.folder, self.split)

    @cached_property
    def open_rows(self) -> OpenRows:
        """The open rows as a person reads them."""
        return open_rows(self.split, self.prepared, goal=self.goal)

    @cached_property
    def data_findings(self) -> tuple[Finding, ...]:
        """The findings on the rows, which need no network."""
        return findings_on_data(self.split, self.prepared, self.open_rows)

    def rows_were_added(self) -> None:
        """Discard the prepared data, so that they are prepared again when they are next asked for."""
        self.__dict__.pop("prepared", None)

    def measure_rows(self) -> Prepared:
        """Prepare the data with the importance of the rows and the copies across train and dev, if findings fired."""
        rows, findings = self.open_rows, self.data_findings
        data = with_importance(self.prepared, folder=self.folder, split=self.split, rows=rows, findings=findings)
        self.prepared = with_copies(data, folder=self.folder, rows=rows, findings=findings)
        return self.prepared

    @contextmanager
    def reading(self) -> Iterator[Journal]:
        """Open the journal for reading, unless this command has already opened it."""
        if self._journal is not None:
            yield self._journal
            return
        with open_journal(self.folder.journal, read_only=True, parsed=self._log) as journal:
            self._journal = journal
            try:
                yield journal
            finally:
                self._journal = None

    @contextmanager
    def writing(self, command: str | None = None) -> Iterator[Journal]:
        """Open the journal and record the command in it; Refusal while another process holds the experiment's lock."""
        with open_journal(self.folder.journal, parsed=self._log) as journal:
            self._journal = journal
            try:
                self.restored = self._unjournaled(journal.entries())
                for body in self.restored:
                    journal.append(OPENING, body)
                if command is not None:
                    journal.append("session", {"command": command})
                yield journal
            finally:
                self._journal = None

    def entries(self, kind: str | None = None) -> list[Entry]:
        """Return all entries of the journal, or those of one kind."""
        with self.reading() as journal:
            entries = journal.entries()
        missing = self._unjournaled(entries)
        at = entries[-1].seq if missing else 0
        entries += [Entry(at + place, OPENING, "", body, body["at"]) for place, body in enumerate(missing, start=1)]
        return [entry for entry in entries if kind is None or entry.kind == kind]

    def _unjournaled(self, entries: list[Entry]) -> list[Json]:
        """Return the openings that are signed in the ledger but missing from these entries."""
        path = self.folder.path / LEDGER_NAME
        root = next((entry.body["seal"]["sha256"] for entry in entries if entry.kind == "split"), "")
        if not path.is_file():
            return []
        known = {entry.body["receipt"] for entry in entries if entry.kind == OPENING}
        return [body for body in signed_results(Ledger(root, path)) if body["receipt"] not in known]

    @property
    def history(self) -> History:
        """The history folded from the journal."""
        return History(self.entries())

    @contextmanager
    def outcomes(self) -> Iterator[OutcomeStore]:
        """Open the outcomes that are kept; inside `writing`, more can be added."""
        with self.reading() as journal:
            yield OutcomeStore(self.folder.models, journal)

    def outcome(self, identity: str) -> Outcome | None:
        """Return the outcome with this identity; None if it was never finished."""
        with self.outcomes() as outcomes:
            return outcomes.get(identity)

    def estimates(self, outcome: Outcome) -> dict[str, Estimate]:
        """Return the losses of an outcome with intervals, by part."""
        key = (outcome.identity, outcome.temperature)
        if key not in self._estimates:
            self._estimates[key] = losses_of(outcome, data=self.prepared, goal=self.goal)
        return self._estimates[key]

    @property
    def hashes(self) -> Mapping[str, Words]:
        """uint64 [rows, 2] hashes of the rows of each part."""
        return self.split.hashes

    @property
    def dev_target(self) -> Integers | Floats:
        """The targets of dev, [rows]."""
        return self.prepared.dev.target

    def dev_losses(self, outcome: Outcome) -> Floats:
        """Return the loss on each dev row, [dev rows]."""
        return self.goal.row_losses(self.dev_target, outcome.predictions["dev"])

    def keep(self, outcome: Outcome) -> None:
        """Keep an outcome, with its intervals and with lambda in other units."""
        details = {
            "errors": {part: found.to_json() for part, found in self.estimates(outcome).items()},
            **lambda_by_unit(outcome.config, rows=len(outcome.train_losses)),
        }
        with self.outcomes() as outcomes:
            outcomes.put(outcome, details=details)

    def network(self) -> Outcome:
        """Return the candidate with the lowest dev loss (in a tie, the earlier one) at its temperature, or refuse."""
        candidates = [entry.body for entry in self.entries(CANDIDATE)]
        with self.outcomes() as outcomes:
            for body in sorted(candidates, key=lambda body: float(body["dev"])):
                outcome = outcomes.get(body["identity"])
                if outcome is not None and all(map(outcomes.has, outcome.members)):
                    at = outcomes.tempered(outcome)
                    if at is not None:
                        return at
        raise Refusal(
            "the experiment must have a trained network",
            found=f"no trained network in {self.folder.path}",
            remedy="Train one first with `wellfit run EXPERIMENT`",
        )

    def parts_of(self, outcome: Outcome) -> tuple[Part, ...]:
        """Return the weights with which a network predicts: its own, or those of an ensemble's members."""
        if not outcome.members:
            return parts_of([outcome], {outcome.identity: 1.0})
        with self.outcomes() as outcomes:
            members = [member for identity in outcome.members if (member := outcomes.get(identity))]
        return parts_of(members, outcome.members)

    def test_loss(self, outcome: Outcome) -> Estimate | None:
        """Return the test loss of the first opening for this network; None if there was none."""
        opened = [entry.body for entry in self.entries("opening") if entry.body["identity"] == outcome.identity]
        if not opened:
            return None
        return Estimate.from_json(opened[0]["error"], binomial=self.goal.counts_rows)

    def propose(self, outcome: Outcome, *, by: str) -> None:
        """Make an outcome a candidate for the experiment's network; the journal counts the choices made on dev."""
        with self.reading() as journal:
            body = {"identity": outcome.identity, "by": by, "dev": outcome.losses["dev"]}
            journal.append(CANDIDATE, {**body, **self._gain_of(outcome)})

    def _gain_of(self, outcome: Outcome) -> Json:
        """Compare an outcome with the first network that was diagnosed, row by row on dev; {} if it is that one."""
        first = next((str(body["identity"]) for body in self.history.of("diagnosis")), outcome.identity)
        before = self.outcome(first) if first != outcome.identity else None
        if before is None:
            return {}
        return {"first": first, "gain": paired_difference(self.dev_losses(before), self.dev_losses(outcome)).to_json()}

    def temper(self, outcome: Outcome) -> Outcome:
        """Return a network at its temperature: the one in the journal, or otherwise one fit on dev and kept.

        Neither a regression nor a network without an error on half of dev has a temperature. If a temperature does not
        help on rows that were not used to fit it, the network stays as it is.
        """
        with self.reading() as journal, self.outcomes() as outcomes:
            known = outcomes.tempered(outcome) if journal.find(TEMPERATURE, outcome.identity) else None
            if known is not None or self.prepared.preparation.schema.task == "regression":
                return known or outcome
            dev, predictions = self.prepared.dev, outcome.predictions["dev"]
            found = calibrated(dev.target, predictions, groups=dev.groups, seed=outcome.config.seed)
            if found is None:
                return outcome
            at = outcome if found.temperature == 1.0 else self._at(found.temperature, outcome)
            outcomes.temper(at, details=found.to_json())
            return at

    def _at(self, temperature: float, outcome: Outcome) -> Outcome:
        predictions = {part: tempered(each, temperature) for part, each in outcome.predictions.items()}
        at = replace(outcome, predictions=predictions, temperature=temperature)
        if self.goal.reads != "probabilities":
            # The likeliest class stays, and so does every error; an auc moves by ties of rounding alone.
            return at
        data = trained_on(self.prepared, outcome.config.data)
        predict = at_temperature(predict_average(data.preparation, self.parts_of(outcome)), temperature)
        predictions = {**predictions, "train": predict(data.train)}
        losses = {part: self.goal.row_losses(arrays.target, predictions[part]) for part, arrays in data.parts.items()}
        means = {part: float(rows.mean()) for part, rows in losses.items()}
        return replace(at, losses=means, train_losses=losses["train"])

    def diagnostician(self, references: ReferenceModels, asked: Mapping[str, Any]) -> Diagnoses:
        """Return the function that diagnoses networks; `asked` is the reference as the user passed it."""
        return Diagnostician(
            data=self.prepared,
            goal=self.goal,
            references=references,
            rows=self.open_rows,
            about_data=self.data_findings,
            optimal=referred(asked, goal=self.goal),
            tolerance=asked.get("tolerance"),
        )

    def with_columns(self, diagnosis: Diagnosis, outcome: Outcome) -> Diagnosis:
        """Return the diagnosis with each column's value to the network; pictures have no columns."""
        if self.open_rows.pictures:
            return diagnosis
        dev, preparation = self.prepared.dev, self.prepared.preparation
        predict = at_temperature(predict_average(preparation, self.parts_of(outcome)), outcome.temperature)

        def shuffled(column: str, chosen: Integers, orders: Integers) -> Floats:
            numeric = np.tile(dev.numeric[chosen], (len(orders), 1))
            codes = np.tile(dev.codes[chosen], (len(orders), 1))
            numbers, categories = preparation.inputs_of(column)
            numeric[:, numbers] = dev.numeric[orders.ravel()][:, numbers]
            codes[:, categories] = dev.codes[orders.ravel()][:, categories]
            found = predict(Arrays(numeric, codes, np.empty(0)))
            return found.reshape(*orders.shape, *found.shape[1:])

        return diagnosis.with_findings(rows=self.open_rows, shuffled=shuffled)

    def with_dev_use(self, diagnosis: Diagnosis) -> Diagnosis:
        """Return the diagnosis with WF403, over all networks and snapshots in the journal that did not diverge."""
        bodies = [entry.body for entry in self.entries() if entry.kind in (KIND, SNAPSHOT)]
        # A training that was cut short and taken up again has two entries: the last one counts.
        status = {str(body["identity"]): body["status"] for body in bodies}
        # Workers end in any order, and of equals the first is chosen: sorted, a continued run gives the same result.
        sound = sorted(identity for identity, last in status.items() if last != Status.DIVERGED.value)
        target = self.dev_target
        with self.outcomes() as outcomes:
            predictions = [found for each in sound if (found := outcomes.predictions(each, part="dev")) is not None]
        losses = [self.goal.row_losses(target, each) for each in predictions]
        return diagnosis.with_findings(candidates=np.stack(losses) if losses else np.empty((0, 0)))
