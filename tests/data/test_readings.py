"""Text becomes numbers, dates, truth values or codes by all of its rows; what was decided holds for later rows."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pyarrow as pa
import pytest

from wellfit.data.columns import stored_as
from wellfit.data.missing import IN_FRAMES, Missing
from wellfit.data.readings import Reading, Unlike, Wishes, read_as, read_columns
from wellfit.exceptions import BadInput


def read(values, *, wishes=None, **others):
    columns = {"it": values, **others}
    frame = pa.table({name: pa.array(texts, pa.string()) for name, texts in columns.items()})
    typed, readings = read_columns(frame, wishes or Wishes())
    return typed.column("it"), readings.get("it")


def day(year, month, number, *clock):
    return dt.datetime(year, month, number, *clock)


NUMBERS = {
    "plain": (["1.5", "-2", "+3"], [1.5, -2, 3]),
    "whole": (["1", "-2", "30"], [1, -2, 30]),
    "exponents": (["1e3", "2.5E-1", "7"], [1000, 0.25, 7]),
    "thousands": (["1,549.34", "297.93", "1,200,000"], [1549.34, 297.93, 1_200_000]),
    "whole-thousands": (["1,550", "300", "12,000"], [1550, 300, 12_000]),
    "thousands-of-germany": (["1.549,34", "297,93", "1.200.000"], [1549.34, 297.93, 1_200_000]),
    "thousands-of-switzerland": (["1'549.34", "297.93", "1'200'000"], [1549.34, 297.93, 1_200_000]),
    "thousands-of-france": (["1 549,34", "297,93", "1\u202f200\u00a0000"], [1549.34, 297.93, 1_200_000]),
    "thousands-of-india": (["12,34,567.5", "1,00,000", "5"], [1_234_567.5, 100_000, 5]),
    "several-points-are-thousands": (["1.234.567", "2.000.000", "1.000"], [1_234_567, 2_000_000, 1000]),
    "exponents-behind-a-comma": (["3,521E-05", "1,234E+02", "2,000E-04"], [3.521e-5, 123.4, 2e-4]),
    "decimal-commas": (["1,5", "22,75", "3"], [1.5, 22.75, 3]),
    "currency": (["$2,827.73", "$5", "$1,000"], [2827.73, 5, 1000]),
    "currency-behind": (["12 €", "-3,50 €", "1.000,50 €"], [12, -3.5, 1000.5]),
    "currency-by-name": (["USD 12", "USD 3.5", "USD 1,000"], [12, 3.5, 1000]),
    "currency-in-some": (["$12", "3.5", "$1,000"], [12, 3.5, 1000]),
    "percent": (["13.1%", "2 %", "-0.5%"], [13.1, 2, -0.5]),
    "minus-in-brackets": (["(12.50)", "3", "(1,000)"], [-12.5, 3, -1000]),
    "minus-behind": (["12.50-", "3", "4-"], [-12.5, 3, -4]),
    "long-minus": (["\u22125", "3", "\u22120.5"], [-5, 3, -0.5]),
    "blanks-around": ([" 1.5", "2 ", "\t3"], [1.5, 2, 3]),
}


@pytest.mark.parametrize(("texts", "values"), NUMBERS.values(), ids=NUMBERS)
def test_numbers(texts, values):
    assert read(texts)[0].to_pylist() == values


WORDS = [
    "None",
    "none",
    "-",
    "--",
    "#DIV/0!",
    "#VALUE!",
    "N/A",
    "n.a.",
    "nan",
    "missing",
    "(null)",
    "\\N",
    ".",
    "#REF!",
]


@pytest.mark.parametrize("word", WORDS)
def test_words_among_numbers_are_missing_and_counted(word):
    values, reading = read(["1.5", word, "2", word])
    assert values.to_pylist() == [1.5, None, 2.0, None]
    assert reading.missing == {word: 2}


@pytest.mark.parametrize("word", WORDS)
def test_words_among_numbers_that_are_written_in_a_special_way(word):
    assert read(["1,5", word, "2,25"])[0].to_pylist() == [1.5, None, 2.25]
    assert read(["31.12.2020", word, "1.2.2021"])[0].to_pylist() == [day(2020, 12, 31), None, day(2021, 2, 1)]


NO_NUMBERS = {
    "leading-zeros": ["007", "012", "120"],
    "more-digits-than-integers-have": ["12345678901234567890", "12345678901234567891", "2"],
    "two-currencies": ["$5", "€5", "$6"],
    "percent-in-some": ["5%", "0.05", "6%"],
    "groups-of-two": ["1,23", "1,234.5", "3"],
    "letters-and-digits": ["a1", "a2", "a3"],
    "versions": ["1.2.3", "1.10.2", "2.0.1"],
    "ranges": ["1-2", "3-4", "5-6"],
    "other-words": ["1", "tall", "2"],
    "words-and-next-to-no-number": ["None"] * 19 + ["1"],
}


@pytest.mark.parametrize("texts", NO_NUMBERS.values(), ids=NO_NUMBERS)
def test_text_that_is_no_number(texts):
    values, _ = read(texts)
    assert values.type == pa.string()
    assert values.to_pylist() == texts


def test_reasons_are_kept():
    assert "leading zeros" in read(["007", "012"])[1].why
    spoilt = read([*map(str, range(9)), "tall"])[1].why
    assert "90%" in spoilt
    assert "'tall' in row 10" in spoilt
    for texts in (["5%", "0.05", "6%"], ["$5", "€5", "$6"], ["1,5", "1.5", "1.234,5", "1,234.5"]):
        assert repr(texts[0]) in read(texts)[1].why


def test_numbers_with_a_word_that_is_not_said_to_be_missing_say_so():
    _, reading = read(["1.5", "None", "2"], wishes=Wishes(missing=Missing(("NA",), asked=True)))
    assert "'None'" in reading.why


def test_other_columns_tell_what_a_comma_or_a_point_is():
    assert read(["1,234", "2,345"])[0].to_pylist() == [1234, 2345]
    assert read(["1,234", "2,345"], other=["0,5", "1,25"])[0].to_pylist() == [1.234, 2.345]
    assert read(["1.234", "2.345"])[0].to_pylist() == [1.234, 2.345]
    assert read(["1.234", "2.345"], other=["0,5", "1,25"])[0].to_pylist() == [1234, 2345]
    assert read(["1.234", "2.345"], other=["0,5", "1,25"], third=["0.5", "1.25"])[0].to_pylist() == [1.234, 2.345]


GERMAN = ["2.790", "818", "1.450", "0", "12.300"]


def test_points_between_thousands_beside_whole_numbers():
    assert read(GERMAN, other=["0,5", "1,25", "2", "3", "4"])[0].to_pylist() == [2790, 818, 1450, 0, 12_300]
    assert read(GERMAN, other=["0.5", "1.25", "2", "3", "4"])[0].to_pylist() == [2.79, 818, 1.45, 0, 12.3]
    values, reading = read(GERMAN)
    assert values.to_pylist() == [2.79, 818, 1.45, 0, 12.3]
    assert "--types it=number-comma" in reading.why
    assert read(GERMAN, wishes=Wishes(types={"it": "number-comma"}))[0].to_pylist() == [2790, 818, 1450, 0, 12_300]


def test_many_points_before_three_digits_beside_whole_numbers_are_between_thousands():
    numbers = [*range(100, 400, 5), *range(1000, 90_000, 1100)]
    texts = [f"{number:,}".replace(",", ".") for number in numbers]
    values, reading = read(texts)
    assert values.to_pylist() == numbers
    assert "--types it=number-point" in reading.why
    assert read(texts, wishes=Wishes(types={"it": "number-point"}))[0].to_pylist() == [float(text) for text in texts]
    assert read([f"{text} €" for text in texts])[0].to_pylist() == numbers
    assert read(texts, wishes=Wishes(decimal="."))[0].to_pylist() == [float(text) for text in texts]


@pytest.mark.parametrize("seed", range(20))
def test_fractions_with_three_digits_stay_fractions(seed):
    rng = np.random.default_rng(seed)
    fractions = rng.uniform(1, 400, 300).round(3)
    for texts in ([f"{value:g}" for value in fractions], [f"{value:.3f}" for value in fractions]):
        assert read(texts)[0].to_pylist() == [float(text) for text in texts]


def test_signs_can_be_said():
    assert read(["1,234", "2,345"], wishes=Wishes(decimal=","))[0].to_pylist() == [1.234, 2.345]
    assert read(["1.234", "2.345"], wishes=Wishes(thousands="."))[0].to_pylist() == [1234, 2345]


OTHERS = {  # columns beside one to which the sign that is passed belongs
    "whole-numbers": (["7", "36"], [7, 36]),
    "points": (["7.63", "0.5"], [7.63, 0.5]),
    "american-money": (["$1,234.50", "$7.00"], [1234.5, 7]),
    "negative": (["-7", "+36"], [-7, 36]),
}
ALL_COLUMNS = {"decimal": Wishes(decimal=","), "thousands": Wishes(thousands="."), "point": Wishes(decimal=".")}


@pytest.mark.parametrize("wishes", ALL_COLUMNS.values(), ids=ALL_COLUMNS)
@pytest.mark.parametrize(("texts", "numbers"), OTHERS.values(), ids=OTHERS)
def test_signs_that_are_said_make_no_text_of_other_columns(texts, numbers, wishes):
    values, reading = read(texts, wishes=wishes)
    assert values.to_pylist() == numbers
    fits = all(text.lstrip("+-").isdigit() for text in texts) or wishes.decimal == "."
    assert ("do not fit" in (reading or Reading()).why) == (not fits)


def test_a_sign_said_for_one_column_precedes_that_for_all():
    frame = pa.table({"a": ["1.234", "2.345"], "b": ["1.234", "2.345"]})
    found, _ = read_columns(frame, Wishes(types={"a": "number-point"}, decimal=",", thousands="."))
    assert found.to_pydict() == {"a": [1.234, 2.345], "b": [1234, 2345]}


def test_the_option_in_a_reason_can_be_typed():
    texts = [f"2020-{month:02d}" for month in range(1, 13)]
    _, readings = read_columns(pa.table({"my month": texts}), Wishes())
    assert "--types 'my month'=date" in readings["my month"].why


DATES = {
    "iso": (["2020-01-31", "2020-02-01"], [day(2020, 1, 31), day(2020, 2, 1)]),
    "iso-with-time": (["2020-01-31T10:30:00", "2020-02-01 11:00"], [day(2020, 1, 31, 10, 30), day(2020, 2, 1, 11)]),
    "utc": (["2020-01-31T10:30:00Z", "2020-02-01T00:00:00Z"], [day(2020, 1, 31, 10, 30), day(2020, 2, 1)]),
    "offsets": (
        ["2020-01-31T00:30:00+02:00", "2020-02-01T00:00:00+0100"],
        [day(2020, 1, 30, 22, 30), day(2020, 1, 31, 23)],
    ),
    "offset-in-some": (
        ["2020-01-31T00:30:00+02:00", "2020-02-01 00:00:00"],
        [day(2020, 1, 31, 0, 30), day(2020, 2, 1)],
    ),
    "germany": (["31.12.2020", "1.2.2021"], [day(2020, 12, 31), day(2021, 2, 1)]),
    "britain": (["31/12/2020", "01/02/2021"], [day(2020, 12, 31), day(2021, 2, 1)]),
    "america": (["12/31/2020", "01/02/2021"], [day(2020, 12, 31), day(2021, 1, 2)]),
    "germany-with-time": (["31.12.2020 17:05 Uhr", "01.02.2021 0:00 Uhr"], [day(2020, 12, 31, 17, 5), day(2021, 2, 1)]),
    "america-with-time": (["12/31/20 5:05 PM", "1/2/21 12:00 AM"], [day(2020, 12, 31, 17, 5), day(2021, 1, 2)]),
    "dashes": (["31-12-2020", "01-02-2021"], [day(2020, 12, 31), day(2021, 2, 1)]),
    "year-first-in-two-digits": (["99-12-31", "20-02-29"], [day(1999, 12, 31), day(2020, 2, 29)]),
    "slashes-after-the-year": (["2020/12/31", "2021/2/1"], [day(2020, 12, 31), day(2021, 2, 1)]),
    "month-names": (["31 Dec 2020", "1 February 2021"], [day(2020, 12, 31), day(2021, 2, 1)]),
    "month-names-first": (["Dec 31, 2020", "March 1st, 2021"], [day(2020, 12, 31), day(2021, 3, 1)]),
    "month-names-with-dashes": (["31-Dec-20", "01-Feb-21"], [day(2020, 12, 31), day(2021, 2, 1)]),
    "month-names-of-germany": (["31. Dezember 2020", "1. März 2021"], [day(2020, 12, 31), day(2021, 3, 1)]),
    "zero-of-a-database": (["2020-12-31", "0000-00-00", "2021-02-01"], [day(2020, 12, 31), None, day(2021, 2, 1)]),
    "weekdays": (
        ["Thu, 31 Dec 2020 10:00:00 GMT", "Mon, 1 Feb 2021 11:00:00 GMT"],
        [day(2020, 12, 31, 10), day(2021, 2, 1, 11)],
    ),
    "parts-of-seconds": (
        ["2020-01-31 10:30:00.250", "2020-02-01 00:00:00.5"],
        [day(2020, 1, 31, 10, 30, 0, 250_000), day(2020, 2, 1, 0, 0, 0, 500_000)],
    ),
}


@pytest.mark.parametrize(("texts", "moments"), DATES.values(), ids=DATES)
def test_dates(texts, moments):
    values, reading = read(texts)
    assert values.to_pylist() == moments
    assert reading.first.startswith(str(min(filter(None, moments)).date()))
    assert reading.last.startswith(str(max(filter(None, moments)).date()))


THIS_YEAR = dt.datetime.now(dt.UTC).year
TWO_DIGITS = {  # the years that are meant
    "births": [*range(1935, 2010)],
    "births-of-any-age": [*range(THIS_YEAR - 99, THIS_YEAR + 1)],
    "births-of-the-old": [*range(1940, 1960)],
    "contracts": [*range(1995, THIS_YEAR + 15)],
    "ends-of-loans": [*range(THIS_YEAR + 1, THIS_YEAR + 30)],
    "the-last-years": [*range(2001, THIS_YEAR)],
    "the-last-century": [*range(1970, 2000)],
}


BEHIND = {"nothing": "", "fractions": " 10:30:00.1234", "offset": " 10:30 +0000"}


@pytest.mark.parametrize("behind", BEHIND.values(), ids=BEHIND)
@pytest.mark.parametrize("years", TWO_DIGITS.values(), ids=TWO_DIGITS)
def test_years_of_two_digits_belong_to_the_century_that_is_meant(years, behind):
    rng = np.random.default_rng(0)
    days = [day(int(year), 2, 29 if year % 4 == 0 else 28) for year in [*years, *rng.permutation(years)]]
    values, reading = read([f"{moment:%d.%m.%y}{behind}" for moment in days])
    assert [moment.date() for moment in values.to_pylist()] == [moment.date() for moment in days]
    (later,) = read_later([f"{days[0]:%d.%m.%y}{behind}"], reading)
    assert later.date() == days[0].date()
    assert "two-digit years" in reading.why


def read_later(texts, reading):
    return read_as(pa.chunked_array([texts]), stored="date", reading=reading, missing=Missing()).to_pylist()


LATER_YEARS = {  # years at the split, the two digits of a later row, and the year that they mean
    "a-birth-before-all-others": (range(1970, 2000), "45", 1945),
    "a-contract-that-ends-soon": (range(1970, THIS_YEAR), f"{(THIS_YEAR + 3) % 100}", THIS_YEAR + 3),
    "a-loan-longer-than-others": (range(THIS_YEAR + 1, THIS_YEAR + 30), f"{(THIS_YEAR + 33) % 100}", THIS_YEAR + 33),
    "a-birth-of-next-year": (range(1935, 2010), f"{THIS_YEAR % 100}", THIS_YEAR),
}


@pytest.mark.parametrize(("years", "digits", "meant"), LATER_YEARS.values(), ids=LATER_YEARS)
def test_two_digits_of_a_later_row_belong_to_a_century_near_those_of_the_split(years, digits, meant):
    _, reading = read([f"28.02.{year % 100:02d}" for year in years])
    assert [moment.year for moment in read_later([f"28.02.{digits}"], reading)] == [meant]


NO_DATES = {
    "two-signs-with-an-open-order": ["01.02.2021", "03/04/2021"],
    "days-that-are-none": ["31.02.2021", "01.01.2021"],
    "both-orders-needed": ["31/12/2020", "12/31/2020"],
    "whole-numbers": ["20201231", "20210101"],
    "months": ["2020-01", "2020-02"],
    "words-behind": ["2020-01-01 open", "2020-01-02 shut"],
}


@pytest.mark.parametrize("texts", NO_DATES.values(), ids=NO_DATES)
def test_text_that_is_no_date(texts):
    assert stored_as(read(texts)[0]) != "date"


ASKED = {
    "digits": ("date", ["20201231", "20210201"], [day(2020, 12, 31), day(2021, 2, 1)]),
    "months": ("date", ["2020-01", "2020-02"], [day(2020, 1, 1), day(2020, 2, 1)]),
    "months-without-a-sign": ("date", ["202001", "202112"], [day(2020, 1, 1), day(2021, 12, 1)]),
    "months-of-excel": ("date", ["Jan-20", "Feb-21"], [day(2020, 1, 1), day(2021, 2, 1)]),
    "seconds": ("date", ["1577836800", "1577836860"], [day(2020, 1, 1), day(2020, 1, 1, 0, 1)]),
    "milliseconds": ("date", ["1577836800000", "1577836860000"], [day(2020, 1, 1), day(2020, 1, 1, 0, 1)]),
    "month-first": ("date-mdy", ["01/02/2020", "03/04/2020"], [day(2020, 1, 2), day(2020, 3, 4)]),
    "day-first": ("date-dmy", ["01/02/2020", "03/04/2020"], [day(2020, 2, 1), day(2020, 4, 3)]),
    "number": ("number", ["007", "012"], [7, 12]),
    "category": ("category", ["1.5", "2"], ["1.5", "2"]),
    "boolean": ("boolean", ["yes", "No"], [True, False]),
}


@pytest.mark.parametrize(("kind", "texts", "values"), ASKED.values(), ids=ASKED)
def test_types_can_be_said(kind, texts, values):
    assert read(texts, wishes=Wishes(types={"it": kind}))[0].to_pylist() == values


NOT_DATES = {
    "another-order": ("date-mdy", ["01/01/2020", "31/12/2020"], "'31/12/2020' in row 2"),
    "a-word": ("date", ["2020-01-01", "soon"], "'soon' in row 2"),
}


@pytest.mark.parametrize(("kind", "texts", "said"), NOT_DATES.values(), ids=NOT_DATES)
def test_dates_that_were_said_must_be_there(kind, texts, said):
    with pytest.raises(BadInput, match=said):
        read(texts, wishes=Wishes(types={"it": kind}))


def test_infinity_is_a_number():
    assert read(["1.5", "-inf", "Infinity"])[0].to_pylist() == [1.5, -float("inf"), float("inf")]


def test_an_open_order_is_said_and_taken_from_other_columns_or_from_sorted_rows():
    values, reading = read(["04/02/2023", "01/03/2023", "05/01/2023"])
    assert values[0].as_py() == day(2023, 2, 4)
    assert "date-mdy" in reading.why
    assert read(["04/02/2023", "01/03/2023"], other=["12/31/2023", "01/01/2023"])[0][0].as_py() == day(2023, 4, 2)
    assert read(["01/02/2023", "02/01/2023", "03/01/2023"])[0][1].as_py() == day(2023, 2, 1)


CLOCKS = {
    "minutes": (["10:30", "23:59"], [dt.time(10, 30), dt.time(23, 59)]),
    "seconds": (["10:30:15", "0:00:00"], [dt.time(10, 30, 15), dt.time(0)]),
    "germany": (["17:05 Uhr", "9:30 Uhr"], [dt.time(17, 5), dt.time(9, 30)]),
    "halves": (["9:05 pm", "12:10 AM"], [dt.time(21, 5), dt.time(0, 10)]),
}


@pytest.mark.parametrize(("texts", "times"), CLOCKS.values(), ids=CLOCKS)
def test_times_of_day(texts, times):
    assert read(texts)[0].to_pylist() == times


def test_truth_values_in_any_case():
    assert read(["True", "FALSE", "None", "true"])[0].to_pylist() == [True, False, None, True]


MISSING = {
    "in-files": (Missing(), ["a", "NA", "None", "", "?"], ["a", None, "None", None, None], {"NA": 1, "?": 1}),
    "in-frames": (IN_FRAMES, ["a", "NA", "None", ""], ["a", "NA", "None", None], {}),
    "said": (Missing(("None",), asked=True), ["a", "NA", "None", ""], ["a", "NA", None, None], {"None": 1}),
    "said-for-numbers": (Missing(("-9",), asked=True), ["1", "-9", ""], [1, None, None], {"-9": 1}),
    "not-said-for-numbers": (Missing(("x",), asked=True), ["1", "None"], ["1", "None"], {}),
    "numbers-in-frames": (IN_FRAMES, ["1.5", "None", "NA"], [1.5, None, None], {"None": 1, "NA": 1}),
}


@pytest.mark.parametrize(("missing", "texts", "values", "words"), MISSING.values(), ids=MISSING)
def test_which_words_are_missing(missing, texts, values, words):
    found, reading = read(texts, wishes=Wishes(missing=missing))
    assert found.to_pylist() == values
    assert (reading.missing if reading else {}) == words


LATER = {  # at the split, a later row, and what it means
    "month-first": (["12/31/2020", "01/02/2021"], "03/04/2021", day(2021, 3, 4)),
    "day-first": (["31/12/2020", "01/02/2021"], "03/04/2021", day(2021, 4, 3)),
    "iso-later": (["31/12/2020", "01/02/2021"], "2021-04-03", day(2021, 4, 3)),
    "time-later": (["2020-12-31", "2021-02-01"], "2021-04-03 10:00", day(2021, 4, 3, 10)),
    "naive-after-utc": (["2020-12-31T00:00:00Z", "2021-02-01T00:00:00Z"], "2021-04-03 10:00", day(2021, 4, 3, 10)),
    "decimal-comma": (["1,5", "2,75"], "1,250", 1.25),
    "thousands": (["1,549.34", "2"], "1,250", 1250),
    "percent": (["13.1%", "2%"], "5%", 5),
    "percent-left-out": (["13.1%", "2%"], "5", 5),
    "missing-number": (["13.1", "2"], "#N/A", None),
    "codes": (["007", "012"], "15", "15"),
    "fraction-after-whole": (["1", "2"], "1.5", 1.5),
}


@pytest.mark.parametrize(("texts", "later", "value"), LATER.values(), ids=LATER)
def test_later_rows_are_read_as_at_the_split(texts, later, value):
    values, reading = read(texts)
    column = pa.chunked_array([[later]])
    again = read_as(column, stored=stored_as(values), reading=reading or Reading(), missing=Missing())
    assert again.to_pylist() == [value]


UNLIKE = {
    "other-order": (["12/31/2020", "01/02/2021"], "31/12/2021", "month first"),
    "other-decimal-sign": (["1,5", "2,75"], "1.5", "decimal sign ','"),
    "thousands-never-seen": (["1.5", "2.75"], "1,500", "numbers"),
    "percent-of-shares": ([".5", ".25"], "50%", "numbers"),
    "other-currency": (["$5", "$6"], "€7", "numbers"),
    "word": (["1.5", "2"], "tall", "numbers"),
    "no-truth": (["true", "false"], "maybe", "true or false"),
    "days-of-excel": (["2020-12-31", "2021-02-01"], "45123", "dates"),
    "month-and-day": (["2020-12-31", "2021-02-01"], "January 22", "dates"),
    "month": (["2020-12-31", "2021-02-01"], "202401", "dates"),
    "month-with-a-sign": (["31/12/2020", "01/02/2021"], "202201-05", "dates"),
    "seconds": (["31 Dec 2020", "1 February 2021"], "1577836800", "dates"),
}


@pytest.mark.parametrize(("texts", "later", "wanted"), UNLIKE.values(), ids=UNLIKE)
def test_later_values_of_another_kind_are_refused(texts, later, wanted):
    values, reading = read(texts)
    column = pa.chunked_array([[texts[0], later]])
    with pytest.raises(Unlike) as caught:
        read_as(column, stored=stored_as(values), reading=reading or Reading(), missing=Missing())
    assert (caught.value.text, caught.value.row) == (later, 1)
    assert wanted in caught.value.wanted


ASKED_LATER = {  # what was asked for at the split, and what a later row means
    "month": (["2020-01", "2020-02"], "202403", day(2024, 3, 1)),
    "days-of-excel": (["45000", "45001"], "45002", day(2023, 3, 17)),
}


@pytest.mark.parametrize(("texts", "later", "meant"), ASKED_LATER.values(), ids=ASKED_LATER)
def test_dates_that_were_asked_for_are_read_in_later_rows_too(texts, later, meant):
    _, reading = read(texts, wishes=Wishes(types={"it": "date"}))
    assert read_later([later], Reading.from_json(reading.to_json())) == [meant]


def test_a_month_has_no_offset():
    with pytest.raises(BadInput, match="'202201-05' in row 2"):
        read(["202201", "202201-05"], wishes=Wishes(types={"it": "date"}))


SERIALS = [45_000 + 3 * row for row in range(40)]


@pytest.mark.parametrize("name", ["date", "Datum", "order_date", "fecha", "Birthday", "datetime", "timestamp", "Date1"])
def test_days_as_excel_counts_them_are_told_and_read_on_request(name):
    frame = pa.table({name: pa.array(map(str, SERIALS))})
    found, readings = read_columns(frame, Wishes())
    assert found.column(name).to_pylist() == SERIALS
    assert "2023-03-15 to 2023-07-10" in readings[name].why
    assert f"--types {name}=date" in readings[name].why
    days = [dt.datetime(2023, 3, 15) + dt.timedelta(days=3 * row) for row in range(40)]
    for column in (
        frame.column(name),
        pa.chunked_array([SERIALS]),
        pa.chunked_array([[float(day) for day in SERIALS]]),
    ):
        asked, kept = read_columns(pa.table({name: column}), Wishes(types={name: "date"}))
        assert asked.column(name).to_pylist() == days
        assert read_as(column[:1], stored="date", reading=kept[name], missing=Missing()).to_pylist() == days[:1]


def test_days_with_a_time_as_excel_counts_them():
    values, _ = read(["45000.5", "45001.25"], wishes=Wishes(types={"it": "date"}))
    assert values.to_pylist() == [day(2023, 3, 15, 12), day(2023, 3, 16, 6)]


@pytest.mark.parametrize("name", ["price", "zip", "candidate_id", "id", "database", "timeout", "data_usage"])
def test_other_numbers_of_five_digits_are_not_told(name):
    _, readings = read_columns(pa.table({name: list(map(str, SERIALS))}), Wishes())
    assert name not in readings


@pytest.mark.parametrize("name", ["database", "days_salary", "time_ms", "data_usage", "date"])
def test_numbers_of_five_digits_in_a_wide_span_are_not_told(name):
    _, readings = read_columns(pa.table({name: [*map(str, range(21_000, 52_000, 700))]}), Wishes())
    assert name not in readings


def test_numbers_of_five_digits_by_which_rows_are_split_stay_numbers():
    values, _ = read(["45000", "45001", "47000"], wishes=Wishes(dates=("it",)))
    assert values.to_pylist() == [45_000, 45_001, 47_000]


WITH_UNITS = {"of-letters": ["16GB", "32GB", "64GB"], "money": ["$5", "$10", "$20"], "percent": ["5%", "10%", "15%"]}


@pytest.mark.parametrize("texts", WITH_UNITS.values(), ids=WITH_UNITS)
def test_few_values_with_a_unit_are_classes_as_written_in_the_target_alone(texts):
    frame = pa.table({"x": texts * 20, "y": texts * 20})
    found, readings = read_columns(frame, Wishes(target="y"))
    assert found.column("y").to_pylist() == texts * 20
    assert "--types y=number" in readings["y"].why
    assert pa.types.is_integer(found.column("x").type)
    assert "removed" in readings["x"].why
    asked, _ = read_columns(frame, Wishes(target="y", types={"y": "number"}))
    assert asked.column("y").to_pylist() == found.column("x").to_pylist()


def test_of_the_spellings_of_classes_nothing_is_said():
    texts = ["Red", "red", "blue"] * 9
    _, readings = read_columns(pa.table({"x": texts, "y": texts}), Wishes(target="y"))
    assert "stay different" in readings["x"].why
    assert "y" not in readings


def test_many_values_with_a_unit_are_numbers_in_the_target_too():
    found, readings = read_columns(pa.table({"y": [f"{kilos} kg" for kilos in range(50)]}), Wishes(target="y"))
    assert found.column("y").to_pylist() == list(range(50))
    assert "kg removed" in readings["y"].why


def test_times_of_day_are_told():
    assert "seconds since midnight" in read(["10:30", "23:15"])[1].why
