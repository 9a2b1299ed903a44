"""What was decided at the split is stored with the schema, and holds for every later file and frame."""

from __future__ import annotations

import datetime as dt
import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import wellfit as wf
from wellfit.data.dialect import CsvFormat
from wellfit.data.prepare import fit_preparation
from wellfit.data.read import read_batches, read_table
from wellfit.data.schema import Schema
from wellfit.data.telling import told
from wellfit.exceptions import BadInput
from wellfit.splits.more_rows import more_rows_for
from wellfit.splits.split import load_split

ROWS = 200
RNG = np.random.default_rng(0)
DAYS = [dt.date(2023, 1, 1) + dt.timedelta(days=int(day)) for day in RNG.integers(0, 365, ROWS)]
PRICES = RNG.uniform(500, 5000, ROWS).round(2)
CODES = [f"{code:03d}" for code in RNG.integers(0, 9, ROWS)]
ANSWERS = RNG.choice(["Yes", "No"], ROWS)


def written(rows, *, target=True):
    """Rows as a program for Americans exports them."""
    frame = pd.DataFrame(
        {
            "sold": [DAYS[row].strftime("%m/%d/%Y") for row in rows],
            "price": [f"${PRICES[row]:,.2f}" if row % 20 else "None" for row in rows],
            "code": [CODES[row] for row in rows],
        }
    )
    return frame.assign(answer=[ANSWERS[row] for row in rows]) if target else frame


@pytest.fixture
def split(tmp_path):
    written(range(ROWS)).to_csv(tmp_path / "data.csv", index=False)
    return wf.split(tmp_path / "data.csv", target="answer")


AMBIGUOUS = [row for row in range(ROWS) if DAYS[row].day <= 12 and row % 20]


def _file(folder, rows):
    written(rows, target=False).to_csv(folder / "new.csv", index=False)
    return folder / "new.csv"


LATER = {
    "file": _file,
    "frame": lambda _folder, rows: written(rows, target=False),
    "arrow": lambda _folder, rows: pa.Table.from_pandas(written(rows, target=False), preserve_index=False),
}


@pytest.mark.parametrize("later", LATER.values(), ids=LATER)
def test_new_rows_alone_are_read_as_they_were_among_all(later, split, tmp_path):
    source = later(tmp_path, AMBIGUOUS)
    found = pa.concat_tables(read_batches(source, schema=split.schema, rows=7))
    assert [moment.date() for moment in found.column("sold").to_pylist()] == [DAYS[row] for row in AMBIGUOUS]
    assert found.column("price").to_pylist() == [PRICES[row] for row in AMBIGUOUS]
    assert found.column("code").to_pylist() == [CODES[row] for row in AMBIGUOUS]


def test_it_survives_the_disk(split, tmp_path):
    saved = load_split(split.save(tmp_path / "it.wellfit").folder)
    assert saved.schema == split.schema == Schema.from_json(json.loads(json.dumps(split.schema.to_json())))
    assert saved.written == split.written.__class__("utf-8", ",", quoted=True)
    by_name = {column.name: column.reading for column in saved.schema.columns}
    assert (by_name["sold"].order, by_name["sold"].first) == ("mdy", str(min(DAYS)))
    assert by_name["price"].missing == {"None": ROWS // 20}
    assert (by_name["price"].thousands, by_name["price"].unit) == (",", "$")
    assert saved.schema.counts == {name: list(ANSWERS).count(name) for name in ("No", "Yes")}


def test_it_is_said(split):
    said = "\n".join(told(split.schema, split.written))
    for words in (
        "'No'",
        "month first",
        f"{min(DAYS)} to {max(DAYS)}",
        "',' between thousands",
        "'None' 10",
        "leading",
    ):
        assert words in said


@pytest.mark.parametrize("name", ["test_data", "deployment_data"])
def test_files_for_test_and_deployment(name, tmp_path):
    first = [row for row in range(ROWS) if row not in set(AMBIGUOUS)]
    for file, rows in (("data", first), ("other", AMBIGUOUS)):
        written(rows).to_csv(tmp_path / f"{file}.csv", index=False)
    split = wf.split(tmp_path / "data.csv", target="answer", **{name: tmp_path / "other.csv"})
    known = {DAYS[row] for row in (AMBIGUOUS if name == "deployment_data" else first)}
    assert {moment.date() for moment in split.dev.column("sold").to_pylist()} <= known


def test_more_rows(tmp_path):
    first = [row for row in range(ROWS) if row not in set(AMBIGUOUS)]
    written(first).to_csv(tmp_path / "data.csv", index=False)
    written(AMBIGUOUS).to_csv(tmp_path / "more.csv", index=False)
    split = wf.split(tmp_path / "data.csv", target="answer")
    more = more_rows_for(split, read_table(tmp_path / "more.csv", schema=split.schema))
    assert [moment.date() for moment in more.table.column("sold").to_pylist()] == [DAYS[row] for row in AMBIGUOUS]


def test_a_time_column_is_a_date_for_every_later_check(tmp_path):
    frame = written(range(ROWS)).assign(sold=[day.strftime("%d.%m.%Y") for day in DAYS])
    frame.to_csv(tmp_path / "data.csv", index=False)
    split = wf.split(tmp_path / "data.csv", target="answer", time_on="sold")
    assert max(split.train.column("sold").to_pylist()) <= min(split.dev.column("sold").to_pylist())
    assert pa.types.is_timestamp(split.dev.column("sold").type)


def test_another_format_is_refused_with_its_row(split, tmp_path):
    (tmp_path / "new.csv").write_text('sold,price,code\n12/31/2023,"$1,000.00",001\n31/12/2023,"$1,000.00",001\n')
    with pytest.raises(BadInput, match=r"'31/12/2023' in row 2 of .*new.csv"):
        list(read_batches(tmp_path / "new.csv", schema=split.schema))


def test_words_for_missing_values_can_be_said_and_are_kept(tmp_path):
    frame = written(range(ROWS)).assign(area=["NA", "EU"] * (ROWS // 2)).drop(columns=["answer", "price"])
    frame.to_csv(tmp_path / "data.csv", index=False)
    assert read_table(tmp_path / "data.csv").frame.column("area").null_count == ROWS // 2
    split = wf.split(tmp_path / "data.csv", target="area", missing=("",))
    assert split.schema.classes == ("EU", "NA")
    (tmp_path / "new.csv").write_text("sold,code\n12/31/2023,NA\n")
    (batch,) = read_batches(tmp_path / "new.csv", schema=split.schema)
    assert batch.column("code").to_pylist() == ["NA"]


SPELLINGS = {"merge": ("No", "Yes"), "keep": ("NO", "No", "YES", "Yes")}


@pytest.mark.parametrize(("asked", "classes"), SPELLINGS.items(), ids=SPELLINGS)
def test_spellings_of_a_class_are_asked_about(asked, classes, tmp_path):
    loud = [answer.upper() if row % 9 == 0 else answer for row, answer in enumerate(ANSWERS)]
    written(range(ROWS)).assign(answer=loud).to_csv(tmp_path / "data.csv", index=False)
    with pytest.raises(BadInput, match="case") as caught:
        wf.split(tmp_path / "data.csv", target="answer")
    assert "'YES'" in str(caught.value)
    split = wf.split(tmp_path / "data.csv", target="answer", spellings=asked)
    assert split.schema.classes == classes
    assert split.unlabelled == 0
    later = written([1, 2]).assign(answer=["yES", "no "])
    merged = read_table(later, schema=split.schema).frame.column("answer").to_pylist()
    assert merged == (["Yes", "No"] if asked == "merge" else ["yES", "no"])


def test_a_file_without_header_stays_one(tmp_path):
    written(range(ROWS)).to_csv(tmp_path / "data.csv", index=False, header=False)
    split = wf.split(tmp_path / "data.csv", target="column 4", no_header=True)
    written([1, 2], target=False).to_csv(tmp_path / "new.csv", index=False, header=False)
    (batch,) = read_batches(tmp_path / "new.csv", schema=split.schema)
    assert batch.num_rows == 2
    assert fit_preparation(split.train, split.schema).transform(batch, with_target=False).rows == 2


def test_a_sign_for_all_columns_is_kept_column_by_column(tmp_path):
    rows = range(60)
    frame = pd.DataFrame(
        {
            "count": [row * 7 % 50 for row in rows],
            "point": [f"{row / 8:.3f}" for row in rows],
            "comma": [f"{row / 8:.3f}".replace(".", ",") for row in rows],
            "y": ["a", "b"] * 30,
        }
    )
    frame.to_csv(tmp_path / "data.csv", index=False, sep=";")
    said = {"decimal": ",", "types": {"point": "number-point"}}
    folder = wf.split(tmp_path / "data.csv", target="y", out=tmp_path / "it.wellfit", **said).folder
    wf.train(folder, wf.Config(optimization=wf.Optimization(epochs=1)))
    assert wf.predict(folder, tmp_path / "data.csv", out=tmp_path / "found.csv") == len(frame)
    found = pa.concat_tables(read_batches(tmp_path / "data.csv", schema=load_split(folder).schema))
    eighths = [row / 8 for row in rows]
    assert found.to_pydict() == {"count": frame["count"].tolist(), "point": eighths, "comma": eighths}


def test_what_is_said_later_goes_before(split, tmp_path):
    (tmp_path / "new.csv").write_text("sold;price;code\n12/31/2023;$1.000,50;001\n12/31/2023;gone;002\n")
    said = CsvFormat(decimal=",", thousands=".", missing="gone")
    (batch,) = read_batches(tmp_path / "new.csv", schema=split.schema, csv_format=said)
    assert batch.column("price").to_pylist() == [1000.5, None]
