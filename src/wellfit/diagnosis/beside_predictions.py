"""What the features of predicted rows add to the errors: leakage, mismatch, regions and doubtful labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from wellfit._typing import Floats, Integers
from wellfit.data.features import features_of
from wellfit.data.read import read_table
from wellfit.data.schema import feature_columns, require_columns
from wellfit.diagnosis.doubted_labels import doubted_labels
from wellfit.diagnosis.findings import Finding, data_findings
from wellfit.diagnosis.labels import Array
from wellfit.diagnosis.leakage.facade import leakage_findings
from wellfit.diagnosis.mismatch.facade import mismatch_findings
from wellfit.diagnosis.optimal_error import Optimal
from wellfit.diagnosis.regions.find import FEWEST_ROWS
from wellfit.diagnosis.regions.findings import region_findings
from wellfit.diagnosis.regions.rival import rival_predictions
from wellfit.diagnosis.rows import Rows
from wellfit.exceptions import BadInput
from wellfit.goals import Goal
from wellfit.stats.scores import row_losses

PARTS = ("train", "train_dev", "dev")


def rows_of(
    features: Mapping[str, Any],
    ready: Mapping[str, tuple[Integers | Floats, Floats]],
    *,
    goal: Goal,
    groups: Mapping[str, Any] | None = None,
) -> tuple[dict[str, Rows], tuple[Finding, ...]] | None:
    """The rows of train, train-dev and dev with their losses, and what the columns show by themselves.

    Args:
        features: part -> frame or array [rows, columns], the same columns in each.
        ready: part -> (class codes or values, probabilities or values).
        goal: of the losses.
        groups: part -> [rows] group.

    Returns:
        None where train or dev has no features, or no column is usable.

    Raises:
        BadInput: for columns that differ, or other lengths than those of y.
    """
    tables = {part: _table(features[part], part) for part in PARTS if part in features and part in ready}
    if not {"train", "dev"} <= tables.keys():
        return None
    for part, table in tables.items():
        require_columns(table.column_names, tables["train"].column_names, rule=f"features of {part} are those of train")
        if table.num_rows != len(ready[part][0]):
            raise BadInput(
                f"{part}: features and y are of the same rows",
                found=f"{table.num_rows} and {len(ready[part][0])} rows",
                remedy="Give one row of features for each y",
            )
    together = pa.concat_tables([table.select(tables["train"].column_names) for table in tables.values()])
    schema = feature_columns(together)
    if not schema.features:
        return None
    values = features_of(tables, schema)
    codes = _codes(groups or {}, tables)
    classes = ready["dev"][1].shape[1] if goal.task == "classification" else 0
    rows = {
        part: Rows(
            features=values[part],
            target=ready[part][0],
            classes=classes,
            losses=row_losses(goal, *ready[part]),
            groups=codes.get(part),
        )
        for part in tables
    }
    return rows, data_findings(dropped={column.name: column.note for column in schema.dropped})


def findings_of_rows(
    rows: Mapping[str, Rows],
    predictions: Floats,
    *,
    goal: Goal,
    tolerance: float,
    optimal: Optimal | None = None,
    seed: int = 0,
) -> tuple[Finding, ...]:
    """WF108, WF109, WF203, WF205 to WF209 and WF302 to WF305 of predicted rows.

    Args:
        rows: train, dev and perhaps train_dev, with losses.
        predictions: [dev rows, classes] probabilities, or [dev rows] values.
        goal: of the losses.
        tolerance: gap that does not matter.
        optimal: the reference, where there is one.
        seed: of every subsample.
    """
    train, dev, train_dev = rows["train"], rows["dev"], rows.get("train_dev")
    leaks = leakage_findings(train, dev, goal=goal, train_dev=train_dev, seed=seed)
    shifts = mismatch_findings(train, dev, tolerance=tolerance, train_dev=train_dev, seed=seed)
    rival = opinion = None
    if min(train.rows, dev.rows) >= FEWEST_ROWS:
        opinion = rival_predictions(train, dev, goal=goal, seed=seed)
        rival = replace(dev, losses=row_losses(goal, dev.target, opinion))
    regions = region_findings(train, dev, goal=goal, tolerance=tolerance, rival=rival, seed=seed)
    labels = doubted_labels(dev, predictions, goal=goal, opinion=opinion, optimal=optimal)
    return (*leaks, *shifts, *regions, labels)


def _table(features: Any, part: str) -> pa.Table:
    if isinstance(features, np.ndarray):
        if features.ndim != 2:
            raise BadInput(f"features of {part} are [rows, columns]", found=f"shape {features.shape}", remedy="Reshape")
        features = {f"x{place}": features[:, place] for place in range(features.shape[1])}
    return read_table(features, name=f"features of {part}").frame


def _codes(groups: Mapping[str, Any], tables: Mapping[str, pa.Table]) -> dict[str, Integers]:
    """[rows] code of each row's group, over all parts alike."""
    if not all(part in groups for part in tables):
        return {}
    named: list[Array] = [np.asarray([str(group) for group in groups[part]]) for part in tables]
    codes = np.unique(np.concatenate(named), return_inverse=True)[1]
    ends = np.cumsum([len(part) for part in named])
    return dict(zip(tables, np.split(codes, ends[:-1]), strict=True))
