"""A study: the recipe around a training function, script or program of the user's own."""

from __future__ import annotations

import difflib
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from wellfit.base.arguments import named
from wellfit.base.rendering import Rendered
from wellfit.base.typing import Json, Notify, ignore_events
from wellfit.diagnosis.diagnosis import Diagnosis
from wellfit.exceptions import BadInput, Refusal
from wellfit.experiment.diagnosing import referred
from wellfit.experiment.experiment import Experiment
from wellfit.experiment.folder import STUDY, Folder, Settings, create_folder, is_experiment, open_folder
from wellfit.experiment.told import FAILURE, NOISE, StudyWorkspace, hash_of
from wellfit.journal.store import Journal
from wellfit.loops.sealed_test import SealedTest
from wellfit.opening import Opening
from wellfit.recipe.state import Rules
from wellfit.records.config import Config
from wellfit.records.goals import goal_named
from wellfit.studies.command import Command
from wellfit.studies.fit import Fit, NotFinite, Read, read_fit
from wellfit.studies.following import Driver, StudyRequest
from wellfit.studies.knobs import OwnKnob, checked_knobs, values_of
from wellfit.studies.log import Asked, Failure, StudyLog, failure_from
from wellfit.studies.noise import noise_of
from wellfit.studies.processes import Crew, leave_if_imported, picklable
from wellfit.studies.remedies import shelf_of_study
from wellfit.studies.running import InThisProcess, Knobs, Loop, Runner
from wellfit.studies.tracker import SLACK_SHARE, parse_study_budget

logger = logging.getLogger(__name__)

DEFAULT_BUDGET = "24fits"


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A fit that the study asks for.

    Attributes:
        number: its place in the order of asking, from 1.
        knobs: knob -> value.
        why: why the recipe wants it, in one line.
        seed: seed for everything random; 0 unless the noise between seeds is measured.
    """

    number: int
    knobs: Mapping[str, Any]
    why: str
    seed: int = 0
    config: Config = field(repr=False)
    study: Study = field(repr=False, compare=False)
    began: float = field(default_factory=time.monotonic, repr=False, compare=False)

    def tell(self, fit: Fit | None = None, **told: Any) -> None:
        """Tell its result to the study that asked; see `Study.tell`."""
        self.study.tell(self, fit, **told)


class Study(Rendered):
    """The recipe around fits that your own code makes: diagnose, then bias first, then variance, one board at a time.

        study = wf.Study("cats.wellfit", knobs={"width": wf.size(32, 1024), "lr": wf.learning_rate(1e-5, 1e-1)})
        study.run(fit)                        # fit(knobs) -> wf.Fit(train=(y, p), dev=(y2, p2))

    or, for a loop that cannot be a function:

        while trial := study.ask():
            study.tell(trial, train=(y, p), dev=(y2, p2))

    The first fit has every regularizer off. Everything told is in the folder at once: the same script continues after
    a kill, and prints the result of a study that is finished.

    Args:
        folder: the study's folder, `NAME.wellfit`; made where it is missing.
        knobs: name -> `wf.size(...)`, `wf.epochs(...)`, `wf.learning_rate(...)` and so on, or a table with its role.
        goal: error, balanced_error, log_loss, auc, f1, rmse, mae or r2.
        human_error: the usual reference for the optimal error, in the goal's own unit.
        human_rows: number of rows on which it was measured.
        optimal_error: the optimal error, or (low, high).
        tolerance: the largest gap that does not matter, in the goal's loss.
        budget: "16fits", "2h" or seconds: an upper limit for all fits; 24 fits when None.
        repeats: fits of the first knobs with further seeds (`trial.seed`), to measure the noise between seeds; a gain
            inside it is then no gain.
        only: carry out this one kind of remedy, such as "regularize".
        branch: go on from the network of this step of the study's last plan, along another path.
        idea: your reason for the study; kept with each step.
        sealed_test: a sealed test set, to be opened once by `unseal`.
        notify: receives events.

    Raises:
        BadInput: a knob without a role, a start outside its range, a reference out of range, or a remedy for which
            there is no knob.
        Refusal: the folder contains something else, or a study of other knobs or another goal.
    """

    @named
    def __init__(  # noqa: PLR0913 - one argument an entry of a study's file
        self,
        folder: Path | str,
        *,
        knobs: Mapping[str, Any],
        goal: str = "error",
        human_error: float | None = None,
        human_rows: int | None = None,
        optimal_error: tuple[float, float] | float | None = None,
        tolerance: float | None = None,
        budget: str | float | None = None,
        repeats: int = 0,
        only: str | None = None,
        branch: int | None = None,
        idea: str | None = None,
        sealed_test: SealedTest | None = None,
        notify: Notify = ignore_events,
    ) -> None:
        self.knobs = checked_knobs(knobs)
        """The knobs by name."""
        self.goal = goal_named(goal)
        """The goal that fits are compared by."""
        self.path = Path(folder)
        """The study's folder."""
        given = {
            "human_error": human_error,
            "human_rows": human_rows,
            "optimal_error": optimal_error,
            "tolerance": tolerance,
        }
        referred(given, goal=self.goal)
        _require_options(only, repeats, self.knobs)
        self._request = StudyRequest(
            budget=parse_study_budget(DEFAULT_BUDGET if budget is None else budget),
            reference=given,
            rules=Rules(only=only, idea=idea),
            repeats=repeats,
            branch=branch,
        )
        self._sealed, self._notify = sealed_test, notify
        self.workspace = StudyWorkspace(self._made())
        """Its folder in use."""
        self._log = StudyLog(self.workspace)
        self._given: set[str] = set()
        self._began: dict[int, float] = {}
        self._journal: Journal | None = None
        self._driver = self._drive()

    def _drive(self, **how: Any) -> Driver:
        return Driver(
            workspace=self.workspace,
            knobs=self.knobs,
            request=self._request,
            log=self._log,
            notify=self._notify,
            **how,
        )

    def _made(self) -> Folder:
        table = {name: knob.to_json() for name, knob in self.knobs.items()}
        if not is_experiment(self.path):
            return create_folder(
                self.path, Settings(target=""), goal=self.goal, data={STUDY: table}, fill=lambda _part: None
            )
        found = open_folder(self.path)
        if found.study is None:
            raise _other(self.path, "an experiment on a table")
        if found.goal != self.goal:
            raise _other(self.path, f"a study of the goal {found.goal.name}, asked for {self.goal.name}")
        differs = [name for name in {**found.study, **table} if found.study.get(name) != table.get(name)]
        if differs:
            name = differs[0]
            raise _other(self.path, f"knob {name} as {found.study.get(name)}, asked for {table.get(name)}")
        return found

    @property
    def experiment(self) -> Experiment:
        """The study as an experiment: `report`, `diagnose` and `wellfit.compare` work on it."""
        return Experiment(self.workspace)

    def ask(self) -> Trial | None:
        """Return the next fit that the recipe wants; None when the study is finished.

        While all the fits that it wants are being made, the oldest of them is returned again.

        Raises:
            Refusal: three fits in a row failed at the same knobs, or another process works in the folder.
        """
        with self._writing() as journal:
            wanted = self._driver.wanted(journal)
            fresh = [asked for asked in wanted if asked.config.identity not in self._given]
            if not wanted:
                return None
            asked = (fresh or wanted)[0]
            self._given.add(asked.config.identity)
            return self._trial(asked)

    def tell(self, trial: Trial | int, fit: Fit | None = None, **told: Any) -> None:
        """Tell the result of a fit.

        Args:
            trial: the trial, or its number.
            fit: the result, or its fields as keywords.
            **told: the fields of `Fit`: train, dev, and so on.

        Raises:
            BadInput: a result that cannot be read, other dev rows or labels than before, or a trial that was not asked
                for or was told already; nothing is recorded.
            Refusal: another process works in the folder.
        """
        with self._writing():
            asked, seconds = self._asked(trial)
            self._take(asked, _as_fit(fit, told), seconds=seconds)

    def fail(self, trial: Trial | int, error: BaseException | str) -> None:
        """Tell that a fit failed: it is recorded, and the study goes on.

        Args:
            trial: the trial, or its number.
            error: what was raised, or its text. Out of memory makes larger sizes infeasible.

        Raises:
            BadInput: a trial that was not asked for, or was told already.
        """
        text = error if isinstance(error, str) else f"{type(error).__name__}: {error}"
        with self._writing():
            asked, seconds = self._asked(trial)
            self._keep_failure(asked, failure_from(text, seconds=seconds))

    def run(
        self,
        fit: Callable[[Any], Any],
        *,
        budget: str | float | None = None,
        workers: int | None = None,
        gpus: Sequence[int | str] = (),
        timeout: float | None = None,
    ) -> Study:
        """Make fits until the study ends; a study that has ended is left as it is.

        A fit that raises, returns NaN, is killed or runs past `timeout` is a recorded failure with its last lines.

        Args:
            fit: knobs -> `wf.Fit(train=(y, p), dev=(y2, p2))`, or a dict of its fields. `knobs.seed` is the seed.
            budget: replaces that of the study.
            workers: number of processes that fit side by side, spawned: the function must be at the top of a file, and
                the study under a main guard. When None one process, or this one where the function cannot be sent.
            gpus: names of GPUs, such as (0, 1): each worker sees one of them.
            timeout: seconds after which a fit is ended (with processes of their own).

        Returns:
            The study.

        Raises:
            BadInput: a function that cannot be sent to another process, a script without a main guard, or a result that
                does not belong to this study; what was told before is kept.
            Refusal: three fits in a row failed at the same knobs, or another process works in the folder.
        """
        leave_if_imported()
        if workers is not None and (not isinstance(workers, int) or workers < 1):
            raise BadInput(
                "workers must be a whole number, at least 1", found=repr(workers), remedy="Give such a number"
            )
        own = workers is not None or timeout is not None or bool(gpus) or picklable(fit) is not None
        if not own:
            logger.warning(
                "The function cannot be sent to another process: fits run in this one, without a time limit."
            )

        def runner() -> Runner:
            return Crew(fit, workers=workers or max(1, len(gpus)), gpus=gpus) if own else InThisProcess(fit)

        return self._run(runner, budget=budget, timeout=timeout)

    def run_command(
        self,
        command: str,
        *,
        folder: Path | str = ".",
        budget: str | float | None = None,
        workers: int = 1,
        timeout: float | None = None,
    ) -> Study:
        """Make each fit by a command in any language, until the study ends.

        Args:
            command: with `{NAME}` for each knob, `{out}` for the predictions file that it has to write (columns as
                `wellfit diagnose` reads them), and, if wanted, `{knobs}` for a JSON file of all knobs and `{seed}`. The
                knobs are also in the environment, as WELLFIT_KNOB_NAME, WELLFIT_SEED and WELLFIT_OUT.
            folder: where the command runs.
            budget: replaces that of the study.
            workers: number of commands that run side by side.
            timeout: seconds after which a command is ended.

        Returns:
            The study.

        Raises:
            BadInput: a command without `{out}` (or WELLFIT_OUT), or with a name that is no knob; predictions that
                cannot be read.
            Refusal: three fits in a row failed at the same knobs, or another process works in the folder.
        """
        checked = Command(command, knobs=tuple(self.knobs), goal=self.goal, folder=Path(folder), workers=workers)
        return self._run(lambda: checked, budget=budget, timeout=timeout)

    def _run(self, runner: Callable[[], Runner], *, budget: str | float | None, timeout: float | None) -> Study:
        if budget is not None:
            self._request = replace(self._request, budget=parse_study_budget(budget))
        with self._writing() as journal:
            self._driver = self._drive()
            if self._driver.wanted(journal):
                made = runner()
                try:
                    self._loop(journal, made, timeout=timeout).run()
                finally:
                    made.close()
        self.report()
        return self

    def _loop(self, journal: Journal, runner: Runner, *, timeout: float | None) -> Loop:
        began, earlier = time.monotonic(), self._log.seconds / runner.workers
        limit = self._request.budget.seconds

        def elapsed() -> float:
            return earlier + time.monotonic() - began

        def keep(asked: Asked, result: Fit | Failure, seconds: float) -> None:
            self._take(asked, result, seconds=seconds)

        self._driver = self._drive(workers=runner.workers, elapsed=elapsed)
        return Loop(
            runner=runner,
            wanted=lambda: self._driver.wanted(journal),
            keep=keep,
            knobs_of=lambda asked: Knobs.of(values_of(self.knobs, asked.config), seed=asked.config.seed),
            logs=self.path / "fits",
            timeout=timeout,
            left=lambda: None if limit is None else (1 + SLACK_SHARE) * limit - elapsed(),
        )

    def _take(self, asked: Asked, result: Fit | Failure, *, seconds: float) -> None:
        """Keep what a fit told, or that it failed."""
        if isinstance(result, Failure):
            self._keep_failure(asked, replace(result, seconds=seconds))
            return
        try:
            read = self._read(asked, result, seconds)
        except NotFinite as error:
            self._keep_failure(asked, Failure(reason="diverged", lines=(str(error),), seconds=seconds))
            return
        self._keep(asked, read, artifact=result.artifact)

    def diagnose(self, **reference_options: Any) -> Diagnosis:
        """Diagnose the best fit; see `Experiment.diagnose`."""
        return self.experiment.diagnose(**reference_options)

    def report(self) -> Path:
        """Write the report page, and return its path."""
        return self.experiment.report()

    def unseal(self, predict: Callable[[Any], Any], *, again: bool = False) -> Opening:
        """Open the sealed test set for the best fit, once.

        Args:
            predict: X as it was sealed -> labels, probabilities [rows, classes] or values [rows], by the model of the
                best fit (`to_json()["best"]` names its knobs and its artifact).
            again: allow a further opening; it is not certified.

        Raises:
            Refusal: no sealed test was given to the study, nothing was fitted yet, or it was opened before.
        """
        if self._sealed is None:
            raise Refusal(
                "a study needs a sealed test set to open one",
                found="none given",
                remedy='Seal one before the first fit, and give it: sealed_test=wf.SealedTest.of(X, y, folder="...")',
            )
        with self._writing() as journal:
            network = self.workspace.network()
            opening = self._sealed.open(predict, goal=self.goal.name, subject=network.identity, again=again)
            journal.append("opening", opening.entry(network.identity))
        self.report()
        return opening

    def to_json(self) -> Json:
        """Return the object of `wellfit study --json`."""
        return self.experiment.to_json()

    def __str__(self) -> str:
        return str(self.experiment)

    def __deepcopy__(self, _memo: Mapping[int, Any]) -> Study:
        return self  # it stands for its folder: a copy of a callback tells the same study

    def __repr__(self) -> str:
        return f"Study({str(self.path)!r})"

    def _trial(self, asked: Asked) -> Trial:
        config = asked.config
        knobs = values_of(self.knobs, config)
        trial = Trial(number=asked.number, knobs=knobs, why=asked.why, seed=config.seed, config=config, study=self)
        self._began.setdefault(trial.number, trial.began)  # asking again does not stop its clock
        return trial

    @contextmanager
    def _writing(self) -> Iterator[Journal]:
        """Open the journal to write, unless `run` has it open already."""
        leave_if_imported()
        if self._journal is not None:
            yield self._journal
            return
        with self.workspace.writing() as journal:
            self._journal = journal
            try:
                yield journal
            finally:
                self._journal = None

    def _append(self, kind: str, body: Json) -> None:
        with self.workspace.reading() as journal:
            journal.append(kind, body)

    def _asked(self, trial: Trial | int) -> tuple[Asked, float]:
        """Return what was asked, and the seconds since; BadInput for a trial that cannot be told."""
        number = trial.number if isinstance(trial, Trial) else trial
        self._log.update()
        asked = next((each for each in self._log.asked.values() if each.number == number), None)
        if asked is None or (isinstance(trial, Trial) and trial.config.identity != asked.config.identity):
            raise BadInput(
                "a result must be told of a fit that this study asked for",
                found=f"trial {number}",
                remedy="Tell the trial that `ask` returned",
            )
        if asked.config.identity in self._log.told:
            raise BadInput(
                "a fit must be told once", found=f"trial {number}, told already", remedy="Ask for the next one"
            )
        began = self._began.get(number, trial.began if isinstance(trial, Trial) else None)
        return asked, 0.0 if began is None else time.monotonic() - began

    def _read(self, asked: Asked, fit: Fit, seconds: float) -> Read:
        read = read_fit(fit, asked.config, goal=self.goal, classes=self.workspace.classes, seconds=seconds)
        known = self.workspace.rows
        if known and not read.targets:
            raise BadInput(
                "every fit of a study must tell predictions if the first one did",
                found=f"numbers alone for trial {asked.number}",
                remedy="Tell train=(y, p) and dev=(y, p)",
            )
        if known:
            self._require_same_dev(read, known, number=asked.number)
        elif self._log.told and read.targets:
            raise BadInput(
                "every fit of a study must tell numbers if the first one did",
                found=f"predictions for trial {asked.number}",
                remedy="Tell errors, or begin a new study with predictions",
            )
        return read

    def _require_same_dev(self, read: Read, known: Json, *, number: int) -> None:
        rows, wanted = len(read.targets["dev"]), known["rows"]["dev"]
        if rows != wanted or hash_of(read.targets["dev"], read.classes) != known["dev"]:
            raise BadInput(
                "dev must be the same rows in the same order in every fit, or differences on it mean nothing",
                found=f"{rows:,} dev rows in trial {number}, {wanted:,} before"
                if rows != wanted
                else f"other labels of dev in trial {number} than before",
                remedy="Split once with a fixed seed, without shuffling dev; another dev set is another study",
            )

    def _keep(self, asked: Asked, read: Read, *, artifact: str | None) -> None:
        if not self.workspace.rows and read.targets:
            self.workspace.keep_rows(read.targets, classes=read.classes)
        self.workspace.keep_told(read.outcome, errors=read.errors, details={"artifact": artifact})
        self._log.update()
        noise = noise_of(self._log.told.values())
        if noise is not None:
            self._append(NOISE, noise.to_json())
        dev = self.goal.score_of(read.outcome.losses["dev"])
        self._notify({"event": "fit", "number": asked.number, "dev": dev, "why": asked.why})

    def _keep_failure(self, asked: Asked, failure: Failure) -> None:
        identity = asked.config.identity
        failed = replace(failure, plan=self._request.identity)
        self._append(FAILURE, {"identity": identity, "number": asked.number, **failed.to_json()})
        self._given.discard(identity)
        self._began.pop(asked.number, None)
        self._log.fresh[identity] = self._log.fresh.get(identity, 0) + 1
        self._notify({"event": "failed", "number": asked.number, "reason": failure.words})


def _require_options(only: str | None, repeats: int, knobs: Mapping[str, OwnKnob]) -> None:
    """Refuse a remedy that no knob carries out, and a number of repeats that is none."""
    shelf = shelf_of_study(knobs, is_infeasible=lambda _config: False)
    if only is not None and only not in shelf.kinds:
        raise BadInput(
            f"only takes one of {', '.join(shelf.kinds)}",
            found=repr(only),
            remedy="Choose one of them, or leave it out",
        )
    if not isinstance(repeats, int) or repeats < 0:
        raise BadInput("repeats must be a whole number, 0 or more", found=repr(repeats), remedy="Give such a number")


def _as_fit(fit: Fit | None, told: Mapping[str, Any]) -> Fit:
    """Return the fit that was told, whole or by its fields."""
    if fit is not None and not told:
        return fit
    known = {each.name for each in fields(Fit)}
    strange = [name for name in told if name not in known]
    if strange or fit is not None or not {"train", "dev"} <= told.keys():
        near = difflib.get_close_matches(strange[0], sorted(known), n=1) if strange else []
        raise BadInput(
            "a fit must tell train and dev, by the names of wf.Fit",
            found=f"{strange[0]!r}" if strange else f"{', '.join(sorted(told)) or 'nothing'}",
            remedy=f"Did you mean {near[0]!r}?" if near else "Tell train=(y, p) and dev=(y, p)",
        )
    return Fit(**told)


def _other(path: Path, found: str) -> Refusal:
    return Refusal(
        "a study must keep its knobs, goal and folder",
        found=f"{found} in {path}",
        remedy="Give the same knobs and goal, or choose another folder",
    )
