"""The folder NAME.wellfit: created whole or not at all, opened only if it is an experiment.

experiment.json      settings and the fingerprint of DATA
split.json           schema, seal, duplicates; next to it train, train-dev, dev and the row hashes as Parquet
test.sealed          the test rows; read only by `unseal`
ledger.jsonl         openings of the test set
journal.sqlite       everything that happened
more_data/           rows that were added to train, as Parquet
models/              the fitted transforms as JSON, one safetensors file per trained network
report.html
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from wellfit.base.files import whole_folder, write_whole
from wellfit.base.plain_files import read_json, require_plain
from wellfit.base.serialize import ClosedRecord, omitted_if
from wellfit.base.typing import Json, Task
from wellfit.data.containers import folder_source
from wellfit.data.dialect import CsvFormat
from wellfit.data.schema import Spellings
from wellfit.exceptions import BadInput, NoRoom, Refusal
from wellfit.journal.store import open_journal
from wellfit.records.goals import Goal, default_goal, goal_named


@dataclass(frozen=True, kw_only=True)
class Settings(ClosedRecord):
    """Options that define an experiment, as the user passed them; a repeated command must not change them.

    None means the default. `test_data` and `deployment_data` are paths; frames are named by their SHA-256.
    `SplitArguments` describes the other options.
    """

    target: str
    goal: str | None = None
    task: Task | None = None
    drop: tuple[str, ...] = ()
    types: Mapping[str, str] = field(default_factory=dict)
    stratify_on: str | None = None
    group_on: str | None = None
    time_on: str | None = None
    split_on: str | None = None
    sizes: str | None = None
    test_data: str | None = None
    deployment_data: str | None = None
    seed: int = 0
    pictures: str | None = field(default=None, metadata=omitted_if(None))
    picture_size: int | None = field(default=None, metadata=omitted_if(None))
    skip_corrupt: bool = field(default=False, metadata=omitted_if(False))
    delimiter: str | None = field(default=None, metadata=omitted_if(None))
    decimal: str | None = field(default=None, metadata=omitted_if(None))
    thousands: str | None = field(default=None, metadata=omitted_if(None))
    encoding: str | None = field(default=None, metadata=omitted_if(None))
    missing: str | tuple[str, ...] | None = field(default=None, metadata=omitted_if(None))
    no_header: bool | None = field(default=None, metadata=omitted_if(None))
    spellings: Spellings | None = field(default=None, metadata=omitted_if(None))

    def __post_init__(self) -> None:
        if self.task not in (None, "classification", "regression"):
            raise BadInput(
                "a task must be classification or regression", found=repr(self.task), remedy="Choose one of them"
            )

    @property
    def csv_format(self) -> CsvFormat:
        """The options for the format of CSV files."""
        return CsvFormat(**{each.name: getattr(self, each.name) for each in fields(CsvFormat)})

    def require_same(self, asked: Settings, *, folder: Path) -> None:
        """Refuse a command that needs a different split, naming the first option that differs."""
        self._require(vars(asked), folder=folder)

    def require_compatible(self, given: Mapping[str, Any], *, folder: Path) -> None:
        """Refuse options that differ, where only some were passed (EXPERIMENT in place of DATA)."""
        self._require({name: value for name, value in given.items() if value not in (None, (), {})}, folder=folder)

    def _require(self, asked: Mapping[str, Any], *, folder: Path) -> None:
        for name, wanted in asked.items():
            kept = getattr(self, name)
            if kept != wanted:
                raise Refusal(
                    "an experiment's data, goal and split must not change",
                    found=f"{name}={wanted!r}, but {folder} was made with {name}={kept!r}",
                    remedy="Pass the same options, or another --out",
                )


SCHEMA = 1
ABOUT = "experiment.json"
JOURNAL = "journal.sqlite"
STUDY = "study"
"""Key of a study's knobs in the data of its folder."""


@dataclass(frozen=True)
class Folder:
    """An experiment's folder: its files, its settings, its goal, and the fingerprint of DATA."""

    path: Path
    settings: Settings
    goal: Goal
    data: Json

    @property
    def journal(self) -> Path:
        """The journal file."""
        return self.path / JOURNAL

    @property
    def models(self) -> Path:
        """The folder of trained networks."""
        return self.path / "models"

    @property
    def report(self) -> Path:
        """The report page."""
        return self.path / "report.html"

    @property
    def study(self) -> Json | None:
        """The knobs of a study, by name; None for an experiment that has its own rows."""
        return self.data.get(STUDY)

    def require_data(self, path: Path) -> None:
        """Refuse DATA whose path, size or time differs from that of the original file; accept a file that is gone."""
        if str(path.resolve()) != self.data["path"]:
            raise _other_data(self.path, found=f"{path}, but the experiment was made from {self.data['path']}")
        if path.is_dir() and folder_source(path).sha256 != self.data["sha256"]:
            raise _other_data(
                self.path, found=f"{path}, whose pictures, sizes or modification times have changed since the split"
            )
        if path.is_file():
            stat = path.stat()
            if (stat.st_size, stat.st_mtime) != (self.data["bytes"], self.data["modified"]):
                raise _other_data(
                    self.path, found=f"{path}, whose size or modification time has changed since the split"
                )

    def require_files(self, found: Json) -> None:
        """Refuse files that differ from the original ones in their paths, sizes or times."""
        if found != self.data:
            raise _other_data(
                self.path, found="other files, or files whose sizes or modification times have changed since the split"
            )

    def resolved(self, settings: Settings) -> Settings:
        """Return `settings` with the goal by name: a default that is passed or left out is the same command."""
        return replace(settings, goal=settings.goal or default_goal(self.goal.task).name)

    def require_same_frame(self, sha256: str | None) -> None:
        """Refuse a data frame whose rows differ from those of the original frame."""
        if sha256 != self.data["sha256"]:
            raise _other_data(self.path, found="a data frame with different rows")


def is_experiment(path: Path) -> bool:
    """Return True if `path` is an experiment's folder."""
    return (path / ABOUT).is_file()


def open_folder(path: Path) -> Folder:
    """Open an experiment's folder; Refusal if it is missing, not an experiment, or made by a newer wellfit."""
    if not is_experiment(path):
        raise Refusal(
            "EXPERIMENT must be a folder made by `wellfit run` or `wellfit split`",
            found=f"{'a folder without ' + ABOUT if path.is_dir() else 'no folder'} at {path}",
            remedy="Check the path, or make one with `wellfit split DATA --target COLUMN` (pictures must be "
            ".png or .jpg)",
        )
    require_plain(path)
    try:
        about = read_json(path / ABOUT)
        schema = about["schema"]
        if schema > SCHEMA:
            raise Refusal(
                f"an experiment must have schema {SCHEMA} or lower for this wellfit to read it",
                found=f"schema {schema} in {path}",
                remedy="Update wellfit (pip install -U wellfit)",
            )
        return Folder(path, Settings.from_json(about["settings"]), goal_named(about["goal"]), about["data"])
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise Refusal(
            "an experiment's folder must be as wellfit wrote it",
            found=f"the unreadable file {path / ABOUT} ({error})",
            remedy="Restore the folder from a copy, or pass another --out",
        ) from error


def create_folder(
    path: Path, settings: Settings, *, goal: Goal, data: Json, fill: Callable[[Path], Json | None]
) -> Folder:
    """Make a new experiment's folder, complete or not at all, at a free path or in an empty folder.

    `data` is the fingerprint of DATA; `fill` writes the split and the sealed test into the folder and returns the
    journal's "split" entry, or None for a study, which has no split. It is refused if something else is at `path`; if
    there is no room, nothing remains.
    """
    if not _is_free(path):
        raise _taken(path)
    try:
        with whole_folder(path) as part:
            entry = fill(part)
            with open_journal(part / JOURNAL) as journal:
                if entry is not None:
                    journal.append("split", entry)
            about = {"schema": SCHEMA, "goal": goal.name, "settings": settings.to_json(), "data": data}
            content = json.dumps(about, indent=1, ensure_ascii=False).encode()
            write_whole(part / ABOUT, lambda file: file.write(content))
    except OSError as error:
        if not _is_free(path):
            raise _taken(path) from error  # another command was faster
        if isinstance(error, NoRoom):
            raise
        raise NoRoom(
            "the experiment's folder must be writable and have free space",
            found=f"{error.strerror} at {path.parent}",
            remedy="Free some space, or pass another --out",
        ) from error
    return Folder(path, settings, goal, data)


def default_path(source: Any) -> Path:
    """Return ./NAME.wellfit for a file NAME.csv, and ./experiment.wellfit for a data frame."""
    if not isinstance(source, str | Path):
        return Path("experiment.wellfit")
    stem = Path(source).stem
    while Path(stem).suffix.lower() in (".csv", ".tsv", ".txt", ".parquet"):  # churn.csv.gz
        stem = Path(stem).stem
    return Path(f"{stem}.wellfit")


def _is_free(path: Path) -> bool:
    return not path.exists() or (path.is_dir() and not any(path.iterdir()))


def _taken(path: Path) -> Refusal:
    return Refusal(
        "the folder of a new experiment must be missing or empty",
        found=f"files in {path}",
        remedy="Pass another --out, or move the files away",
    )


def _other_data(folder: Path, *, found: str) -> Refusal:
    return Refusal(
        "an experiment's DATA must keep its path, size and modification time",
        found=found,
        remedy=f"Pass another --out, or remove {folder} to start again (its openings stay on record)",
    )
