"""Random changes to training pictures: ranges, names for their strengths, and the protection of labels.

A flipped 6 is no longer a 6: a change that can alter a label is never on unless it was asked for.
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
        flip_horizontal: share of the pictures that are mirrored, left to right; `flip_vertical`: top to bottom.
        rotate: degrees, either way.
        translate: share of height and width, either way.
        scale: a picture is made larger or smaller by a factor of at most 1 + scale.
        crop: pixels by which a picture, mirrored at its edges, is moved either way.
        erase: side of a square that is blanked, as a share of the picture's sides (cutout).
        brightness: factor 1 - b to 1 + b on all values; `contrast`: on the distances from the picture's mean grey;
            `saturation`: on the distances from each pixel's grey.
        noise: largest standard deviation of Gaussian noise, where white is 1.
        blur: largest standard deviation of a Gaussian blur, in pixels.
        jpeg: compressed as JPEG with a quality of 100 - jpeg at worst.
        cutmix: share of the batches in which a box is cut from another picture, and its label with it.
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
                    remedy=f"Give {name} a value in that range",
                )

    @classmethod
    def within(cls, ranges: Mapping[str, float]) -> Augmentation:
        """Return these ranges and no other changes, each limited to the largest allowed."""
        return cls(**{name: min(ranges.get(name, 0.0), LARGEST[name]) for name in OPERATIONS})


OPERATIONS: tuple[str, ...] = tuple(one.name for one in fields(Augmentation))
NOTHING = Augmentation(**dict.fromkeys(OPERATIONS, 0.0))


def asked_for(text: str, *, classes: Sequence[str] = (), colour: bool = True) -> Augmentation:
    """Return the ranges of `none`, `light` or `strong`, or only those given, as in `rotate=10,translate=.1`.

    Classes and colour decide whether a named strength mirrors pictures. Raises BadInput for an unknown operation.
    """
    if text in STRENGTHS:
        mirrored = 0.5 if survives_mirror(classes, colour=colour) else 0.0
        strength = STRENGTHS[text]
        weaker = {name: round(strength * getattr(Augmentation(), name), 6) for name in OPERATIONS}
        return replace(Augmentation(**weaker), flip_horizontal=mirrored if strength else 0.0)
    return replace(NOTHING, **dict(_range(item) for item in text.split(",") if item.strip()))


def range_of(name: str, one: Augmentation, strength: float) -> float:
    """Return the range of one operation for a member: the range asked for, times the strength."""
    value = float(getattr(one, name))
    # A share of pictures ends at what was asked for: a strength above 1 must not flip nine of ten.
    return value * min(strength, 1.0) if name in _SHARES else value * strength


def survives_mirror(classes: Sequence[str], *, colour: bool = True) -> bool:
    """Return True if a mirrored picture surely keeps its label: never for digits, letters and text.

    True only for colour pictures whose class names all have two letters or more and mention no side.
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
            f"augment must be {', '.join(STRENGTHS)}, or ranges of operations",
            found=repr(item.strip()),
            remedy=f"Did you mean {near[0]!r}" if near else f"Choose from {', '.join(OPERATIONS)}",
        )
    try:
        return name, float(value)
    except ValueError as error:
        raise BadInput(
            "the range of an operation must be a number", found=repr(item.strip()), remedy=f"Write {name}=NUMBER"
        ) from error
