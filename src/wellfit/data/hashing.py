"""Canonical 128-bit hashes of rows, vectorized.

Each cell yields two 64-bit words (splitmix64 of its canonical bits, salted with the column's name); a row's hash is
their sum, so the order of the columns does not matter. 1, 1.0 and True are the same value, NaN is null, and a date
equals its midnight. The hash is not cryptographic: it guards against accident, not forgery (docs/design.md, promise 1).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from wellfit.data.columns import missing_in, stored_as

Words = npt.NDArray[np.uint64]

BLOCK_ROWS = 1 << 16
LANES = 2
_NULL = b"null"
_FLOAT_EXACT = 2**53


def row_hashes(table: pa.Table, *, columns: Sequence[str] | None = None) -> Words:
    """Return the hash of every row, uint64 [rows, 2], over `columns` (all when None)."""
    (hashes,) = hashes_over(table, table.column_names if columns is None else columns)
    return hashes


def hashes_over(table: pa.Table, *sets: Sequence[str]) -> list[Words]:
    """Return hashes, uint64 [rows, 2], of every row over each set of columns; every cell is hashed once."""
    sums = [np.zeros((LANES, table.num_rows), dtype=np.uint64) for _ in sets]
    members = [frozenset(columns) for columns in sets]
    for name in dict.fromkeys(name for columns in sets for name in columns):
        salts = _words(b"column\0" + name.encode())
        start = 0
        blocks = (
            chunk.slice(first, BLOCK_ROWS)
            for chunk in table.column(name).chunks
            for first in range(0, len(chunk), BLOCK_ROWS)
        )
        for chunk in blocks:
            rows = slice(start, start + len(chunk))
            bits, unknown = _canonical(chunk)
            for lane in range(LANES):
                cells = mixed(bits[lane] ^ salts[lane])
                cells[unknown] = _words(_NULL)[lane] ^ salts[lane]
                for columns, total in zip(members, sums, strict=True):
                    if name in columns:
                        total[lane, rows] += cells
            start += len(chunk)
    return [np.ascontiguousarray(np.stack([mixed(lane) for lane in total], axis=1)) for total in sums]


def as_bytes(hashes: Words) -> list[bytes]:
    """Return sixteen bytes for each row: the key of the registry."""
    flat = np.ascontiguousarray(hashes.astype("<u8")).tobytes()
    return [flat[start : start + 16] for start in range(0, len(flat), 16)]


def _canonical(chunk: pa.Array) -> tuple[tuple[Words, Words], npt.NDArray[np.bool_]]:
    """Return the bits of each cell for the two lanes, and a mask of the missing cells."""
    unknown = missing_in(chunk)
    stored = stored_as(chunk)
    if stored == "string" or pa.types.is_fixed_size_binary(chunk.type):
        return _text_words(chunk), unknown
    if stored == "nothing":
        zeros = np.zeros(len(chunk), dtype=np.uint64)
        return (zeros, zeros), unknown
    if stored == "float":
        values = pc.fill_null(chunk.cast(pa.float64(), safe=False), 0.0).to_numpy(zero_copy_only=False)
        # Adding 0 turns -0.0 into 0.0.
        bits = np.asarray(values + 0.0, dtype=np.float64).view(np.uint64)
    else:
        bits = _integer_bits(_as_integers(chunk, stored))
    return (bits, bits), unknown


def _as_integers(chunk: pa.Array, stored: str) -> npt.NDArray[np.int64]:
    if stored == "date":
        chunk = chunk.cast(pa.timestamp("us"), safe=False)
    elif pa.types.is_time32(chunk.type):
        chunk = chunk.cast(pa.int32())
    elif stored == "boolean":
        chunk = chunk.cast(pa.int8())
    return np.asarray(pc.fill_null(chunk.cast(pa.int64(), safe=False), 0).to_numpy(zero_copy_only=False))


def _integer_bits(values: npt.NDArray[np.int64]) -> Words:
    """Return the bits of the equal float; integers that no float equals keep their own bits."""
    bits = values.astype(np.float64).view(np.uint64)
    inexact = (values > _FLOAT_EXACT) | (values < -_FLOAT_EXACT)
    if inexact.any():
        large = values[inexact]
        exact = large.astype(np.float64).astype(object) == large.astype(object)
        bits[inexact] = np.where(exact.astype(bool), bits[inexact], ~large.view(np.uint64))
    return bits


def _text_words(chunk: pa.Array) -> tuple[Words, Words]:
    encoded = chunk.dictionary_encode()
    values = [level if isinstance(level, bytes) else level.encode() for level in encoded.dictionary.to_pylist()]
    levels = [_words(b"text\0" + value) for value in values] or [_words(_NULL)]
    words = np.array(levels, dtype=np.uint64)
    index = pc.fill_null(encoded.indices, 0).to_numpy(zero_copy_only=False)
    return words[index, 0], words[index, 1]


def _words(text: bytes) -> Words:
    return np.frombuffer(hashlib.blake2b(text, digest_size=8 * LANES).digest(), dtype="<u8").astype(np.uint64)


def text_words(levels: Sequence[bytes]) -> Words:
    """Return one word for each text, the first of its hash."""
    return np.array([_words(b"text\0" + level)[0] for level in levels], dtype=np.uint64)


def mixed(bits: Words) -> Words:
    """Apply splitmix64's finalizer (Steele, Lea, Flood 2014): every input bit changes about half of the output bits."""
    mixed = bits + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(mixed ^ (mixed >> np.uint64(31)), dtype=np.uint64)
