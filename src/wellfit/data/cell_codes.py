"""Cell codes that stay the same when the names, spelling, types, rounding or scale of a table change.

Each cell has three codes. "value" is the value to four significant digits, or the text in lower case. "rank" and
"place" are the value's position among all rows, in 512 and in 32 bins. They survive a change of unit, a logarithm,
standardization, and the replacement of classes by numbers in alphabetical order.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from wellfit.base.typing import Floats
from wellfit.data.columns import missing_in, numbers_of, stored_as
from wellfit.data.hashing import Words, mixed, text_words

View = Literal["value", "rank", "place"]
VIEWS: tuple[View, ...] = get_args(View)
BINS = {"rank": 128, "place": 8}
DIGITS = 4
# A text column with a few words among its numbers ("unknown") is a column of numbers with missing values.
NUMBERS_AT_LEAST = 0.8
PIECES = 8
SPARSE = 100
NAME_LENGTH = 16
_MISSING = np.uint64(0x6D697373696E67)


def pieces_of(table: pa.Table) -> tuple[list[str], list[pa.ChunkedArray | Words]]:
    """Return names and columns; a picture is hashed into eight columns rather than one per pixel."""
    names: list[str] = []
    columns: list[pa.ChunkedArray | Words] = []
    for name, column in zip(table.column_names, table.columns, strict=True):
        if pa.types.is_fixed_size_binary(column.type):
            names += [f"{name}\0{place}" for place in range(PIECES)]
            columns += _picture(column)
        elif pa.types.is_dictionary(column.type):
            names.append(name)
            columns.append(column.cast(column.type.value_type))
        elif stored_as(column) != "nested":
            names.append(name)
            columns.append(column)
    return names, columns


def codes_of(column: pa.ChunkedArray | Words) -> dict[View, Words]:
    """Return the three codes of each cell; ranks are taken among all the rows passed."""
    if isinstance(column, np.ndarray):
        return dict.fromkeys(VIEWS, column)
    unknown = missing_in(column)
    numbers = _numbers(column)
    if numbers is None:
        values, places = _of_text(column)
    else:
        unknown = unknown | np.isnan(numbers)
        values, places = _digits(np.where(unknown, 0.0, numbers)), numbers
    codes: dict[View, Words] = {"value": values}
    standing = _standing(places, known=~unknown)
    for view, bins in BINS.items():
        codes["rank" if view == "rank" else "place"] = np.minimum(standing * bins, bins - 1).astype(np.uint64)
    for each in codes.values():
        each[unknown] = _MISSING
    return codes


def is_numbering(column: pa.ChunkedArray) -> bool:
    """Return True if a column may number rows: whole numbers or moments without wide gaps, or short texts with digits.

    The column may be a sample of the rows: one in a hundred of the values in its range is enough.
    """
    if stored_as(column) == "string":
        return _parsed(column) is None and _are_names(column)
    numbers = _numbers(column)
    if numbers is None or np.isnan(numbers).any() or (numbers != np.rint(numbers)).any():
        return False
    steps = (np.sort(numbers)[1:] - np.sort(numbers)[:-1]).astype(np.int64)
    step = np.gcd.reduce(steps) if len(steps) else 1
    return bool(np.ptp(numbers) <= SPARSE * len(numbers) * max(1, step))


def _are_names(column: pa.ChunkedArray) -> bool:
    named = pc.and_(pc.match_substring_regex(column, r"\d"), pc.less_equal(pc.utf8_length(column), NAME_LENGTH))
    return bool(pc.all(named, skip_nulls=False).as_py())


def band_keys(codes: Sequence[Words]) -> Words:
    """Return one key per row from the codes of some columns; their order matters, their names do not."""
    total = np.zeros(len(codes[0]), dtype=np.uint64)
    for place, each in enumerate(codes):
        total += mixed(each ^ _salt(place))
    return mixed(total)


@lru_cache(maxsize=1024)
def _salt(place: int) -> np.uint64:
    return np.uint64(mixed(np.array([place + 1], dtype=np.uint64))[0])


def _numbers(column: pa.ChunkedArray) -> Floats | None:
    stored = stored_as(column)
    if stored == "string":
        return _parsed(column)
    if stored == "nothing":
        return np.full(len(column), np.nan)
    if stored == "date":
        column = column.cast(pa.timestamp("us"), safe=False).cast(pa.int64())
    return numbers_of(column, name="")


def _parsed(column: pa.ChunkedArray) -> Floats | None:
    """Return numbers that were written as text, with NaN for words; None for a column of words."""
    encoded = column.combine_chunks().dictionary_encode()
    levels = np.array([_number(level) for level in encoded.dictionary.to_pylist()] or [np.nan])
    index = pc.fill_null(encoded.indices, 0).to_numpy(zero_copy_only=False)
    known = ~missing_in(column)
    values = np.where(known, levels[index], np.nan)
    return values if np.isfinite(values).sum() >= NUMBERS_AT_LEAST * max(1, known.sum()) else None


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        return np.nan
    return value if np.isfinite(value) else np.nan


def _digits(values: Floats) -> Words:
    """Return a code for each number to four significant digits; a whole number with more digits keeps all of them."""
    size = np.abs(values)
    sound = np.isfinite(size) & (size > 0)
    exponent = np.floor(np.log10(np.where(sound, size, 1.0)))
    digits = np.rint(np.where(sound, values, 0.0) * 10.0 ** (DIGITS - 1 - exponent))
    over = np.abs(digits) == 10**DIGITS
    digits, exponent = np.where(over, digits / 10, digits), exponent + over
    large = (values == np.rint(values)) & (size >= 10**DIGITS)
    digits, exponent = np.where(large, values, digits) + 0.0, np.where(large, -1.0, exponent)
    return np.asarray(digits.view(np.uint64) ^ mixed(exponent.view(np.uint64)), dtype=np.uint64)


def _of_text(column: pa.ChunkedArray) -> tuple[Words, Floats]:
    """Return a code for each text, and its place in alphabetical order."""
    plain = pc.utf8_lower(pc.utf8_trim_whitespace(column.cast(pa.string()))).combine_chunks()
    encoded = plain.dictionary_encode()
    levels = [level.encode() for level in encoded.dictionary.to_pylist()] or [b""]
    index = pc.fill_null(encoded.indices, 0).to_numpy(zero_copy_only=False)
    order = np.empty(len(levels))
    order[sorted(range(len(levels)), key=levels.__getitem__)] = np.arange(len(levels))
    return text_words(levels)[index], order[index]


def _standing(places: Floats, *, known: npt.NDArray[np.bool_]) -> Floats:
    """Return the fraction of the known rows below each one, counting half of those equal to it."""
    ordered = np.sort(places[known])
    asked = np.where(known, places, 0.0)
    below, upto = np.searchsorted(ordered, asked), np.searchsorted(ordered, asked, side="right")
    return np.asarray((below + upto) / (2 * max(1, len(ordered))))


def _picture(column: pa.ChunkedArray) -> list[pa.ChunkedArray | Words]:
    width = column.type.byte_width
    payload = b"".join(value if value is not None else bytes(width) for value in column.to_pylist())
    pixels = np.frombuffer(payload, dtype=np.uint8).reshape(len(column), width)
    return [_of_bytes(piece) for piece in np.array_split(pixels, PIECES, axis=1)]


def _of_bytes(rows: npt.NDArray[np.uint8]) -> Words:
    """Return a code for each row of bytes."""
    padded = np.zeros((len(rows), -(-rows.shape[1] // 8) * 8), dtype=np.uint8)
    padded[:, : rows.shape[1]] = rows
    return band_keys(list(padded.view("<u8").astype(np.uint64).T))
