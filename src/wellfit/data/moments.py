"""Text read as times: many ways to write a date, with one order of day and month for a whole column."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from wellfit.base.typing import Booleans, Integers

Order = Literal["", "dmy", "mdy", "ymd"]
"""Order of day, month and year in dates such as 03/04/2023; "" where no such date occurs."""

Zone = Literal["", "utc", "clock"]
"""utc: every moment has an offset and is kept as UTC; clock: only some have one, so all are kept as local time."""

Moments = npt.NDArray[np.datetime64]

ORDERS: tuple[Order, ...] = get_args(Order)[1:]
ORDER_WORDS: Mapping[str, str] = {"dmy": "day first", "mdy": "month first", "ymd": "year first"}

_NAME = r"[A-Za-zÀ-ÿ]{3,10}"
_DAY = r"(?P<d>\d{1,2})(?:st|nd|rd|th)?"
_TIME = (
    r"(?:[T ,]+(?P<H>\d{1,2})(?::(?P<M>\d{2})(?::(?P<S>\d{2})(?:[.,](?P<f>\d{1,9}))?)?)?\s*(?P<p>[AaPp])?"
    r"(?:\.?[Mm]\.?)?(?:\s*Uhr)?)?"
)
_ZONE = r"\s*(?P<z>Z|z|UTC|GMT|[-+]\d{2}:?\d{2}|[-+]\d{2})?"
_NO_ZONE = r"(?P<z>)"
_TIME_OF_DAY = r"(?P<H>\d{1,2}):(?P<M>\d{2})(?::(?P<S>\d{2}))?\s*(?P<p>[AaPp])?(?:\.?[Mm]\.?)?(?:\s*Uhr)?"
# The order of day and month in these can be determined only from the whole column.
_NUMERIC = tuple(rf"(?P<a>\d{{1,2}}){sign}(?P<b>\d{{1,2}}){sign}(?P<c>\d{{4}}|\d{{2}})" for sign in (r"\.", "/", "-"))
_PLAIN = (
    *(rf"(?P<y>\d{{4}}){sign}(?P<m>\d{{1,2}}){sign}(?P<d>\d{{1,2}})" for sign in ("-", "/", r"\.")),
    rf"{_DAY}[ .-]*(?P<n>{_NAME})\.?[ ,.-]*(?P<y>\d{{4}}|\d{{2}})",
    rf"(?P<n>{_NAME})\.? {_DAY},? (?P<y>\d{{4}})",
)
# Read where a date was asked for: these may just as well be numbers, or names of periods.
_DAYS_ASKED = (r"(?P<y>\d{4})(?P<m>\d{2})(?P<d>\d{2})",)
_MONTHS_ASKED = (  # without an offset behind them: the end of 202201-05 is none
    r"(?P<y>(?:19|20)\d{2})(?P<m>\d{2})",
    r"(?P<y>\d{4})[-/.](?P<m>\d{1,2})",
    r"(?P<m>\d{1,2})[-/.](?P<y>\d{4})",
    rf"(?P<n>{_NAME})\.?[ -](?P<y>\d{{4}}|\d{{2}})",
)
_EPOCHS: Mapping[str, str] = {r"^\d{10}$": "s", r"^\d{13}$": "ms"}
DAYS_OF_EXCEL = (20_000, 80_000)
"""Days since 1899-12-30, as spreadsheets count them, from 1954 to 2119."""
_EXCEL = r"^[2-7]\d{4}(?:\.\d+)?$"
_MONTH_NAMES = (  # English, German, French and Spanish, by their first letters
    "jan ene",
    "feb fév fev",
    "mar mär mae mrz",
    "apr avr abr",
    "may mai",
    "jun juin",
    "jul juil",
    "aug aoû aou ago",
    "sep",
    "oct okt",
    "nov",
    "dec dez déc dic",
)
_MONTHS: Mapping[str, int] = {
    word: number for number, words in enumerate(_MONTH_NAMES, start=1) for word in words.split()
}
# A rough pattern that every date matches.
_LOOK = (
    r"^(?:[A-Za-zÀ-ÿ]{2,10}[.,]? +)?"
    r"(?:\d{1,4}(?:st|nd|rd|th)?[-/., ]*[-/., A-Za-zÀ-ÿ][\dA-Za-zÀ-ÿ]|[A-Za-zÀ-ÿ]{3,10}\.? \d)"
)
MOST_AHEAD = 10
"""Years from now: where all dates are later than that, their century is the last one."""
_SMALL_GAP = 3  # years
_PIVOT = 69  # two-digit years from here on belong to the last century, as in POSIX


@dataclass(frozen=True)
class Written:
    """The format of a column's dates: the orders that fit all of them, and their zone; no orders means no dates."""

    orders: tuple[Order, ...]
    zone: Zone = ""


def written_dates(texts: pa.Array, *, asked: bool = False) -> Written | None:
    """Return the format of the dates in a text column without nulls; None if it contains anything else."""
    zone: Zone
    for zone in ("", "utc"):
        if _iso(texts, zone) is not None:
            return Written(("",), zone)
    if not len(texts) or _foreign(texts[: min(len(texts), 20)], asked=asked):
        return None
    found, order_free, zones = _parsed(texts, order="", zone="clock", asked=asked)
    zone = "" if not zones.any() else "utc" if zones.all() else "clock"
    if not np.isnat(found).any():
        return Written(("",), zone)
    if order_free > 1:
        return None  # 01.02.2023 and 01/02/2023 in one column: these signs go with different orders
    orders = tuple(
        order for order in ORDERS if not np.isnat(_parsed(texts, order=order, zone="clock", asked=asked)[0]).any()
    )
    return Written(orders, zone) if orders else None


def moments_in(texts: pa.Array, *, order: Order, zone: Zone, last_year: int = 0, asked: bool = False) -> Moments:
    """Return moments [rows] in microseconds, NaT where a text (or null) is not a date in this order.

    Two-digit years are those up to `last_year`, or (0) 1969 to 2068 as in POSIX. Months, numbers of days and the like
    are dates only if these were `asked` for.
    """
    moments = _moments_in(texts, order=order, zone=zone, asked=asked)
    if not last_year:
        return moments
    late = ~with_century(texts) & (_years(moments) > last_year)
    days = moments.astype("datetime64[D]")
    months = days.astype("datetime64[M]")
    back = (months - 1200).astype("datetime64[D]") + (days - months.astype("datetime64[D]"))
    return np.where(late, back.astype("datetime64[us]") + (moments - days.astype("datetime64[us]")), moments)


def with_century(texts: pa.Array) -> Booleans:
    """[rows] True where a date has a year of four digits (or is null)."""
    # Fractions of seconds and offsets have four digits too, but stand behind the first colon.
    found = pc.fill_null(pc.match_substring_regex(texts, r"^[^:+]*\d{4}"), True)
    return np.asarray(found.to_numpy(zero_copy_only=False), dtype=bool)


def last_of_two_digits(moments: Moments, *, year: int) -> int:
    """Return the last of the two-digit years, given the moments that were read from them as in POSIX; 0 for none.

    If all moments lie up to `year`, it is ten years after that, so that later rows may have contracts that end in a few
    years as well as births of before 1969. If some lie after `year` but are rather of the last century, it is `year`.
    Otherwise it is 2068, as in POSIX.
    """
    years = np.unique(_years(moments[~np.isnat(moments)]))
    if not years.size:
        return 0
    if years.max() <= year:
        return year + MOST_AHEAD
    return year if _are_past(years, year=year) else _PIVOT + 1999


def _are_past(years: Integers, *, year: int) -> bool:
    """Return True if years that were read as in POSIX, some after `year`, are rather those before it.

    The years are laid out on a circle of a hundred. They begin after their largest gap: those of births, from 45 to 09,
    in the last century, those of contracts, from 95 to 40, in this one. Years that all lie far ahead are past as well.
    """
    if years.min() > year + MOST_AHEAD:
        return True
    digits = np.unique(years % 100)
    gaps = np.diff(np.append(digits, digits[0] + 100))
    widest = int(np.argmax(gaps))
    if gaps[widest] <= _SMALL_GAP:
        return True  # all years of a century: nothing is known of the future
    first = int(digits[(widest + 1) % len(digits)])
    return bool(first < _PIVOT and years.min() < 2000)


def _years(moments: Moments) -> Integers:
    return moments.astype("datetime64[Y]").astype(np.int64) + 1970


def _moments_in(texts: pa.Array, *, order: Order, zone: Zone, asked: bool) -> Moments:
    iso = _iso(texts, zone) if zone != "clock" else None
    if iso is not None:
        return iso
    # Most columns have few different dates.
    encoded = texts.dictionary_encode()
    levels = _parsed(encoded.dictionary, order=order, zone=zone, asked=asked)[0]
    places = pc.fill_null(encoded.indices, len(levels)).to_numpy(zero_copy_only=False)
    return np.asarray(np.append(levels, np.datetime64("NaT"))[places])


def _iso(texts: pa.Array, zone: Zone) -> Moments | None:
    """Return texts read as ISO dates by Arrow itself, all without a time zone or all with one; None if this fails."""
    try:
        found = texts.cast(pa.timestamp("us", "UTC" if zone else None)).cast(pa.timestamp("us"))
    except pa.ArrowInvalid:
        return None
    return np.asarray(found.to_numpy(zero_copy_only=False), dtype="datetime64[us]")


def seconds_of_day(texts: pa.Array) -> npt.NDArray[np.float64]:
    """Return seconds since midnight [rows] of 10:30, 10:30:15, 9:05 pm, 17:05 Uhr and the like; NaN for other texts."""
    fields = _fields(texts, _TIME_OF_DAY)
    hours, seconds = _clock(fields)
    wrong = ~fields.matched | (hours > 23) | (seconds >= 86_400)
    return np.where(wrong, np.nan, seconds)


def are_days_of_excel(texts: pa.Array) -> bool:
    """Return True if all texts are numbers that may be days as spreadsheets count them."""
    return bool(pc.all(pc.match_substring_regex(texts, _EXCEL), min_count=1).as_py())


def is_monotone(moments: Moments) -> bool:
    """Return True if the times never fall, or never rise."""
    steps = np.diff(moments.astype(np.int64))
    return bool((steps >= 0).all() or (steps <= 0).all())


def _foreign(sample: pa.Array, *, asked: bool) -> bool:
    """Return True if the first few rows already show that these are not dates."""
    if not asked and not pc.all(pc.match_substring_regex(sample, _LOOK)).as_py():
        return True
    return all(np.isnat(_parsed(sample, order=order, zone="clock", asked=asked)[0]).any() for order in ("", *ORDERS))


@dataclass(frozen=True)
class _Fields:
    """The matches of a pattern: `matched` marks the rows, and each named group has a text per row ("" for none)."""

    matched: Booleans
    groups: Mapping[str, pa.Array]

    def number(self, name: str, *, default: int = 0) -> Integers:
        texts = self.groups.get(name)
        if texts is None:
            return np.full(self.matched.size, default, dtype=np.int64)
        filled = pc.if_else(pc.equal(texts, ""), str(default), texts)
        return np.asarray(filled.cast(pa.int64()).to_numpy(zero_copy_only=False))

    def has(self, name: str) -> Booleans:
        return np.asarray(pc.not_equal(self.groups[name], "").to_numpy(zero_copy_only=False), dtype=bool)


def _fields(texts: pa.Array, pattern: str) -> _Fields:
    found = pc.extract_regex(texts, pattern=f"^{pattern}$")
    matched = np.asarray(pc.is_valid(found).to_numpy(zero_copy_only=False), dtype=bool)
    names = [found.type.field(place).name for place in range(found.type.num_fields)]
    return _Fields(matched, {name: pc.fill_null(pc.struct_field(found, name), "") for name in names})


def _parsed(texts: pa.Array, *, order: Order, zone: Zone, asked: bool) -> tuple[Moments, int, Booleans]:
    """Return the times, the number of patterns in use whose order is undecided, and which rows have an offset."""
    moments = np.full(len(texts), np.datetime64("NaT"), dtype="datetime64[us]")
    zoned = np.zeros(len(texts), dtype=bool)
    open_patterns = 0
    for pattern in _patterns(asked=asked):
        left = np.flatnonzero(np.isnat(moments))
        if not left.size:
            break
        part = texts if left.size == len(texts) else texts.take(pa.array(left))
        zone_of_it = _NO_ZONE if pattern in _MONTHS_ASKED else _ZONE
        fields = _fields(part, rf"(?:{_NAME[:-6]}{{2,10}}\.?,? +)?{pattern}{_TIME}{zone_of_it}")
        if not fields.matched.any():
            continue
        open_patterns += pattern in _NUMERIC
        moments[left], offsets = _moments(fields, order=order, zone=zone)
        zoned[left] |= offsets
    if asked:
        _add_epochs(texts, moments)
    return moments, open_patterns, zoned


def _patterns(*, asked: bool) -> Iterator[str]:
    yield from _PLAIN
    yield from _NUMERIC
    if asked:
        yield from _DAYS_ASKED
        yield from _MONTHS_ASKED


def _moments(fields: _Fields, *, order: Order, zone: Zone) -> tuple[Moments, Booleans]:
    year, month, day = _calendar(fields, order)
    hours, seconds = _clock(fields)
    wrong = ~fields.matched | (month < 1) | (month > 12) | (day < 1) | (hours > 23) | (seconds >= 86_400)
    months = (year - 1970).clip(-1900, 8000) * 12 + month.clip(1, 12) - 1
    days = months.astype("datetime64[M]").astype("datetime64[D]") + (day - 1)
    wrong |= days.astype("datetime64[M]") != months.astype("datetime64[M]")
    moments = days.astype("datetime64[us]") + np.round(seconds * 1e6).astype("timedelta64[us]")
    zoned = fields.has("z") & fields.matched
    if zone == "utc" and zoned.any():
        moments = moments - _offsets(fields).astype("timedelta64[m]")
    moments[wrong] = np.datetime64("NaT")
    return moments, zoned


def _calendar(fields: _Fields, order: Order) -> tuple[Integers, Integers, Integers]:
    if "a" in fields.groups:
        if not order:
            nothing = np.zeros(fields.matched.size, dtype=np.int64)
            return nothing + 1970, nothing, nothing
        by_letter = dict(zip(order, "abc", strict=True))
        year, month, day = (by_letter[letter] for letter in "ymd")
        last = pc.utf8_length(fields.groups["c"]).to_numpy(zero_copy_only=False)
        month_of = np.where((year == "a") & (last == 4), 0, fields.number(month))
        return _full_year(fields, year), month_of, fields.number(day)
    day_of = fields.number("d", default=1) if "d" in fields.groups else np.ones(fields.matched.size, dtype=np.int64)
    if "n" not in fields.groups:
        return fields.number("y", default=1970), fields.number("m"), day_of
    return _full_year(fields, "y"), _month_names(fields.groups["n"]), day_of


def _full_year(fields: _Fields, name: str) -> Integers:
    years = fields.number(name, default=1970)
    return np.where(years < 100, years + np.where(years < _PIVOT, 2000, 1900), years)


def _month_names(names: pa.Array) -> Integers:
    encoded = names.dictionary_encode()
    words = [word.casefold() for word in encoded.dictionary.to_pylist()]
    numbers = np.array([_MONTHS.get(word[:4], _MONTHS.get(word[:3], 0)) for word in words] or [0], dtype=np.int64)
    return np.asarray(numbers[encoded.indices.to_numpy(zero_copy_only=False)])


def _clock(fields: _Fields) -> tuple[Integers, npt.NDArray[np.float64]]:
    hours = fields.number("H")
    half = fields.has("p")
    bare = (fields.groups["H"].to_numpy(zero_copy_only=False) != "") & ~fields.has("M") & ~half
    afternoon = np.asarray(pc.equal(pc.utf8_lower(fields.groups["p"]), "p").to_numpy(zero_copy_only=False), dtype=bool)
    wrong = (half & ((hours < 1) | (hours > 12))) | bare
    hours = np.where(half, hours % 12 + 12 * afternoon, hours)
    hours = np.where(wrong, 99, hours)
    seconds = 3600.0 * hours + 60.0 * fields.number("M") + fields.number("S")
    if "f" in fields.groups:
        parts = pc.if_else(
            pc.equal(fields.groups["f"], ""), "0", pc.binary_join_element_wise("0.", fields.groups["f"], "")
        )
        seconds = seconds + np.asarray(parts.cast(pa.float64()).to_numpy(zero_copy_only=False))
    return hours, np.where(fields.number("M") > 59, 1e9, np.where(fields.number("S") > 59, 1e9, seconds))


def _offsets(fields: _Fields) -> Integers:
    """Return minutes east of Greenwich; 0 without an offset and for Z, UTC and GMT."""
    encoded = fields.groups["z"].dictionary_encode()
    minutes = np.array([_minutes(zone) for zone in encoded.dictionary.to_pylist()] or [0], dtype=np.int64)
    return np.asarray(minutes[encoded.indices.to_numpy(zero_copy_only=False)])


def _minutes(zone: str) -> int:
    digits = zone.lstrip("+-").replace(":", "")
    if not digits.isdigit():
        return 0
    hours, minutes = int(digits[:2]), int(digits[2:] or 0)
    return (-1 if zone.startswith("-") else 1) * (60 * hours + minutes)


def _add_epochs(texts: pa.Array, moments: Moments) -> None:
    for pattern, unit in _EPOCHS.items():
        rows = np.asarray(pc.match_substring_regex(texts, pattern).to_numpy(zero_copy_only=False) == True)  # noqa: E712
        if rows.any():
            values = texts.filter(pa.array(rows)).cast(pa.int64()).to_numpy(zero_copy_only=False)
            moments[rows] = values.astype(f"datetime64[{unit}]").astype("datetime64[us]")
    rows = np.asarray(pc.match_substring_regex(texts, _EXCEL).to_numpy(zero_copy_only=False) == True)  # noqa: E712
    if rows.any():
        days = texts.filter(pa.array(rows)).cast(pa.float64()).to_numpy(zero_copy_only=False)
        seconds = np.round(days * 86_400).astype("timedelta64[s]")
        moments[rows] = np.datetime64("1899-12-30", "us") + seconds
