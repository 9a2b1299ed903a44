"""What the open rows of a split show: leakage, mismatch and columns, with and without a network's losses on them.

What only pictures have: near copies, which their looks tell best, and random changes that their labels survive.
Training rows with a copy in dev, as an experiment keeps them for the networks that were trained without them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from safetensors.numpy import save

from wellfit._files import write_whole
from wellfit._typing import Booleans, Floats, Integers
from wellfit.augmentation import Augmentation, asked_for
from wellfit.data.columns import missing_in
from wellfit.data.features import Feature, Features, features_of
from wellfit.data.prepare import Copies, Prepared
from wellfit.data.schema import Schema
from wellfit.diagnosis.findings import Finding, data_findings, finding
from wellfit.diagnosis.label_noise import FEWEST_ROWS, doubted_labels
from wellfit.diagnosis.leakage.duplicates import duplicates_finding, find_duplicates
from wellfit.diagnosis.leakage.facade import leakage_findings
from wellfit.diagnosis.leakage.near_duplicates import copied_rows
from wellfit.diagnosis.mismatch.attribution import attribute_gap, attribution_finding
from wellfit.diagnosis.mismatch.columns import direction, picture_direction
from wellfit.diagnosis.mismatch.domain_classifier import domain_finding, domain_shift
from wellfit.diagnosis.mismatch.facade import mismatch_findings
from wellfit.diagnosis.optimal_error import Optimal
from wellfit.diagnosis.reference.from_rows import said_by_rows
from wellfit.diagnosis.regions.find import region_findings, rival_predictions
from wellfit.diagnosis.rows import Rows
from wellfit.exceptions import BadInput
from wellfit.experiment.folder import Folder
from wellfit.goals import Goal
from wellfit.journal.outcomes import load_arrays
from wellfit.splits.split import NEAR, Split


@dataclass(frozen=True, kw_only=True)
class OnRows:
    """A network on the open rows.

    Attributes:
        losses: part (train, train_dev, dev) -> [rows] losses.
        predictions: [dev rows, classes] probabilities, or [dev rows] values.
        rival: [dev rows] losses of the best reference model, None without any.
        seen: part -> [rows, channels] what a network of pictures sees in them; empty for tables.
    """

    losses: Mapping[str, Floats]
    predictions: Floats
    rival: Floats | None
    seen: Mapping[str, Floats] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class OpenRows:
    """The rows that may be looked at, as a person reads them.

    Attributes:
        train: rows that are trained on.
        dev: rows of the distribution that matters.
        train_dev: rows of the training distribution that are not trained on, if any.
        sealed: (copies of other rows, rows) of the sealed ones, by the split's hashes alone.
        goal: in whose loss rows are measured.
        seed: of every subsample.
    """

    train: Rows
    dev: Rows
    train_dev: Rows | None
    sealed: Mapping[str, tuple[int, int]]
    goal: Goal
    seed: int

    def of_train(self, kept: Booleans) -> OpenRows:
        """The same rows with some of train's."""
        return self if kept.all() else replace(self, train=self.train.take(np.flatnonzero(kept)))

    def findings_of(self, network: OnRows, *, tolerance: float, optimal: Optimal | None) -> tuple[Finding, ...]:
        """WF108, WF109, WF203, WF209 and WF305: what a network's losses and predictions add to what the rows show."""
        losses = network.losses
        train, dev = (replace(part, losses=losses[name]) for name, part in (("train", self.train), ("dev", self.dev)))
        train_dev = None
        if self.train_dev is not None:
            train_dev = replace(self.train_dev, losses=losses["train_dev"])
        parts = {"train": self.train, "dev": dev} | ({} if train_dev is None else {"train_dev": train_dev})
        copies = duplicates_finding(find_duplicates(parts), test=self.sealed, goal=self.goal)
        split = None if train_dev is None else attribute_gap(train_dev, dev, seed=self.seed)
        rival = None if network.rival is None else replace(self.dev, losses=network.rival)
        regions = region_findings(train, dev, goal=self.goal, tolerance=tolerance, rival=rival, seed=self.seed)
        opinion = self._opinion if self.goal.task == "classification" else None
        return (
            *regions,
            copies,
            doubted_labels(dev, network.predictions, goal=self.goal, opinion=opinion, optimal=optimal),
            attribution_finding(split, tolerance=tolerance),
            *([domain_finding(domain_shift(*self._seen(network.seen), seed=self.seed))] if network.seen else []),
        )

    def _seen(self, seen: Mapping[str, Floats]) -> tuple[Rows, Rows]:
        """Train-dev (train, where there is none) and dev, with what the network sees in them beside the measures."""
        sources = {"train": self.train, "train_dev": self.train_dev, "dev": self.dev}
        parts = [(sources[name], seen[name]) for name in (next(iter(seen.keys() - {"dev"})), "dev")]
        first, second = (with_channels(part, values) for part, values in parts if part is not None)
        return first, second

    @cached_property
    def said_of_optimum(self) -> str:
        """What the training rows say about the optimal error."""
        return said_by_rows(self.train, goal=self.goal, seed=self.seed) if self.train.features.columns else ""

    @cached_property
    def _opinion(self) -> Floats | None:
        """[dev rows, classes] probabilities of another model, for the labels that the network doubts."""
        if min(self.train.rows, self.dev.rows) < FEWEST_ROWS or not self.train.features.columns:
            return None
        return rival_predictions(self.train, self.dev, goal=self.goal, seed=self.seed)


def open_rows(split: Split, data: Prepared, *, goal: Goal) -> OpenRows:
    """Read the open parts of a split."""
    tables = {"train": split.train, "dev": split.dev} | (
        {} if split.train_dev is None else {"train_dev": split.train_dev}
    )
    features = features_of(tables, split.schema)
    groups, times = _groups(tables, split.schema), _times(tables, split.schema)
    arrays = {"train": data.train, "dev": data.dev, "train_dev": data.train_dev}
    parts = {
        part: Rows(
            features=features[part],
            target=found.target,
            classes=len(split.schema.classes),
            groups=groups.get(part),
            times=times.get(part),
        )
        for part, found in arrays.items()
        if found is not None
    }
    sealed = {
        part: (count, split.rows["test"])
        for part, count in split.duplicates.items()
        if part.startswith("test") and "test" in split.rows
    }
    return OpenRows(
        train=parts["train"],
        dev=parts["dev"],
        train_dev=parts.get("train_dev"),
        sealed=sealed,
        goal=goal,
        seed=split.seed,
    )


def findings_on_data(split: Split, data: Prepared, rows: OpenRows) -> tuple[Finding, ...]:
    """What the split shows before anything is trained; test rows enter by their hashes alone."""
    unseen = (data.dev.codes == 0).mean(axis=0) if data.dev.rows else np.zeros(data.dev.codes.shape[1])
    of_columns = data_findings(
        dropped={column.name: column.note for column in split.schema.dropped},
        missing={
            column.name: float(missing_in(split.train.column(column.name)).mean()) for column in split.schema.features
        },
        unseen={fit.name: float(share) for fit, share in zip(data.preparation.categories, unseen, strict=True)},
    )
    leaks = leakage_findings(
        rows.train, rows.dev, goal=rows.goal, train_dev=rows.train_dev, test=rows.sealed, seed=rows.seed
    )
    shifts = mismatch_findings(
        rows.train,
        rows.dev,
        tolerance=0.0,
        levels=split.schema.classes,
        seed=rows.seed,
        describe=direction if split.schema.picture is None else picture_direction,
    )
    return (*of_columns, *with_look_alikes(leaks, split), *shifts)


def _groups(tables: Mapping[str, pa.Table], schema: Schema) -> dict[str, Integers]:
    """[rows] code of each row's group, over all parts alike; empty without groups."""
    name = next((column.name for column in schema.columns if column.role == "group"), None)
    if name is None or any(name not in table.column_names for table in tables.values()):
        return {}
    columns = {part: table.column(name).cast(pa.string()) for part, table in tables.items()}
    known = pc.unique(pa.chunked_array([chunk for column in columns.values() for chunk in column.chunks], pa.string()))
    return {
        part: np.asarray(pc.fill_null(pc.index_in(column, value_set=known), -1).to_numpy(), np.int64)
        for part, column in columns.items()
    }


def _times(tables: Mapping[str, pa.Table], schema: Schema) -> dict[str, Floats]:
    """[rows] when each row was measured, in days (or in the column's own unit where it holds numbers)."""
    columns = tuple(replace(column, role="feature") for column in schema.columns if column.role == "time")
    if not columns or any(columns[0].name not in table.column_names for table in tables.values()):
        return {}
    found = features_of(tables, replace(schema, columns=columns))
    return {part: each.values[:, 0] for part, each in found.items()}


DEFAULT_AUGMENT = "strong"
CODE = "WF205"
MATERIAL = 0.01
"""Near copies of one dev or test picture in a hundred matter."""


def with_look_alikes(findings: Sequence[Finding], split: Split) -> tuple[Finding, ...]:
    """Put the near copies that the split found in place of those among measured columns; tables have none."""
    counts = {part[len(NEAR) :]: count for part, count in split.duplicates.items() if part.startswith(NEAR)}
    if not counts:
        return tuple(findings)
    said = ", ".join(f"{count:,} of {split.rows[part]:,} {part.replace('_', '-')}" for part, count in counts.items())
    fired = any(count > MATERIAL * split.rows[part] for part, count in counts.items())
    evidence = f"Pictures that look like one of train (perceptual hash, confirmed pixel by pixel): {said}."
    found = finding(CODE, fired=fired, evidence=evidence)
    return tuple(found if one.code == CODE else one for one in findings)


def with_channels(part: Rows, seen: Floats) -> Rows:
    """Put what a network sees in each picture, [rows, channels], beside what was measured of it."""
    channels = tuple(Feature(f"channel {place + 1} of the network", "number") for place in range(seen.shape[1]))
    features = part.features
    return replace(part, features=Features((*features.columns, *channels), np.hstack([features.values, seen])))


def augmentation_for(schema: Schema, asked: str | None) -> Augmentation:
    """Return the ranges of the random changes for pictures of these classes.

    Raises:
        BadInput: for an augmentation that is none, or on a table.
    """
    if schema.picture is None:
        if asked is None:
            return Augmentation()
        raise BadInput("augment is for pictures", found=f"augment={asked!r} with a table", remedy="Leave it out")
    colour = schema.picture[2] == 3
    return asked_for(asked or DEFAULT_AUGMENT, classes=schema.classes, colour=colour)


FILE = "copies.safetensors"


def known_copies(folder: Folder) -> Copies | None:
    """The copies that were found before."""
    stored = load_arrays(folder.models / FILE)
    return None if stored is None else Copies(stored["train"].astype(bool), stored["dev"].astype(bool))


def with_copies(data: Prepared, *, folder: Folder, rows: OpenRows, findings: Iterable[Finding]) -> Prepared:
    """The same data with the copies across train and dev, where a finding on the rows fired.

    Raises:
        NoRoom: when the disk is full.
    """
    if data.copies is not None:
        return data
    found = copied_rows(rows.train, rows.dev, findings=findings, seed=rows.seed)
    if found is None:
        return data
    content = save({"train": found.train.astype(np.uint8), "dev": found.dev.astype(np.uint8)})
    write_whole(folder.models / FILE, lambda file: file.write(content))
    return replace(data, copies=found)
