"""What is told about a column: why it is text, which numbers may mean missing, and advice that works."""

from __future__ import annotations

import re
import shlex

import numpy as np
import pyarrow as pa
import pytest

from wellfit.data.columns import stored_as
from wellfit.data.dialect import CsvFormat
from wellfit.data.missing import IN_FRAMES
from wellfit.data.read import read_table
from wellfit.data.readings import Wishes, read_as, read_columns
from wellfit.data.schema import infer_schema
from wellfit.exceptions import BadInput

RNG = np.random.default_rng(0)
ROWS = 400


def reading(values):
    column = pa.array(values, pa.string()) if isinstance(values[0], str) else pa.array(values)
    typed, readings = read_columns(pa.table({"it": column}), Wishes())
    return typed.column("it"), readings.get("it")


TEXTS = {  # cells, and what must be said about them
    "words-among-numbers": ([*map(str, range(50)), "tbc", "7"], ["'tbc' in row 51"]),
    "a-footer": ([*map(str, range(50)), "Total"], ["'Total' in row 51", "the last"]),
    "a-footer-of-money": ([*(f"$1,{n}" for n in range(100, 150)), "Total"], ["'Total' in row 51", "the last"]),
    "units-in-some": (["71.3 kg", "80", "68.25 kg"] * 9, ["'kg'", "no unit"]),
    "two-units": (["71.3 kg", "180 lb", "68 kg"] * 9, ["'kg'", "'lb'"]),
    "days": (["1 day", "3 days", "4 days"] * 9, ["'days'", "'day'"]),
    "durations": (["1:23:45", "30:00:10", "2:00:00"] * 9, ["durations", "'1:23:45'"]),
    "orders-of-two-files": (["31/12/2020", "30/11/2021", "12/25/2020"], ["'31/12/2020' is day first", "month first"]),
    "limits-of-detection": ([*["<0.5", "1.25", "3.5"] * 9, ">100"], ["limits", "'<0.5'"]),
    "apostrophes-of-a-spreadsheet": (["'1.5", "'-2", "'3.25"] * 9, ["looks like numbers"]),
    "a-total": ([*["north", "south"] * 9, "Total"], ["the last row says 'Total'"]),
    "signs-of-two-files": (["01.02.2020", "03/04/2021", "11.12.2020"], ["look like dates", "'03/04/2021'"]),
    "no-such-day": (["30.02.2020", *["01.02.2020", "13.04.2021"] * 9], ["look like dates", "'30.02.2020' in row 1"]),
    "a-word-among-dates": ([*["31/12/2020", "30/11/2021"] * 9, "soon"], ["look like dates", "'soon' in row 19"]),
    "spellings": (["Red", "red", "blue"] * 9, ["'Red' and 'red'", "case"]),
    "spellings-of-truth": (["True", "TRUE", "False", "0"] * 9, ["'True' and 'TRUE'", "case"]),
    "durations-of-laps": (["1:23.4", "3:10.0", "2:00.9"] * 9, ["durations", "'1:23.4'"]),
    "durations-in-words": (["3h 12min", "1 h 5 min", "12h 40m"] * 9, ["durations", "'3h 12min'"]),
    "months-of-excel": (["Jan-22", "Mrz-22", "Dec-21"] * 9, ["months", "'Jan-22'", "=date"]),
    "months": (["2020-01", "2020-02", "2021-12"] * 9, ["months", "'2020-01'", "=date"]),
}


@pytest.mark.parametrize(("texts", "said"), TEXTS.values(), ids=TEXTS)
def test_text_that_looks_like_something_else_says_so(texts, said):
    values, found = reading(texts)
    assert values.type == pa.string()
    assert [word for word in said if word not in found.why] == []


PLAIN_TEXTS = {
    "names": ["Anna", "Ben", "Carl"] * 9,
    "codes": ["A1", "B22", "C333"] * 9,
    "years-and-words": ["in 2020", "since 1999", "2001 and later"] * 9,
    "versions": ["v1.2", "v1.10", "v2.0"] * 9,
    "addresses": ["12 High Street", "7 Mill Lane", "104 Station Road"] * 9,
    "addresses-of-machines": ["10.0.0.1", "10.0.12.7", "192.168.1.1"] * 9,
    "telephones": ["+49 440 8240", "+49 30 123456", "+1 555 0100"] * 9,
    "hexadecimal": ["0x1f", "0xa0", "0xff"] * 9,
    "a-class-called-total": ["total", "partial"] * 9 + ["total"],
    "doors": ["2", "3", "4", "5more"] * 9,
    "flats": ["12A", "7C", "104B", "3D", "9F", "1G"] * 9,
}


@pytest.mark.parametrize("texts", PLAIN_TEXTS.values(), ids=PLAIN_TEXTS)
def test_of_ordinary_text_nothing_is_said(texts):
    values, found = reading(texts)
    assert values.type == pa.string()
    assert found is None or (found.why == "" and found.odd == ())


UNITS = {
    "kg": (["71.3 kg", "80 kg", "1,068.25 kg"], [71.3, 80, 1068.25]),
    "without-blank": (["12km/h", "-3km/h", "0km/h"], [12, -3, 0]),
    "degrees": (["12.5 °C", "-3 °C", "7 °C"], [12.5, -3, 7]),
}


@pytest.mark.parametrize(("texts", "values"), UNITS.values(), ids=UNITS)
def test_one_unit_behind_all_numbers_is_removed(texts, values):
    found, told = reading(texts)
    assert found.to_pylist() == values
    assert f"{told.unit} removed" in told.why


MAYBE_DATES = {
    "days": ([20230101, 20231231, 20230615, 20230228], True),
    "seconds": ([1577836800, 1587834382, 1600000000, 1577836900], True),
    "milliseconds": ([1577836800000, 1587834382000, 1600000000000, 1577836900000], True),
    "months": ([202301, 202312, 202206, 202301], True),
    "no-months": ([202301, 202313, 202206, 202301], False),
    "no-days": ([20230101, 20231331, 20230615, 20230228], False),
    "prices": ([20_150_000, 20_990_500, 31_000_000, 19_500_200], False),
    "one-day": ([20230101, 20230101], False),
}


@pytest.mark.parametrize(("numbers", "said"), MAYBE_DATES.values(), ids=MAYBE_DATES)
def test_whole_numbers_that_may_be_dates_are_told(numbers, said):
    for values in (numbers, [*map(str, numbers)]):
        _, found = reading(values)
        assert ("=date" in found.why if found else False) is said


def with_sentinels(values, sentinel, share):
    values = np.asarray(values).astype(float)
    values[RNG.random(len(values)) < share] = sentinel
    return values


ODD = {
    "a-few": (with_sentinels(RNG.normal(size=ROWS), -999, 0.02), ("-999",)),
    "a-quarter": (with_sentinels(RNG.normal(size=ROWS), -999, 0.25), ("-999",)),
    "most": (with_sentinels(RNG.normal(size=ROWS), -9999, 0.7), ("-9999",)),
    "weather": (with_sentinels(RNG.normal(15, 8, ROWS).round(1), 999.9, 0.1), ("999.9",)),
    "ages": (with_sentinels(RNG.integers(18, 90, ROWS), 999, 0.1), ("999",)),
    "survey": (with_sentinels(RNG.integers(1, 3, ROWS), 9, 0.1), ("9",)),
    "two": (with_sentinels(with_sentinels(RNG.integers(0, 30, ROWS), 99, 0.1), 98, 0), ("99",)),
    "two-of-them": (np.r_[RNG.integers(0, 30, ROWS), [88] * 9, [99] * 9], ("88", "99")),
    "largest-integer": (with_sentinels(RNG.integers(0, 900, ROWS), 2**31 - 1, 0.1), ("2147483647",)),
}


@pytest.mark.parametrize(("values", "odd"), ODD.values(), ids=ODD)
@pytest.mark.parametrize("as_text", [True, False])
def test_numbers_far_outside_the_others_are_told(values, odd, as_text):
    _, found = reading(
        [f"{value:g}" if abs(value) < 1e6 else str(int(value)) for value in values] if as_text else values
    )
    assert found.odd == odd
    assert all(number in found.why for number in odd)


def test_ordinary_numbers_are_not_odd():
    """No alarm in 500 columns of each kind: short and long tails, counts, ages, prices, classes."""
    kinds = {
        "normal": lambda rng: rng.normal(size=ROWS).round(2),
        "wide": lambda rng: rng.normal(0, 1000, ROWS).round(),
        "log-normal": lambda rng: rng.lognormal(3, 1.5, ROWS).round(),
        "counts": lambda rng: rng.poisson(rng.gamma(0.3, 4, ROWS)),
        "ages": lambda rng: rng.integers(0, 100, ROWS),
        "grades": lambda rng: rng.integers(1, 10, ROWS),
        "prices": lambda rng: rng.integers(1, 200, ROWS) * 10 - 0.01,
        "three-codes": lambda rng: rng.choice([1, 2, 7], ROWS),
    }
    odd = {
        name: sum(reading(draw(np.random.default_rng(seed)).astype(float))[1] is not None for seed in range(500))
        for name, draw in kinds.items()
    }
    assert max(odd.values()) <= 5, odd


def file(folder, columns):
    path = folder / "data.csv"
    rows = zip(*columns.values(), strict=True)
    path.write_text("\n".join([",".join(columns), *(",".join(map(str, row)) for row in rows)]) + "\n")
    return path


@pytest.mark.parametrize("word", ["tbc", "not yet measured", "see note 4"])
def test_the_advice_for_a_numeric_target_with_words_works(tmp_path, word):
    y = [*map(str, RNG.normal(size=ROWS).round(3))]
    for row in (3, 77, 200):
        y[row] = word
    x = [f"{value:.2f}" if row % 9 else "NA" for row, value in enumerate(RNG.normal(size=ROWS))]
    path = file(tmp_path, {"x": x, "y": y})
    table = read_table(path)
    with pytest.raises(BadInput, match=re.escape(f"'{word}' in row 4")) as caught:
        infer_schema(table.frame, target="y", readings=table.readings)
    option = shlex.split(re.search(r"Pass (--missing .*) if ", str(caught.value))[1])
    again = read_table(path, csv_format=CsvFormat(missing=option[1]))
    schema = infer_schema(again.frame, target="y", readings=again.readings)
    assert schema.task == "regression"
    assert [column.kind for column in schema.columns] == ["number", "number"]
    assert again.frame.column("y").null_count == 3


def test_files_behind_one_another_with_their_headers_are_refused(tmp_path):
    path = file(tmp_path, {"x": [*range(50), "x", *range(50)], "y": [*"ab" * 25, "y", *"ab" * 25]})
    with pytest.raises(BadInput, match="repeats the names in row 51"):
        read_table(path)


def test_a_row_of_totals_without_a_target_leaves_a_column_text_with_the_reason(tmp_path):
    path = file(
        tmp_path, {"x": [*RNG.normal(size=ROWS - 1).round(3), "Total"], "z": range(ROWS), "y": [*"ab" * 199, "a", ""]}
    )
    table = read_table(path)
    schema = infer_schema(table.frame, target="y", readings=table.readings)
    assert "'Total' in row 400" in schema.columns[0].reading.why


def test_a_footer_below_a_numeric_target_is_to_be_left_out(tmp_path):
    path = file(tmp_path, {"x": range(ROWS), "y": [*RNG.normal(size=ROWS - 1).round(3), "Total"]})
    table = read_table(path)
    with pytest.raises(BadInput, match="'Total' in row 400, the last, is not") as caught:
        infer_schema(table.frame, target="y", readings=table.readings)
    assert "--missing" not in str(caught.value)


@pytest.mark.parametrize("written", ["-999", "-999.0", "-999.00", "-999,0", "-9.99e2"])
def test_a_number_that_means_missing_is_found_however_it_is_written(written):
    texts, numbers = ["1", written, "-9990", "-999.5"], [1.0, -999.0, -9990.0]
    wishes = Wishes(missing=CsvFormat(missing="-999").missing_words)
    typed, _ = read_columns(pa.table({"it": pa.array(texts, pa.string())}), wishes)
    assert typed.column("it").to_pylist() == [1.0, None, -9990.0, -999.5]
    typed, readings = read_columns(pa.table({"it": pa.array(numbers)}), wishes)
    assert typed.column("it").to_pylist() == [1.0, None, -9990.0]
    assert readings["it"].missing == {"-999": 1}


def test_a_code_is_no_number_that_means_missing():
    wishes = Wishes(missing=CsvFormat(missing="999").missing_words)
    typed, _ = read_columns(pa.table({"it": ["0999", "0012", "999"]}), wishes)
    assert typed.column("it").to_pylist() == ["0999", "0012", None]


NOT_NUMBERS = {
    "zip codes, some missing": (["01234", "-", "98765", "none"] * 9, ["01234", None, "98765", None]),
    "hours of half a day": (["12 pm", "1 pm", "2 pm"] * 9, ["12 pm", "1 pm", "2 pm"]),
    "codes with one letter": (["007A", "7A", "12A"] * 9, ["007A", "7A", "12A"]),
}


@pytest.mark.parametrize(("cells", "first"), NOT_NUMBERS.values(), ids=NOT_NUMBERS)
def test_what_would_lose_its_meaning_as_a_number_stays_text(cells, first):
    values, _ = reading(cells)
    assert values.to_pylist()[: len(first)] == first


def test_an_odd_number_with_decimals_is_named_in_full():
    found = reading([*(row / 2 for row in range(60)), *[99999.99] * 5])[1]
    assert found.odd == ("99999.99",)
    assert found.why.startswith("5 of 65 numbers are 99999.99")


def test_whole_numbers_that_are_dates_are_dates_in_later_rows_too():
    column = pa.chunked_array([[20240131, 20231202, None]])
    typed, readings = read_columns(pa.table({"it": column}), Wishes(types={"it": "date"}))
    later = read_as(column, stored=stored_as(typed.column("it")), reading=readings["it"], missing=IN_FRAMES)
    assert later.equals(typed.column("it"))
    assert str(later[0].as_py()).startswith("2024-01-31")
