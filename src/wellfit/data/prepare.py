"""Tables turned into arrays by transforms fit on training rows alone and stored as JSON (docs/design.md, promise 2)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from wellfit.base.serialize import Record, omitted_if
from wellfit.base.typing import Booleans, Floats, Integers
from wellfit.data.columns import moments_of, numbers_of, require_finite, texts_of
from wellfit.data.pictures.schema import pixels_of
from wellfit.data.schema import Column, Schema, group_codes, require_columns, target_values

SOFT_LIMIT = 3.0  # scaled z become z / sqrt(1 + (z/3)^2), never beyond 3 (docs/methods.md, "Input scaling")
WHITE = np.float32(255)
MOST_LEVELS = 255  # rarer levels of a category share one code
_TURN_STEP = 1e-9  # sines closer than this are equal
_DAY = 86_400_000_000.0  # microseconds
_TURNS = {"month": 12.0, "weekday": 7.0, "hour": 24.0}
_DATE_PARTS = ("value", *(f"{turn}_{wave}" for turn in _TURNS for wave in ("sin", "cos")))


@dataclass(frozen=True)
class Arrays:
    """Rows in the form that a network takes.

    Attributes:
        numeric: float32 [rows, D]: scaled numbers, then missing-value indicators, named by
            `Preparation.numeric_names`; for pictures, their pixels in [0, 1], channel by channel.
        codes: int32 [rows, C]: category codes; 0 stands for a level that does not occur in train.
        target: [rows] int64 class codes or float64 values in the target's own unit, or [rows, outputs] float64 where
            a row has several; empty where unknown.
        groups: [rows] code of each row's group within these rows; None for rows without groups.
        weights: [rows] float64: how many rows each row counts as in the cost; None if each counts as one.
    """

    numeric: Floats
    codes: Integers
    target: Integers | Floats
    groups: Integers | None = None
    weights: Floats | None = None

    @property
    def rows(self) -> int:
        """Number of rows."""
        return int(self.numeric.shape[0])

    @property
    def total(self) -> float:
        """m of the cost: the number of rows that these stand for."""
        return self.rows if self.weights is None else float(self.weights.sum())


@dataclass(frozen=True)
class NumberFit:
    """The fill and the scale of one number; `part` is "value", or the part taken from a date.

    A `scale` of 0 marks a number that does not vary in train: only its `indicator` is used.
    """

    name: str
    part: str
    fill: float
    scale: float
    indicator: bool

    @property
    def label(self) -> str:
        """Name of the resulting feature."""
        return self.name if self.part == "value" else f"{self.name} ({self.part})"


@dataclass(frozen=True)
class CategoryFit:
    """Levels of one category by falling frequency (None = missing): code = place + 1; `rare` ones share the last."""

    name: str
    levels: tuple[str | None, ...]
    rare: tuple[str | None, ...] = ()

    @property
    def cardinality(self) -> int:
        """Number of codes, including code 0 for unseen levels."""
        return 1 + len(self.levels) + bool(self.rare)


@dataclass(frozen=True)
class Preparation(Record):
    """Everything learned from train to turn a table into arrays; a regression has `targets` numbers, on one scale."""

    schema: Schema
    numbers: tuple[NumberFit, ...]
    categories: tuple[CategoryFit, ...]
    target_mean: float = 0.0
    target_scale: float = 1.0
    targets: int = field(default=1, metadata=omitted_if(1))

    @property
    def cardinalities(self) -> tuple[int, ...]:
        """Number of codes of each category."""
        return tuple(category.cardinality for category in self.categories)

    @property
    def outputs(self) -> int:
        """Number of classes, or of the numbers predicted for a row."""
        return len(self.schema.classes) or self.targets

    @property
    def numeric_names(self) -> tuple[str, ...]:
        """Names of the columns of `Arrays.numeric`."""
        if self.schema.picture:
            return tuple(f"pixel {place}" for place in range(math.prod(self.schema.picture)))
        scaled = [number.label for number in self.numbers if number.scale]
        return (*scaled, *(f"{number.name} is missing" for number in self.numbers if number.indicator))

    def inputs_of(self, column: str) -> tuple[list[int], list[int]]:
        """Return the positions in `Arrays.numeric` and in `Arrays.codes` that a column of the table fills."""
        scaled = [number.name for number in self.numbers if number.scale]
        indicators = [number.name for number in self.numbers if number.indicator]
        numeric = [place for place, name in enumerate([*scaled, *indicators]) if name == column]
        return numeric, [place for place, each in enumerate(self.categories) if each.name == column]

    def transform(self, table: pa.Table, *, with_target: bool = True) -> Arrays:
        """Turn rows into arrays; columns that are not features are ignored.

        Raises BadInput for a missing feature, an infinite value, a value of another type and, with target, a new class.
        """
        if self.schema.picture:
            return self._pictures(table, with_target=with_target)
        require_columns(table.column_names, self.schema.feature_names)
        numeric = np.empty((table.num_rows, len(self.numeric_names)), dtype=np.float32)
        indicator = sum(number.scale > 0 for number in self.numbers)
        for place, (number, values) in enumerate(self._number_values(table)):
            if number.scale:
                numeric[:, place] = scaled(values, number)
            if number.indicator:
                numeric[:, indicator] = np.isnan(values)
                indicator += 1
        codes = np.empty((table.num_rows, len(self.categories)), dtype=np.int32)
        for place, category in enumerate(self.categories):
            codes[:, place] = coded(table.column(category.name), category)
        target = target_values(table, self.schema) if with_target else np.empty(0)
        return Arrays(numeric, codes, target, group_codes(table, self.schema) if with_target else None)

    def _pictures(self, table: pa.Table, *, with_target: bool) -> Arrays:
        (name,) = self.schema.compared
        require_columns(table.column_names, [name], rule="pictures must be read by `read_pictures`")
        pixels = pixels_of(table.column(name), self.schema.shape)
        numeric = np.ascontiguousarray(pixels.transpose(0, 3, 1, 2), dtype=np.float32).reshape(len(pixels), -1)
        numeric /= WHITE
        target = target_values(table, self.schema) if with_target else np.empty(0)
        groups = group_codes(table, self.schema) if with_target else None
        return Arrays(numeric, np.empty((len(pixels), 0), np.int32), target, groups)

    def _number_values(self, table: pa.Table) -> Iterator[tuple[NumberFit, Floats]]:
        """Yield each number with its raw values; those that are scaled come first, in the order of `numeric`."""
        kinds = {column.name: column for column in self.schema.features}
        for number in sorted(self.numbers, key=lambda number: number.scale == 0):
            yield number, part_of(table.column(number.name), column=kinds[number.name], part=number.part)


@dataclass(frozen=True)
class Copies:
    """Rows that are in both train and dev: booleans [train rows] and [dev rows]."""

    train: Booleans
    dev: Booleans


@dataclass(frozen=True)
class Prepared:
    """The parts that training and selection may use, as arrays, and the data board's material (training_rows.py).

    Attributes:
        more: rows that can be added to train, by name.
        importance: by name ("" for train), [rows] how much more often such rows occur in deployment than in train.
        copies: rows that are in both train and dev; None if there are none or nobody searched for them.
    """

    preparation: Preparation
    train: Arrays
    train_dev: Arrays | None
    dev: Arrays
    more: Mapping[str, Arrays] = field(default_factory=dict)
    importance: Mapping[str, Floats] = field(default_factory=dict)
    copies: Copies | None = None

    @property
    def parts(self) -> dict[str, Arrays]:
        """Train, train_dev (if any) and dev, by name."""
        parts = {"train": self.train, "train_dev": self.train_dev, "dev": self.dev}
        return {name: part for name, part in parts.items() if part is not None}


def fit_preparation(table: pa.Table, schema: Schema) -> Preparation:
    """Learn fills, scales, levels and the target's moments from the training rows; BadInput for infinite values."""
    numbers: list[NumberFit] = []
    categories = []
    # A network on pictures gets their pixels alone; their measures are for people.
    for column in () if schema.picture else schema.features:
        values = table.column(column.name)
        if column.kind == "category":
            categories.append(_fit_category(values, column.name))
        else:
            numbers.extend(_fit_numbers(values, column))
    # Numbers without a scale have an indicator only; they come last, as `transform` fills them.
    numbers.sort(key=lambda number: number.scale == 0)
    mean, scale = _target_moments(table, schema)
    return Preparation(schema, tuple(numbers), tuple(categories), mean, scale)


def part_of(values: pa.ChunkedArray, *, column: Column, part: str) -> Floats:
    """Return float64 [rows] of a number, or of one part of a date: days since 1970, or a place in a calendar cycle."""
    if column.kind != "date":
        numbers = numbers_of(values, name=column.name)
        require_finite(numbers, name=column.name)
        return numbers
    moments = moments_of(values, name=column.name)
    if part == "value":
        return numbers_of(moments.cast(pa.int64()), name=column.name) / _DAY
    turn, _, wave = part.partition("_")
    place = {"month": pc.month, "weekday": pc.day_of_week, "hour": pc.hour}[turn](moments)
    angle = numbers_of(place, name=column.name) * (2 * np.pi / _TURNS[turn])
    return np.asarray(np.sin(angle) if wave == "sin" else np.cos(angle))


def scaled(values: Floats, number: NumberFit) -> Floats:
    """Return (value - median) / scale, with missing values at the median, then softly limited to +-3."""
    # Where most values hardly differ, the quotient overflows: it is far beyond the limit anyway.
    with np.errstate(over="ignore"):
        z = (values - number.fill) / number.scale
    # Beyond 1e100 the square would overflow; the limit is reached long before.
    z = np.clip(np.nan_to_num(z, nan=0.0), -1e100, 1e100)
    return np.asarray(z / np.sqrt(1 + (z / SOFT_LIMIT) ** 2))


def coded(column: pa.ChunkedArray, category: CategoryFit) -> Integers:
    """Return int32 codes [rows]; 0 for a level that is not in train."""
    texts = texts_of(column)
    known = pa.array([*category.levels, *category.rare], pa.string())
    places = pc.fill_null(pc.index_in(texts, value_set=known), -1).to_numpy(zero_copy_only=False)
    return np.asarray(np.minimum(places, len(category.levels)) + 1, dtype=np.int32)


def robust_scale(values: Floats) -> tuple[float, float]:
    """Return (median, scale) of the values that are not NaN; the scale is 0 if they do not vary.

    The scale is the interquartile range. Where more than half of the rows share one value, that range is 0 (most rows
    of a capital gain are 0); the scale is then the median distance of the other rows, so that these spread over the
    usable range, whatever their unit and however few they are. A spread of one rounding step counts as 0.
    """
    present = values[~np.isnan(values)]
    if present.size == 0:
        return 0.0, 0.0
    low, median, high = np.percentile(present, [25, 50, 75])
    scale = float(high - low)
    step = 4 * float(np.finfo(np.float64).eps) * max(abs(low), abs(high))
    if scale <= step:
        away = np.abs(present[present != median] - median)
        scale = float(np.median(away)) if away.size else 0.0
    return float(median), scale if scale > step else 0.0


def _fit_numbers(values: pa.ChunkedArray, column: Column) -> list[NumberFit]:
    fits = []
    for part in _DATE_PARTS if column.kind == "date" else ("value",):
        numbers = part_of(values, column=column, part=part)
        indicator = part == "value" and bool(np.isnan(numbers).any())
        median, scale = robust_scale(numbers)
        if part != "value":
            # Sine and cosine have a scale already; rounding must not look like variation.
            median, scale = 0.0, float(np.nanmax(numbers, initial=-1) - np.nanmin(numbers, initial=1) > _TURN_STEP)
        if scale or indicator:
            fits.append(NumberFit(column.name, part, median, scale, indicator))
    return fits


def _fit_category(values: pa.ChunkedArray, name: str) -> CategoryFit:
    counts = pc.value_counts(texts_of(values)).to_pylist()
    by_frequency = sorted(counts, key=lambda level: (-level["counts"], level["values"] is None, level["values"] or ""))
    levels = tuple(level["values"] for level in by_frequency)
    return CategoryFit(name, levels[:MOST_LEVELS], levels[MOST_LEVELS:])


def _target_moments(table: pa.Table, schema: Schema) -> tuple[float, float]:
    if schema.task == "classification":
        return 0.0, 1.0
    target: Any = target_values(table, schema)
    return float(np.mean(target)), float(np.std(target)) or 1.0
