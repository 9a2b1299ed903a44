"""The experiment as its users see it: every command that takes EXPERIMENT is a method here."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, Unpack

import pyarrow as pa

from wellfit.base.arguments import named
from wellfit.base.files import whole
from wellfit.base.rendering import Rendered, renderer
from wellfit.base.typing import Json, Notify, ignore_events
from wellfit.data.dialect import FormatArguments
from wellfit.data.prepare import Prepared
from wellfit.diagnosis.diagnosis import DataDiagnosis, Diagnosis
from wellfit.diagnosis.error_analysis import ErrorAnalysis
from wellfit.diagnosis.more_data import MoreData, require_refits, worth_of_more_rows
from wellfit.exceptions import Refusal
from wellfit.experiment.diagnosing import require_known, with_earlier
from wellfit.experiment.error_analysis import analysed, looked_at
from wellfit.experiment.folder import open_folder
from wellfit.experiment.labels import KIND as LABEL
from wellfit.experiment.labels import HumanError, human_error, labels_of, require_labels
from wellfit.experiment.learning_curve import MORE_DATA, known_curve, measured_curve
from wellfit.experiment.predictions import Views, Watch, predicted_batches, views_on_dev, with_views, write_batches
from wellfit.experiment.prepared import known_references, refitted_references
from wellfit.experiment.request import network_at
from wellfit.experiment.run import RememberingExecutor, propose_average
from wellfit.experiment.told import StudyWorkspace, json_of_study
from wellfit.experiment.workspace import STEP_FIELDS, Workspace
from wellfit.journal.history import History
from wellfit.journal.store import Entry
from wellfit.opening import Opening, open_test
from wellfit.records.config import Config, Device, Regularization
from wellfit.records.outcome import Outcome, Status
from wellfit.splits.split import Split
from wellfit.stats.intervals import Estimate
from wellfit.sweeps.executor import telling
from wellfit.sweeps.ray_cluster import Ray
from wellfit.sweeps.rungs import Rungs
from wellfit.sweeps.search import Sweep
from wellfit.sweeps.search import sweep as search
from wellfit.sweeps.selection import TrainLimit
from wellfit.sweeps.space import Space
from wellfit.sweeps.worker_pool import executor_for, executor_on
from wellfit.training.tensors import Part, at_temperature, predict_average

logger = logging.getLogger(__name__)

TEMPERATURE_FIELDS = ("temperature", "fitted", "log_loss_before", "log_loss_honest")


class Experiment(Rendered):
    """An open experiment. Reading never locks its folder; a method that writes holds the lock while it runs.

    Get one from `wellfit.run` or `wellfit.open_experiment`.
    """

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.folder = workspace.folder
        """Its files and settings."""
        self.path = workspace.folder.path
        """The folder."""
        self.goal = workspace.goal
        """The goal by which networks are compared."""

    def config_at(self, step: int) -> Config:
        """Return the config of a step's network in the last run (an ensemble's heaviest member's); step 0 is the first.

        Raises:
            BadInput: the run took no such step.
        """
        return Config.from_json(network_at(self.workspace.entries(), step)["config"])

    @property
    def split(self) -> Split:
        """The split; its test rows stay sealed."""
        return self.workspace.split

    @property
    def prepared(self) -> Prepared:
        """Train, train-dev and dev as arrays."""
        return self.workspace.prepared

    def entries(self) -> Sequence[Entry]:
        """Return the journal's entries, without the steps of plans that a later one replaced."""
        return self.history.entries

    @property
    def history(self) -> History:
        """The history folded from the journal as it is now."""
        return self.workspace.history

    @property
    def data_findings(self) -> DataDiagnosis:
        """The findings on the rows, which need no training."""
        return DataDiagnosis(self.goal, self.workspace.data_findings)

    @property
    def is_trained(self) -> bool:
        """Whether there is a network to diagnose."""
        return self.history.chosen is not None

    @property
    def network(self) -> Outcome:
        """The experiment's network: the candidate with the lowest dev loss, at its temperature.

        Raises:
            Refusal: when nothing has been trained yet.
        """
        return self.workspace.network()

    @property
    def parts(self) -> tuple[Part, ...]:
        """The weights of its network, or those of an ensemble's members with their shares, for predicting.

        The `temperature` of `network` applies to their average.

        Raises:
            Refusal: when nothing has been trained yet.
        """
        return self.workspace.parts_of(self.network)

    def diagnose(self, **reference_options: Any) -> Diagnosis:
        """Diagnose the network, including the test error once the test set has been opened for it.

        Args:
            **reference_options: human_error, human_rows, optimal_error, tolerance; by default those of the last run.

        Raises:
            Refusal: when nothing has been trained yet.
            BadInput: a reference is out of range, or its name is unknown.
        """
        require_known(reference_options)
        with self.workspace.reading() as journal:
            entries, outcome = journal.entries(), self.workspace.network()
            references = known_references(self.folder.models, journal)
            asked = with_earlier(reference_options, self.last_asked().get("reference", {}))
            diagnose = self.workspace.diagnostician(references, asked)
            trained = [entry.body for entry in entries if entry.kind == "training"]
            highs = [body["errors"]["dev"]["high"] for body in trained if body["status"] != Status.DIVERGED.value]
            diagnosis = diagnose(
                self.workspace.estimates(outcome),
                outcome=outcome,
                best_dev_high=min([*highs, *(each.high for each in references.dev.values())]),
                test=self.workspace.test_loss(outcome),
            )
            full = self.workspace.with_dev_use(self.workspace.with_columns(diagnosis, outcome))
            looked = looked_at(self.workspace, outcome)
            full = full if looked is None else full.with_findings(looked=looked)
            priced = known_curve(entries, outcome.identity)
            return full if priced is None else full.with_findings(priced)

    def more_data(self, *, refits: int = 24, target: float | None = None, **reference_options: Any) -> MoreData:
        """Measure how much its network would gain from more training data, by training it again on parts of the rows.

        For an ensemble, the heaviest member is trained. The journal keeps the result for later diagnoses. If pictures
        are augmented, the network is also trained without augmentation, to show how many pictures augmentation is
        worth.

        Args:
            refits: number of training runs, at least 12 (four sizes, three repeats).
            target: a dev error in the goal's loss; the number of rows needed to reach it is estimated.
            **reference_options: those of `diagnose`.

        Raises:
            Refusal: when nothing has been trained yet.
            BadInput: there are too few rows or refits.
        """
        require_refits(refits)
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
        with self.workspace.writing("more data") as journal:
            finding = worth_of_more_rows(goal=self.goal, curve=found)
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
        with self.workspace.writing("train"), closing(executor_for(self.prepared, goal=self.goal, single=True)) as one:
            notify({"event": "training", "identity": config.identity})
            outcome = RememberingExecutor(one, self.workspace).train([config])[0]
            if outcome.status is not Status.DIVERGED:
                self.workspace.propose(self.workspace.temper(outcome), by="train")
                self._journal_diagnosis()
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
        executor: Ray | None = None,
        notify: Notify = ignore_events,
        **reference_options: Any,
    ) -> Sweep:
        """Train variants of a config side by side, and make the chosen member a candidate.

        `wellfit.sweep` describes the arguments; here `memory` is in bytes, and `rungs` are the rules by which members
        are dropped while they train.

        Raises:
            BadInput: the space cannot be searched; this is found before any training.
        """
        limits = {"memory": memory, "device": device}
        with (
            self.workspace.writing("sweep") as journal,
            closing(executor_on(executor, self.prepared, goal=self.goal, notify=notify, **limits)) as pool,
        ):
            found = search(
                self.prepared,
                config or self._base(),
                executor=RememberingExecutor(pool, self.workspace),
                goal=self.goal,
                over=over,
                members=members,
                rungs=rungs,
                limit=self._train_limit(reference_options),
                on_outcome=telling(notify),
            )
            journal.append("sweep", found.to_json())
            self.workspace.propose(self.workspace.temper(found.chosen), by="sweep")
            if ensemble:
                propose_average(self.workspace, found)
            self._journal_diagnosis()
        return found

    def unseal(self, *, again: bool = False) -> Opening:
        """Open the test set for its network: once, and with `again` a further, uncertified time.

        A result that was signed but never shown, because the process died, is returned.

        Raises:
            Refusal: the test set was opened before or is not what was sealed, or nothing has been trained yet.
        """
        workspace, data = self.workspace, self.prepared
        with workspace.writing("unseal") as journal:
            network = workspace.network()
            lost = next((body for body in workspace.restored if body["identity"] == network.identity), None)
            if lost is not None and not again:
                self.report()
                return Opening.from_json({"reason": "", **lost})
            predict = at_temperature(
                predict_average(data.preparation, workspace.parts_of(network)), network.temperature
            )
            opening = open_test(
                self.split,
                predict=lambda test: predict(data.preparation.transform(test)),
                goal=self.goal,
                dev=workspace.estimates(network)["dev"],
                references=refitted_references(
                    data, goal=self.goal, seed=self.split.seed, entries=workspace.entries("reference")
                ),
                subject=network.identity,
                again=again,
            )
            journal.append("opening", opening.entry(network.identity))
        self.report()
        return opening

    def labels(self) -> dict[int, str]:
        """Return the labels that people gave to dev pictures: row -> label.

        Raises:
            BadInput: for a table, or a number as the target.
        """
        require_labels(self.split.schema)
        return labels_of(self.workspace.entries())

    def keep_label(self, row: int, label: str) -> None:
        """Keep the label that a person gave to a dev picture; a later label of the same row replaces it."""
        with self.workspace.writing("label") as journal:
            journal.append(LABEL, {"row": row, "label": label})

    def human_error(self) -> HumanError:
        """Return the error of the people who labelled dev pictures, and how many more labels would settle the bias.

        Raises:
            BadInput: for a table, or a number as the target.
        """
        labels = self.labels()
        return human_error(labels, self.split, diagnosis=self.diagnose() if self.is_trained else None)

    def errors(
        self, *, tags: Mapping[int, Sequence[str]] | None = None, eyeball: int | None = None, rows: int = 10
    ) -> ErrorAnalysis:
        """Return what its network gets wrong on dev, and what fixing the errors of each tag could win.

        The first call draws the rows to look at (the eyeball) and keeps them in the journal, with all tags.

        Args:
            tags: tags by number of the dev row (from 1), an empty list for a row that was looked at and got none.
            eyeball: number of dev rows to look at; by default enough for about 100 errors, at most half of dev.
            rows: number of rows to list.

        Raises:
            Refusal: when nothing has been trained yet, or another number of rows was drawn before.
            BadInput: a tag belongs to a row that was not shown, or `eyeball` is more than half of dev.
        """
        found = analysed(self.workspace, tags=tags, eyeball=eyeball, rows=rows)
        if tags is not None:
            self.report()
        return found

    def views(self, views: int = 8) -> Views:
        """Measure the gain and the cost of averaging several views of each dev picture (test-time augmentation).

        Args:
            views: number of views of each picture, itself included.

        Raises:
            Refusal: when nothing has been trained yet.
            BadInput: the number is out of range, or the data are a table.
        """
        network = self.network
        parts = self.workspace.parts_of(network)
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
        """Predict new rows, in their order, with the transforms that were fit on train.

        Args:
            new: a file, a data frame, or its rows.
            out: a .csv or .parquet file to which predictions are streamed.
            views: number of views of each picture whose predictions are averaged; the time grows in proportion.
            passes: number of passes with dropout whose predictions are averaged (Monte-Carlo dropout); 1 turns it off.
            **csv_format: `delimiter`, `decimal` and `encoding` of a CSV file; by default those of DATA.

        Returns:
            The predictions as an Arrow table; with `out`, the number of rows written.

        Raises:
            BadInput: the transforms cannot take the rows, views were asked for with a table, or passes with a network
                trained without dropout; nothing is written.
        """
        preparation, network = self.prepared.preparation, self.network
        watch = Watch(preparation, usual=self.prepared.dev)
        parts = self.workspace.parts_of(network)
        predict = with_views(parts, preparation, views=views, passes=passes, temperature=network.temperature)
        written = replace(self.folder.settings.csv_format.for_later, **csv_format)
        batches = predicted_batches(new, preparation=preparation, predict=predict, watch=watch, csv_format=written)
        result = write_batches(batches, Path(out), source=new) if out else pa.concat_tables(batches)
        for warning in watch.warnings():
            logger.warning("NEW does not look like train: %s", warning)
        return result

    def summary(self) -> Any:
        """Return everything that a report shows, as numbers: a `wellfit.reports.records.Summary`."""
        return renderer().summary_of(self)

    def report(
        self, *, redact: bool = False, markdown: Path | str | None = None, junit: Path | str | None = None
    ) -> Path:
        """Write the report page again and return its path.

        Args:
            redact: whether to leave out the names of categories and regions.
            markdown: file to which its end is written as Markdown, for a pull request.
            junit: file to which gaps and findings are written as tests, for continuous integration.

        Raises:
            NoRoom: the disk is full; the old page stays.
        """
        shown = renderer()
        pages = [(self.folder.report, shown.page_of)]
        pages += [(Path(markdown), shown.markdown_of)] if markdown is not None else []
        pages += [(Path(junit), shown.junit_of)] if junit is not None else []
        for path, page_of in pages:
            page = page_of(self, redact=redact).encode()
            with whole(path) as file:
                file.write(page)
        return self.folder.report

    def __repr__(self) -> str:
        return f"Experiment({str(self.path)!r})"

    def to_json(self) -> Json:
        """Return the object of `run --json`: errors in the goal's own unit, gaps in its loss; null where unknown."""
        if isinstance(self.workspace, StudyWorkspace):
            return json_of_study(self.workspace)
        history, goal = self.history, self.goal
        best, finish, steps = history.chosen, history.last("finish"), history.of("step")
        diagnosis = history.of_network("diagnosis", best) or history.last("diagnosis")
        chosen = history.of_network("ensemble", best) or history.of_network("training", best)
        temperature = history.of_network("temperature", best)
        references = {body["name"]: body["errors"]["dev"]["value"] for body in history.of("reference")}
        test = next((body["error"] for body in history.of("opening") if body["identity"] == best), None)
        foretold = [bool(step["as_expected"]) for step in steps if step.get("as_expected") is not None]
        return {
            "schema": 1,
            "experiment": str(self.path),
            "report": str(self.folder.report),
            "goal": goal.name,
            "errors": diagnosis.get("errors", {}),
            "gaps": diagnosis.get("gaps", {}),
            "steps": [{name: step.get(name) for name in STEP_FIELDS} for step in steps],
            "foretold": {"steps": len(foretold), "inside": sum(foretold)},
            "best": chosen.get("config"),
            "ensemble": chosen.get("members"),
            "temperature": {name: temperature[name] for name in TEMPERATURE_FIELDS} if temperature else None,
            "references": {name: goal.score_of(value) for name, value in references.items()},
            "test": goal.in_unit(Estimate.from_json(test)).to_json() if test else None,
            **{name: finish.get(name) for name in ("stop", "reason", "sentence", "seconds", "time")},
        }

    def _base(self) -> Config:
        """Return the network's config without regularizers, or the default one."""
        try:
            return replace(self.network.config, regularization=Regularization())
        except Refusal:
            return Config(seed=self.split.seed)

    def _journal_diagnosis(self) -> None:
        """Write the diagnosis of the network to the journal, unless a run did so when it was trained."""
        with self.workspace.reading() as journal:
            identity = self.history.chosen
            if identity not in {entry.body["identity"] for entry in journal.entries("diagnosis")}:
                journal.append("diagnosis", {"step": None, "identity": identity, **self.diagnose().to_json()})

    def _train_limit(self, reference_options: Mapping[str, Any]) -> TrainLimit | None:
        """Return the train error above which a member counts as over-smoothed; None without a network."""
        try:
            diagnosis = self.diagnose(**reference_options)
        except Refusal:
            return None
        return TrainLimit(diagnosis.errors.optimal.high, diagnosis.tolerance)

    def last_asked(self) -> Mapping[str, Any]:
        """Return the arguments of the last run (budget, reference, only); empty if there was none."""
        return self.history.asked


@named
def open_experiment(path: Path | str) -> Experiment:
    """Open the experiment in a folder.

    Raises:
        Refusal: the folder is missing, is not an experiment, or was made by a newer wellfit.
    """
    folder = open_folder(Path(path))
    return Experiment(Workspace(folder) if folder.study is None else StudyWorkspace(folder))
