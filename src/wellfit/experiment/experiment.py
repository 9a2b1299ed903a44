"""An experiment as a value to work with: every command that takes EXPERIMENT is a method here."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, Unpack

import pyarrow as pa

from wellfit._files import write_whole
from wellfit._rendering import Rendered, renderer
from wellfit._typing import Json, Notify, ignore_events
from wellfit.config import Config, Regularization
from wellfit.data.dialect import FormatArguments
from wellfit.data.prepare import Prepared
from wellfit.device import Device
from wellfit.diagnosis.diagnosis import DataDiagnosis, Diagnosis
from wellfit.diagnosis.findings import Finding
from wellfit.diagnosis.more_data import MoreData, more_data_finding
from wellfit.diagnosis.rows import OpenRows
from wellfit.exceptions import Refusal
from wellfit.experiment.about_data import findings_on_data, open_rows
from wellfit.experiment.candidates import chosen_network, parts_in, propose
from wellfit.experiment.diagnosing import (
    Diagnostician,
    referred,
    require_known,
    with_columns,
    with_dev_use,
    with_earlier,
)
from wellfit.experiment.folder import Folder, open_folder
from wellfit.experiment.labelling import KIND as LABEL
from wellfit.experiment.labelling import HumanError, human_error, labels_of, require_labels
from wellfit.experiment.learning_curve import KIND as MORE_DATA
from wellfit.experiment.learning_curve import known_curve, measured_curve
from wellfit.experiment.predicting import Views, Watch, predicted_batches, views_on_dev, with_views, write_batches
from wellfit.experiment.preparing import known_rivals, prepared_in
from wellfit.experiment.result import run_to_json
from wellfit.experiment.running import propose_average, remembering
from wellfit.experiment.spent import network_at
from wellfit.experiment.tempering import temper
from wellfit.experiment.unsealing import known_test, unseal_for
from wellfit.goals import Goal
from wellfit.journal.history import History, chosen_identity
from wellfit.journal.outcomes import OutcomeStore
from wellfit.journal.store import Entry, Journal, open_journal
from wellfit.opening import Opening
from wellfit.outcome import Outcome, Status
from wellfit.recipe.context import estimates
from wellfit.splits.split import Split, load_split
from wellfit.sweeps.executor import InProcess, telling
from wellfit.sweeps.rungs import Rungs
from wellfit.sweeps.search import Sweep
from wellfit.sweeps.search import sweep as search
from wellfit.sweeps.selection import TrainLimit
from wellfit.sweeps.space import Space
from wellfit.sweeps.worker_pool import WorkerPool
from wellfit.training.predict import Part

logger = logging.getLogger(__name__)


class Experiment(Rendered):
    """One experiment's folder, opened. Reading never locks it; what writes holds its lock while it runs.

    Get one from `wellfit.run` or `wellfit.open_experiment`.
    """

    def __init__(self, folder: Folder) -> None:
        self.folder = folder

    @property
    def path(self) -> Path:
        """The folder."""
        return self.folder.path

    @property
    def goal(self) -> Goal:
        """What is compared."""
        return self.folder.goal

    def config_at(self, step: int) -> Config:
        """The config of a step's network in its last run (of an ensemble that of the heaviest member); 0 is the first.

        Raises:
            BadInput: when the run took no such step.
        """
        with self._reading() as journal:
            return Config.from_json(network_at(journal.entries(), step)["config"])

    @cached_property
    def split(self) -> Split:
        """Its split; the test rows stay sealed."""
        return load_split(self.path)

    @cached_property
    def prepared(self) -> Prepared:
        """Train, train-dev and dev as arrays."""
        return prepared_in(self.folder, self.split)

    def forget(self) -> None:
        """Read arrays again when they are next asked for: a run may have added rows."""
        self.__dict__.pop("prepared", None)

    def entries(self) -> Sequence[Entry]:
        """The journal, without the steps of plans that a later one replaced."""
        return self.history.entries

    @property
    def history(self) -> History:
        """The journal as it is now, folded."""
        with self._reading() as journal:
            return History(journal.entries())

    @cached_property
    def _rows(self) -> OpenRows:
        return open_rows(self.split, self.prepared, goal=self.goal)

    @cached_property
    def _about_data(self) -> tuple[Finding, ...]:
        return findings_on_data(self.split, self.prepared, self._rows)

    @property
    def data_findings(self) -> DataDiagnosis:
        """What its rows show, whether anything was trained or not."""
        return DataDiagnosis(self.goal, self._about_data)

    @property
    def is_trained(self) -> bool:
        """Whether there is a network to diagnose."""
        return self.history.chosen is not None

    @property
    def network(self) -> Outcome:
        """The network it stands for: the candidate with the lowest dev loss, at its temperature.

        Raises:
            Refusal: when nothing was trained yet.
        """
        with self._reading() as journal:
            return chosen_network(journal, self.folder.models)

    @property
    def parts(self) -> tuple[Part, ...]:
        """What its network predicts with: one training's weights, or those of an ensemble's members and their shares.

        Their average is at the `temperature` of `network`.

        Raises:
            Refusal: when nothing was trained yet.
        """
        return self._chosen()[1]

    def _chosen(self) -> tuple[Outcome, tuple[Part, ...]]:
        with self._reading() as journal:
            outcome = chosen_network(journal, self.folder.models)
            return outcome, parts_in(outcome, OutcomeStore(self.folder.models, journal))

    def diagnose(self, **reference_options: Any) -> Diagnosis:
        """Diagnose its network; once the test set was opened for it, with the test rung.

        Args:
            **reference_options: human_error, human_rows, optimal_error, tolerance; the last run's where none is given.

        Raises:
            Refusal: when nothing was trained yet.
            BadInput: for a reference out of range, or an unknown name.
        """
        require_known(reference_options)
        with self._reading() as journal:
            outcome = chosen_network(journal, self.folder.models)
            parts = parts_in(outcome, OutcomeStore(self.folder.models, journal))
            rivals = known_rivals(self.folder.models, journal)
            highs = [entry.body["errors"]["dev"]["high"] for entry in journal.entries("training") if _is_sound(entry)]
            test = known_test(outcome, journal, goal=self.goal)
        diagnostician = Diagnostician(
            data=self.prepared,
            goal=self.goal,
            rivals=rivals,
            rows=self._rows,
            about_data=self._about_data,
            **referred(with_earlier(reference_options, self.last_asked().get("reference", {})), goal=self.goal),
        )
        errors = estimates(outcome, data=self.prepared, goal=self.goal)
        highs += [each.high for each in rivals.dev.values()]
        diagnosis = diagnostician(errors, outcome=outcome, best_dev_high=min(highs), test=test)
        diagnosis = with_columns(diagnosis, self._rows, data=self.prepared, network=(outcome, parts))
        with self._reading() as journal:
            full = with_dev_use(diagnosis, journal, models=self.folder.models, data=self.prepared)
            curve = known_curve(journal.entries(), outcome.identity)
        return full if curve is None else full.with_findings(curve)

    def more_data(self, *, refits: int = 24, target: float | None = None, **reference_options: Any) -> MoreData:
        """Say what more training data would buy its network, by training it again on parts of the rows.

        Of an ensemble the heaviest member is trained. The journal keeps what was found, for later diagnoses. Where
        pictures are augmented, it is trained without that as well: what augmentation is worth is told in pictures.

        Args:
            refits: how many trainings: at least 12 (four sizes, three repeats).
            target: a dev error in the goal's loss, for the rows that it needs.
            **reference_options: as `diagnose`.

        Raises:
            Refusal: when nothing was trained yet.
            BadInput: for too few rows or refits.
        """
        diagnosis, network = self.diagnose(**reference_options), self.network
        found, worth = measured_curve(
            self.prepared,
            network.config,
            goal=self.goal,
            delta=diagnosis.tolerance,
            refits=refits,
            floor=diagnosis.errors.optimal.low,
            target=target,
        )
        with self._writing("more data") as journal:
            finding = more_data_finding(found, self.goal)
            body = {"identity": network.identity, "finding": finding.to_json(), **found.to_json()}
            if worth is not None:
                body["finding"]["evidence"] += f" {worth.sentence}"
                body["worth"] = worth.to_json()
            journal.append(MORE_DATA, body)
            journal.append("diagnosis", {"step": None, "identity": network.identity, **self.diagnose().to_json()})
        self.report()
        return found

    def train(self, config: Config, *, notify: Notify = ignore_events) -> Outcome:
        """Train one config, and make it a candidate for the experiment's network."""
        with self._writing("train") as journal:
            executor = remembering(
                InProcess(self.prepared, goal=self.goal), self.folder, journal=journal, data=self.prepared
            )
            notify({"event": "training", "identity": config.identity})
            outcome = executor.train([config])[0]
            if outcome.status is not Status.DIVERGED:
                self._propose(outcome, journal=journal, by="train")
                self._journal_diagnosis(journal)
        return outcome

    def sweep(
        self,
        config: Config | None = None,
        *,
        over: Space | Sequence[str] | None = None,
        members: int | None = None,
        rungs: Rungs | None = None,
        ensemble: bool = False,
        memory: int | None = None,
        device: Device | None = None,
        notify: Notify = ignore_events,
        **reference_options: Any,
    ) -> Sweep:
        """Train a config with other knobs side by side, and make the chosen member a candidate.

        Args:
            config: what the sweep does not change; the experiment's network (or the default one) when None.
            over: knob -> values, or names of knobs; lambda x keep_prob by default.
            members: how many trainings.
            rungs: how members are compared and dropped while they train; None trains all to their end.
            ensemble: make the average of members and snapshots a candidate too, where it is ahead.
            memory: bytes that all members take at a time; more are trained in passes.
            device: that trains them; the cores of this machine when None.
            notify: receives an event for each member.
            **reference_options: as `diagnose`; a warning tells where lambda over-smooths against it.

        Raises:
            BadInput: for a space that cannot be searched, before any training.
        """
        with (
            self._writing("sweep") as journal,
            WorkerPool(self.prepared, goal=self.goal, memory=memory, device=device) as pool,
        ):
            found = search(
                self.prepared,
                config or self._base(journal),
                executor=remembering(pool, self.folder, journal=journal, data=self.prepared),
                goal=self.goal,
                over=over,
                members=members,
                rungs=rungs,
                limit=self._train_limit(reference_options),
                on_outcome=telling(notify),
            )
            journal.append("sweep", found.to_json())
            self._propose(found.chosen, journal=journal, by="sweep")
            if ensemble:
                propose_average(found, folder=self.folder, data=self.prepared, journal=journal)
            self._journal_diagnosis(journal)
        return found

    def unseal(self, *, again: bool = False) -> Opening:
        """Open the test set for its network: once; a further, uncertified time with `again`.

        Raises:
            Refusal: it was opened before, or is not what was sealed; or nothing was trained yet.
        """
        with self._writing("unseal") as journal:
            outcome = chosen_network(journal, self.folder.models)
            opening = unseal_for(
                outcome, folder=self.folder, split=self.split, data=self.prepared, journal=journal, again=again
            )
        self.report()
        return opening

    def labels(self) -> dict[int, str]:
        """The dev pictures that people have labelled: row -> label.

        Raises:
            BadInput: for a table, or a number as the target.
        """
        require_labels(self.split.schema)
        with self._reading() as journal:
            return labels_of(journal.entries())

    def keep_label(self, row: int, label: str) -> None:
        """Write down how a person labelled a dev picture; a later label of the same row counts instead."""
        with open_journal(self.folder.journal) as journal:
            journal.append(LABEL, {"row": row, "label": label})

    def human_error(self) -> HumanError:
        """The error of the people who labelled dev pictures, and how many more labels would settle the bias.

        Raises:
            BadInput: for a table, or a number as the target.
        """
        labels = self.labels()
        return human_error(labels, self.split, diagnosis=self.diagnose() if self.is_trained else None)

    def views(self, views: int = 8) -> Views:
        """Say what several changed views of each dev picture buy, and what they cost (test-time augmentation).

        Args:
            views: of each picture, the picture itself among them.

        Raises:
            Refusal: when nothing was trained yet.
            BadInput: for a number out of range, or a table.
        """
        network, parts = self._chosen()
        return views_on_dev(parts, self.prepared, goal=self.goal, views=views, temperature=network.temperature)

    def predict(
        self,
        new: Any,
        *,
        out: Path | str | None = None,
        views: int = 1,
        passes: int = 1,
        **csv_format: Unpack[FormatArguments],
    ) -> pa.Table | int:
        """Predict new rows, in their order, with the transforms that train was given.

        Args:
            new: file, data frame, or a frame's rows.
            out: a .csv or .parquet file to stream to.
            views: of each picture, over which predictions are averaged; they take so many times as long.
            passes: with dropout on, over which predictions are averaged (Monte-Carlo dropout); 1 is without dropout.
            **csv_format: `delimiter`, `decimal` and `encoding` of a CSV file; as DATA was read when None.

        Returns:
            The predictions as an Arrow table; with `out` the number of rows written.

        Raises:
            BadInput: for rows that the transforms cannot take, views of a table, and passes of a network that was
                trained without dropout; nothing is written.
        """
        preparation = self.prepared.preparation
        watch = Watch(preparation, usual=self.prepared.dev)
        network, parts = self._chosen()
        predict = with_views(parts, preparation, views=views, passes=passes, temperature=network.temperature)
        written = replace(self.folder.settings.csv_format, **csv_format)
        batches = predicted_batches(new, preparation=preparation, predict=predict, watch=watch, csv_format=written)
        result = write_batches(batches, Path(out)) if out else pa.concat_tables(batches)
        for warning in watch.warnings():
            logger.warning("NEW does not look like train: %s", warning)
        return result

    def summary(self) -> Any:
        """Everything a report shows, as numbers: a `wellfit.reports.records.Summary`."""
        return renderer().summary_of(self)

    def report(self, *, redact: bool = False) -> Path:
        """Write the report page again, and return its path.

        Raises:
            NoRoom: when the disk is full; the old page stays.
        """
        page = renderer().page_of(self, redact=redact).encode()
        write_whole(self.folder.report, lambda file: file.write(page))
        return self.folder.report

    def __repr__(self) -> str:
        return f"Experiment({str(self.path)!r})"

    def to_json(self) -> Json:
        """The object that `run --json` prints."""
        return run_to_json(self.history, folder=self.folder)

    def _propose(self, outcome: Outcome, *, journal: Journal, by: str) -> None:
        """Make a network a candidate, at its temperature."""
        propose(journal, temper(outcome, folder=self.folder, data=self.prepared, journal=journal), by=by)

    def _base(self, journal: Journal) -> Config:
        """The network's config without regularizers, or the default one."""
        try:
            config = chosen_network(journal, self.folder.models).config
        except Refusal:
            return Config(seed=self.split.seed)
        return replace(config, regularization=Regularization())

    def _journal_diagnosis(self, journal: Journal) -> None:
        """Write down what the network is diagnosed as, unless a run did so when it was trained."""
        identity = chosen_identity(journal.entries())
        if identity not in {entry.body["identity"] for entry in journal.entries("diagnosis")}:
            journal.append("diagnosis", {"step": None, "identity": identity, **self.diagnose().to_json()})

    def _train_limit(self, reference_options: Mapping[str, Any]) -> TrainLimit | None:
        """Where a member counts as over-smoothed; None without a network to set the tolerance by, or a reference."""
        try:
            diagnosis = self.diagnose(**reference_options)
        except Refusal:
            return None
        return TrainLimit(diagnosis.errors.optimal.high, diagnosis.tolerance)

    def last_asked(self) -> Mapping[str, Any]:
        """What the last run was asked for (budget, reference, only); empty where none was."""
        return self.history.asked

    def _reading(self) -> Journal:
        return open_journal(self.folder.journal, read_only=True)

    @contextmanager
    def _writing(self, command: str) -> Iterator[Journal]:
        with open_journal(self.folder.journal) as journal:
            journal.append("session", {"command": command})
            yield journal


def _is_sound(training: Entry) -> bool:
    return str(training.body["status"]) != Status.DIVERGED.value


def open_experiment(path: Path | str) -> Experiment:
    """Open the experiment in a folder.

    Raises:
        Refusal: when it is missing, no experiment, or was made by a newer wellfit.
    """
    return Experiment(open_folder(Path(path)))
