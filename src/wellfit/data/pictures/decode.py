"""One file's pixels, measures that people understand, and a 64-bit hash of its appearance (pHash: Zauner, 2010).

A file that is not clearly one picture with 8 bits per channel is reported by name; wellfit does not guess.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from wellfit.base.typing import Floats, Integers
from wellfit.exceptions import BadInput

Pixels = npt.NDArray[np.uint8]

MOST_PIXELS = 50_000_000
"""Maximum number of pixels in a picture; a larger one is treated as a decompression bomb."""
LEAST_SIDE = 4
_GREY_MODES = frozenset({"1", "L", "LA"})
_COLOUR_MODES = frozenset({"RGB", "RGBA", "P", "PA", "CMYK", "YCbCr"})
_TURNED = frozenset({5, 6, 7, 8})
_ORIENTATION = 0x0112
_DEEP = ";16"
"""Part of the name of decoders for 16 bits per channel, whatever mode the pixels are converted to."""
_BESIDE = "MPO"
"""The format of JPEGs written by phones, with a preview or a depth map after the picture."""


@dataclass(frozen=True, slots=True)
class Header:
    """A picture's properties from its file's header, before decoding; width and height follow the EXIF orientation."""

    height: int
    width: int
    colour: bool
    bytes: int


def require_pillow() -> None:
    """Raise BadInput if Pillow is not installed."""
    try:
        import PIL.Image  # noqa: F401
    except ImportError as error:
        raise BadInput(
            "Pillow must be installed to read pictures", found="no Pillow", remedy="Run pip install 'wellfit[images]'"
        ) from error


def read_header(path: Path) -> Header | str:
    """Return the properties in a file's header, or the reason why it cannot be used."""
    from PIL import Image

    try:
        size = path.stat().st_size
        if size == 0:
            return "an empty file"
        with Image.open(path) as image:
            problem = _problem(image)
            if problem:
                return problem
            width, height = image.size
            if image.getexif().get(_ORIENTATION) in _TURNED:
                width, height = height, width
            return Header(height, width, image.mode not in _GREY_MODES, size)
    except Exception as error:
        return _reason(error)


def read_pixels(path: Path, *, colour: bool) -> Pixels | str:
    """Return pixels [H, W, C], turned by the EXIF orientation, with transparency on white; or why there are none."""
    from PIL import Image, ImageOps

    try:
        with Image.open(path) as image:
            problem = _problem(image)
            if problem:
                return problem
            image.load()
            turned = ImageOps.exif_transpose(image)
            if turned.has_transparency_data:
                white = Image.new("RGBA", turned.size, "white")
                turned = Image.alpha_composite(white, turned.convert("RGBA"))
            pixels = np.asarray(turned.convert("RGB" if colour else "L"), dtype=np.uint8)
            return pixels if colour else pixels[:, :, None]
    except Exception as error:
        return _reason(error)


def _problem(image: object) -> str:
    width, height = image.size  # type: ignore[attr-defined]
    mode, tiles = image.mode, image.tile  # type: ignore[attr-defined]
    frames = 1 if image.format == _BESIDE else getattr(image, "n_frames", 1)  # type: ignore[attr-defined]
    if width * height > MOST_PIXELS:
        return f"{width} x {height} pixels, more than {MOST_PIXELS:,}"
    if min(width, height) < LEAST_SIDE:
        return f"{width} x {height} pixels, fewer than {LEAST_SIDE} on a side"
    if frames > 1:
        return f"{frames} pictures in one file (animated)"
    if mode not in _GREY_MODES | _COLOUR_MODES or any(_DEEP in str(tile) for tile in tiles):
        return f"pixels of mode {mode} (16 bits or more)"
    return ""


def _reason(error: Exception) -> str:
    from PIL import UnidentifiedImageError

    if isinstance(error, FileNotFoundError):
        return "no such file"
    if isinstance(error, UnidentifiedImageError):
        return "not a picture"
    return str(error).splitlines()[0] if str(error) else type(error).__name__


SIDE = 32
FREQUENCIES = 8
MOST_BITS = 12
"""Hashes of near copies differ in at most this many of 64 bits; those of unrelated pictures differ in 32 on average."""
LEAST_CORRELATION = 0.98
"""Least correlation between the grey values of a near copy and its original, at the common size.

As measured, one pair among 2,000 and 4,000 MNIST digits comes this close; all scenes compressed with quality 60 do.
"""
ROWS_AT_ONCE = 512

Hashes = npt.NDArray[np.uint64]


def look_of(pixels: Pixels) -> int:
    """Return the hash of one picture [H, W, C]."""
    from PIL import Image
    from scipy.fft import dctn  # takes .3 s of every worker's start

    grey = pixels.mean(axis=2).round().astype(np.uint8)
    small = np.asarray(Image.fromarray(grey).resize((SIDE, SIDE), Image.Resampling.BILINEAR), dtype=np.float64)
    # The mean (frequency 0, 0) is brightness: it is left out by starting at 1 in both directions.
    waves = dctn(small, norm="ortho")[1 : FREQUENCIES + 1, 1 : FREQUENCIES + 1].ravel()
    bits = waves > np.median(waves)
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def near_copies(looks: tuple[Hashes, Hashes], pictures: tuple[Floats, Floats]) -> Integers:
    """Return, for each row of a part, the position of a near copy in another part, or -1.

    `looks` holds the hashes [N] and [M] of the two parts, and `pictures` their grey values [N, P] and [M, P].
    """
    mine, others = looks
    found = np.full(len(mine), -1, dtype=np.int64)
    for start in range(0, len(mine), ROWS_AT_ONCE):
        apart = np.bitwise_count(mine[start : start + ROWS_AT_ONCE, None] ^ others[None, :])
        for row, twin in np.argwhere(apart <= MOST_BITS):
            place = start + int(row)
            if found[place] < 0 and _correlation(pictures[0][place], pictures[1][twin]) >= LEAST_CORRELATION:
                found[place] = twin
    return found


def _correlation(one: Floats, other: Floats) -> float:
    first, second = one - one.mean(), other - other.mean()
    size = float(np.sqrt((first**2).sum() * (second**2).sum()))
    # Two blank pictures agree; a blank one and another do not.
    return float((first * second).sum()) / size if size else float(not first.any() and not second.any())


GREY_MEASURES = ("width", "height", "brightness", "contrast", "sharpness", "blockiness", "bytes_per_pixel")
COLOUR_MEASURES = ("colourfulness", "warmth")
_GREY = np.array([0.299, 0.587, 0.114])
_TINY = 1e-3
_BLOCK = 8


def measures_of(pixels: Pixels, *, size: int | None) -> dict[str, float]:
    """Return the measures of one picture [H, W, C] as decoded, before it is brought to the common size.

    brightness: mean grey value; white is 1. contrast: standard deviation of the grey values. sharpness: root mean
    square of the Laplacian, in units of the contrast; it falls with blur in any light. blockiness: steps between
    neighbours at the borders of 8 x 8 blocks, divided by those elsewhere; it rises with JPEG compression and is 1 for
    fewer than two blocks on a side. bytes_per_pixel: of the file of `size` bytes; it falls with compression and is
    NaN without a file. colourfulness: mean of max - min over the channels. warmth: mean of red - blue.
    """
    values = pixels.astype(np.float64) / 255
    grey = values[:, :, 0] if values.shape[2] == 1 else values @ _GREY
    contrast = float(grey.std())
    found = {
        "width": float(pixels.shape[1]),
        "height": float(pixels.shape[0]),
        "brightness": float(grey.mean()),
        "contrast": contrast,
        "sharpness": float(np.sqrt(np.mean(_laplacian(grey) ** 2))) / (contrast + _TINY),
        "blockiness": _blockiness(grey),
        "bytes_per_pixel": math.nan if size is None else size / (pixels.shape[0] * pixels.shape[1]),
    }
    if values.shape[2] == 3:
        found["colourfulness"] = float((values.max(axis=2) - values.min(axis=2)).mean())
        found["warmth"] = float((values[:, :, 0] - values[:, :, 2]).mean())
    return found


def _laplacian(grey: Floats) -> Floats:
    middle = grey[1:-1, 1:-1]
    around = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:]
    return np.asarray(around - 4 * middle)


def _blockiness(grey: Floats) -> float:
    if min(grey.shape) < 2 * _BLOCK:
        return 1.0
    at_borders, elsewhere = [], []
    for plane in (grey, grey.T):
        steps = np.abs(np.diff(plane, axis=0)).mean(axis=1)
        border = np.arange(1, len(plane)) % _BLOCK == 0
        at_borders.append(steps[border].mean())
        elsewhere.append(steps[~border].mean())
    return float(np.mean(at_borders) / (np.mean(elsewhere) + _TINY))
