"""Random changes to training pictures: ranges, names for their strengths, and the protection of labels.

A flipped 6 is no longer a 6: a change that can alter a label is never on unless the user asks for it.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace

from wellfit.exceptions import BadInput

STRENGTHS: Mapping[str, float] = {"none": 0.0, "light": 0.4, "strong": 1.0}
"""Named ranges, as fractions of the defaults of `Augmentation`."""
_MIRROR_WORDS = frozenset({"left", "right"})
_SHARES = ("flip_horizontal", "flip_vertical", "cutmix")
LARGEST: Mapping[str, float] = {
    **dict.fromkeys(_SHARES, 1.0),
    **dict.fromkeys(("translate", "erase", "brightness", "contrast", "saturation", "noise"), 1.0),
    **{"rotate": 180.0, "scale": 3.0, "crop": 64.0, "blur": 8.0, "jpeg": 99.0},
}


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """Ranges of random changes at strength 1; 0 leaves a change out.

    Attributes:
        flip_horizontal: share of the pictures mirrored from left to right; `flip_vertical`, from top to bottom.
        rotate: largest rotation in either direction, in degrees.
        translate: largest shift in either direction, as a share of height and width.
        scale: a picture is enlarged or reduced by a factor of at most 1 + scale.
        crop: largest shift in either direction of a picture mirrored at its edges, in pixels.
        erase: side of a square that is blanked, as a share of the picture's sides (cutout).
        brightness: a factor from 1 - b to 1 + b on all values; `contrast` is one on the distances from the picture's
            mean grey, and `saturation` one on the distances from each pixel's grey.
        noise: largest standard deviation of Gaussian noise, where white is 1.
        blur: largest standard deviation of a Gaussian blur, in pixels.
        jpeg: compression as JPEG with a quality of at least 100 - jpeg.
        cutmix: share of the batches in which a box, and its share of the label, comes from another picture.
    """

    flip_horizontal: float = 0.0
    flip_vertical: float = 0.0
    rotate: float = 15.0
    translate: float = 0.1
    scale: float = 0.15
    crop: float = 0.0
    erase: float = 0.0
    brightness: float = 0.2
    contrast: float = 0.2
    saturation: float = 0.2
    noise: float = 0.0
    blur: float = 0.0
    jpeg: float = 0.0
    cutmix: float = 0.0

    def __post_init__(self) -> None:
        for name in OPERATIONS:
            value, most = getattr(self, name), LARGEST[name]
            if not (math.isfinite(value) and 0 <= value <= most):
                raise BadInput(
                    f"{name} must be in [0, {most:g}]",
                    found=f"{name}={value!r}",
                    remedy=f"Choose a value in that range for {name}",
                )

    @classmethod
    def within(cls, ranges: Mapping[str, float]) -> Augmentation:
        """Return these ranges without other changes, each limited to the largest allowed value."""
        return cls(**{name: min(ranges.get(name, 0.0), LARGEST[name]) for name in OPERATIONS})


OPERATIONS: tuple[str, ...] = tuple(one.name for one in fields(Augmentation))
NOTHING = Augmentation(**dict.fromkeys(OPERATIONS, 0.0))


def asked_for(text: str, *, classes: Sequence[str] = (), colour: bool = True) -> Augmentation:
    """Return the ranges of `none`, `light` or `strong`, or only those named, as in `rotate=10,translate=.1`.

    The classes and the colour decide whether a named strength mirrors pictures. Raises BadInput for an unknown
    operation.
    """
    if text in STRENGTHS:
        mirrored = 0.5 if survives_mirror(classes, colour=colour) else 0.0
        strength = STRENGTHS[text]
        weaker = {name: round(strength * getattr(Augmentation(), name), 6) for name in OPERATIONS}
        return replace(Augmentation(**weaker), flip_horizontal=mirrored if strength else 0.0)
    return replace(NOTHING, **dict(_range(item) for item in text.split(",") if item.strip()))


def range_of(name: str, one: Augmentation, strength: float) -> float:
    """Return the range of one operation for a member: the requested range times the strength."""
    value = float(getattr(one, name))
    # A share of pictures ends at what was asked for: a strength above 1 must not flip nine of ten.
    return value * min(strength, 1.0) if name in _SHARES else value * strength


def survives_mirror(classes: Sequence[str], *, colour: bool = True) -> bool:
    """Return True if a mirrored picture certainly keeps its label: never for digits, letters and text.

    This holds only for colour pictures whose class names all have at least two letters and mention neither left nor
    right.
    """
    words = [word for name in classes for word in name.lower().replace("-", " ").replace("_", " ").split()]
    named = bool(words) and all(len(name) > 1 and not name.isdigit() for name in classes)
    return colour and named and not _MIRROR_WORDS & set(words)


def _range(item: str) -> tuple[str, float]:
    name, _, value = item.partition("=")
    name = name.strip().replace("-", "_")
    if name not in OPERATIONS:
        near = difflib.get_close_matches(name, [*OPERATIONS, *STRENGTHS], n=1)
        raise BadInput(
            f"augment must be {', '.join(STRENGTHS)} or ranges of operations",
            found=repr(item.strip()),
            remedy=f"Did you mean {near[0]!r}?" if near else f"Choose from {', '.join(OPERATIONS)}",
        )
    try:
        return name, float(value)
    except ValueError as error:
        raise BadInput(
            "the range of an operation must be a number", found=repr(item.strip()), remedy=f"Write {name}=NUMBER"
        ) from error
