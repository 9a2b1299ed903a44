"""A test set without an experiment, which is opened once for a model of any kind."""

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

from wellfit.base.arguments import named_fields
from wellfit.base.files import make_folder, write_whole
from wellfit.base.plain_files import read_json, require_plain
from wellfit.base.typing import Floats, Integers, Json, Task
from wellfit.data.hashing import Words, row_hashes
from wellfit.data.read import read_table
from wellfit.data.schema import MOST_INTEGER_CLASSES
from wellfit.diagnosis.labels import Array, array_of, codes_of, is_soft, probabilities_of
from wellfit.exceptions import BadInput
from wellfit.opening import Opening, open_test
from wellfit.records.goals import Goal, default_goal, goal_named
from wellfit.splits.ledger import LEDGER_NAME, Ledger
from wellfit.splits.seal import Seal, load_seal, rows_in, seal_rows, sealed_bytes, store_seal

CARD_NAME = "sealed.json"
HASHES_NAME = "hashes.parquet"
TARGET = "target, sealed by wellfit"


@named_fields
@dataclass(frozen=True)
class SealedTest:
    """Test rows in a folder of their own, which are opened once, with a record of the opening.

        wf.SealedTest.of(X_test, y_test, folder="churn.sealed")      # once, before anything is trained
        wf.SealedTest(Path("churn.sealed")).open(model.predict)        # once, when the model is final

    The opening is recorded in a ledger in the folder and in the user's registry, which identifies rows by their hashes.
    Neither copying the folder nor sealing the same rows again certifies twice. This protects against accident and
    self-deception, not against forgery.
    """

    folder: Path

    @classmethod
    def of(cls, X: Any, y: Any, *, folder: Path | str) -> SealedTest:
        """Write test rows into a new folder.

        Args:
            X: array [rows, ...], or a data frame of pandas, polars or pyarrow; a model gets it back as it was given,
                with its types, categories and index.
            y: classes or values [rows]. Two distinct whole numbers are classes, regardless of how they are stored.
            folder: a new folder.

        Raises:
            BadInput: for rows that do not fit together, missing targets, a folder that exists, or an X that could not
                be given back unchanged.
            NoRoom: if the disk is full; a partly written folder does not count.
        """
        place = Path(folder)
        if place.exists():
            raise BadInput(
                "a sealed test set must get a new folder", found=f"that {place} exists", remedy="Name another"
            )
        target = array_of("y", y)
        target = target[:, 0] if target.ndim == 2 and target.shape[1] == 1 else target
        table, form = _table_of(X)
        if TARGET in table.column_names:
            raise BadInput("the target must not be among the features", found=repr(TARGET), remedy="Drop that column")
        if target.ndim != 1 or len(target) != table.num_rows:
            raise BadInput(
                "X and y must have the same number of rows",
                found=f"{table.num_rows} rows and a target of shape {target.shape}",
                remedy="Give one target per row",
            )
        sealed = seal_rows(table.append_column(TARGET, pa.array(target)), now=datetime.now(UTC), exact=True)
        _require_same(X, sealed, form)
        words = row_hashes(_plain(X, table).append_column(TARGET, pa.array(target)))
        make_folder(place)
        sealed = store_seal(sealed, place)
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
            predict: a function of X as it was sealed that returns labels, probabilities [rows, classes], or values
                [rows].
            goal: determines the loss; by default error for classes, and rmse for values.
            dev: (y, prediction) of the dev rows, for comparison.
            subject: the name of the model; after a crash the same subject may finish its opening.
            again: allow a further opening, which is not certified.

        Raises:
            Refusal: if the test set was opened before (without `again`), or differs from what was sealed.
            BadInput: if the folder does not contain a sealed test set, or predictions do not fit the rows or the goal.
                Like every failure of `predict`, this does not use up the opening.
        """
        task: Task = "classification" if self._classes is not None else "regression"
        chosen = goal_named(goal, task=task) if goal else default_goal(task)
        return open_test(
            self,
            predict=lambda rows: self._read("test", predict(_as_given(rows, self._card["form"])), chosen),
            goal=chosen,
            dev=None
            if dev is None
            else chosen.estimate(self._target("dev", array_of("dev y", dev[0])), self._read("dev", dev[1], chosen)),
            subject=subject,
            again=again,
        )

    @property
    def rows(self) -> int:
        """The number of sealed rows."""
        return self.seal.rows

    @cached_property
    def seal(self) -> Seal:
        """The number of rows, the digest and the time of sealing; the rows are not read."""
        return load_seal(self._card["seal"], self.folder)

    @cached_property
    def hashes(self) -> Mapping[str, Words]:
        """The hashes of the part "test", uint64 [rows, 2]."""
        table = pq.read_table(self.folder / HASHES_NAME)
        return {"test": np.stack([table.column(lane).to_numpy() for lane in ("a", "b")], axis=1)}

    @property
    def others(self) -> tuple[pa.Table, ...]:
        """Always None, because the other rows of the table are not known."""
        return ()

    @cached_property
    def ledger(self) -> Ledger:
        """The ledger of the openings of this test set."""
        return Ledger(self.seal.sha256, self.folder / LEDGER_NAME)

    def targets(self, rows: pa.Table) -> Integers | Floats:
        """Return the class codes or the values of opened rows."""
        return self._target("test", array_of("sealed target", rows.column(TARGET).to_pylist()))

    def groups(self, rows: pa.Table) -> None:
        """Return no groups, because X is sealed without a column that is marked as groups."""

    @cached_property
    def _card(self) -> Json:
        path = self.folder / CARD_NAME
        try:
            require_plain(self.folder)
            card: Json = read_json(path)
        except (OSError, ValueError) as error:
            raise BadInput(
                "the folder must contain a sealed test set",
                found=f"{path}: {error}",
                remedy="Seal test rows with SealedTest.of",
            ) from error
        return card

    @property
    def _classes(self) -> Array | None:
        known = self._card["classes"]
        return None if known is None else np.asarray(known)

    def _target(self, name: str, y: Array) -> Integers | Floats:
        return y.astype(np.float64) if self._classes is None else codes_of(name, y, self._classes)

    def _read(self, name: str, prediction: Any, goal: Goal) -> Floats:
        values = array_of(f"prediction of {name}", prediction)
        if self._classes is not None:
            if goal.needs_probabilities and not is_soft(values, self._classes):
                raise BadInput(
                    f"predictions must be probabilities for the goal {goal.name}",
                    found=f"labels as predictions of {name}",
                    remedy="Predict probabilities [rows, classes], or choose the goal error",
                )
            return probabilities_of(f"prediction of {name}", values, self._classes)
        if values.size != len(values) or values.dtype.kind not in "iufb":
            raise BadInput(
                f"the prediction of {name} must be one number for each row",
                found=f"shape {values.shape} of type {values.dtype}",
                remedy="Predict values [rows]",
            )
        return values.reshape(len(values)).astype(np.float64)


def _classes_of(target: Array) -> list[Any] | None:
    known = np.unique(target)
    two_whole = target.dtype.kind == "f" and len(known) <= 2 and not (known % 1).any()
    whole = target.dtype.kind in "iu" and len(known) <= MOST_INTEGER_CLASSES
    if target.dtype.kind in "bUS" or whole or two_whole:
        found: list[Any] = known.tolist()
        return found
    return None


def _table_of(X: Any) -> tuple[pa.Table, Json]:
    """Return the rows as a complete Arrow table, and the facts that are needed to give them back unchanged."""
    try:
        if isinstance(X, np.ndarray) and X.ndim and len(X):
            flat = X.reshape(len(X), -1)
            columns = {str(place): pa.array(flat[:, place]) for place in range(flat.shape[1])}
            return pa.table(columns), {"kind": "array", "shape": list(X.shape[1:]), "dtype": X.dtype.str}
        if nw.dependencies.is_pandas_dataframe(X):
            objects = []  # which of the two markers for a missing object each column uses
            for place in (place for place, kind in enumerate(X.dtypes) if kind.name == "object"):
                is_nan = any(isinstance(cell, float) and np.isnan(cell) for cell in X.iloc[:, place])
                objects.append([place, "nan" if is_nan else "none"])
            return pa.Table.from_pandas(X), {"kind": "pandas", "objects": objects}
        if nw.dependencies.is_polars_dataframe(X):
            return X.to_arrow(), {"kind": "polars"}
        if isinstance(X, pa.Table):
            return X, {"kind": "pyarrow"}
    except (pa.ArrowException, ValueError, TypeError) as error:
        raise _not_given_back(type(X).__name__, str(error).splitlines()[0]) from error
    raise _not_given_back(type(X).__name__, "it is neither an array nor a data frame")


def _plain(X: Any, table: pa.Table) -> pa.Table:
    """Return the rows as every other part of wellfit reads and hashes them."""
    return table if isinstance(X, np.ndarray) else read_table(X, name="X").frame


def _as_given(rows: pa.Table, form: Json) -> Any:
    features = rows.drop_columns([TARGET])
    if form["kind"] == "array":
        stacked = np.column_stack([column.to_numpy(zero_copy_only=False) for column in features.columns])
        return stacked.astype(form["dtype"]).reshape(-1, *form["shape"])
    if form["kind"] == "pandas":
        frame = features.to_pandas()
        for place, missing in form["objects"]:
            # Arrow turns objects that are all text into text, and two kinds of missing values into one.
            cells = np.empty(len(frame), dtype=object)
            cells[:] = features.column(place).to_pylist()
            cells[[cell is None for cell in cells]] = np.nan if missing == "nan" else None
            frame.isetitem(place, cells)
        return frame
    return nw.from_native(features, eager_only=True).to_polars() if form["kind"] == "polars" else features


def _require_same(X: Any, sealed: Seal, form: Json) -> None:
    """Refuse to seal rows that would come back changed, or not at all."""
    try:
        differs = _difference(X, _as_given(rows_in(sealed_bytes(sealed)), form))
    except (pa.ArrowException, ValueError, TypeError) as error:
        raise _not_given_back(type(X).__name__, str(error).splitlines()[0]) from error
    if differs:
        raise _not_given_back(type(X).__name__, differs)


def _difference(X: Any, given: Any) -> str:
    """Describe how the two differ; "" if they do not."""
    if type(given) is not type(X) and not isinstance(X, np.memmap):
        return f"it would come back as {type(given).__name__}"
    if isinstance(X, np.ndarray):
        same = X.dtype == given.dtype and np.array_equal(X, given, equal_nan=X.dtype.kind == "f")
        return "" if same else f"an array of type {X.dtype} would come back changed"
    if nw.dependencies.is_pandas_dataframe(X):
        return _difference_of_pandas(X, given)
    if isinstance(X, pa.Table):  # its bytes were sealed as they are
        return "" if X.schema.equals(given.schema) else "its schema would come back changed"
    changed = [f"column {name!r} would be changed" for name in X.columns if not X[name].equals(given[name])]
    return "; ".join(changed[:1]) if changed or X.schema == given.schema else "its types would come back changed"


def _difference_of_pandas(X: Any, given: Any) -> str:
    from pandas.testing import assert_frame_equal  # type: ignore[import-untyped] # pandas is an extra

    try:
        assert_frame_equal(given, X, check_exact=True, check_freq=False, check_column_type="equiv")
    except AssertionError as error:
        return " ".join(str(error).split())[:300]
    return ""


def _not_given_back(kind: str, found: str) -> BadInput:
    return BadInput(
        "X must be an array, or a frame of pandas, polars or pyarrow, that can be returned unchanged",
        found=f"{kind}: {found}",
        remedy="Seal X in a different form, such as np.asarray(X), or cast the column",
    )
