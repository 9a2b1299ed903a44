"""One file -> pixels. What is not plainly one picture of 8 bits a channel is named, never guessed at."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from wellfit.exceptions import BadInput

Pixels = npt.NDArray[np.uint8]

MOST_PIXELS = 50_000_000
"""A larger picture is taken for a decompression bomb."""
LEAST_SIDE = 4
_GREY_MODES = frozenset({"1", "L", "LA"})
_COLOUR_MODES = frozenset({"RGB", "RGBA", "P", "PA", "CMYK", "YCbCr"})
_TURNED = frozenset({5, 6, 7, 8})
_ORIENTATION = 0x0112
_DEEP = ";16"
"""Stands in what a decoder calls the pixels of a file that has 16 bits a channel, whatever mode they are brought to."""
_BESIDE = "MPO"
"""A JPEG as phones write it, with a preview or depths after the picture."""


@dataclass(frozen=True, slots=True)
class Header:
    """What a file says of its picture before it is decoded, as it is seen: turned by its EXIF orientation."""

    height: int
    width: int
    colour: bool
    bytes: int


def require_pillow() -> None:
    """Check that pictures can be read.

    Raises:
        BadInput: Pillow is not installed.
    """
    try:
        import PIL.Image  # noqa: F401
    except ImportError as error:
        raise BadInput(
            "pictures are read by Pillow", found="no Pillow", remedy="pip install 'wellfit[images]'"
        ) from error


def read_header(path: Path) -> Header | str:
    """Return what a file says of itself, or why it cannot be used."""
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
    """Return the pixels [H, W, C], turned by the EXIF orientation, transparency on white; or why there are none."""
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
        return f"{width} x {height} pixels, fewer than {LEAST_SIDE} a side"
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
