"""Small files as people write them, with known content: columns whose type and values are read right.

60 files (20 with --quick) are generated: numbers, money, percent, units, dates, codes, words for missing values and
labels of one country each, in one encoding, layout and container, with a header or without, a fifth of them with types
(Parquet, Feather, Excel). pandas and polars read the same files with their defaults beside wellfit. A column of
wellfit's that is wrong must have been told: a refusal, or a reason with the column. 14 kinds of targets are read from
text and from Parquet: task and classes, or a refusal with a way out.
"""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq

from report import Row, arguments, finish, share_row
from wellfit.data.dialect import CsvFormat
from wellfit.data.read import read_table
from wellfit.data.schema import infer_schema
from wellfit.exceptions import BadInput

ROWS = 60
FILES, FEWER = 60, 20
MOST = 0.98
Rng = np.random.Generator
Found = dict[str, list[Any]]


@dataclass(frozen=True)
class Country:
    """How numbers and dates are written in one place."""

    delimiter: str
    decimal: str
    thousands: str
    currency: str
    date: str
    stamp: str
    encodings: tuple[str, ...]


COUNTRIES = (
    Country(",", ".", ",", "${}", "%m/%d/%Y", "%m/%d/%Y %I:%M %p", ("utf-8", "utf-8-sig", "utf-16")),
    Country(",", ".", ",", "£{}", "%d/%m/%Y", "%d %b %Y %H:%M", ("utf-8", "cp1252")),
    Country(";", ",", ".", "{} €", "%d.%m.%Y", "%d.%m.%Y %H:%M", ("utf-8", "cp1252", "utf-8-sig")),
    Country(";", ",", " ", "{} €", "%d/%m/%Y", "%Y-%m-%dT%H:%M:%S", ("utf-8", "cp1252")),
    Country("\t", ".", "'", "CHF {}", "%d.%m.%Y", "%Y-%m-%d %H:%M:%S", ("utf-8", "cp1252")),
    Country("|", ".", ",", "${}", "%Y-%m-%d", "%Y-%m-%dT%H:%M:%S+00:00", ("utf-8",)),
)


@dataclass(frozen=True)
class Column:
    """Cells as they stand in the file, and what they mean."""

    cells: list[str]
    values: list[Any]


def number(country: Country, value: float, *, digits: int, grouped: bool) -> str:
    text = f"{value:,.{digits}f}" if grouped else f"{value:.{digits}f}"
    return text.translate(str.maketrans({",": country.thousands, ".": country.decimal}))


def measurement(rng: Rng, country: Country) -> Column:
    values = rng.normal(size=ROWS).round(3) * 10
    return Column([number(country, value, digits=4, grouped=False) for value in values], values.round(4).tolist())


def count(rng: Rng, _country: Country) -> Column:
    values = rng.integers(0, 500, ROWS).tolist()
    return Column([*map(str, values)], values)


def price(rng: Rng, country: Country) -> Column:
    values = rng.uniform(200, 90_000, ROWS).round(2).tolist()
    return Column([number(country, value, digits=2, grouped=True) for value in values], values)


def money(rng: Rng, country: Country) -> Column:
    values = rng.uniform(20, 9_000, ROWS).round(2).tolist()
    return Column([country.currency.format(number(country, each, digits=2, grouped=True)) for each in values], values)


def percent(rng: Rng, country: Country) -> Column:
    values = rng.uniform(0, 100, ROWS).round(1).tolist()
    return Column([f"{number(country, value, digits=1, grouped=False)}%" for value in values], values)


def with_gaps(rng: Rng, country: Country) -> Column:
    found = measurement(rng, country)
    word = str(rng.choice(["None", "-", "#DIV/0!", "N/A", "", "nan", "unknown"]))
    gone = set(rng.choice(ROWS, 5, replace=False).tolist())
    cells = [word if row in gone else cell for row, cell in enumerate(found.cells)]
    return Column(cells, [None if row in gone else value for row, value in enumerate(found.values)])


def code(rng: Rng, _country: Country) -> Column:
    values = [f"{value:05d}" for value in rng.integers(0, 99_999, 8)]
    values = [*values, "01067"]
    cells = [values[place] for place in rng.integers(0, len(values), ROWS)]
    cells[0] = "01067"
    return Column(cells, cells)


def moment(rng: Rng) -> list[datetime]:
    return [datetime(2021, 1, 1) + timedelta(minutes=int(each)) for each in rng.integers(0, 1_000_000, ROWS)]


def date(rng: Rng, country: Country) -> Column:
    values = [each.replace(hour=0, minute=0) for each in moment(rng)]
    return Column([each.strftime(country.date) for each in values], values)


def stamp(rng: Rng, country: Country) -> Column:
    values = moment(rng)
    return Column([each.strftime(country.stamp) for each in values], values)


def word(rng: Rng, _country: Country) -> Column:
    levels = ["São Tomé", "Zürich, Stadt", 'the "old" one', "no", "naïve"]
    cells = [levels[place] for place in rng.integers(0, len(levels), ROWS)]
    return Column(cells, cells)


def truth(rng: Rng, _country: Country) -> Column:
    values = (rng.random(ROWS) < 0.5).tolist()
    return Column([str(value) for value in values], values)


def amount(rng: Rng, country: Country) -> Column:
    """Whole numbers with a sign between thousands: 2.790 beside 818 in Germany."""
    values = np.exp(rng.uniform(3, 11, ROWS)).astype(int).tolist()
    return Column([number(country, value, digits=0, grouped=True) for value in values], values)


def weight(rng: Rng, country: Country) -> Column:
    values = rng.uniform(40, 120, ROWS).round(1).tolist()
    return Column([f"{number(country, value, digits=1, grouped=False)} kg" for value in values], values)


KINDS: tuple[Callable[[Rng, Country], Column], ...] = (
    measurement,
    count,
    price,
    money,
    percent,
    with_gaps,
    code,
    date,
    stamp,
    word,
    truth,
    amount,
    weight,
)


@dataclass(frozen=True)
class Target:
    """Labels as they are written, and the task and classes that they mean; no task: a refusal that names a way."""

    cells: tuple[Any, ...]
    task: str
    classes: tuple[str, ...] = ()
    in_frames: tuple[str, ...] | None = None
    """The classes in a file whose columns have types, if others."""


TARGETS: dict[str, Target] = {
    "digits": Target(("0", "1"), "classification", ("0", "1")),
    "digits with a point": Target(("1.0", "2.0"), "classification", ("1", "2")),
    "minus and plus": Target(("-1", "1"), "classification", ("-1", "1")),
    "grades": Target(("1", "2", "3", "10"), "classification", ("1", "2", "3", "10")),
    "truth": Target(("True", "False"), "classification", ("false", "true")),
    "words": Target(("Yes", "No"), "classification", ("No", "Yes")),
    "words in two cases": Target(("Yes", "No", "yes"), ""),
    "words with blanks inside": Target(("New York", "New  York", "Bern"), ""),
    "accents in two forms": Target(("Z\u00fcrich", "Zu\u0308rich", "Bern"), ""),
    "a class called NA": Target(("NA", "EU", "AS"), "classification", ("AS", "EU"), ("AS", "EU", "NA")),
    "codes": Target(("007", "012", "120"), "classification", ("007", "012", "120")),
    "measurements": Target(tuple(f"{value / 7:.4f}" for value in range(ROWS)), "regression"),
    "counts": Target(tuple(str(value) for value in range(40)), "regression"),
    "measurements with words": Target((*(f"{value / 7:.4f}" for value in range(ROWS - 1)), "tbc"), ""),
}


def text_of(columns: dict[str, Column], country: Country, layout: str) -> str:
    text = io.StringIO()
    delimiter = ";" if layout == "sep" else country.delimiter
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\r\n" if layout == "windows" else "\n")
    if layout == "sep":
        text.write("sep=;\n")
    if layout == "titles":
        text.write("Export of the shop\nMay 2024\n\n")
    if layout != "headerless":
        writer.writerow(["", *list(columns)[1:]] if layout == "nameless" else columns)
    writer.writerows(zip(*(column.cells for column in columns.values()), strict=True))
    return text.getvalue()


def zipped(content: bytes) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("table.csv", content)
    return archive.getvalue()


LAYOUTS = ("plain", "plain", "windows", "sep", "titles", "nameless", "headerless")
CONTAINERS: dict[str, Callable[[bytes], bytes]] = {
    ".csv": lambda content: content,
    ".txt": lambda content: content,
    ".csv.gz": gzip.compress,
    ".csv.bz2": bz2.compress,
    ".csv.zip": zipped,
}
TYPED: dict[str, Callable[[pa.Table, Path], object]] = {
    ".parquet": pq.write_table,
    ".feather": pyarrow.feather.write_feather,
    ".xlsx": lambda table, path: table.to_pandas().to_excel(path, index=False),
}
SHARE_TYPED = 0.2  # of the files


def write(folder: Path, seed: int) -> tuple[Path, dict[str, Column]]:
    """One file, and what its columns mean by the names that a reader should give them."""
    rng = np.random.default_rng(seed)
    country = COUNTRIES[seed % len(COUNTRIES)]
    kinds = [KINDS[place] for place in rng.choice(len(KINDS), 7, replace=False)]
    columns = {f"{kind.__name__} {place}": kind(rng, country) for place, kind in enumerate(kinds)}
    layout = LAYOUTS[int(rng.integers(len(LAYOUTS)))]
    ending = list(CONTAINERS)[int(rng.integers(len(CONTAINERS)))]
    if rng.random() < SHARE_TYPED:
        ending = list(TYPED)[int(rng.integers(len(TYPED)))]
        path = folder / f"{seed}{ending}"
        TYPED[ending](pa.table({name: column.values for name, column in columns.items()}), path)
        return path, columns
    encoding = country.encodings[int(rng.integers(len(country.encodings)))]
    path = folder / f"{seed}{ending}"
    path.write_bytes(CONTAINERS[ending](text_of(columns, country, layout).encode(encoding)))
    if layout == "nameless":
        columns = {"column 1 (no name)": columns.pop(next(iter(columns))), **columns}
    if layout == "headerless":
        columns = {f"column {place}": column for place, column in enumerate(columns.values(), start=1)}
    return path, columns


def by_wellfit(path: Path) -> tuple[Found, set[str]]:
    """The table, and the columns about which something is said."""
    try:
        found = read_table(path)
    except BadInput as error:
        if "--no-header" not in str(error):
            raise
        found = read_table(path, csv_format=CsvFormat(no_header=True))
    return found.frame.to_pydict(), {name for name, reading in found.readings.items() if reading.why or reading.missing}


def target_is_right(folder: Path, target: Target, *, seed: int, typed: bool) -> bool:
    """Whether task and classes are those that are meant, or a refusal names a way where none are."""
    rng = np.random.default_rng(seed)
    cells = [target.cells[place % len(target.cells)] for place in range(2 * ROWS)]
    columns = {
        "x": rng.normal(size=len(cells)).round(3).tolist(),
        "y": [cells[at] for at in rng.permutation(len(cells))],
    }
    path = folder / f"target {seed}{'.parquet' if typed else '.csv'}"
    if typed:
        pq.write_table(pa.table(columns), path)
    else:
        lines = ["x,y", *(f"{x},{y}" for x, y in zip(*columns.values(), strict=True))]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    table = read_table(path)
    try:
        schema = infer_schema(table.frame, target="y", readings=table.readings)
    except BadInput as error:
        return not target.task and "--" in str(error)
    classes = target.in_frames if typed and target.in_frames is not None else target.classes
    told = table.readings.get("y")
    words = {"NA"} if set(target.cells) - set(classes) == {"NA"} else set()
    return (schema.task, schema.classes) == (target.task, classes) and words <= set(told.missing if told else ())


def by_pandas(path: Path) -> Found:
    if path.suffix in (".parquet", ".feather"):
        return pa.Table.from_pandas(READ[path.suffix](path), preserve_index=False).to_pydict()
    if path.suffix == ".xlsx":
        return pa.Table.from_pandas(pd.read_excel(path), preserve_index=False).to_pydict()
    return pa.Table.from_pandas(pd.read_csv(path, sep=None, engine="python"), preserve_index=False).to_pydict()


def by_polars(path: Path) -> Found:
    if path.suffix in (".parquet", ".feather"):
        read = pl.read_parquet if path.suffix == ".parquet" else pl.read_ipc
        return read(path).to_dict(as_series=False)
    if path.suffix == ".xlsx":
        return pl.read_excel(path, engine="openpyxl").to_dict(as_series=False)
    return pl.read_csv(path, try_parse_dates=True, infer_schema_length=None).to_dict(as_series=False)


def is_right(table: Found, name: str, column: Column, *, place: int) -> bool:
    """Whether a column has the type and the values that it was made of; a nameless one may have any name."""
    names = list(table)
    nameless = name == "column 1 (no name)" and len(names) > place
    if name not in table and not nameless:
        return False
    found = table[name if name in table else names[place]]
    return len(found) == len(column.values) and all(map(same, found, column.values))


def same(found: Any, value: Any) -> bool:
    if isinstance(found, float) and np.isnan(found):
        found = None
    if found is None or value is None or isinstance(value, str | bool):
        return found == value and isinstance(found, bool) == isinstance(value, bool)
    if isinstance(value, datetime):
        return isinstance(found, datetime) and found.replace(tzinfo=None) == value
    return isinstance(found, int | float) and not isinstance(found, bool) and abs(found - value) < 1e-9


READ: dict[str, Callable[[Path], pd.DataFrame]] = {".parquet": pd.read_parquet, ".feather": pd.read_feather}
RIVALS: dict[str, Callable[[Path], Found]] = {"pandas": by_pandas, "polars": by_polars}


def main() -> None:
    asked = arguments(__doc__)
    hits: dict[str, list[bool]] = {name: [] for name in ("wellfit", *RIVALS)}
    silent: list[str] = []
    targets: dict[str, bool] = {}
    with tempfile.TemporaryDirectory() as place:
        for file in range(FEWER if asked.quick else FILES):
            path, columns = write(Path(place), 1000 * asked.seeds[0] + file)
            try:
                table, told = by_wellfit(path)
            except BadInput:
                table, told = {}, set(columns)
            for at, (name, column) in enumerate(columns.items()):
                right = is_right(table, name, column, place=at)
                hits["wellfit"].append(right)
                silent += [] if right or name in told else [f"{path.name} {name}"]
            for rival, read in RIVALS.items():
                hits[rival] += of_rival(read, path, columns)
        for at, ((name, target), typed) in enumerate(product(TARGETS.items(), (False, True))):
            seed = 1000 * asked.seeds[0] + at
            targets[f"{name}{' in Parquet' * typed}"] = target_is_right(Path(place), target, seed=seed, typed=typed)
    wrong = [name for name, right in targets.items() if not right]
    rows = [
        Row("targets wrong", len(wrong), 0, note=", ".join(wrong)),
        share_row("columns right: wellfit", hits["wellfit"], MOST, quick=asked.quick),
        Row("columns wrong without a word", len(silent), 0, note=", ".join(silent[:5])),
        *(share_row(f"columns right: {rival}", hits[rival], None, quick=asked.quick) for rival in RIVALS),
    ]
    finish("readers", rows, as_json=asked.json)


def of_rival(read: Callable[[Path], Found], path: Path, columns: dict[str, Column]) -> list[bool]:
    try:
        table = read(path)
    except Exception:  # a rival may refuse in its own way; every column is wrong then
        return [False] * len(columns)
    return [is_right(table, name, column, place=place) for place, (name, column) in enumerate(columns.items())]


if __name__ == "__main__":
    main()
