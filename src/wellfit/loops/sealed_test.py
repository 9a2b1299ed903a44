"""A test set that is opened once, without an experiment: for a model of any kind."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import narwhals as nw
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from wellfit.base.files import make_folder, write_whole
from wellfit.base.plain_files import read_json, require_plain
from wellfit.base.typing import Floats, Integers, Json, Task
from wellfit.data.hashing import Words, row_hashes
from wellfit.data.read import read_table
from wellfit.data.schema import MOST_INTEGER_CLASSES
from wellfit.diagnosis.labels import Array, array_of, codes_of, probabilities_of
from wellfit.exceptions import BadInput
from wellfit.opening import Opening, open_test
from wellfit.records.goals import default_goal, goal_named
from wellfit.splits.ledger import LEDGER_NAME, Ledger
from wellfit.splits.seal import Seal, load_seal, seal_rows, store_seal

CARD_NAME = "sealed.json"
HASHES_NAME = "hashes.parquet"
TARGET = "target, sealed by wellfit"


@dataclass(frozen=True)
class SealedTest:
    """Test rows in a folder of their own, opened once, and written down when they are.

        wf.SealedTest.of(X_test, y_test, folder="churn.sealed")      # once, before anything is trained
        wf.SealedTest(Path("churn.sealed")).open(model.predict)        # once, when the model is final

    The opening stands in a ledger in the folder and in the user's registry, which knows rows by their hashes: copying
    the folder, or sealing the same rows again, does not certify twice. This protects against accident and
    self-deception, not against forgery.
    """

    folder: Path

    @classmethod
    def of(cls, X: Any, y: Any, *, folder: Path | str) -> SealedTest:
        """Write test rows into a new folder.

        Args:
            X: [rows, ...] array, or a data frame; a model gets it back as it was given.
            y: [rows] classes or values.
            folder: a new folder.

        Raises:
            BadInput: rows that do not fit together, missing targets, or a folder that exists.
            NoRoom: the disk is full; nothing half-written counts.
        """
        place = Path(folder)
        if place.exists():
            raise BadInput("a sealed test set gets a folder of its own", found=f"{place} exists", remedy="Name another")
        target = array_of("y", y)
        table, form = _table_of(X)
        if target.ndim != 1 or len(target) != table.num_rows:
            raise BadInput(
                "X and y must have the same rows",
                found=f"{table.num_rows} rows and a target of shape {target.shape}",
                remedy="Give one target a row",
            )
        make_folder(place)
        whole = table.append_column(TARGET, pa.array(target))
        sealed = store_seal(seal_rows(whole, now=datetime.now(UTC)), place)
        words = row_hashes(whole)
        hashes = pa.table({"a": words[:, 0], "b": words[:, 1]})
        write_whole(place / HASHES_NAME, lambda file: pq.write_table(hashes, file))
        card = {"schema": 1, "seal": sealed.to_json(), "form": form, "classes": _classes_of(target)}
        write_whole(place / CARD_NAME, lambda file: file.write(json.dumps(card, indent=1).encode()))
        return cls(place)

    def open(
        self,
        predict: Callable[[Any], Any],
        *,
        goal: str | None = None,
        dev: tuple[Any, Any] | None = None,
        subject: str = "",
        again: bool = False,
    ) -> Opening:
        """Open the test set for one model.

        Args:
            predict: X as it was sealed -> labels, probabilities [rows, classes], or values [rows].
            goal: of the loss; default error for classes, rmse for values.
            dev: (y, prediction) of the dev rows, to compare with.
            subject: names the model; after a crash the same subject may finish its opening.
            again: allow a further opening; it is not certified.

        Raises:
            Refusal: the test set was opened before (without `again`), or is not what was sealed.
            BadInput: the folder holds no sealed test set; predictions that do not fit the rows or the goal.
        """
        task: Task = "classification" if self._classes is not None else "regression"
        chosen = goal_named(goal, task=task) if goal else default_goal(task)
        return open_test(
            self,
            predict=lambda rows: self._read("test", predict(_as_given(rows, self._card["form"]))),
            goal=chosen,
            dev=None
            if dev is None
            else chosen.estimate(self._target("dev", array_of("dev y", dev[0])), self._read("dev", dev[1])),
            subject=subject,
            again=again,
        )

    @property
    def rows(self) -> int:
        """How many rows are sealed."""
        return self.seal.rows

    @cached_property
    def seal(self) -> Seal:
        """Number of rows, digest and time; the rows are not read."""
        return load_seal(self._card["seal"], self.folder)

    @cached_property
    def hashes(self) -> Mapping[str, Words]:
        """uint64 [rows, 2] of "test"."""
        table = pq.read_table(self.folder / HASHES_NAME)
        return {"test": np.stack([table.column(lane).to_numpy() for lane in ("a", "b")], axis=1)}

    @cached_property
    def ledger(self) -> Ledger:
        """Its openings."""
        return Ledger(self.seal.sha256, self.folder / LEDGER_NAME)

    def targets(self, rows: pa.Table) -> Integers | Floats:
        """Class codes, or values, of opened rows."""
        return self._target("test", array_of("sealed target", rows.column(TARGET).to_pylist()))

    def groups(self, rows: pa.Table) -> None:
        """No groups: X is sealed as it is, and nothing says which of its columns would be one."""

    @cached_property
    def _card(self) -> Json:
        path = self.folder / CARD_NAME
        try:
            require_plain(self.folder)
            card: Json = read_json(path)
        except (OSError, ValueError) as error:
            raise BadInput(
                "the folder must contain a sealed test set", found=f"{path}: {error}", remedy="Seal one: SealedTest.of"
            ) from error
        return card

    @property
    def _classes(self) -> Array | None:
        known = self._card["classes"]
        return None if known is None else np.asarray(known)

    def _target(self, name: str, y: Array) -> Integers | Floats:
        return y.astype(np.float64) if self._classes is None else codes_of(name, y, self._classes)

    def _read(self, name: str, prediction: Any) -> Floats:
        values = array_of(f"prediction of {name}", prediction)
        if self._classes is not None:
            return probabilities_of(f"prediction of {name}", values, self._classes)
        return values.reshape(len(values)).astype(np.float64)


def _classes_of(target: Array) -> list[Any] | None:
    known = np.unique(target)
    if target.dtype.kind in "bUS" or (target.dtype.kind in "iu" and len(known) <= MOST_INTEGER_CLASSES):
        found: list[Any] = known.tolist()
        return found
    return None


def _table_of(X: Any) -> tuple[pa.Table, Json]:
    """The rows as a table, and what is needed to give them back as they came."""
    if isinstance(X, np.ndarray):
        flat = X.reshape(len(X), -1)
        columns = {str(place): pa.array(flat[:, place]) for place in range(flat.shape[1])}
        return pa.table(columns), {"kind": "array", "shape": list(X.shape[1:]), "dtype": X.dtype.str}
    frame = nw.from_native(X, eager_only=True, pass_through=True)
    kind = frame.implementation.value if isinstance(frame, nw.DataFrame) else "pyarrow"
    return read_table(X, name="X").frame, {"kind": kind}


def _as_given(rows: pa.Table, form: Json) -> Any:
    features = rows.drop_columns([TARGET])
    if form["kind"] == "array":
        stacked = np.column_stack([column.to_numpy(zero_copy_only=False) for column in features.columns])
        return stacked.astype(form["dtype"]).reshape(-1, *form["shape"])
    frame = nw.from_native(features, eager_only=True)
    if form["kind"] == "pandas":
        return frame.to_pandas()
    return frame.to_polars() if form["kind"] == "polars" else features
