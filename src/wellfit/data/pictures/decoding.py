"""The pixels, measures and hashes of all files of a listing: decoded once, by workers, in constant memory.

All pictures get one size: their own if they share one, otherwise a square into which each is fitted.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa

from wellfit.base.typing import Notify
from wellfit.data.pictures.cache import VERSION, Decoded, keep_decoded, load_decoded, new_pixels
from wellfit.data.pictures.decode import (
    COLOUR_MEASURES,
    GREY_MEASURES,
    MOST_PIXELS,
    Header,
    Pixels,
    look_of,
    measures_of,
    read_header,
    read_pixels,
    require_pillow,
)
from wellfit.data.pictures.listing import FILE, LOOK, Listing, Shape
from wellfit.exceptions import BadInput

FILES_AT_ONCE = 256
"""Number of files between two progress reports, and number of pictures in memory at a time."""
Picture = tuple[Pixels, dict[str, float], int]


def decoded(listing: Listing, *, size: int | None, shape: Shape | None = None, notify: Notify) -> Decoded:
    """Return the pictures of a listing, from the cache if they were decoded before.

    All have the given `shape`; without one, they have sides of `size`. Raises BadInput if no file can be used.
    """
    require_pillow()
    key = _key(listing, size=size, shape=shape)
    known = load_decoded(key)
    if known is not None:
        notify({"event": "pictures", "done": len(listing.files), "of": len(listing.files), "cached": True})
        return known
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with ThreadPoolExecutor(min(cores, MOST_THREADS)) as pool:
        # One block at a time: submitting all tasks at once would take more memory than their results.
        headers = [
            header
            for block in _blocks(len(listing.files))
            for header in pool.map(lambda file: read_header(listing.root / file), listing.files[block])
        ]
        good = [one for one in headers if isinstance(one, Header)]
        if not good:
            reason = f"none among {len(headers):,} files; the first is {listing.files[0]} ({headers[0]})"
            raise BadInput("DATA must contain pictures that can be read", found=reason, remedy="Write the files again")
        shape = shape or canvas_for(good, size=size)
        return _decoded(listing, headers, key=key, shape=shape, pool=pool, notify=notify)


def _decoded(
    listing: Listing,
    headers: Sequence[Header | str],
    *,
    key: str,
    shape: Shape,
    pool: ThreadPoolExecutor,
    notify: Notify,
) -> Decoded:
    refused = {file: one for file, one in zip(listing.files, headers, strict=True) if isinstance(one, str)}
    good = {file: one for file, one in zip(listing.files, headers, strict=True) if isinstance(one, Header)}
    # One table per block: a dictionary for every picture would make memory grow with the folder.
    blocks = [table_of([], colour=shape[2] == 3)]
    count = 0
    with new_pixels(key, rows=len(good), shape=shape) as (part, pixels):

        def one(file: str) -> Picture | str:
            header = good[file]
            with room.of(header.height * header.width):
                pixels = read_pixels(listing.root / file, colour=shape[2] == 3)
                return pixels if isinstance(pixels, str) else picture_of(pixels, shape=shape, size=header.bytes)

        room, names = _Room(MOST_PIXELS), list(good)
        for start in range(0, len(names), FILES_AT_ONCE):
            files = names[start : start + FILES_AT_ONCE]
            rows: list[dict[str, float | int | str]] = []
            for file, found in zip(files, pool.map(one, files), strict=True):
                if isinstance(found, str):
                    refused[file] = found
                    continue
                pixels[count + len(rows)] = found[0]
                rows.append({FILE: file, **found[1], LOOK: found[2]})
            blocks.append(table_of(rows, colour=shape[2] == 3))
            count += len(rows)
            notify({"event": "pictures", "done": start + len(files), "of": len(listing.files)})
        pixels.flush()  # type: ignore[attr-defined]
        if count < len(good):
            # The array ends at the last picture that could be decoded.
            _shorten(part, pixels, rows=count)
        return keep_decoded(part, key, rows=pa.concat_tables(blocks).combine_chunks(), refused=refused)


class _Room:
    """Memory for a given number of pixels at a time; to decode and measure a picture takes 36 bytes per pixel.

    A picture that needs more than all of it waits until no other is in memory.
    """

    def __init__(self, pixels: int) -> None:
        self._total = self._free = pixels
        self._changed = threading.Condition()

    @contextmanager
    def of(self, pixels: int) -> Iterator[None]:
        asked = min(pixels, self._total)
        with self._changed:
            self._changed.wait_for(lambda: asked <= self._free)
            self._free -= asked
        try:
            yield
        finally:
            with self._changed:
                self._free += asked
                self._changed.notify_all()


def picture_of(pixels: Pixels, *, shape: Shape, size: int | None) -> Picture:
    """Return pixels at the common size, the measures of the original picture, and its hash."""
    return fitted(pixels, shape), measures_of(pixels, size=size), look_of(pixels)


def table_of(rows: Sequence[dict[str, float | int | str]], *, colour: bool) -> pa.Table:
    """Return the files, measures and hashes of pictures as a table."""
    measures = (*GREY_MEASURES, *(COLOUR_MEASURES if colour else ()))
    columns = {FILE: pa.array([row[FILE] for row in rows], pa.string())}
    columns |= {name: pa.array([row[name] for row in rows], pa.float64()) for name in measures}
    return pa.table({**columns, LOOK: pa.array([row[LOOK] for row in rows], pa.uint64())})


def _shorten(part: Path, pixels: Pixels, *, rows: int) -> None:
    path = part / "pixels.npy"
    shorter = np.lib.format.open_memmap(
        path.with_suffix(".short"), mode="w+", dtype=np.uint8, shape=(rows, *pixels.shape[1:])
    )
    for block in _blocks(rows):
        shorter[block] = pixels[block]
    shorter.flush()
    path.with_suffix(".short").replace(path)


def _blocks(rows: int) -> Iterator[slice]:
    return (slice(start, min(start + FILES_AT_ONCE, rows)) for start in range(0, rows, FILES_AT_ONCE))


def _key(listing: Listing, *, size: int | None, shape: Shape | None) -> str:
    digest = hashlib.sha256(f"{VERSION} {listing.root.resolve()} {size} {shape}".encode())
    for file in listing.files:
        try:
            stat = (listing.root / file).stat()
            digest.update(f"{file}\0{stat.st_size}\0{stat.st_mtime_ns}\0".encode())
        except OSError:
            digest.update(f"{file}\0none\0".encode())
    return digest.hexdigest()[:32]


MOST_THREADS = 16
MOST_SIDE = 64
"""Largest side of pictures by default, for which two cores suffice; `size` sets a different one."""
LEAST_ASKED, MOST_ASKED = 8, 512


def canvas_for(headers: Sequence[Header], *, size: int | None) -> Shape:
    """Return the shape that all pictures are brought to; BadInput for a size out of range."""
    if size is not None and not LEAST_ASKED <= size <= MOST_ASKED:
        raise BadInput(
            f"a picture size must be from {LEAST_ASKED} to {MOST_ASKED} pixels", found=f"{size}", remedy="Pass another"
        )
    channels = 3 if any(header.colour for header in headers) else 1
    shapes = {(header.height, header.width) for header in headers}
    if size is None and len(shapes) == 1:
        ((height, width),) = shapes
        if max(height, width) <= MOST_SIDE:
            return height, width, channels
    longest = np.median([max(header.height, header.width) for header in headers])
    side = size or int(np.clip(round(float(longest)), LEAST_ASKED, MOST_SIDE))
    return side, side, channels


def fitted(pixels: Pixels, shape: Shape) -> Pixels:
    """Return pixels [H, W, C] fitted to `shape`, as large as possible, centred, padded with its edge's mean colour."""
    from PIL import Image

    height, width, channels = shape
    if pixels.shape == shape:
        return pixels
    factor = min(height / pixels.shape[0], width / pixels.shape[1])
    inner = tuple(max(1, round(factor * side)) for side in pixels.shape[:2])
    image = Image.fromarray(pixels.squeeze(2) if channels == 1 else pixels)
    # Reducing averages over whole areas (antialiasing); enlarging interpolates.
    resized = np.asarray(image.resize(inner[::-1], Image.Resampling.BILINEAR)).reshape(*inner, channels)
    edge = np.concatenate([resized[0], resized[-1], resized[:, 0], resized[:, -1]]).mean(axis=0)
    whole = np.broadcast_to(edge.round().astype(np.uint8), shape).copy()
    top, left = (height - inner[0]) // 2, (width - inner[1]) // 2
    whole[top : top + inner[0], left : left + inner[1]] = resized
    return whole
