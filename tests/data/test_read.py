"""Every way a table is written is read to the same rows; every bad one gets one message."""

from __future__ import annotations

import codecs

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from wellfit.data.dialect import CsvFormat
from wellfit.data.prepare import fit_preparation
from wellfit.data.read import read_batches, read_table
from wellfit.data.schema import infer_schema
from wellfit.exceptions import BadInput

ROWS = [("1", "2.5", "Zürich"), ("2", "-0.5", "Genève"), ("3", "", "?")]
COLUMNS = {"a": [1, 2, 3], "b": [2.5, -0.5, None], "café": ["Zürich", "Genève", None]}


def written(*, delimiter=",", decimal=".", newline="\n", quote=""):
    lines = [["a", "b", "café"], *([a, b.replace(".", decimal), c] for a, b, c in ROWS)]
    return newline.join(delimiter.join(f"{quote}{cell}{quote}" for cell in line) for line in lines) + newline


WAYS = {
    "commas": written().encode(),
    "semicolons": written(delimiter=";").encode(),
    "decimal-commas": written(delimiter=";", decimal=",").encode(),
    "tabs-decimal-commas": written(delimiter="\t", decimal=",").encode(),
    "bars": written(delimiter="|").encode(),
    "byte-order-mark": codecs.BOM_UTF8 + written().encode(),
    "latin-1": written().encode("latin-1"),
    "utf-16": written().encode("utf-16"),
    "windows-line-ends": written(newline="\r\n").encode(),
    "quoted": written(quote='"').encode(),
    "quoted-latin-1-semicolons": written(quote='"', delimiter=";").encode("latin-1"),
    "spaces": written().replace(",", ", ").encode(),
    "no-last-line-end": written().rstrip("\n").encode(),
}


@pytest.mark.parametrize("content", WAYS.values(), ids=WAYS)
def test_every_way_of_writing_gives_the_same_table(content, tmp_path):
    path = tmp_path / "table.csv"
    path.write_bytes(content)
    assert read_table(path).frame.to_pydict() == COLUMNS


def test_delimiters_and_line_ends_inside_quotes(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text('a,b\n1,"x,\ny"\n2,"say ""hi"""\n')
    assert read_table(path).frame.to_pydict() == {"a": [1, 2], "b": ["x,\ny", 'say "hi"']}


def test_detection_can_be_overridden(tmp_path):
    path = tmp_path / "table.csv"
    path.write_bytes("a|b\n1,5|é\n".encode("cp1252"))
    table = read_table(path, csv_format=CsvFormat(delimiter="|", decimal=",", encoding="cp1252"))
    assert table.frame.to_pydict() == {"a": [1.5], "b": ["é"]}


FRAMES = {
    "pandas": pd.DataFrame,
    "polars": pl.DataFrame,
    "polars-lazy": lambda columns: pl.DataFrame(columns).lazy(),
    "pyarrow": pa.table,
    "columns": dict,
    "rows": lambda columns: [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)],
}


@pytest.mark.parametrize("frame", FRAMES.values(), ids=FRAMES)
def test_any_frame_gives_the_same_table(frame):
    table = read_table(frame({**COLUMNS, "café": ["Zürich", " Genève", None]})).frame
    assert table.column("a").to_pylist() == [1, 2, 3]
    assert table.column("café").to_pylist() == COLUMNS["café"]


@pytest.mark.parametrize("frame", FRAMES.values(), ids=FRAMES)
def test_in_frames_only_null_is_missing(frame):
    table = read_table(frame({"café": ["NA", "?", None]})).frame
    assert table.column("café").to_pylist() == ["NA", "?", None]


def test_pandas_index_and_categories(tmp_path):
    frame = pd.DataFrame({"c": pd.Categorical(["x", "y", "x"])}, index=["p", "q", "r"])
    assert read_table(frame).frame.to_pydict() == {"c": ["x", "y", "x"]}
    pq.write_table(pa.table({"c": pa.array(["x", "y"]).dictionary_encode()}), tmp_path / "t.parquet")
    assert read_table(tmp_path / "t.parquet").frame.to_pydict() == {"c": ["x", "y"]}


def test_source_names_the_file_or_the_content(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a\n1\n")
    source = read_table(path).source
    assert (source.path, source.bytes, source.sha256) == (str(path), 4, None)
    first, second = (read_table({"a": [1, value]}).source for value in (2, 3))
    assert first.path is None
    assert first.sha256 != second.sha256
    assert first.sha256 == read_table(pd.DataFrame({"a": [1.0, 2.0]})).source.sha256


BAD_FILES = {
    "empty": (b"", ["empty file"]),
    "blank": (b"\n \n", ["empty file"]),
    "header-only": (b"a,b\n", ["only a header"]),
    "binary": (bytes(range(256)) * 9, ["binary file"]),
    "ragged": (b"a,b\n1,2\n3\n4,5\n", ["line 3", "1 fields", "header has 2"]),
    "ragged-after-quoted-line-end": (b'a,b\n1,"x\ny"\n3,4,5\n', ["line 4", "3 fields"]),
    "repeated-names": (b"a,b,a\n1,2,3\n", ["'a'", "repeated"]),
    "broken-parquet": (b"PAR1 and no more", ["t.csv"]),
}


@pytest.mark.parametrize(("content", "words"), BAD_FILES.values(), ids=BAD_FILES)
def test_a_bad_file_gets_one_message(content, words, tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    with pytest.raises(BadInput) as caught:
        read_table(path)
    assert all(word in str(caught.value) for word in words)


def test_no_such_file_and_a_folder(tmp_path):
    with pytest.raises(BadInput, match="no file"):
        read_table(tmp_path / "none.csv")
    with pytest.raises(BadInput, match="a folder"):
        read_table(tmp_path)


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame([[1, 2]], columns=["a", "a"]),
        pd.DataFrame({"a": [1, "x", b"y"]}),
        pa.table({"a": [[1], [2]]}),
        42,
        {"a": [1, 2], "b": [1]},
    ],
    ids=["repeated-names", "mixed-types", "nested", "not-a-frame", "uneven"],
)
def test_a_bad_frame_gets_one_message(frame):
    with pytest.raises(BadInput):
        read_table(frame)


def test_unknown_encoding_and_wrong_encoding(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes("a\né\n".encode("latin-1"))
    with pytest.raises(BadInput, match="Python knows"):
        read_table(path, csv_format=CsvFormat(encoding="klingon"))
    with pytest.raises(BadInput, match="must be text in utf-8"):
        read_table(path, csv_format=CsvFormat(encoding="utf-8"))


@pytest.mark.parametrize("kind", ["csv", "parquet", "frame"])
def test_batches_have_the_features_in_order_in_constant_pieces(kind, tmp_path):
    rng = np.random.default_rng(0)
    table = pa.table(
        {
            "extra": ["x"] * 100,
            "name": pa.array(["p", "q", None, "q"] * 25),
            "size": rng.normal(size=100),
            "day": pa.array(np.arange("2020-01-01", "2020-04-10", dtype="datetime64[D]")),
            "y": [0, 1] * 50,
        }
    )
    schema = infer_schema(table, target="y")
    source = table
    if kind == "csv":
        source = tmp_path / "t.csv"
        pa.csv.write_csv(table, source)
    elif kind == "parquet":
        source = tmp_path / "t.parquet"
        pq.write_table(table, source)
    batches = list(read_batches(source, schema=schema, rows=30))
    assert [batch.num_rows for batch in batches] == [30, 30, 30, 10]
    whole = pa.concat_tables(batches)
    assert whole.column("name").to_pylist() == table.column("name").to_pylist()
    assert whole.column("size").to_pylist() == table.column("size").to_pylist()


def test_batches_read_dates_times_and_padded_names_as_the_table_was_read(tmp_path):
    path = tmp_path / "t.csv"
    rows = [f"2020-01-{1 + i % 28:02d}T10:00:00Z, {i % 24:02d}:30:00, {i % 2}" for i in range(40)]
    path.write_text("\n\nwhen, clock, y\n" + "\n".join(rows) + "\n")
    table = read_table(path).frame
    preparation = fit_preparation(table, infer_schema(table, target="y"))
    (batch,) = read_batches(path, schema=preparation.schema)
    assert preparation.numeric_names[0] == "when"
    assert "clock" in preparation.numeric_names
    assert np.array_equal(preparation.transform(batch, with_target=False).numeric, preparation.transform(table).numeric)


def test_a_header_over_two_lines(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text('"a\nb",y\n' + "".join(f"{i / 7},{i % 2}\n" for i in range(40)))
    schema = infer_schema(read_table(path).frame, target="y")
    assert [batch.column_names for batch in read_batches(path, schema=schema)] == [["a\nb"]]


def test_names_that_are_no_text():
    frame = pd.DataFrame(np.ones((2, 2))).assign(y=[1, 2])
    assert read_table(frame).frame.column_names == ["0", "1", "y"]


def test_batches_name_a_missing_column_and_a_wrong_value(tmp_path):
    table = pa.table({"width": np.arange(40) / 7, "y": [0, 1] * 20})
    schema = infer_schema(table, target="y")
    path = tmp_path / "t.csv"
    path.write_text("widht\n1\n")
    with pytest.raises(BadInput, match="Did you mean 'widht'"):
        list(read_batches(path, schema=schema))
    path.write_text("width\n1\nabc\n")
    with pytest.raises(BadInput, match="column 'width': 'abc'"):
        list(read_batches(path, schema=schema))
