"""Create an experiment from DATA, or open the one that was made from it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, TypedDict

from wellfit.base.typing import Json, Notify, Task
from wellfit.data.containers import files_of, source_of
from wellfit.data.pictures.listing import LABEL, PictureOptions, is_picture_source
from wellfit.data.pictures.read import read_pictures
from wellfit.data.pictures.schema import picture_schema
from wellfit.data.read import Table, is_several, read_table
from wellfit.data.readings import Wishes
from wellfit.data.schema import Schema, Spellings, infer_schema, with_merged_classes
from wellfit.exceptions import BadInput
from wellfit.experiment.diagnosing import referred
from wellfit.experiment.folder import Folder, Settings, create_folder, default_path, is_experiment, open_folder
from wellfit.experiment.prepared import added_to
from wellfit.experiment.request import RunRequest, augmentation_for
from wellfit.experiment.workspace import Workspace
from wellfit.records.goals import Goal, default_goal, goal_named
from wellfit.splits.partition import SplitOptions
from wellfit.splits.seal import SOURCE_NAME, TEST_SOURCE_NAME, move_source
from wellfit.splits.split import Split, split_table

FURTHER = ("test_data", "deployment_data")
FRAME = "sha256:"
"""Prefix for the name of a source that was not a file."""
WAYS = ("stratify_on", "group_on", "time_on", "split_on")


class SplitArguments(TypedDict, total=False):
    """Options for reading and dividing DATA; each is optional.

    goal, task, drop, types: what to predict from which columns (types maps a column to number, category, boolean, date,
    or a date with its order (date-dmy, date-mdy, date-ymd) or numbers with their decimal sign (number-comma,
    number-point)).
    stratify_on, group_on, time_on, split_on, sizes: how to divide the rows, by column or by size ("60/20/20").
    test_data, deployment_data: files or frames. seed: determines the division and all training.
    pictures: the column of DATA with their paths. picture_size: their side in pixels. skip_corrupt: whether to leave
    out files that cannot be read.
    spellings: whether classes that differ by case or blanks are one ("merge") or several ("keep").
    delimiter, decimal, thousands, encoding, no_header: the format of text files, where its detection fails. missing:
    the words for a missing value. These options are kept and used for every later file.
    """

    goal: str | None
    task: Task | None
    drop: tuple[str, ...]
    types: dict[str, str]
    stratify_on: str | None
    group_on: str | None
    time_on: str | None
    split_on: str | None
    sizes: str | None
    test_data: Any
    deployment_data: Any
    seed: int
    pictures: str | None
    picture_size: int | None
    skip_corrupt: bool
    spellings: Spellings | None
    delimiter: str | None
    decimal: str | None
    thousands: str | None
    encoding: str | None
    missing: str | tuple[str, ...] | None
    no_header: bool | None


def make_split(data: Any, target: str | None, options: SplitArguments, *, notify: Notify) -> Split:
    """Read DATA and divide it in memory."""
    settings = _settings(data, target, options)
    table, schema = _read(data, settings, notify=notify)
    _goal(settings, schema)
    return _divided(table, schema, settings=settings, options=options)


def find_or_make(
    data: Any,
    target: str | None,
    options: SplitArguments,
    *,
    out: Path | str | None,
    move: bool,
    notify: Notify,
    request: RunRequest | None = None,
    more_data: Any = None,
) -> Workspace:
    """Open the experiment that the same command made, or make one; a new split stays in memory.

    The `request` of the run that follows must fit the goal and the split, and so must the rows in `more_data`.
    A command that is refused leaves nothing behind.
    """
    settings, path = _settings(data, target, options), Path(out) if out is not None else default_path(data)
    if is_experiment(path):
        found = _found(path, data, settings)
        if move:
            move_sources(found)
        return Workspace(found)
    pictures = is_picture_source(data, column=settings.pictures)
    one_each = isinstance(data, str | Path) and Path(data).is_file()
    one_each = one_each and (settings.test_data is None or Path(settings.test_data).is_file())
    if move and (pictures or not one_each):
        raise BadInput(
            "--move-source must be used with one table, and at most one table of test rows",
            found="pictures" if pictures else "no file or several files",
            remedy="Move the files away yourself after the split",
        )
    table, schema = _read(data, settings, notify=notify)
    goal = _goal(settings, schema)
    if request:
        referred(request.reference, goal=goal)
    split = _divided(table, schema, settings=settings, options=options)
    augmentation_for(schema, request.augment if request else None)
    if more_data is not None:
        added_to(split, more_data, csv_format=settings.csv_format.for_later)

    saved: list[Split] = []

    def fill(part: Path) -> Json:
        saved.append(split.save(part))
        return {**saved[0].to_json(), "goal": goal.name, "asked": settings.to_json()}

    folder = create_folder(path, settings, goal=goal, data=table.source.to_json(), fill=fill)
    if move:
        move_sources(folder)
    notify({"event": "split", "rows": dict(split.rows), "policy": split.policy})
    return Workspace(folder, split=saved[0].moved_to(folder.path))


def move_sources(folder: Folder) -> None:
    """Move DATA and the file of test rows into the experiment, out of reach, unless they have already been moved."""
    source = folder.data.get("path")
    if source is None or folder.data["sha256"] is not None:
        raise BadInput(
            "--move-source must be used with one table, and at most one table of test rows",
            found=f"{folder.path}, made from pictures, several files or a data frame",
            remedy="Move them away yourself",
        )
    move_source(Path(source), folder.path / SOURCE_NAME)
    test = folder.settings.test_data
    if test is not None and not test.startswith(FRAME):
        move_source(Path(test), folder.path / TEST_SOURCE_NAME)


def _settings(data: Any, target: str | None, options: SplitArguments) -> Settings:
    """Return the options as an experiment keeps them: further sources by path, frames by the SHA-256 of their rows."""
    target = _labels(data, options) if target is None else target
    named: dict[str, Any] = {name: options.get(name) for name in FURTHER}
    for name, source in named.items():
        if isinstance(source, str | Path):
            named[name] = str(source)
        elif source is not None:
            named[name] = f"{FRAME}{read_table(source, name=name).source.sha256}"
    missing = options.get("missing")
    if missing is not None and not isinstance(missing, str):
        named["missing"] = tuple(missing)
    plain = {**options, **named, "drop": tuple(options.get("drop", ())), "types": dict(options.get("types") or {})}
    return Settings(target=target, **plain)


def _labels(data: Any, options: SplitArguments) -> str:
    if options.get("pictures") is None and is_picture_source(data):
        return LABEL
    if isinstance(data, str | Path) and not Path(data).is_file():
        open_folder(Path(data))  # reports what is wrong with the folder: a target would not help
    raise BadInput("DATA must have a target", found="none", remedy="Pass the column to predict with --target COLUMN")


def _found(path: Path, data: Any, settings: Settings) -> Folder:
    folder = open_folder(path)
    folder.resolved(folder.settings).require_same(folder.resolved(settings), folder=path)
    if is_several(data) or (isinstance(data, str | Path) and "*" in str(data)):
        folder.require_files(source_of(data, files_of(data, name="DATA")).to_json())
    elif isinstance(data, str | Path):
        folder.require_data(Path(data))
    else:
        folder.require_same_frame(read_table(data, drop=settings.drop).source.sha256)
    return folder


def _read(data: Any, settings: Settings, *, notify: Notify) -> tuple[Table, Schema]:
    asked: dict[str, Any] = {name: getattr(settings, name) for name in ("target", "task", "drop", "types", *WAYS)}
    if is_picture_source(data, column=settings.pictures):
        pictures, shape = read_pictures(data, options=_picture_options(settings), notify=notify)
        notify({"event": "read", "rows": pictures.frame.num_rows, "columns": len(pictures.frame.column_names)})
        return pictures, picture_schema(
            pictures.frame, shape=shape, paths=settings.pictures, several=settings.deployment_data is not None, **asked
        )
    dates = (settings.time_on,) if settings.time_on else ()
    wishes = Wishes(types=settings.types, dates=dates, target=settings.target or "")
    table = read_table(data, csv_format=settings.csv_format, wishes=wishes, drop=settings.drop)
    notify({"event": "read", "rows": table.frame.num_rows, "columns": table.frame.num_columns})
    schema = infer_schema(table.frame, readings=table.readings, spellings=settings.spellings, **asked)
    no_header = bool(table.written and settings.no_header)
    schema = replace(schema, missing=table.missing, no_header=no_header)
    return replace(table, frame=with_merged_classes(table.frame, schema)), schema


def _picture_options(settings: Settings) -> PictureOptions:
    return PictureOptions(
        column=settings.pictures,
        target=settings.target,
        size=settings.picture_size,
        skip_corrupt=settings.skip_corrupt,
        csv_format=settings.csv_format,
    )


def _divided(table: Table, schema: Schema, *, settings: Settings, options: SplitArguments) -> Split:
    further: dict[str, Table] = {}
    skipped = dict(table.skipped)
    for name in FURTHER:
        if (source := options.get(name)) is not None:
            option = f"--{name.replace('_', '-')}"
            further[name] = _further(source, schema, settings, name=option)
            skipped |= {f"{option} {file}": why for file, why in further[name].skipped.items()}
    ways = SplitOptions(
        **{name: getattr(settings, name) for name in WAYS},
        sizes=settings.sizes,
        seed=settings.seed,
        **{name: found.frame for name, found in further.items()},
    )
    return split_table(replace(table, skipped=skipped), schema=schema, options=ways)


def _further(source: Any, schema: Schema, settings: Settings, *, name: str) -> Table:
    if schema.picture is None:
        return read_table(
            source, name=name, csv_format=settings.csv_format.for_later, drop=settings.drop, schema=schema
        )
    return read_pictures(source, options=_picture_options(settings), shape=schema.picture)[0]


def _goal(settings: Settings, schema: Schema) -> Goal:
    return goal_named(settings.goal, task=schema.task) if settings.goal else default_goal(schema.task)
