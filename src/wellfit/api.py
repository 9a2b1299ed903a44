"""The commands as functions, in the order in which they are used."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import fields, replace
from functools import partial
from pathlib import Path
from typing import Any, Unpack

import pyarrow as pa

from wellfit.base.arguments import named
from wellfit.base.typing import Notify, Task, ignore_events
from wellfit.checking.before import warn_before_training
from wellfit.data.dialect import CsvFormat, FormatArguments
from wellfit.data.read import read_table
from wellfit.data.readings import Wishes
from wellfit.diagnosis.diagnosis import DataDiagnosis, Diagnosis
from wellfit.diagnosis.error_analysis import ErrorAnalysis, analysis_of, read_tags
from wellfit.diagnosis.table import dev_predictions, read_predictions
from wellfit.estimators.net import Net
from wellfit.exceptions import BadInput, Refusal
from wellfit.experiment.create import SplitArguments, find_or_make, make_split, move_sources
from wellfit.experiment.diagnosing import findings_on_data, open_rows, require_known
from wellfit.experiment.experiment import Experiment, open_experiment
from wellfit.experiment.folder import default_path, is_experiment
from wellfit.experiment.prepared import added_to
from wellfit.experiment.request import run_request
from wellfit.experiment.run import run_in
from wellfit.experiment.workspace import Workspace
from wellfit.fused.memory import parse_memory
from wellfit.opening import Opening
from wellfit.recipe.budget import Budget
from wellfit.recipe.state import Fixed
from wellfit.records.config import CPU, FLOAT32, Config, Network, device_of
from wellfit.records.goals import Goal, default_goal, goal_named
from wellfit.records.outcome import Outcome
from wellfit.reports.card import model_card
from wellfit.splits.split import Split
from wellfit.sweeps.executor import telling
from wellfit.sweeps.ray_cluster import Ray
from wellfit.sweeps.rungs import Rungs
from wellfit.sweeps.search import Sweep
from wellfit.sweeps.search import sweep as search
from wellfit.sweeps.space import Space
from wellfit.sweeps.worker_pool import executor_for, executor_on
from wellfit.training.module import named_after
from wellfit.training.module_checks import ModuleFactory
from wellfit.travel.export import card_of_estimator, export_model, model_of, model_of_estimator
from wellfit.travel.folder import is_saved_model, load_model


@named
def split(
    data: Any,
    *,
    target: str | None = None,
    out: Path | str | None = None,
    move_source: bool = False,
    notify: Notify = ignore_events,
    **options: Unpack[SplitArguments],
) -> Split:
    """Divide a table into train, dev and a sealed test set.

    Args:
        data: a CSV or Parquet file, a data frame, or its rows.
        target: column to predict; folders of class folders and .npz arrays need none.
        out: folder in which to create an experiment; by default the split stays in memory.
        move_source: whether to move the files of DATA and `test_data` into the experiment, out of reach.
        notify: function that receives events.
        **options: see `SplitArguments`.

    Raises:
        BadInput: the data or the options have an error; nothing is written.
        Refusal: `out` contains another experiment, or something else.
    """
    if out is None:
        return make_split(data, target, options, notify=notify)
    return find_or_make(data, target, options, out=out, move=move_source, notify=notify).split


@named
def train(
    data: Split | Experiment | Path | str,
    config: Config,
    *,
    module: ModuleFactory | None = None,
    goal: str | None = None,
    notify: Notify = ignore_events,
) -> Outcome:
    """Train one config.

    Args:
        data: a split, or an experiment, which keeps the outcome.
        config: network, optimization, regularization and seed.
        module: function `make_net(inputs, outputs)` that returns an `nn.Module`, to train a network of your own
            (with a split only).
        goal: goal whose loss measures a split's outcome; an experiment has its own.
        notify: function that receives events.

    Raises:
        Refusal: another process is working in the experiment.
    """
    if not isinstance(data, Split):
        _require_built_in(module)
        return _experiment(data).train(config, notify=notify)
    prepared = data.prepared()
    named = named_after(module, config, preparation=prepared.preparation) if module else config
    if module:
        warn_before_training(module, prepared, seed=config.seed, notify=notify)
    notify({"event": "training", "identity": named.identity})
    return executor_for(prepared, goal=_goal(goal, data.schema.task), module=module, single=True).train([named])[0]


def _require_built_in(module: ModuleFactory | None) -> None:
    if module is not None:
        raise BadInput(
            "your own module must be trained on a split",
            found="module= with an experiment",
            remedy="Pass wf.split(...) in place of the experiment",
        )


def diagnose(data: Split | Experiment | Path | str, **reference: Any) -> Diagnosis | DataDiagnosis:
    """Diagnose an experiment's network; see `Experiment.diagnose`.

    For a split or an experiment without a network, return the findings on the rows: copies, leaks, mismatch.
    """
    require_known(reference)
    if isinstance(data, Split):
        prepared, goal = data.prepared(), default_goal(data.schema.task)
        return DataDiagnosis(goal, findings_on_data(data, prepared, open_rows(data, prepared, goal=goal)))
    experiment = _experiment(data)
    return experiment.diagnose(**reference) if experiment.is_trained else experiment.data_findings


SWEEP_ARGUMENTS = (
    "over",
    "members",
    "rungs",
    "ensemble",
    "memory",
    "device",
    "precision",
    "executor",
    "module",
    "goal",
    "notify",
)
"""The keyword names of `sweep` besides those of a reference."""


@named
def errors(
    data: Experiment | Path | str | Any,
    *,
    tags: Path | str | Mapping[int, Sequence[str]] | None = None,
    eyeball: int | None = None,
    rows: int = 10,
    goal: str | None = None,
    group_on: str | None = None,
    seed: int | None = None,
    **csv_format: Unpack[FormatArguments],
) -> ErrorAnalysis:
    """Analyse what a network gets wrong on dev; see `Experiment.errors`.

    Args:
        data: an experiment, or predictions (a file or a frame) as `wellfit diagnose` takes them.
        tags: the file that `ErrorAnalysis.write` wrote with its column `tags` filled in, or tags by row number.
        eyeball: number of dev rows to look at; by default enough for about 100 errors, at most half of dev.
        rows: number of rows to list.
        goal: goal of predictions; an experiment has its own.
        group_on: column of the predictions that identifies groups of rows.
        seed: seed with which the rows of predictions are drawn, by default 0; an experiment has its own.
        **csv_format: format of a CSV file of predictions.

    Raises:
        Refusal: when nothing has been trained yet, or another eyeball was drawn before.
        BadInput: the predictions, the tags or the number of rows have an error.
    """
    given = read_tags(_written_tags(tags)) if isinstance(tags, str | Path) else tags
    if isinstance(data, Experiment) or (isinstance(data, str | Path) and Path(data).is_dir()):
        only = {"goal": goal, "group_on": group_on, "seed": seed, **csv_format}
        _require_absent({name: value for name, value in only.items() if value is not None})
        return _experiment(data).errors(tags=given, eyeball=eyeball, rows=rows)
    table = read_predictions(data, csv_format=CsvFormat(**csv_format))
    return analysis_of(
        dev_predictions(table, goal=goal, group_on=group_on), tags=given, eyeball=eyeball, rows=rows, seed=seed or 0
    )


def _written_tags(path: Path | str) -> pa.Table:
    """Read a file of tags; a tag such as 1,2 or false is a name, whatever else it may look like."""
    as_text = Wishes(types={"tags": "category"})
    return read_table(path, name="TAGS", csv_format=CsvFormat(missing=""), wishes=as_text).frame


def _require_absent(given: Mapping[str, Any]) -> None:
    if given:
        raise BadInput(
            f"{next(iter(given))} must be used with predictions",
            found=f"{next(iter(given))} with an experiment",
            remedy="Remove it: an experiment has its own",
        )


@named
def sweep(  # noqa: PLR0913 - one argument an option of `wellfit sweep`
    data: Split | Experiment | Path | str,
    config: Config | None = None,
    *,
    over: Space | Sequence[str] | None = None,
    members: int | None = None,
    rungs: bool | Rungs = False,
    ensemble: bool = False,
    memory: str | int | None = None,
    device: str = CPU,
    precision: str = FLOAT32,
    executor: Ray | None = None,
    module: ModuleFactory | None = None,
    goal: str | None = None,
    notify: Notify = ignore_events,
    **reference: Any,
) -> Sweep:
    """Train variants of a config side by side.

    An experiment keeps the outcomes, and the chosen member becomes a candidate for its network.

    Args:
        data: a split, or an experiment.
        config: config whose other knobs are kept; by default that of the experiment's network, or the default one.
        over: values of knobs by name (`wf.log_uniform`, `wf.uniform`, or a list), or names of knobs, which get their
            usual ranges; lambda x keep_prob by default.
        members: number of variants to train.
        rungs: whether to compare members after 1/15, 3/15 and 7/15 of training and drop those that are behind.
        ensemble: whether to make the average of members (and of their snapshots at rungs) a candidate too, if it is
            better (with an experiment only).
        memory: maximum for all members in training at a time (`500m`, `4g`, bytes); more members are trained in
            passes.
        device: "cuda" trains all members at once on a GPU; "cpu" trains on the CPU.
        precision: precision of matrix products on a GPU: "float32", "tf32" or "bf16".
        executor: a Ray cluster on which the members are trained (`wf.Ray`), with the outcomes that they have here;
            with rungs the number of CPUs affects which are dropped.
        module: function that makes networks of your own, as in `train` (with a split only; members run in this
            process).
        goal: goal whose loss compares a split's members; an experiment has its own.
        notify: function that receives events.
        **reference: human_error and the like, for an experiment; a warning shows where lambda over-smooths.

    Raises:
        BadInput: the space, the module or an argument cannot be used; this is found before any training.
    """
    require_known(reference, beside=SWEEP_ARGUMENTS)
    _require_ray(executor)
    rules = (rungs if isinstance(rungs, Rungs) else Rungs()) if rungs else None
    limit = None if memory is None else parse_memory(memory)
    chip = device_of(device, precision)
    asked: dict[str, Any] = {"over": over, "members": members, "rungs": rules}
    if not isinstance(data, Split):
        _require_built_in(module)
        return _experiment(data).sweep(
            config,
            ensemble=ensemble,
            memory=limit,
            device=chip,
            executor=executor,
            notify=notify,
            **asked,
            **reference,
        )
    _require_no_experiment({**reference, **({"ensemble": True} if ensemble else {})})
    wanted, prepared = _goal(goal, data.schema.task), data.prepared()
    start = config or Config(seed=data.seed)
    if module:
        _require_no_shape(over)
        start = named_after(module, start, preparation=prepared.preparation)
        warn_before_training(module, prepared, seed=start.seed, notify=notify)
    pool_of = partial(executor_on, executor, prepared, goal=wanted, module=module, notify=notify)
    with closing(pool_of(memory=limit, device=chip)) as pool:
        found = search(prepared, start, executor=pool, goal=wanted, on_outcome=telling(notify), **asked)
    if not pool.notice:
        return found
    slow = f"The members ran one after another instead of together: {pool.notice}."
    return replace(found, warnings=(*found.warnings, slow))


def _require_no_experiment(given: Mapping[str, Any]) -> None:
    """Refuse arguments that only an experiment supports: a reference, and an average to replace its network."""
    if given:
        raise BadInput(
            "the sweep of a split must not have a reference or an ensemble",
            found=", ".join(f"{name}={value!r}" for name, value in given.items()),
            remedy="Remove it (`Sweep.ensemble` has the loss of an average), or sweep an experiment",
        )


def _require_no_shape(over: Space | Sequence[str] | None) -> None:
    """Refuse knobs of the built-in network: a module that ignores them would train the same network many times."""
    names = (over,) if isinstance(over, str) else over or ()
    for knob in fields(Network):
        if knob.name in names:
            raise BadInput(
                "a sweep of a module must not vary knobs of the built-in network",
                found=f"over={knob.name!r}",
                remedy="Remove it, or sweep a factory for each shape",
            )


@named
def run(  # noqa: PLR0913 - one argument an option of `wellfit run`
    data: Any,
    *,
    target: str | None = None,
    out: Path | str | None = None,
    budget: str | float | Budget | None = None,
    human_error: float | None = None,
    human_rows: int | None = None,
    optimal_error: tuple[float, float] | float | None = None,
    tolerance: float | None = None,
    only: str | None = None,
    ensemble: bool | None = None,
    augment: str | None = None,
    idea: str | None = None,
    allow_early_stopping: bool | None = None,
    fixed: Fixed | None = None,
    branch: int | None = None,
    more_data: Any = None,
    move_source: bool = False,
    executor: Ray | None = None,
    began: float | None = None,
    notify: Notify = ignore_events,
    **options: Unpack[SplitArguments],
) -> Experiment:
    """Do the whole job within a budget: split, seal, reference models, network, diagnosis, remedies, report.

    Repeating the call continues the experiment, or returns it if it is finished. With an experiment in place of DATA,
    an argument that is not passed keeps its value from the last run (budget, reference, `ensemble`,
    `allow_early_stopping`, `augment`, `fixed`, `more_data`); `only`, `branch` and `idea` apply to one call.

    Args:
        data: a CSV or Parquet file, a data frame, its rows, or an experiment's folder to continue.
        target: column to predict; an experiment has one, and folders of class folders need none.
        out: the experiment's folder; by default ./NAME.wellfit.
        budget: "60s", "10m", "20000updates", or seconds: an upper limit for the run with all its continuations; by
            default 5m.
        human_error: the usual reference for the optimal error, in the goal's own unit.
        human_rows: number of rows on which it was measured.
        optimal_error: the optimal error, or (low, high).
        tolerance: the largest gap that does not matter, in the goal's loss.
        only: the one remedy to carry out.
        ensemble: whether the rest of the budget may go into an ensemble if the network overfits; yes by default.
        augment: augmentation of pictures that a step against variance may turn on: none, light, strong (the default),
            or ranges such as "rotate=10,translate=.1".
        idea: your reason for the run; kept in the journal.
        allow_early_stopping: whether to allow a remedy in which dev chooses the epoch, which turns both boards at once;
            no by default.
        fixed: knobs that no step may turn, as board -> knob -> value (`{"optimization": {"lr": 1e-3}}`); {} frees those
            of the last run.
        branch: continue from the network of this step of the experiment's last run, along another path.
        more_data: file or frame with more training rows, with the columns of DATA; a remedy against variance trains
            with them if that helps on dev. The experiment keeps them.
        move_source: whether to move the files of DATA and `test_data` into the experiment, out of reach.
        executor: a Ray cluster on which the networks of the steps are trained (`wf.Ray`); reference models and the
            learning curve at the end are trained here. A budget in time begins with its first worker.
        began: `time.monotonic()` at the start of your program, if a budget in time counts from there; by default now.
        notify: function that receives events.
        **options: see `SplitArguments`.

    Raises:
        BadInput: the data or the options have an error; nothing is written.
        Refusal: the folder contains another experiment, or another process is working in it.
        NoRoom: the disk is full; finished work is kept, and the same call continues.
    """
    began = time.monotonic() if began is None else began
    _require_ray(executor)
    reference = _present(
        human_error=human_error, human_rows=human_rows, optimal_error=optimal_error, tolerance=tolerance
    )
    given = _present(
        budget=budget, ensemble=ensemble, augment=augment, allow_early_stopping=allow_early_stopping, fixed=fixed
    )
    known = _continued(data)
    # An experiment may be finished, and is then shown without a cluster; otherwise joining one asks the same.
    if executor is not None and not known and not is_experiment(default_path(data) if out is None else Path(out)):
        executor.require()
    last = known.last_asked() if known else {}
    request = run_request(last, given, reference=reference, only=only, idea=idea, more_data=more_data)
    if known:
        workspace = _continuing(known, {"target": target, **options}, move=move_source)
    else:
        workspace = find_or_make(
            data, target, options, out=out, move=move_source, notify=notify, request=request, more_data=more_data
        )
    written = workspace.folder.settings.csv_format.for_later
    more = None if more_data is None else added_to(workspace.split, more_data, workspace.entries(), csv_format=written)
    request = request.inside(workspace, branch=branch, more=more)
    _tell_fixed(request.rules.fixed_at if fixed is None else {}, notify)
    run_in(workspace, request, more=more, began=began, executor=executor, notify=notify)
    experiment = Experiment(workspace)
    experiment.report()
    return experiment


@named
def unseal(experiment: Experiment | Path | str, *, again: bool = False) -> Opening:
    """Open the sealed test set, once; see `Experiment.unseal`."""
    return _experiment(experiment).unseal(again=again)


@named
def predict(
    experiment: Experiment | Path | str,
    new: Any,
    *,
    out: Path | str | None = None,
    views: int = 1,
    passes: int = 1,
    **csv_format: Unpack[FormatArguments],
) -> pa.Table | int:
    """Predict new rows in their order; see `Experiment.predict`. A saved model's folder works too."""
    if not isinstance(experiment, Experiment) and is_saved_model(Path(experiment)):
        return load_model(experiment).predict(new, out=out, views=views, passes=passes, **csv_format)
    return _experiment(experiment).predict(new, out=out, views=views, passes=passes, **csv_format)


@named
def export(experiment: Experiment | Path | str | Net, out: Path | str, *, format: str = "folder") -> list[Path]:  # noqa: A002
    """Write the model of an experiment, or of a fitted estimator, to files that can be used on their own.

    Args:
        experiment: the experiment, or a fitted estimator such as NetClassifier (the columns of an array are called x0,
            x1, ...).
        out: a new folder, or the file for the graph.
        format: "folder" (safetensors, JSON and a model card; `load_model` opens it), "onnx" or "pt2" (graphs with the
            transforms inside; `<out>.transforms.json` next to them describes their inputs).

    Returns:
        The files that were written.

    Raises:
        Refusal: nothing has been trained yet.
        NotFittedError: the estimator was not fitted.
        BadInput: the format is unknown, `out` exists, an extra is missing, or the estimator has several targets.
        NoRoom: the disk is full.
    """
    if isinstance(experiment, Net):
        model, card = model_of_estimator(experiment), card_of_estimator(experiment)
    else:
        opened = _experiment(experiment)
        model, card = model_of(opened), model_card(opened.summary())
    return export_model(model, Path(out), format=format, card=card)


@named
def report(
    experiment: Experiment | Path | str,
    *,
    redact: bool = False,
    markdown: Path | str | None = None,
    junit: Path | str | None = None,
) -> Path:
    """Write the report page again; see `Experiment.report`."""
    return _experiment(experiment).report(redact=redact, markdown=markdown, junit=junit)


def _experiment(experiment: Experiment | Path | str) -> Experiment:
    return experiment if isinstance(experiment, Experiment) else open_experiment(experiment)


def _require_ray(executor: object) -> None:
    if executor is not None and not isinstance(executor, Ray):
        raise BadInput(
            "executor must be a Ray cluster",
            found=repr(executor),
            remedy=f"Pass executor=wf.Ray(address={executor!r})" if isinstance(executor, str) else "Pass wf.Ray(...)",
        )


def _continued(data: Any) -> Experiment | None:
    """Return the experiment that was passed in place of DATA, if any; `run` does not continue a study."""
    if not isinstance(data, Experiment) and not (isinstance(data, str | Path) and is_experiment(Path(data))):
        return None
    known = _experiment(data)
    if known.folder.study is not None:
        raise Refusal(
            "a study is continued by its own script or file, which has the training code",
            found=f"the study {known.path}",
            remedy="Run that script again, or `wellfit study FILE.toml`",
        )
    return known


def _continuing(known: Experiment, asked: Mapping[str, Any], *, move: bool) -> Workspace:
    """Return the workspace of an experiment that goes on; refuse options that its split was not made with."""
    known.folder.resolved(known.folder.settings).require_compatible(asked, folder=known.path)
    if move:
        move_sources(known.folder)
    return known.workspace


def _tell_fixed(knobs: Fixed, notify: Notify) -> None:
    """Report the knobs that an earlier command fixed, so that none of them stays fixed unnoticed."""
    named = [f"{name} {value}" for board in knobs.values() for name, value in board.items()]
    if named:
        notify({"event": "fixed", "knobs": ", ".join(sorted(named))})


def _present(**given: Any) -> dict[str, Any]:
    return {name: value for name, value in given.items() if value is not None}


def _goal(name: str | None, task: Task) -> Goal:
    return goal_named(name, task=task) if name else default_goal(task)
