"""Words for a missing value: the usual ones, those that a user passes, and those among numbers."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import pyarrow as pa
import pyarrow.compute as pc

from wellfit.base.serialize import Record
from wellfit.data.columns import stored_as
from wellfit.data.numerals import PLAIN, number_text, plain_numbers

MISSING_WORDS = ("", "NA", "N/A", "n/a", "#N/A", "NaN", "nan", "NULL", "null", "<NA>", "?")
"""Words for a missing value in any column of a text file, unless `missing` names others."""

MISSING_NUMBERS = frozenset(
    word
    for words in (
        "none|(none)|nil|missing|unknown|na|n/a|n.a.|n.a|n.d.|nd|nan|null|(null)|\\n|<na>|tbd|tba|k.a.|?",
        "-|--|---|\u2013|\u2014|.|..|...|*|not available|not_available|not applicable|no data",
        "#n/a|#div/0!|#value!|#ref!|#name?|#num!|#null!|1.#ind|-1.#ind|1.#qnan",
        "0000-00-00|0000-00-00 00:00:00|00.00.0000|00/00/0000",
        "####|#####|######|#######|########",
    )
    for word in words.split("|")
)
"""Words (in lower case) for a missing value among numbers, dates, times and truth values."""

_TEXT = pa.string()
_LEADING_ZERO = r"^[-+]?0\d+$"
_PLAIN_WORD = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")


@dataclass(frozen=True)
class Missing(Record):
    """Words for a missing value; unless `asked`, numbers have additional ones (`MISSING_NUMBERS`)."""

    words: tuple[str, ...] = MISSING_WORDS
    asked: bool = False

    @cached_property
    def table(self) -> pa.Array:
        """The words as an Arrow array; the empty cell is always missing."""
        return pa.array(list(dict.fromkeys(("", *self.words))), _TEXT)

    @cached_property
    def numbers(self) -> pa.Array:
        """The words that are numbers, if the user passed any: -999 is missing however it is written."""
        plain = [word for word in self.words if self.asked and _PLAIN_WORD.fullmatch(word)]
        return pa.array(sorted({float(word) for word in plain}), pa.float64())

    def marked(self, texts: pa.Array) -> pa.Array:
        """Return which texts mean missing."""
        unknown = pc.is_in(texts, value_set=self.table)
        if not len(self.numbers):
            return unknown
        plain = pc.replace_substring_regex(texts, r"^([-+]?\d+),(0{1,2})$", r"\1.\2")
        fits = pc.and_not(pc.match_substring_regex(plain, PLAIN), pc.match_substring_regex(plain, _LEADING_ZERO))
        values = plain_numbers(pc.if_else(fits, plain, pa.scalar(None, _TEXT))).cast(pa.float64(), safe=False)
        return pc.or_(unknown, pc.is_in(values, value_set=self.numbers))

    def among_numbers(self, words: Iterable[str]) -> list[str]:
        """Return those of the words passed that mean a missing number."""
        return [word for word in words if not self.asked and word.casefold() in MISSING_NUMBERS]


USUAL = Missing()

IN_FRAMES = Missing(("",))
"""In Parquet files and data frames a missing value is null; blank text is missing too."""


def missing_option(known: Iterable[str], more: Iterable[str]) -> str:
    """Return the option that names words for missing values: those already read as missing, and more."""
    return f"--missing {shlex.quote(','.join(dict.fromkeys((*sorted(set(known)), *more))))}"


def without(texts: pa.Array, unknown: pa.Array) -> tuple[pa.Array, dict[str, int]]:
    """Return texts with null for those that mean missing, and how often each of them occurs."""
    if not pc.any(unknown).as_py():
        return texts, {}
    counts = pc.value_counts(texts.filter(unknown)).to_pylist()
    found = {each["values"]: each["counts"] for each in counts if each["values"]}
    return pc.if_else(unknown, pa.scalar(None, _TEXT), texts), dict(sorted(found.items()))


def without_numbers(column: pa.ChunkedArray, missing: Missing) -> tuple[pa.ChunkedArray, dict[str, int]]:
    """Return a column of numbers without those that mean missing according to the user."""
    if stored_as(column) not in ("integer", "float") or not len(missing.numbers):
        return column, {}
    unknown = pc.is_in(column.cast(pa.float64(), safe=False), value_set=missing.numbers)
    if not pc.any(unknown).as_py():
        return column, {}
    counts = pc.value_counts(column.filter(unknown)).to_pylist()
    words = {number_text(float(each["values"])): each["counts"] for each in counts}
    return pc.if_else(unknown, pa.scalar(None, column.type), column), words
