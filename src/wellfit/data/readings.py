"""How the cells of a column are read: decided once, on all rows, at the split, and used for every later row."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from wellfit.base.serialize import Record, omitted_if
from wellfit.data.columns import stored_as, texts_of
from wellfit.data.missing import MISSING_NUMBERS, USUAL, Missing, without, without_numbers
from wellfit.data.moments import (
    ORDER_WORDS,
    ORDERS,
    Order,
    Zone,
    are_days_of_excel,
    is_monotone,
    last_of_two_digits,
    moments_in,
    seconds_of_day,
    with_century,
    written_dates,
)
from wellfit.data.numerals import (
    COMMA,
    DECIMALS,
    PLAIN,
    POINT,
    Signs,
    bare_numbers,
    differ,
    numbers_in,
    plain_numbers,
    points_between_thousands,
    signs_that_fit,
    without_unit,
)
from wellfit.data.reasons import (
    ALTHOUGH,
    COLUMN_OPTION,
    few_strays,
    odd_numbers,
    why_dates,
    why_footer,
    why_odd,
    why_spellings,
    why_text,
)
from wellfit.exceptions import BadInput

LEADING_ZEROS = "codes: leading zeros"
"""The reason why whole numbers are text."""
_TRUTH = {"true": True, "false": False}
_ANY_TRUTH = {**_TRUTH, "yes": True, "no": False, "y": True, "n": False, "t": True, "f": False, "1": True, "0": False}
_FEWEST_READ = 0.1  # a column is one of numbers only if at least this share is numbers, not words for missing values
_LEADING_ZERO = r"^0\d+$"
_TOO_LONG = r"^\d{19,}$"
_INFINITE = ("inf", "infinity")
_TEXT = pa.string()
_NO_DATE = ("0000-00-00", "0000-00-00 00:00:00", "00.00.0000", "00/00/0000")
_MOST_AS_WRITTEN = 20  # values of a target with units, which are classes then
_GLANCE = 20  # values that suffice to recognize most columns of words
_WITH_DIGIT = r"^[^#]*\d[^#]*$"  # but no spreadsheet error, such as #DIV/0!
_DIGIT = re.compile(r"\d")
_BEGINS_WITH_DIGIT = re.compile(r"[-+(]?[$€£]?\.?\d")
_LETTER_AND_DIGIT = re.compile(r"[A-Za-z]\d")


@dataclass(frozen=True, kw_only=True)
class Reading(Record):
    """How the text of one column was read.

    Attributes:
        why: reason for the type, where it is not obvious.
        missing: how often each word was taken for a missing value.
        order: order of day, month and year, where the format leaves it open; `zone` as in moments.py.
        first: the earliest date; `last` is the latest.
        decimal: the decimal sign, if not a point; `thousands` is the sign between thousands, and `unit` the unit that
            was removed ("%", "$", "kg").
        last_year: the last of the two-digit years; 0 if the column has none (then, as in POSIX, 2068).
        asked: whether dates were asked for, so that months, days as Excel counts them and the like are dates too.
        odd: numbers and words that may mean missing, such as -999.
    """

    why: str = field(default="", metadata=omitted_if(""))
    missing: Mapping[str, int] = field(default_factory=dict, metadata=omitted_if({}))
    order: Order = field(default="", metadata=omitted_if(""))
    zone: Zone = field(default="", metadata=omitted_if(""))
    first: str = field(default="", metadata=omitted_if(""))
    last: str = field(default="", metadata=omitted_if(""))
    decimal: str = field(default=POINT, metadata=omitted_if(POINT))
    thousands: str = field(default="", metadata=omitted_if(""))
    unit: str = field(default="", metadata=omitted_if(""))
    last_year: int = field(default=0, metadata=omitted_if(0))
    asked: bool = field(default=False, metadata=omitted_if(False))
    odd: tuple[str, ...] = field(default=(), metadata=omitted_if(()))

    @property
    def signs(self) -> Signs:
        """The format of numbers."""
        return Signs(self.decimal, self.thousands)


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """The user's options for single columns and for all numbers.

    `types` maps a column to its kind, to a date with its order ("date-dmy"), or to numbers with their decimal sign
    ("number-comma"), which precedes `decimal` and `thousands`; `dates` names the columns that are dates if they can be;
    few values of `target`, such as 16GB and 32GB, are classes as they are written.
    """

    types: Mapping[str, str] = field(default_factory=dict)
    dates: tuple[str, ...] = ()
    missing: Missing = USUAL
    decimal: str | None = None
    thousands: str | None = None
    target: str = ""


@dataclass(frozen=True)
class ReadColumn:
    """A column in its type, and how it was read.

    `open` says that other columns may show which of two readings is right; `shows` is the decimal sign of fractions.
    """

    values: pa.ChunkedArray
    reading: Reading
    open: bool = False
    shows: str = ""


@dataclass(frozen=True)
class _Evidence:
    """Evidence from the other columns of a file: the order of their dates and their decimal sign, if all agree."""

    order: Order = ""
    decimal: str = ""


def read_columns(frame: pa.Table, wishes: Wishes) -> tuple[pa.Table, dict[str, Reading]]:
    """Decide, from all of its rows, how every text column is read, and read it."""
    found = {
        name: _decided(column, wishes, name=name, evidence=_Evidence())
        for name, column in zip(frame.column_names, frame.columns, strict=True)
    }
    sure = [one for one in found.values() if not one.open]
    orders = {one.reading.order for one in sure} - {""}
    decimals = {one.shows for one in sure} - {""}
    evidence = _Evidence(
        order=orders.pop() if len(orders) == 1 else "", decimal=decimals.pop() if len(decimals) == 1 else ""
    )
    for name, one in found.items():
        if one.open:
            found[name] = _decided(frame.column(name), wishes, name=name, evidence=evidence)
    typed = pa.table([one.values for one in found.values()], names=frame.column_names)
    readings: dict[str, Reading] = {}
    for name, one in found.items():
        reading = _with_oddities(one, wishes, name=name)
        if reading != Reading():
            # The options that it mentions take the column's name.
            option = f"--types {shlex.quote(name)}="
            readings[name] = replace(reading, why=reading.why.replace(COLUMN_OPTION, option))
    return typed, readings


def _with_oddities(found: ReadColumn, wishes: Wishes, *, name: str) -> Reading:
    """Return the reading with numbers and words that may mean missing, unless the user has typed the column.

    Of the spellings of classes nothing is said, because the user decides whether they are merged.
    """
    stored, said, kind = stored_as(found.values), "", wishes.types.get(name, "")
    odd: tuple[str, ...] = ()
    if stored == "string" and found.reading.why.startswith(ALTHOUGH):
        odd = few_strays(found.values.combine_chunks())
    elif stored == "string":
        said = why_footer(found.values) or ("" if name == wishes.target else why_spellings(found.values))
    elif not kind and stored in ("integer", "float"):
        odd = odd_numbers(found.values)
        said = why_odd(found.values, odd) if odd else why_dates(found.values, name=name)
    return replace(found.reading, why="; ".join(filter(None, (found.reading.why, said))), odd=odd)


def _decided(column: pa.ChunkedArray, wishes: Wishes, *, name: str, evidence: _Evidence) -> ReadColumn:
    kind, _, order = wishes.types.get(name, "").partition("-")
    if kind == "date" and stored_as(column) in ("integer", "float"):
        column = texts_of(column)
    if stored_as(column) != "string":
        column, words = without_numbers(column, wishes.missing)
        reading = with_range(column, Reading()) if stored_as(column) == "date" else Reading(missing=words)
        return ReadColumn(column, reading)
    texts = column.combine_chunks()
    cells = _Cells(texts, wishes.missing)
    if cells.known.null_count == len(cells.known):
        # Nothing but missing values: a column without a type.
        empty = cells.as_text() if kind else pa.chunked_array([pa.nulls(len(column))])
        return ReadColumn(empty, Reading(missing=cells.words))
    if name in wishes.dates and not kind:
        dates = None if are_days_of_excel(cells.known) else _as_dates(cells, evidence=evidence, asked=True)
        return dates or _plain(cells, wishes, evidence=evidence)
    if not kind:
        plain = _plain(cells, wishes, evidence=evidence)
        if name == wishes.target and plain.reading.unit:
            plain = _as_written(cells) or plain
        return _with_usual_words(plain, texts, wishes) if wishes.missing.asked else plain
    found = _asked(cells, wishes, kind=kind, order=order, evidence=evidence)
    if found is None and kind == "date":
        raise _no_date(cells.known, name=name, order=order)
    # A column that does not fit the requested type stays text: its user reports the value that is wrong.
    return found or ReadColumn(cells.as_text(), Reading(missing=cells.words, why="asked" if kind == "category" else ""))


def _asked(cells: _Cells, wishes: Wishes, *, kind: str, order: str, evidence: _Evidence) -> ReadColumn | None:
    """Return a column in the type that the user passed for it; None if it does not fit."""
    if kind == "date":
        return _as_dates(cells, evidence=evidence, order=order, asked=True)
    if kind == "boolean":
        return _as_truth(cells, words=_ANY_TRUTH)
    if kind != "number":
        return None
    signed = replace(wishes, decimal=DECIMALS[order], thousands=None) if order else wishes
    return _as_numbers(cells, signed, evidence=evidence)


def _as_written(cells: _Cells) -> ReadColumn | None:
    """Return classes such as 16GB and 32GB with their units; None for too many different values."""
    if pc.count_distinct(cells.known).as_py() > _MOST_AS_WRITTEN:
        return None
    why = f"classes as written; for numbers, pass {COLUMN_OPTION}number"
    return ReadColumn(cells.as_text(), Reading(missing=cells.words, why=why))


def _plain(cells: _Cells, wishes: Wishes, *, evidence: _Evidence) -> ReadColumn:
    """Return the values in the one type that all of them have."""
    glance = cells.known.drop_null()[:_GLANCE].to_pylist()
    if any(_is_word(text) for text in glance):
        why = why_text(cells.known) if any(_BEGINS_WITH_DIGIT.match(text) for text in glance) else ""
        return ReadColumn(cells.as_text(), Reading(missing=cells.words, why=why))
    whole = cells.among_numbers(lambda texts: pc.match_substring_regex(texts, r"^\d+$"))
    codes = _codes(whole[0]) if whole and any(map(str.isdigit, glance)) else ""
    if whole and codes:
        return ReadColumn(pa.chunked_array([whole[0]]), Reading(missing=whole[1], why=codes))
    found = (
        _as_numbers(cells, wishes, evidence=evidence)
        or _as_numbers_of_its_own(cells, wishes, evidence=evidence)
        or _as_truth(cells, words=_TRUTH)
        or _as_dates(cells, evidence=evidence)
        or _as_clock(cells)
    )
    return found or ReadColumn(cells.as_text(), Reading(missing=cells.words, why=why_text(cells.known)))


def _with_usual_words(found: ReadColumn, texts: pa.Array, wishes: Wishes) -> ReadColumn:
    """Record for a text column that the usual words for missing values would turn it into numbers."""
    if stored_as(found.values) != "string" or found.reading.why.startswith("codes"):
        return found
    usual = _as_numbers(_Cells(texts, USUAL), wishes, evidence=_Evidence())
    words = set(usual.reading.missing) - set(wishes.missing.words) if usual else set()
    if not words:
        return found
    shown = " and ".join(map(repr, sorted(words)[:3]))
    return replace(found, reading=replace(found.reading, why=f"text: numbers except {shown}, not in --missing"))


def _is_word(text: str) -> bool:
    """Return True if a text is not a number, a date, a time, a truth value or a word for a missing value."""
    if _LETTER_AND_DIGIT.match(text):
        return True
    folded = text.casefold()
    known = folded in MISSING_NUMBERS or folded in _TRUTH or folded.lstrip("+-") in _INFINITE
    return not known and not _DIGIT.search(text)


class _Cells:
    """Trimmed text of a column, with its words for missing values set to null; `words` counts those words."""

    def __init__(self, texts: pa.Array, missing: Missing) -> None:
        self._trimmed = pc.utf8_trim_whitespace(texts)
        self._missing = missing
        self.known, self.words = without(self._trimmed, missing.marked(self._trimmed))

    def as_text(self) -> pa.ChunkedArray:
        return pa.chunked_array([self.known])

    def among_numbers(self, is_value: Callable[[pa.Array], pa.Array]) -> tuple[pa.Array, Mapping[str, int]] | None:
        """Return the values without the additional words for missing numbers; None if other words are among them."""
        wrong = pc.and_(pc.is_valid(self.known), pc.invert(pc.fill_null(is_value(self.known), False)))
        if not pc.any(wrong).as_py():
            return self.known, self.words
        others = pc.unique(self.known.filter(wrong)).to_pylist()
        words = self._missing.among_numbers(others)
        if len(words) < len(others):
            return None
        known, found = without(self.known, pc.is_in(self.known, value_set=pa.array(words, _TEXT)))
        present = len(known) - known.null_count
        if present < _FEWEST_READ * (len(self.known) - self.known.null_count):
            return None
        return known, {**self.words, **found}


def _codes(known: pa.Array) -> str:
    """Return why whole numbers are codes, or ""."""
    digits = pc.match_substring_regex(known, r"^\d+$")
    if not pc.all(digits, min_count=1).as_py():
        return ""
    if pc.any(pc.match_substring_regex(known, _LEADING_ZERO)).as_py():
        return LEADING_ZEROS
    return "codes: more than 18 digits" if pc.any(pc.match_substring_regex(known, _TOO_LONG)).as_py() else ""


def _as_numbers(cells: _Cells, wishes: Wishes, *, evidence: _Evidence) -> ReadColumn | None:
    if wishes.decimal in (None, POINT):
        plain = cells.among_numbers(lambda texts: pc.match_substring_regex(texts, PLAIN))
        if plain is not None and wishes.thousands != POINT:
            numbers = _plain_numbers(*plain, wishes=wishes, evidence=evidence)
            if numbers is not None:
                why = "numbers, except words for missing values" if len(plain[1]) > len(cells.words) else ""
                reading = replace(numbers.reading, why="; ".join(filter(None, (why, numbers.reading.why))))
                return replace(numbers, reading=reading)
    found = cells.among_numbers(lambda texts: pc.match_substring_regex(texts, _WITH_DIGIT))
    if found is None:
        return None
    known, words = found
    bare = bare_numbers(known)
    present = bare.texts.drop_null()
    ways = signs_that_fit(present, decimal=wishes.decimal, thousands=wishes.thousands)
    if not ways:
        return None
    likely = evidence.decimal or ("," if points_between_thousands(bare.texts) == "likely" else "")
    ways.sort(key=lambda signs: signs.decimal != likely if likely else False)
    signs, is_open = ways[0], len(ways) > 1 and differ(present, ways)
    reading = Reading(
        missing=words,
        decimal=signs.decimal,
        thousands=signs.thousands,
        unit=bare.unit,
    )
    values = pa.chunked_array([numbers_in(bare.texts, signs)])
    fractions = bool(pc.any(pc.match_substring(present, signs.decimal)).as_py())
    why = _told_numbers(reading, fractions=fractions, is_open=is_open and not evidence.decimal)
    return ReadColumn(
        values, replace(reading, why=why), open=is_open, shows=signs.decimal if fractions and not is_open else ""
    )


def _as_numbers_of_its_own(cells: _Cells, wishes: Wishes, *, evidence: _Evidence) -> ReadColumn | None:
    """Read numbers that are written otherwise than `--decimal` and `--thousands` say, which hold for all columns."""
    if wishes.decimal is None and wishes.thousands is None:
        return None
    found = _as_numbers(cells, replace(wishes, decimal=None, thousands=None), evidence=evidence)
    if found is None:
        return None
    said = f"numbers with the decimal sign {found.reading.decimal!r}: the signs that were passed do not fit"
    return replace(found, reading=replace(found.reading, why=said), shows="")


def _plain_numbers(
    known: pa.Array, words: Mapping[str, int], *, wishes: Wishes, evidence: _Evidence
) -> ReadColumn | None:
    """Return numbers as programs write them; None if their points are more likely to separate thousands."""
    values = plain_numbers(known)
    fractions = not pa.types.is_integer(values.type)
    points = points_between_thousands(known) if fractions and wishes.decimal is None else ""
    if points and (evidence.decimal or (COMMA if points == "likely" else POINT)) == COMMA:
        return None
    doubted = points == "likely" or (points and not evidence.decimal)
    why = f"numbers: decimal sign '.', though it may separate thousands; {_other_sign(POINT)}" if doubted else ""
    shows = POINT if fractions and not points else ""
    reading = Reading(missing=words, why=why)
    return ReadColumn(pa.chunked_array([values]), reading, open=bool(points), shows=shows)


def _other_sign(decimal: str) -> str:
    """Return the option that reads one column with the other decimal sign."""
    other = next(name for name, sign in DECIMALS.items() if sign != decimal)
    return f"if so, pass {COLUMN_OPTION}number-{other}"


def _told_numbers(reading: Reading, *, fractions: bool, is_open: bool) -> str:
    said = reading.decimal != POINT and (fractions or reading.thousands)
    parts = [f"decimal sign {reading.decimal!r}"] if said or is_open else []
    parts += [f"{reading.thousands!r} between thousands"] if reading.thousands else []
    parts += [f"{reading.unit} removed"] if reading.unit else []
    other = f"; it may be the other way round: {_other_sign(reading.decimal)}" if is_open else ""
    return f"numbers: {', '.join(parts)}{other}" if parts else ""


def _as_truth(cells: _Cells, *, words: Mapping[str, bool]) -> ReadColumn | None:
    known = cells.among_numbers(lambda texts: pc.is_in(pc.utf8_lower(texts), value_set=pa.array(list(words), _TEXT)))
    if known is None:
        return None
    return ReadColumn(pa.chunked_array([_truth_in(known[0])]), Reading(missing=known[1]))


def _truth_in(texts: pa.Array) -> pa.Array:
    places = pc.index_in(pc.utf8_lower(texts), value_set=pa.array(list(_ANY_TRUTH), _TEXT))
    return pa.array(list(_ANY_TRUTH.values())).take(places)


def _as_dates(cells: _Cells, *, evidence: _Evidence, order: str = "", asked: bool = False) -> ReadColumn | None:
    known = cells.among_numbers(_may_be_dates)
    if known is None:
        return None
    texts, words = known
    written = written_dates(pc.unique(texts.drop_null()), asked=asked)
    if written is None or (order and written.orders != ("",) and order not in written.orders):
        return None
    chosen, why = _chosen(written.orders, texts, zone=written.zone, order=order, evidence=evidence, asked=asked)
    moments = moments_in(texts, order=chosen, zone=written.zone, asked=asked)
    last_year = last_of_two_digits(moments[~with_century(texts)], year=datetime.now(UTC).year)
    if last_year:
        moments = moments_in(texts, order=chosen, zone=written.zone, last_year=last_year, asked=asked)
        why = "; ".join(filter(None, (why, f"two-digit years are {last_year - 99} to {last_year}")))
    if written.zone:
        zone = "offsets: kept as UTC" if written.zone == "utc" else "some with an offset: kept as local clock time"
        why = "; ".join(filter(None, (why, zone)))
    why = f"dates, {why}" if why else ""
    reading = Reading(missing=words, order=chosen, zone=written.zone, last_year=last_year, asked=asked, why=why)
    values = pa.chunked_array([pa.array(moments)])
    return ReadColumn(values, with_range(values, reading), open=len(written.orders) > 1 and not order)


def _no_date(known: pa.Array, *, name: str, order: str) -> BadInput:
    """Return the message for a column declared as dates, with the first value that does not fit."""
    orders = [each for each in ORDERS if order in ("", each)]
    fitting = [~np.isnat(moments_in(known, order=each, zone="clock", asked=True)) for each in orders]
    best = max(fitting, key=np.count_nonzero)
    wrong = np.flatnonzero(~best & np.asarray(pc.is_valid(known).to_numpy(zero_copy_only=False), dtype=bool))
    row = int(wrong[0]) if wrong.size else 0
    which = f", {ORDER_WORDS[order]}" if order else ""
    return BadInput(
        f"a date column must contain dates{which}, all written in the same way",
        found=f"column {name!r}: {known[row].as_py()!r} in row {row + 1}",
        remedy="Correct the value, or declare another type under `types`",
    )


def _may_be_dates(texts: pa.Array) -> pa.Array:
    """Return the texts with digits, except the zeros that databases write for a missing date."""
    zero = pc.is_in(texts, value_set=pa.array(_NO_DATE, _TEXT))
    return pc.and_not(pc.match_substring_regex(texts, _WITH_DIGIT), zero)


def _chosen(
    orders: tuple[Order, ...], texts: pa.Array, *, zone: Zone, order: str, evidence: _Evidence, asked: bool
) -> tuple[Order, str]:
    """Return the order of day and month, and how it was chosen."""
    if orders == ("",):
        return "", ""
    if order:
        return next(each for each in orders if each == order), f"{ORDER_WORDS[order]}, as asked"
    if len(orders) == 1:
        return orders[0], ORDER_WORDS[orders[0]]
    if evidence.order in orders:
        return evidence.order, f"{ORDER_WORDS[evidence.order]} as in the other columns, though other orders fit too"
    present = texts.drop_null()
    read = {each: moments_in(present, order=each, zone=zone, asked=asked) for each in orders}
    sorted_by = [each for each in orders if is_monotone(read[each])]
    chosen, how = (sorted_by[0], "the rows are sorted in this order") if len(sorted_by) == 1 else (orders[0], "a guess")
    other, *more = (each for each in orders if each != chosen)
    others = " and ".join(ORDER_WORDS[each] for each in (other, *more))
    choice = "".join(f" or date-{each}" for each in more)
    option = f"{COLUMN_OPTION}date-{other}{choice}"
    return chosen, f"{ORDER_WORDS[chosen]} ({how}): all rows fit {others} as well; if so, pass {option}"


def with_range(column: pa.ChunkedArray, reading: Reading) -> Reading:
    """Return the reading with the first and the last date of a column of dates."""
    bounds = pc.min_max(column.cast(pa.timestamp("us"), safe=False)).as_py()
    if bounds["min"] is None:
        return reading
    return replace(reading, first=_shown(bounds["min"]), last=_shown(bounds["max"]))


def _shown(moment: object) -> str:
    return str(moment).removesuffix(" 00:00:00")


def _as_clock(cells: _Cells) -> ReadColumn | None:
    known = cells.among_numbers(lambda texts: pc.match_substring_regex(texts, r"^\d{1,2}:\d{2}"))
    if known is None or not len(known[0].drop_null()):
        return None
    values = _clock_in(known[0])
    if values.null_count > known[0].null_count:
        return None
    why = "times of day, in seconds since midnight"
    return ReadColumn(pa.chunked_array([values]), Reading(missing=known[1], why=why))


def _clock_in(texts: pa.Array) -> pa.Array:
    seconds = seconds_of_day(texts)
    return pa.array(np.nan_to_num(seconds).astype(np.int32), mask=np.isnan(seconds)).cast(pa.time32("s"))


class Unlike(Exception):
    """The first text that does not fit how its column was read at the split."""

    def __init__(self, text: str, *, row: int, wanted: str) -> None:
        super().__init__(text)
        self.text = text
        self.row = row
        self.wanted = wanted


def read_as(column: pa.ChunkedArray, *, stored: str, reading: Reading, missing: Missing) -> pa.ChunkedArray:
    """Read a column as it was read at the split; Unlike for a value that cannot be read that way."""
    if stored == "date" and stored_as(column) in ("integer", "float"):
        column = texts_of(column)
    if stored_as(column) != "string":
        return texts_of(column) if stored == "string" else without_numbers(column, missing)[0]
    cells = _Cells(column.combine_chunks(), missing)
    if stored in ("string", "nothing", "nested"):
        return cells.as_text()
    values = _values(cells.known, stored=stored, reading=reading)
    lost = pc.and_(pc.is_null(values), pc.is_valid(cells.known))
    if pc.any(lost).as_py():
        words = missing.among_numbers(pc.unique(cells.known.filter(lost)).to_pylist())
        wrong = pc.and_(lost, pc.invert(pc.is_in(cells.known, value_set=pa.array(words, _TEXT))))
        if pc.any(wrong).as_py():
            row = pc.index(wrong, True).as_py()
            raise Unlike(cells.known[row].as_py(), row=row, wanted=_wanted(stored, reading))
    return pa.chunked_array([values])


def _values(known: pa.Array, *, stored: str, reading: Reading) -> pa.Array:
    if stored == "date":
        last_year, asked = reading.last_year, reading.asked
        return pa.array(moments_in(known, order=reading.order, zone=reading.zone, last_year=last_year, asked=asked))
    if stored == "boolean":
        return _truth_in(known)
    if stored == "time":
        return _clock_in(known)
    return numbers_in(without_unit(known, reading.unit), reading.signs)


def _wanted(stored: str, reading: Reading) -> str:
    kind = {"date": "dates", "boolean": "true or false", "time": "times of day"}.get(stored, "numbers")
    if reading.order:
        return f"{kind}, {ORDER_WORDS[reading.order]}"
    if reading.signs == Signs():
        return kind
    between = f" and {reading.thousands!r} between thousands" if reading.thousands else ""
    return f"{kind} with the decimal sign {reading.decimal!r}{between}"
