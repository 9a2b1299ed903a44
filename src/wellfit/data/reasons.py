"""What to tell users about a column's type: why it is text although it looks like something else, and odd numbers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from wellfit.data.columns import stored_as
from wellfit.data.moments import DAYS_OF_EXCEL, ORDER_WORDS, ORDERS, moments_in, written_dates
from wellfit.data.numerals import PLAIN, are_numbers, number_text, unit_behind

ALTHOUGH = "text, although"
COLUMN_OPTION = "--types COLUMN="
"""The option for one column, in which the name of the column is written later."""
MOSTLY = 0.8  # from this share of like values on, a column that is still text gets a reason
_LIKE_A_NUMBER = r"^'?[-+(]?[$€£¥]?\s?\d[\d.,'\s]*[%€$]?[)]?$"
_LIKE_A_DATE = (
    r"^\D{0,12}\d{1,4}(?:[-/.]\d{1,2}[-/.]\d{2,4}|[-/ .]{1,2}[A-Za-zÀ-ÿ]{3,10}[-/ .,]{1,2}\d{2,4})(?:[T ,].*)?$"
)
_LONGEST_SHOWN = 60  # characters of a cell
_DURATION = (
    r"^[-+]?\d+:\d{2}(?::\d{2})?(?:\.\d+)?$"
    r"|^(?i:\d+\s*(?:d|days?|h|hrs?|hours?)\s*\d+\s*(?:h|hrs?|hours?|m|mins?|minutes?))$"
)
_MOST_LOOKED_AT = 200  # different values that are checked for the formats in use
_MOST_ROWS = 2000
_MOST_NAMED = 3
_MOST_STRAYS = 5
_FEWEST_MEASURED = 2  # different numbers with the same unit: one alone, such as 5more, is a level
_DIGITS = re.compile(r"\d+")
_NAMES_A_DATE = re.compile(
    r"(?<![A-Za-z])(?i:dat(?:es?|etime|um|o)|fecha|days?|jour|time(?:stamp)?|d[ií]a)(?![a-z])|[a-z](?:Date|Time|Day)|(?i:datum|tag|zeit|day|_at)\b"
)
_LONGEST_SPAN = 18_262  # days in 50 years: other numbers of five digits are spread more widely
_SENTINEL = re.compile(r"-?(9+\.?9*|8+\.?8*|7+\.?7*)(\.0+)?")
_LARGEST = frozenset({2.0**31 - 1, -(2.0**31), 32767.0, -32768.0, 65535.0, 1e20, -1e20, 1e30, -1e30})
_ENGLISH_FOOTERS = ("total", "totals", "grand total", "sum", "subtotal", "average", "mean")
_FOOTERS = frozenset((*_ENGLISH_FOOTERS, "summe", "gesamt", "insgesamt", "gesamtsumme", "somme", "totale", "suma"))
SINCE, UNTIL = 946_684_800, 2_208_988_800
"""Seconds from 1970 to 2000 and to 2040."""
_TEXT = pa.string()
_FEWEST_ODD = 2  # rows
_SHARE_OF_DIGITS = 0.01  # of the rows, for a single digit: counts have long tails


def why_text(known: pa.Array) -> str:
    """Return why a column is text although most of its values look like numbers, dates or durations; or ""."""
    present = known.drop_null()
    if not len(present):
        return ""
    return next(filter(None, (reason(known) for reason in _REASONS)), "")


def _mostly_numbers(known: pa.Array) -> str:
    numbers = pc.match_substring_regex(known, PLAIN)
    if not MOSTLY <= _share(numbers) < 1:
        return ""
    return f"{ALTHOUGH} {_shown(_share(numbers))} are numbers: {_others(known, numbers)}"


def _written_unlike(known: pa.Array) -> str:
    looks = like_numbers(known)
    if _share(looks) < MOSTLY:
        return ""
    if _share(are_numbers(pa.array(_some(known.filter(looks)), _TEXT))) < MOSTLY:
        return ""  # phone numbers, addresses, versions
    if _share(looks) < 1:
        return f"{ALTHOUGH} {_shown(_share(looks))} look like numbers: {_others(known, looks)}"
    return f"text, though it looks like numbers: they are written in different ways, such as {_ways(known)}"


def _limits(known: pa.Array) -> str:
    limits = pc.match_substring_regex(known, r"^[<>≤≥~≈]\s*[-+]?\d[\d.,]*$")
    if not _share(limits) or _share(pc.or_(limits, like_numbers(known))) < MOSTLY:
        return ""
    example = known.filter(limits)[0].as_py()
    return f"{ALTHOUGH} {_shown(1 - _share(limits))} are numbers, the others limits such as {example!r}: write numbers"


def _with_units(known: pa.Array) -> str:
    counts = Counter(filter(None, map(unit_behind, _some(known))))
    if not counts or max(counts.values()) < _FEWEST_MEASURED:
        return ""
    units = [unit for unit, _ in counts.most_common(_MOST_NAMED)]
    ends = [pc.match_substring_regex(known, rf"^[-+(]?\d[\d.,']*\s*{re.escape(unit)}$") for unit in units]
    numbers = like_numbers(known)
    fit = numbers
    for each in ends:
        fit = pc.or_(fit, each)
    if _share(fit) < MOSTLY or not any(_share(each) > 0 for each in ends):
        return ""
    units = [unit for unit, each in zip(units, ends, strict=True) if _share(each) > 0]
    parts = [f"{_shown(_share(each))} are numbers in {unit!r}" for unit, each in zip(units, ends, strict=False)]
    parts += [f"{_shown(_share(numbers))} have no unit"] if _share(numbers) > 0 else []
    rest = f", and {_others(known, fit)}" if _share(fit) < 1 else ""
    return f"{ALTHOUGH} {', '.join(parts)}{rest}: write them as numbers in a single unit"


def _durations(known: pa.Array) -> str:
    found = pc.match_substring_regex(known, _DURATION)
    if _share(found) < MOSTLY:
        return ""
    example = known.filter(found)[0].as_py()
    rest = f"; {_others(known, found)}" if _share(found) < 1 else ""
    return f"{ALTHOUGH} {_shown(_share(found))} are durations such as {example!r}: write them in seconds{rest}"


def _dates(known: pa.Array) -> str:
    looks = pc.match_substring_regex(known, _LIKE_A_DATE)
    if _share(looks) < MOSTLY:
        return ""
    dates = known.filter(looks)[:_MOST_ROWS]
    fitting = {order: ~np.isnat(moments_in(dates, order=order, zone="clock")) for order in ORDERS}
    most = max(fitting.values(), key=np.count_nonzero)
    if np.logical_or.reduce(list(fitting.values())).mean() < MOSTLY:
        return ""
    said = f"{ALTHOUGH} {_shown(_share(looks))} look like dates"
    odd = next((order for order, fits in fitting.items() if (fits & ~most).any()), None)
    if odd is None:
        fit = pc.and_not(looks, pc.is_in(known, value_set=dates.filter(pa.array(~most))))
        if _share(fit) < 1:
            return f"{said}: {_others(known, fit)}"
        return f"{said}, written in {_ways(dates)}; write them in one way, such as 2020-12-31"
    main = next(order for order, fits in fitting.items() if fits is most)
    one, other = dates[int(np.argmax(most & ~fitting[odd]))], dates[int(np.argmax(fitting[odd] & ~most))]
    return (
        f"{said}: {one.as_py()!r} is {ORDER_WORDS[main]}, {other.as_py()!r} {ORDER_WORDS[odd]}; "
        "write them in one way, such as 2020-12-31"
    )


def _months(known: pa.Array) -> str:
    """Return why a column may hold months or other dates that are read only if the user asks for dates; or ""."""
    some = pa.array(_some(known), _TEXT)
    if pc.all(pc.match_substring_regex(some, r"^\d+$")).as_py() or written_dates(some, asked=True) is None:
        return ""
    return f"{ALTHOUGH} these may be months such as {some[0].as_py()!r}: if so, pass {COLUMN_OPTION}date"


def like_numbers(texts: pa.Array) -> pa.Array:
    """Return which texts look like numbers, however written."""
    return pc.match_substring_regex(texts, _LIKE_A_NUMBER)


def strays(texts: pa.Array) -> pa.Array:
    """Return the different texts that are not numbers, in a column that mostly looks like numbers; or none."""
    looks = like_numbers(texts)
    return pc.unique(texts.filter(pc.invert(looks))) if _share(looks) >= MOSTLY else pa.array([], _TEXT)


def few_strays(texts: pa.Array) -> tuple[str, ...]:
    """Return the strays if they are few enough to be words for missing values; one in the last row is a footer."""
    found = strays(texts).to_pylist()
    footer = len(found) == 1 and pc.index(texts, found[0]).as_py() == len(texts) - 1
    return tuple(found) if len(found) <= _MOST_STRAYS and not footer and not any("," in each for each in found) else ()


_REASONS: Sequence[Callable[[pa.Array], str]] = (
    _limits,
    _mostly_numbers,
    _with_units,
    _durations,
    _dates,
    _months,
    _written_unlike,
)


def _some(known: pa.Array) -> list[str]:
    found: list[str] = pc.unique(known.drop_null()[:_MOST_ROWS])[:_MOST_LOOKED_AT].to_pylist()
    return found


def _ways(texts: pa.Array) -> str:
    """Return a few texts that are written in different ways."""
    ways: dict[str, str] = {}
    for text in _some(texts):
        ways.setdefault(_DIGITS.sub("9", text), text)
    return " and ".join(map(repr, list(ways.values())[:_MOST_NAMED]))


def _share(mask: pa.Array) -> float:
    return pc.mean(mask.cast(pa.int8())).as_py() or 0.0


def _shown(share: float) -> str:
    """Return a share in percent; less than all is never shown as 100 %."""
    return f"{share if share == 1 else min(share, 0.99):.0%}"


def _others(known: pa.Array, fit: pa.Array) -> str:
    """Describe the values that do not fit, with the first; a single one in the last row may be a footer."""
    row = pc.index(fit, False).as_py()
    count = pc.sum(pc.invert(fit)).as_py()
    if count == 1 and row == len(known) - 1:
        return f"only {known[row].as_py()!r} in row {row + 1}, the last, is not: remove it if it is a total or a note"
    text = known[row].as_py()
    shown = text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"
    return f"{count:,} are not, such as {shown!r} in row {row + 1}"


def why_footer(texts: pa.ChunkedArray) -> str:
    """Return that the last row looks like the total of the others, by a word that no other row has; or ""."""
    last = texts[len(texts) - 1].as_py() if len(texts) else None
    if last is None or last.rstrip(" :").casefold() not in _FOOTERS or pc.sum(pc.equal(texts, last)).as_py() > 1:
        return ""
    return f"the last row says {last!r}: leave it out if it is a total"


def why_spellings(texts: pa.ChunkedArray) -> str:
    """Return that some levels differ only by case, such as Red and red, and stay different; or ""."""
    levels = pc.unique(texts[: 10 * _MOST_ROWS]).drop_null()
    if len(levels) > _MOST_LOOKED_AT or (pc.max(pc.utf8_length(levels)).as_py() or 0) > _LONGEST_SHOWN:
        return ""  # texts, not levels
    known: dict[str, str] = {}
    for level in levels.to_pylist():
        if (other := known.setdefault(level.casefold(), level)) != level:
            return f"levels that differ by case only, such as {other!r} and {level!r}, stay different"
    return ""


def why_dates(column: pa.ChunkedArray, *, name: str) -> str:
    """Return that numbers may be dates, written as 20231231, in seconds since 1970 or in days as in Excel; or ""."""
    bounds = pc.min_max(column).as_py()
    if bounds["min"] is None or bounds["max"] - bounds["min"] < _MOST_NAMED:
        return ""
    low, high = bounds["min"], bounds["max"]
    are_days = DAYS_OF_EXCEL[0] <= low and high < DAYS_OF_EXCEL[1] and high - low <= _LONGEST_SPAN
    if are_days and _NAMES_A_DATE.search(name):
        first, last = (np.datetime64("1899-12-30") + int(end) for end in (low, high))
        return f"numbers that may be days as Excel counts them, {first} to {last}: if so, pass {COLUMN_OPTION}date"
    if stored_as(column) != "integer":
        return ""
    if low >= 190_001 and high <= 209_912:
        month = np.asarray(column.drop_null()) % 100
        is_date = bool(((month >= 1) & (month <= 12)).all())
    elif low >= 19_000_101 and high <= 20_991_231:
        numbers = np.asarray(column.drop_null())
        month, day = numbers // 100 % 100, numbers % 100
        is_date = bool(((month >= 1) & (month <= 12) & (day >= 1) & (day <= 31)).all())
    else:
        is_date = any(low / scale >= SINCE and high / scale <= UNTIL for scale in (1, 1000))
    return f"whole numbers that may be dates, {low} to {high}: if so, pass {COLUMN_OPTION}date" if is_date else ""


def odd_numbers(column: pa.ChunkedArray) -> tuple[str, ...]:
    """Return numbers such as -999 and 9999 that are repeated and far outside all others: they may mean missing."""
    bounds = pc.min_max(column).as_py()
    if bounds["min"] is None or not any(_like_a_sentinel(bounds[end]) for end in ("min", "max")):
        return ()
    counts = pc.value_counts(column.drop_null())
    distinct = np.asarray(counts.field("values").cast(pa.float64(), safe=False), dtype=np.float64)
    rows = np.asarray(counts.field("counts"))
    often = rows >= np.where(np.abs(distinct) < 10, max(_FEWEST_ODD, _SHARE_OF_DIGITS * rows.sum()), _FEWEST_ODD)
    alike = np.array([_like_a_sentinel(value) for value in distinct])
    others = distinct[~alike & np.isfinite(distinct)]
    if len(others) < 2:
        return ()
    low, high = others.min(), others.max()
    # Beside only two numbers, a third digit is no exception: codes may be 1, 2 and 7. In surveys 9 is one.
    often &= (np.abs(distinct) >= 9) | (len(others) > 2)
    far = alike & often & ((distinct < low - (high - low)) | (distinct > high + (high - low)))
    return tuple(number_text(value) for value in sorted(distinct[far]))


def why_odd(column: pa.ChunkedArray, odd: Sequence[str]) -> str:
    """Return how often numbers occur that may mean missing, and the range of the others."""
    values = np.asarray(column.drop_null().cast(pa.float64(), safe=False), dtype=np.float64)
    strange = np.isin(values, np.array(odd, dtype=np.float64))
    others = values[~strange]
    return (
        f"{int(strange.sum()):,} of {len(values):,} numbers are {' or '.join(odd)}, far outside the others "
        f"({number_text(others.min())} to {number_text(others.max())}); they may mean missing"
    )


def _like_a_sentinel(value: float) -> bool:
    return value in _LARGEST or _SENTINEL.fullmatch(str(value)) is not None
