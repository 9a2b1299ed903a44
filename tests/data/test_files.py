"""The same rows in any container and layout are the same table; what is no table is named."""

from __future__ import annotations

import bz2
import datetime as dt
import gzip
import io
import lzma
import pickle
import sqlite3
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest

from wellfit.data.dialect import CsvFormat
from wellfit.data.read import read_batches, read_table
from wellfit.data.readings import Wishes
from wellfit.data.schema import infer_schema
from wellfit.exceptions import BadInput

ROWS = [(f"{i / 7:.3f}", str(3 * i % 11), ("red", "dark blue", "green")[i % 3]) for i in range(40)]
NAMES = ("size", "count", "colour")
COLUMNS = {
    "size": [float(size) for size, _, _ in ROWS],
    "count": [int(count) for _, count, _ in ROWS],
    "colour": [colour for _, _, colour in ROWS],
}


def test_a_header_longer_than_the_sample_is_read_whole(tmp_path):
    names = [f"column_{number}" for number in range(40_000)]
    (tmp_path / "wide.csv").write_text(f"{','.join(names)}\n{'1,' * 39_999}1\n{'2,' * 39_999}2\n")
    frame = read_table(tmp_path / "wide.csv").frame
    assert frame.column_names == names
    assert frame.num_rows == 2


def test_a_compressed_file_of_nonsense_is_one_message(tmp_path):
    (tmp_path / "t.csv.gz").write_bytes(b"\x1f\x8b\x08\x00" + bytes(20))
    with pytest.raises(BadInput, match=r"t\.csv\.gz"):
        read_table(tmp_path / "t.csv.gz")


def schema_of(path, *, target):
    table = read_table(path)
    return infer_schema(table.frame, target=target, readings=table.readings)


def lines(sign=",", *, quote=""):
    quoted = [[f"{quote}{cell}{quote}" for cell in row] for row in [NAMES, *ROWS]]
    return [sign.join(row) for row in quoted]


def text(found, *, end="\n"):
    return (end.join(found) + end).encode()


PLAIN = text(lines())


def zipped(**files):
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        for name, content in files.items():
            file.writestr(name, content)
    return archive.getvalue()


def arrow(write):
    buffer = io.BytesIO()
    write(pa.table(COLUMNS), buffer)
    return buffer.getvalue()


def uncompressed(table, file):
    pq.write_table(table, file, compression="none")


WAYS = {
    "gzip": gzip.compress(PLAIN),
    "bzip2": bz2.compress(PLAIN),
    "xz": lzma.compress(PLAIN),
    "zstandard": pa.compress(PLAIN, codec="zstd", asbytes=True),
    "zip": zipped(**{"a/table.csv": PLAIN, "__MACOSX/._table.csv": b"x"}),
    "parquet": arrow(pq.write_table),
    "parquet-in-gzip": gzip.compress(arrow(pq.write_table)),
    "feather": arrow(pa.feather.write_feather),
    "decimal-commas-in-every-row": text(line.replace(".", ",") for line in lines(";")),
    "tabs-and-decimal-commas": text(line.replace(".", ",") for line in lines("\t")),
    "control-a": text(lines("\x01")),
    "caret": text(lines("^")),
    "colons": text(lines(":")),
    "blanks": text(lines(" ", quote='"')),
    "aligned-blanks": text(["   ".join(f'"{cell}"'.rjust(12) for cell in row) for row in [NAMES, *ROWS]]),
    "sep-line": text(["sep=;", *lines(";")]),
    "sep-line-tab": text(["sep=\t", *lines("\t")]),
    "titles": text(["Sales export", "Generated 2024-05-01", "", *lines()]),
    "titles-as-spreadsheets-write-them": text(["Sales export,,", "May,,", ",,", *lines()]),
    "comments": text(["# made by hand", "# on a Monday", *lines()]),
    "empty-lines-between": text([part for line in lines() for part in (line, "")]),
    "carriage-returns": text(lines(), end="\r"),
    "utf-16-without-mark": text(lines()).decode().encode("utf-16-le"),
}


@pytest.mark.parametrize("content", WAYS.values(), ids=WAYS)
def test_the_same_table(content, tmp_path):
    path = tmp_path / "table"
    path.write_bytes(content)
    found = read_table(path)
    assert found.frame.to_pydict() == COLUMNS
    schema = schema_of(path, target="colour")
    batches = pa.concat_tables(read_batches(path, schema=schema, rows=7))
    assert batches.to_pydict() == {name: COLUMNS[name] for name in ("size", "count")}


NAMED = {
    "row-names-as-r-writes-them": ([lines()[0], *(f'"{i}",{line}' for i, line in enumerate(lines()[1:]))], 0),
    "nameless-index": ([f",{lines()[0]}", *(f"{i},{line}" for i, line in enumerate(lines()[1:]))], 0),
    "delimiter-behind-every-row": ([lines()[0], *(f"{line}," for line in lines()[1:])], 3),
}


@pytest.mark.parametrize(("written", "place"), NAMED.values(), ids=NAMED)
def test_a_column_without_a_name_is_known_by_its_place(written, place, tmp_path):
    path = tmp_path / "table.csv"
    path.write_bytes(text(written))
    found = read_table(path).frame
    assert found.column_names[place] == f"column {place + 1} (no name)"
    assert found.drop_columns([found.column_names[place]]).to_pydict() == COLUMNS


HEADLESS = {
    "numbers": lines()[1:],
    "decimal-commas": [line.replace(".", ",") for line in lines(";")[1:]],
    "words-that-occur-below": ["red,big,yes", "blue,small,no", "red,small,yes", "blue,big,no", "red,big,no"],
}


@pytest.mark.parametrize("written", HEADLESS.values(), ids=HEADLESS)
def test_a_missing_header_is_asked_about(written, tmp_path):
    path = tmp_path / "table.csv"
    path.write_bytes(text(written))
    with pytest.raises(BadInput, match="--no-header"):
        read_table(path)
    found = read_table(path, csv_format=CsvFormat(no_header=True)).frame
    assert found.column_names == ["column 1", "column 2", "column 3"]
    assert found.num_rows == len(written)
    assert read_table(path, csv_format=CsvFormat(no_header=False)).frame.num_rows == len(written) - 1


HEADED = {
    "years": ["2019,2020,2021", *(f"{i},{i + 1},{i * 2}" for i in range(9))],
    "places": ["0,1,2", *(f"{i / 3:.2f},{i},{i * 2}" for i in range(9))],
    "words-over-words": ["kind,town,answer", "a,b,yes", "c,d,no", "a,d,yes", "c,b,no"],
}


@pytest.mark.parametrize("written", HEADED.values(), ids=HEADED)
def test_names_that_are_numbers_or_words_stay_names(written, tmp_path):
    path = tmp_path / "table.csv"
    path.write_bytes(text(written))
    assert read_table(path).frame.column_names == written[0].split(",")


def test_a_euro_sign_of_windows_is_one(tmp_path):
    path = tmp_path / "table.csv"
    path.write_bytes("a,b\n1,€\n2,“x”\n".encode("cp1252"))
    assert read_table(path).frame.column("b").to_pylist() == ["€", "“x”"]


BODY = lines()
OPEN = {
    "to-the-end": [*BODY[:20], '1.5,3,"red', *BODY[20:]],
    "to-another-quote": [*BODY[:20], '1.5,3,"red', *BODY[20:], '1.5,3,red"', "1.5,3,red"],
    "in-the-first-field": [*BODY[:20], '"1.5,3,red', *BODY[20:]],
}


def whole(path, schema):
    return read_table(path, schema=schema)


def in_batches(path, schema):
    return list(read_batches(path, schema=schema, rows=7))


@pytest.fixture
def schema(tmp_path):
    path = tmp_path / "split.csv"
    path.write_bytes(text(lines()))
    return schema_of(path, target="colour")


@pytest.mark.parametrize("read", [whole, in_batches])
@pytest.mark.parametrize("written", OPEN.values(), ids=OPEN)
def test_an_open_quote_is_named_with_its_line(written, read, schema, tmp_path):
    path = tmp_path / "table.csv"
    path.write_bytes(text(written))
    with pytest.raises(BadInput, match="that begins in line 21"):
        read(path, schema)


@pytest.mark.parametrize("read", [whole, in_batches])
def test_a_second_header_is_named_with_its_row(read, schema, tmp_path):
    path = tmp_path / "table.csv"
    path.write_bytes(text([*BODY, *BODY]))
    with pytest.raises(BadInput, match=f"repeats the names in row {len(BODY)}"):
        read(path, schema)


def test_long_texts_in_quotes_are_no_open_quotes(tmp_path):
    path = tmp_path / "table.csv"
    story = "once upon a time\n" * 30
    path.write_bytes(text(["a,story", *(f'{i},"{story}{i}"' for i in range(5))]))
    assert read_table(path).frame.num_rows == 5


def pickled():
    return pickle.dumps([1])


def workbook(path, **sheets):
    book = pytest.importorskip("openpyxl").Workbook()
    book.remove(book.active)
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)
    book.save(path)


def test_an_excel_workbook_is_read_by_its_cells(tmp_path):
    day = dt.datetime(2024, 3, 1)
    rows = [
        ["Export"],
        ["code", "size", "seen", "good"],
        *(["007", i / 4, day, True] for i in range(4)),
        ["012", "#N/A", None, False],
    ]
    workbook(tmp_path / "t.xlsx", Data=rows, Notes=[["nothing"]])
    assert read_table(tmp_path / "t.xlsx").frame.to_pydict() == {
        "code": ["007"] * 4 + ["012"],
        "size": [0, 0.25, 0.5, 0.75, None],
        "seen": [day] * 4 + [None],
        "good": [True] * 4 + [False],
    }
    workbook(tmp_path / "two.xlsx", A=rows, B=rows)
    with pytest.raises(BadInput, match="'A', 'B'"):
        read_table(tmp_path / "two.xlsx")


OTHERS = {
    "pickle": (pickled(), "pickle"),
    "pdf": (b"%PDF-1.7\n" + b"x" * 99, "PDF"),
    "png": (b"\x89PNG\r\n" + b"x" * 99, "PNG"),
    "old-excel": (b"\xd0\xcf\x11\xe0" + b"x" * 99, "xls"),
    "numpy": (arrow(lambda _table, file: np.save(file, np.zeros(9))), "NumPy"),
    "hdf5": (b"\x89HDF\r\n" + b"x" * 99, "HDF5"),
    "json": (b'[{"a": 1}, {"a": 2}]', "JSON"),
    "json-lines": (b'{"a": 1}\n{"a": 2}\n', "JSON"),
    "html": (b"<!DOCTYPE html><html><table></table></html>", "HTML"),
    "word": (zipped(**{"word/document.xml": b"x"}), "Word"),
    "several-in-a-zip": (zipped(**{"a.csv": PLAIN, "b.csv": PLAIN}), "2 files"),
    "cut-gzip": (gzip.compress(PLAIN)[:200], "complete"),
    "cut-parquet": (arrow(pq.write_table)[:-20], "complete"),
    "parquet-text-not-utf8": (arrow(uncompressed).replace(b"dark blue", b"dark\xffblue"), "complete"),
    "parquet-name-not-utf8": (arrow(uncompressed).replace(b"colour", b"col\xffur"), "complete"),
    "pdf-in-gzip": (gzip.compress(b"%PDF-1.7\n" + b"x" * 99), "PDF"),
}


@pytest.mark.parametrize(("content", "words"), OTHERS.values(), ids=OTHERS)
def test_what_is_no_table_is_named(content, words, tmp_path):
    path = tmp_path / "table.csv"
    path.write_bytes(content)
    with pytest.raises(BadInput, match=words):
        read_table(path)


def test_a_database_is_named(tmp_path):
    with sqlite3.connect(tmp_path / "t.db") as connection:
        connection.execute("create table t (a)")
    connection.close()
    with pytest.raises(BadInput, match="SQLite"):
        read_table(tmp_path / "t.db")


@pytest.fixture
def parts(tmp_path):
    folder = tmp_path / "parts"
    folder.mkdir()
    (folder / "1.csv").write_bytes(text(BODY[:20]))
    turned = [",".join(reversed(line.split(","))) for line in [BODY[0], *BODY[20:]]]
    (folder / "2.csv").write_bytes(text(turned))
    return folder


@pytest.mark.parametrize("how", ["folder", "pattern", "list"])
def test_several_files_are_one_table(how, parts):
    source = {"folder": parts, "pattern": f"{parts}/*.csv", "list": sorted(parts.iterdir())}[how]
    assert read_table(source).frame.to_pydict() == COLUMNS


def test_several_files_must_have_the_same_columns(parts):
    (parts / "3.csv").write_bytes(b"size,weight\n1,2\n")
    with pytest.raises(BadInput, match="'colour'"):
        read_table(parts)


def partitioned(folder, *, name="year"):
    for year in (2020, 2021):
        for region in ("north%20west", "__HIVE_DEFAULT_PARTITION__"):
            place = folder / f"{name}={year}" / f"region={region}"
            place.mkdir(parents=True)
            rows = {"a": [1.5, 2.5] * 10, "y": ["p", "q"] * 10}
            pq.write_table(pa.table(rows), place / "part-0.parquet")
    return folder


def test_a_folder_of_parquet_says_what_its_folders_say(tmp_path):
    found = read_table(partitioned(tmp_path / "sales")).frame
    assert found.column("year").to_pylist() == [2020] * 40 + [2021] * 40
    assert found.column("region").to_pylist() == ([None] * 20 + ["north west"] * 20) * 2


PARTITIONS = {
    "the-folder": ("sales", [2020, 2021]),
    "a-pattern": ("sales/*/*/*.parquet", [2020, 2021]),
    "one-of-its-folders": ("sales/year=2021", [2021]),
    "one-file": ("sales/year=2020/region=north%20west/part-0.parquet", [2020]),
}


@pytest.mark.parametrize(("path", "years"), PARTITIONS.values(), ids=PARTITIONS)
def test_later_rows_have_the_columns_of_their_folders(path, years, tmp_path):
    schema = schema_of(partitioned(tmp_path / "sales"), target="y")
    assert schema.feature_names == ("a", "year", "region")
    found = pa.concat_tables(read_batches(str(tmp_path / path), schema=schema))
    assert found.column_names == ["a", "year", "region"]
    assert sorted(set(found.column("year").to_pylist())) == years
    again = read_table(str(tmp_path / path), schema=schema).frame
    assert again.select(found.column_names).equals(found)


TYPED_INSIDE = {  # the folder where the command is typed, the path, and the year
    "the-file": ("year=2020/region=north%20west", "part-0.parquet", "2020"),
    "its-folder": ("year=2020", "region=north%20west", "2020"),
    "a-neighbour": ("year=2020", "../year=2021/region=north%20west/part-0.parquet", "2021"),
}


@pytest.mark.parametrize(("inside", "path", "year"), TYPED_INSIDE.values(), ids=TYPED_INSIDE)
def test_a_path_typed_inside_a_folder_has_its_columns(inside, path, year, tmp_path, monkeypatch):
    schema = schema_of(partitioned(tmp_path / "sales"), target="y")
    monkeypatch.chdir(tmp_path / "sales" / inside)
    for found in (pa.concat_tables(read_batches(path, schema=schema)), read_table(path, schema=schema).frame):
        assert {*map(str, found.column("year").to_pylist())} == {year}
        assert {*found.column("region").to_pylist()} == {"north west"}


def test_a_folder_that_a_path_leaves_again_says_nothing(tmp_path, monkeypatch):
    schema = schema_of(partitioned(tmp_path / "sales"), target="y")
    monkeypatch.chdir(tmp_path / "sales" / "year=2020")
    rows = tmp_path / "sales" / "rows.parquet"
    pq.write_table(pa.table({"a": [1.5], "region": ["north west"]}), rows)
    with pytest.raises(BadInput, match="no column 'year'"):
        list(read_batches("../rows.parquet", schema=schema))


def test_full_and_relative_paths_may_stand_in_one_list(tmp_path, monkeypatch):
    partitioned(tmp_path)
    monkeypatch.chdir(tmp_path / "year=2021")
    place = Path("region=north%20west") / "part-0.parquet"
    found = read_table([str(tmp_path / "year=2020" / place), str(place)]).frame
    assert found.column("year").to_pylist() == [2020] * 20 + [2021] * 20


def test_a_missing_column_is_no_folder_above_the_data(tmp_path):
    inside = partitioned(tmp_path / "run=7" / "sales")
    assert read_table(inside).frame.column_names == ["a", "y", "year", "region"]


FRAMES = {
    "cut": (pd.cut(np.arange(6), 3), ["(-0.005, 1.667]"] * 2),
    "qcut-with-missing": (pd.qcut([0, 1, 2, 3, np.nan, 5], 2), ["(-0.001, 2.0]"] * 2),
    "periods": (pd.period_range("2020-01", periods=6, freq="M"), ["2020-01", "2020-02"]),
    "categories-of-periods": (pd.Categorical(pd.period_range("2020-01", periods=6, freq="M")), ["2020-01", "2020-02"]),
}


@pytest.mark.parametrize(("values", "first"), FRAMES.values(), ids=FRAMES)
def test_intervals_and_periods_of_frames_are_text(values, first):
    column = read_table(pd.DataFrame({"a": values})).frame.column("a")
    assert column.to_pylist()[:2] == first
    assert column.null_count == int(pd.isna(values).sum())


CUT = {  # rows with a field more than the header
    "single-quotes": ["x,name,y", *(f"{i}.5,'Smith, {'AB'[i % 2]}',{i % 2}" for i in range(30))],
    "thousands": ["a,b,y", *(f"{1 + i % 3},{100 + i},{i},x" for i in range(30))],
}


@pytest.mark.parametrize("written", CUT.values(), ids=CUT)
def test_a_value_cut_in_two_is_no_name_of_a_row(written, tmp_path):
    path = tmp_path / "table.csv"
    path.write_bytes(text(written))
    with pytest.raises(BadInput, match="4 fields in the rows, but the header has 3"):
        read_table(path)


RULES = {
    "markdown": ["| size | count | colour |", "|---|:--:|--:|", *(f"| {i}.5 | {i} | red |" for i in range(30))],
    "database": ["size|count|colour", "----|-----|----", *(f"{i}.5|{i}|red" for i in range(30))],
}


@pytest.mark.parametrize("read", [whole, in_batches])
@pytest.mark.parametrize("written", RULES.values(), ids=RULES)
def test_a_rule_below_the_names_is_refused(written, read, schema, tmp_path):
    path = tmp_path / "table.txt"
    path.write_bytes(text(written))
    with pytest.raises(BadInput, match="a rule of dashes"):
        read(path, schema)


def test_a_first_row_of_missing_values_is_no_rule(tmp_path):
    path = tmp_path / "table.csv"
    path.write_bytes(text(["a,b", "--,--", *(f"{i}.5,{i}" for i in range(30))]))
    assert [column[0].as_py() for column in read_table(path, wishes=Wishes()).frame.columns] == [None, None]


UNREADABLE = {
    "lists": pa.table({"a": [1.0, 2.0], "it": [[1], [2]]}),
    "bytes": pa.table({"a": [1.0, 2.0], "it": [b"\xff\x00", b"\x00"]}),
    "mixed-objects": pd.DataFrame({"a": [1.0, 2.0], "it": [1, "x"]}),
    "complex": pd.DataFrame({"a": [1.0, 2.0], "it": [1j, 2j]}),
}


@pytest.mark.parametrize("frame", UNREADABLE.values(), ids=UNREADABLE)
def test_a_column_of_another_type_may_be_dropped(frame):
    with pytest.raises(BadInput, match="drop"):
        read_table(frame)
    found = read_table(frame, drop=["it"]).frame
    assert found.column_names == ["a", "it"]
    assert found.column("it").null_count == 2


GARBLED = {  # text, how it was written, how it is read unless told
    "mac": ("München", "mac-roman", None),
    "dos": ("Größe", "cp437", None),
    "russian": ("Москва", "cp1251", None),
    "polish": ("Łódź", "cp1250", None),
    "twice": ("München".encode().decode("latin-1"), "utf-8", None),
    "lost": ("M\ufffdnchen", "utf-8", None),
    "said-wrongly": ("München", "utf-8", "cp1252"),
}
CLEAN = {
    "utf-8": ("München, “Zürich” – l’été 20 °C, Straße, 5 µm, naïve…", "utf-8"),
    "cp1252": ("München, “Zürich” – l’été 20 °C, Straße, 5 µm, ÉTÉ €", "cp1252"),
    "signs-inside-words": ("x²y, iPhone®s, d´accord, 20°C, col·lega, pow²er", "cp1252"),
    "russian": ("Москва", "utf-8"),
    "plain": ("plain", "utf-8"),
}


def _dialect(folder, word, encoding, said=None):
    path = folder / "text.csv"
    path.write_bytes(f'name;x\n"{word}";1\nb;2\n'.encode(encoding))
    return read_table(path, csv_format=CsvFormat(encoding=said)).written


@pytest.mark.parametrize(("word", "encoding", "said"), GARBLED.values(), ids=GARBLED)
def test_text_in_a_wrong_encoding_is_doubted(tmp_path, word, encoding, said):
    assert _dialect(tmp_path, word, encoding, said).garbled


@pytest.mark.parametrize(("word", "encoding"), CLEAN.values(), ids=CLEAN)
def test_text_in_the_right_encoding_is_not_doubted(tmp_path, word, encoding):
    assert _dialect(tmp_path, word, encoding).garbled == ""
