"""Create an experiment from DATA, or open the one that was made from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from wellfit.base.typing import Json, Notify
from wellfit.data.pictures.listing import PictureOptions, is_picture_source
from wellfit.data.pictures.read import read_pictures
from wellfit.data.pictures.schema import picture_schema
from wellfit.data.read import Table, read_table
from wellfit.data.schema import Schema, infer_schema
from wellfit.exceptions import BadInput
from wellfit.experiment.folder import Folder, Settings, create_folder, default_path, is_experiment, open_folder
from wellfit.experiment.workspace import Workspace
from wellfit.records.goals import Goal, default_goal, goal_named
from wellfit.splits.partition import SplitOptions
from wellfit.splits.seal import move_source
from wellfit.splits.split import Split, split_table


@dataclass(frozen=True, kw_only=True)
class Sources:
    """The rows: each a file, a data frame, or a frame's rows."""

    data: Any
    test_data: Any = None
    deployment_data: Any = None


def name_of(source: Any, *, name: str) -> str | None:
    """Return the name of a further source in settings: its path, or the SHA-256 of a data frame's rows."""
    if source is None:
        return None
    if isinstance(source, str | Path):
        return str(source)
    return f"sha256:{read_table(source, name=name).source.sha256}"


def make_split(sources: Sources, settings: Settings, *, notify: Notify) -> Split:
    """Read DATA and divide it in memory.

    Raises:
        BadInput: whatever is wrong with DATA, its target, or the options.
    """
    table, schema = _read(sources.data, settings, notify=notify)
    _goal(settings, schema)
    return _divided(table, schema, sources=sources, settings=settings)


def find_or_make(
    sources: Sources,
    settings: Settings,
    *,
    out: Path | None,
    move: bool,
    notify: Notify,
    check: Callable[[Goal], object] = lambda _goal: None,
    fits: Callable[[Split], object] = lambda _split: None,
) -> Workspace:
    """Open the experiment of the same command, or make it; a new split stays in memory.

    Args:
        sources: DATA, and the files or frames for test and deployment.
        settings: target, goal and split as given.
        out: the folder; `default_path` when None.
        move: take the source file out of reach once it is split.
        check: called with the goal; raises before anything is made.
        notify: receives events.
        fits: called with a new split; raises before anything is made.

    Raises:
        BadInput: whatever is wrong with DATA or the options; nothing is made.
        Refusal: the folder holds another experiment, or something else.
        NoRoom: the disk is full; nothing is made.
    """
    path = out or default_path(sources.data)
    if is_experiment(path):
        found = _found(path, sources.data, settings)
        check(found.goal)
        return Workspace(found)
    if move and is_picture_source(sources.data, column=settings.pictures):
        raise BadInput(
            "--move-source must be given with one table",
            found="pictures",
            remedy="Move them away yourself once they are split",
        )
    table, schema = _read(sources.data, settings, notify=notify)
    goal = _goal(settings, schema)
    check(goal)
    split = _divided(table, schema, sources=sources, settings=settings)
    fits(split)

    saved: list[Split] = []

    def fill(part: Path) -> Json:
        saved.append(split.save(part))
        return {**saved[0].to_json(), "goal": goal.name, "asked": settings.to_json()}

    folder = create_folder(path, settings, goal=goal, data=table.source.to_json(), fill=fill)
    if move and table.source.path:
        move_source(Path(table.source.path), folder.path)
    notify({"event": "split", "rows": dict(split.rows), "policy": split.policy})
    return Workspace(folder, split=saved[0].moved_to(folder.path))


def _found(path: Path, data: Any, settings: Settings) -> Folder:
    folder = open_folder(path)
    folder.resolved(folder.settings).require_same(folder.resolved(settings), folder=path)
    if isinstance(data, str | Path):
        folder.require_data(Path(data))
    else:
        folder.require_same_frame(read_table(data).source.sha256)
    return folder


def _read(data: Any, settings: Settings, *, notify: Notify) -> tuple[Table, Schema]:
    asked: dict[str, Any] = {
        name: getattr(settings, name)
        for name in ("target", "task", "drop", "types", "group_on", "time_on", "split_on", "stratify_on")
    }
    if is_picture_source(data, column=settings.pictures):
        pictures, shape = read_pictures(data, options=_picture_options(settings), notify=notify)
        notify({"event": "read", "rows": pictures.frame.num_rows, "columns": len(pictures.frame.column_names)})
        return pictures, picture_schema(
            pictures.frame, shape=shape, paths=settings.pictures, several=settings.deployment_data is not None, **asked
        )
    table = read_table(data, csv_format=settings.csv_format)
    notify({"event": "read", "rows": table.frame.num_rows, "columns": table.frame.num_columns})
    return table, infer_schema(table.frame, **asked)


def _picture_options(settings: Settings) -> PictureOptions:
    return PictureOptions(
        column=settings.pictures,
        target=settings.target,
        size=settings.picture_size,
        skip_corrupt=settings.skip_corrupt,
        csv_format=settings.csv_format,
    )


def _divided(table: Table, schema: Schema, *, sources: Sources, settings: Settings) -> Split:
    extra = {
        "--test-data": _extra(sources.test_data, schema, settings, name="--test-data"),
        "--deployment-data": _extra(sources.deployment_data, schema, settings, name="--deployment-data"),
    }
    options = SplitOptions(
        stratify_on=settings.stratify_on,
        group_on=settings.group_on,
        time_on=settings.time_on,
        split_on=settings.split_on,
        sizes=settings.sizes,
        test_data=_frame(extra["--test-data"]),
        deployment_data=_frame(extra["--deployment-data"]),
        seed=settings.seed,
    )
    skipped = {f"{name} {file}": why for name, one in extra.items() if one for file, why in one.skipped.items()}
    return split_table(replace(table, skipped={**table.skipped, **skipped}), schema=schema, options=options)


def _extra(source: Any, schema: Schema, settings: Settings, *, name: str) -> Table | None:
    if source is None:
        return None
    if schema.picture is None:
        return read_table(source, name=name, csv_format=settings.csv_format)
    return read_pictures(source, options=_picture_options(settings), shape=schema.picture)[0]


def _frame(table: Table | None) -> pa.Table | None:
    return None if table is None else table.frame


def _goal(settings: Settings, schema: Schema) -> Goal:
    return goal_named(settings.goal, task=schema.task) if settings.goal else default_goal(schema.task)
