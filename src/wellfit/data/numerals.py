"""Text read as numbers: decimal and thousands signs, currencies and percent, decided for a whole column."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

POINT, COMMA = ".", ","
DECIMALS = {"point": POINT, "comma": COMMA}
"""Decimal signs by the names that --types has for them."""
# Amounts of money have one of these before or after the number.
_CURRENCIES = r"R\$|US\$|A\$|C\$|\$|€|£|¥|₹|₽|₩|zł|kr\.?|USD|EUR|GBP|CHF|JPY|INR|AUD|CAD|SEK|NOK|DKK|PLN|Rs\.?|Fr\.?"
_MONEY = rf"^[-+(]?\s*({_CURRENCIES})\s*[-+(.,\d]|\d[)]?\s*({_CURRENCIES})[)-]?$"
_MEASURED = re.compile(r"[-+(]?[\d.,' ]*\d\s*([A-Za-zµμ°Ω][^\s\d,;()]{0,10}[23²³]?)")
_HALF_DAYS = ("am", "pm")
_PERCENT = r"\s*%([)-]?)$"
_BLANKS = "[ \u00a0\u202f\u2009]"
_EXPONENT = r"(?:[eE][-+]?\d+)?"
_GROUPS = {COMMA: r",", POINT: r"\.", "'": "['’]", " ": _BLANKS, "_": "_"}
_SIGNS = {POINT: r"\.", COMMA: r","}
_INFINITE = r"(?i:inf(?:inity)?)"
PLAIN = rf"^[-+]?(?:(?:\d+\.?\d*|\.\d+){_EXPONENT}|{_INFINITE})$"
_POINT_BEFORE_THREE = r"^[-+]?[1-9]\d{0,2}(?:\.\d{3})+$"
_GROUPED_BY_POINTS = r"^[-+]?(?:0|[1-9]\d{0,2}(?:\.\d{3})*)$"
_GLANCE = 20  # texts that suffice to recognize most columns of fractions
_FEWEST_GROUPED = 50  # of so many fractions, hardly ever has each exactly three decimals: .9^50 is half a percent


@dataclass(frozen=True)
class Signs:
    """The format of numbers: the decimal sign, and the sign between thousands ("" for none)."""

    decimal: str = POINT
    thousands: str = ""


@dataclass(frozen=True)
class Bare:
    """Numbers without their units: `texts`, and the `unit` that was removed ("%", a currency, "kg", or "")."""

    texts: pa.Array
    unit: str = ""


def bare_numbers(texts: pa.Array) -> Bare:
    """Remove currency signs, units, and parentheses that mean minus; a unit must occur in every cell."""
    percents = pc.sum(pc.match_substring_regex(texts, _PERCENT)).as_py() or 0
    if percents:
        return Bare(without_unit(texts, "%"), "%") if percents == len(texts) - texts.null_count else Bare(texts)
    units = set()
    if pc.any(pc.match_substring_regex(texts, _MONEY)).as_py():
        found = [re.search(_MONEY, text) for text in pc.unique(texts).to_pylist() if text is not None]
        units = {(each[1] or each[2]) if each else "" for each in found} - {""}
    unit = units.pop() if len(units) == 1 else "" if units else _measured_in(texts)
    return Bare(without_unit(texts, unit), unit)


def _measured_in(texts: pa.Array) -> str:
    """Return the unit behind all numbers, such as kg; "" if there is none, or several."""
    present = texts.drop_null()
    found = unit_behind(present[0].as_py()) if len(present) else ""
    if not found or found.casefold() in _HALF_DAYS or pc.any(pc.match_substring_regex(present, r"^0\d")).as_py():
        return ""  # a time of day, or codes such as 007A
    return found if pc.all(pc.ends_with(present, found)).as_py() else ""


def unit_behind(text: str) -> str:
    """Return the unit behind a number, as in "71.3 kg"; or ""."""
    found = _MEASURED.fullmatch(text)
    return found[1] if found else ""


def without_unit(texts: pa.Array, unit: str) -> pa.Array:
    """Remove one unit, and write brackets, a trailing minus and a typographic minus as -."""
    bare = pc.replace_substring(texts, "\u2212", "-")
    if unit:
        sign = re.escape(unit)
        bare = pc.replace_substring_regex(bare, rf"^([-+(]?)\s*{sign}\s*", r"\1")
        bare = pc.replace_substring_regex(bare, rf"\s*{sign}([)-]?)$", r"\1")
    bare = pc.replace_substring_regex(bare, r"^\((.+)\)$", r"-\1")
    return pc.replace_substring_regex(bare, r"^(\d.*)-$", r"-\1")


def signs_that_fit(texts: pa.Array, *, decimal: str | None = None, thousands: str | None = None) -> list[Signs]:
    """Return the formats in which every text is a number, the likeliest first; the signs passed are fixed."""
    present = {sign for sign, group in _GROUPS.items() if pc.any(pc.match_substring_regex(texts, group)).as_py()}
    wanted = [
        Signs(point, group)
        for point in (POINT, COMMA)
        for group in ("", *_GROUPS)
        if (not group or group in present)
        and point not in (group, thousands)
        and (point in (POINT, decimal) or point in present or group or thousands == POINT)
        and decimal in (None, point)
        and (not thousands or group in ("", thousands))
    ]
    first = texts[: min(len(texts), 50)]
    return [signs for signs in wanted if _fits(first, signs) and _fits(texts, signs)]


def points_between_thousands(texts: pa.Array) -> Literal["", "open", "likely"]:
    """Return whether points may separate thousands, as in 2.790 next to 818.

    This is likely for many numbers with a point if others have none: one in ten fractions written as short as possible
    has fewer than three decimals, and where all fractions have three decimals, there are no whole numbers among them.
    """
    if not (_all_match(texts[:_GLANCE], _GROUPED_BY_POINTS) and _all_match(texts, _GROUPED_BY_POINTS)):
        return ""
    distinct = pc.unique(texts.drop_null())
    pointed = pc.sum(pc.match_substring_regex(distinct, _POINT_BEFORE_THREE)).as_py() or 0
    if not pointed:
        return ""
    return "likely" if _FEWEST_GROUPED <= pointed < len(distinct) else "open"


def numbers_in(texts: pa.Array, signs: Signs) -> pa.Array:
    """Return int64 if all texts are short whole numbers, otherwise float64; null where a text is not a number."""
    good = pc.match_substring_regex(texts, _pattern(signs))
    plain = pc.if_else(good, texts, pa.scalar(None, pa.string()))
    if signs.thousands:
        plain = pc.replace_substring_regex(plain, _GROUPS[signs.thousands], "")
    if signs.decimal != POINT:
        plain = pc.replace_substring(plain, signs.decimal, POINT)
    return plain_numbers(plain)


def plain_numbers(texts: pa.Array) -> pa.Array:
    """Return texts that all match `PLAIN`, as int64 or float64."""
    if pc.any(pc.starts_with(texts, "+")).as_py():
        texts = pc.replace_substring_regex(texts, r"^\+", "")
    if not pc.any(pc.match_substring(texts, POINT)).as_py():
        try:
            return texts.cast(pa.int64())
        except pa.ArrowInvalid:
            pass
    return texts.cast(pa.float64())


def number_text(value: float) -> str:
    """Return a number as a person writes it."""
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e15 else f"{value:.12g}"


def differ(texts: pa.Array, ways: Sequence[Signs]) -> bool:
    """Return True if two formats read different numbers from the same texts: 1,234 may mean a thousand or one."""
    first, *others = (numbers_in(texts, signs).cast(pa.float64()) for signs in ways)
    return any(not first.equals(other) for other in others)


def are_numbers(texts: pa.Array) -> pa.Array:
    """Return which texts are numbers in some way of writing, each in its own."""
    bare = pc.replace_substring_regex(texts, rf"^'|^(?:{_CURRENCIES})\s*|\s*(?:%|{_CURRENCIES})$", "")
    bare = without_unit(bare, "")
    found = pc.match_substring_regex(bare, PLAIN)
    for point in (POINT, COMMA):
        for group in ("", *_GROUPS):
            if point != group:
                found = pc.or_(found, pc.match_substring_regex(bare, _pattern(Signs(point, group))))
    return found


def _fits(texts: pa.Array, signs: Signs) -> bool:
    return _all_match(texts, _pattern(signs), min_count=1)


def _all_match(texts: pa.Array, pattern: str, *, min_count: int = 0) -> bool:
    return bool(pc.all(pc.match_substring_regex(texts, pattern), min_count=min_count).as_py())


def _pattern(signs: Signs) -> str:
    point = _SIGNS[signs.decimal]
    whole = r"\d+"
    if signs.thousands:
        group = _GROUPS[signs.thousands]
        # Two digits between: 12,34,567 as India writes it.
        middle = r"\d{2,3}" if signs.thousands == COMMA else r"\d{3}"
        whole = rf"(?:\d+|[1-9]\d{{0,2}}(?:{group}{middle})*{group}\d{{3}})"
    exponent = "" if signs.thousands else _EXPONENT
    return rf"^[-+]?(?:(?:{whole}(?:{point}\d*)?|{point}\d+){exponent}|{_INFINITE})$"
