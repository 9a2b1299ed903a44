"""The columns of a table of pictures and their roles; one of them holds the pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from wellfit.data.columns import numbers_of
from wellfit.data.pictures.decode import COLOUR_MEASURES, GREY_MEASURES, Pixels
from wellfit.data.pictures.listing import FILE, LOOK, PICTURE, Shape
from wellfit.data.schema import Column, Schema, infer_schema


def picture_schema(
    table: pa.Table,
    *,
    shape: Shape,
    target: str,
    drop: Sequence[str] = (),
    several: bool = False,
    paths: str | None = None,
    **options: Any,
) -> Schema:
    """Decide the kind and role of every column: the pixels, the target, and the features that people read.

    If other pictures follow (`several`), a measure that does not vary here may still vary between sources. `paths` is
    the name of the column of paths, needed for new tables; `options` are those of `infer_schema`.
    """
    measured = table.drop_columns([PICTURE])
    known = [name for name in (*GREY_MEASURES, *COLOUR_MEASURES) if name in table.column_names]
    flat = [name for name in known if name not in drop and _is_flat(measured.column(name))]
    notes = {FILE: "names the picture", LOOK: "finds near copies", **dict.fromkeys(flat, "the same in all pictures")}
    schema = infer_schema(measured, target=target, drop=[*drop, *notes], **options)
    pixels = Column(PICTURE, "number", "picture", paths or "", "nested")
    kept = tuple(
        replace(column, role="feature", note="")
        if several and column.name in flat
        else replace(column, note=notes.get(column.name, column.note))
        for column in schema.columns
    )
    return replace(schema, columns=(*kept, pixels), picture=shape)


def _is_flat(column: pa.ChunkedArray) -> bool:
    """Return True if a measure is the same for all pictures, as for pictures of one size or arrays without files."""
    values = numbers_of(column, name="measures")
    return bool(np.unique(values[~np.isnan(values)]).size < 2)


def pixel_column(pixels: Pixels) -> pa.Array:
    """Return pixels [N, H, W, C] as a column of bytes, without copying them."""
    size = int(np.prod(pixels.shape[1:]))
    whole = np.ascontiguousarray(pixels)
    return pa.FixedSizeBinaryArray.from_buffers(pa.binary(size), len(whole), [None, pa.py_buffer(whole)])


def pixels_of(column: pa.ChunkedArray, shape: Shape) -> Pixels:
    """Return the pixels [N, H, W, C] of a column of bytes."""
    parts = [
        np.frombuffer(chunk.buffers()[1], np.uint8)[
            chunk.offset * chunk.type.byte_width : (chunk.offset + len(chunk)) * chunk.type.byte_width
        ]
        for chunk in column.chunks
    ]
    return np.concatenate([np.empty(0, np.uint8), *parts]).reshape(-1, *shape)
