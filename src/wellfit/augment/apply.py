"""All changes in their order: flips, motion, crop, colours, blur, noise, JPEG, erase.

What is random is handed in: a row of uniform numbers for each picture, each operation reading its own columns, so that
a picture is changed in the same way whatever else is on, on every device, and whatever pictures stand beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor

from wellfit.augment.blur import blurred
from wellfit.augment.colour import brightened, contrasted, saturated
from wellfit.augment.crop import shifted
from wellfit.augment.erase import boxes, erased
from wellfit.augment.flips import flip_horizontal, flip_vertical
from wellfit.augment.geometry import Motion, moved
from wellfit.augment.jpeg import recompressed
from wellfit.augment.noise import noisy
from wellfit.augmentation import OPERATIONS, Augmentation, range_of

COLUMNS: Mapping[str, tuple[int, ...]] = MappingProxyType(
    {
        "flip_horizontal": (0,),
        "flip_vertical": (1,),
        "rotate": (2,),
        "translate": (3, 4),
        "scale": (5,),
        "crop": (6, 7),
        "erase": (8, 9),
        "brightness": (10,),
        "contrast": (11,),
        "saturation": (12,),
        "noise": (13,),
        "blur": (14,),
        "jpeg": (15,),
    }
)
"""Which uniform numbers of a row an operation reads: a new operation takes new columns, and moves no other."""
DRAWN = 16

Ranges = Mapping[str, Tensor]
"""Operation -> [N] range of each picture: the member's range times its strength."""


@dataclass(frozen=True)
class Draws:
    """What is random about N pictures.

    Attributes:
        uniform: [N, DRAWN] in [0, 1).
        normal: [N, C, H, W] standard normal; None where no picture gets noise.
    """

    uniform: Tensor
    normal: Tensor | None = None

    def of(self, operation: str) -> list[Tensor]:
        """Return the uniform numbers [N] that an operation reads."""
        return [self.uniform[:, column] for column in COLUMNS[operation]]

    def both_ways(self, operation: str) -> list[Tensor]:
        """Return them spread over [-1, 1)."""
        return [2 * each - 1 for each in self.of(operation)]


def ranges_of(members: Sequence[tuple[Augmentation, float]], *, rows: int) -> dict[str, Tensor]:
    """Return operation -> [K * rows]: for K members with their strengths, each for its `rows` pictures in turn."""
    return {
        name: torch.tensor([range_of(name, one, strength) for one, strength in members]).repeat_interleave(rows)
        for name in OPERATIONS
    }


def augmented(pictures: Tensor, draws: Draws, *, ranges: Ranges) -> Tensor:
    """Return pictures [N, C, H, W], values in [0, 1], after random changes of at most `ranges`.

    A picture all of whose ranges are 0 comes back as it is.
    """
    for steps, step in _STEPS:
        if any(bool(ranges[name].any()) for name in steps):
            pictures = step(pictures, draws, ranges)
    return pictures


def _flip_horizontal(pictures: Tensor, draws: Draws, ranges: Ranges) -> Tensor:
    return flip_horizontal(pictures, draws.of("flip_horizontal")[0] < ranges["flip_horizontal"])


def _flip_vertical(pictures: Tensor, draws: Draws, ranges: Ranges) -> Tensor:
    return flip_vertical(pictures, draws.of("flip_vertical")[0] < ranges["flip_vertical"])


def _move(pictures: Tensor, draws: Draws, ranges: Ranges) -> Tensor:
    (turn,), (grow,), (down, right) = (draws.both_ways(name) for name in ("rotate", "scale", "translate"))
    motion = Motion(
        degrees=turn * ranges["rotate"],
        factor=(1 + ranges["scale"]) ** grow,
        down=down * ranges["translate"] * pictures.shape[2],
        right=right * ranges["translate"] * pictures.shape[3],
    )
    return moved(pictures, motion)


def _crop(pictures: Tensor, draws: Draws, ranges: Ranges) -> Tensor:
    down, right = ((each * ranges["crop"]).round() for each in draws.both_ways("crop"))
    return shifted(pictures, down=down, right=right)


def _blend(name: str, blend: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Tensor, Draws, Ranges], Tensor]:
    def step(pictures: Tensor, draws: Draws, ranges: Ranges) -> Tensor:
        return blend(pictures, 1 + draws.both_ways(name)[0] * ranges[name])

    return step


def _blur(pictures: Tensor, draws: Draws, ranges: Ranges) -> Tensor:
    return blurred(pictures, draws.of("blur")[0] * ranges["blur"])


def _noise(pictures: Tensor, draws: Draws, ranges: Ranges) -> Tensor:
    if draws.normal is None:
        return pictures
    return noisy(pictures, spread=draws.of("noise")[0] * ranges["noise"], normal=draws.normal)


def _jpeg(pictures: Tensor, draws: Draws, ranges: Ranges) -> Tensor:
    # Geometric: between 100 and 10 little is lost, below 10 most is.
    worst = (1 - ranges["jpeg"] / 100).clamp_min(0.01)
    quality = 100 * worst ** draws.of("jpeg")[0]
    return recompressed(pictures, quality=quality, chosen=ranges["jpeg"] > 0)


def _erase(pictures: Tensor, draws: Draws, ranges: Ranges) -> Tensor:
    down, right = draws.of("erase")
    shape = (pictures.shape[2], pictures.shape[3])
    return erased(pictures, boxes(rows=down, columns=right, share=ranges["erase"], shape=shape))


_STEPS: tuple[tuple[tuple[str, ...], Callable[[Tensor, Draws, Ranges], Tensor]], ...] = (
    (("flip_horizontal",), _flip_horizontal),
    (("flip_vertical",), _flip_vertical),
    (("rotate", "scale", "translate"), _move),
    (("crop",), _crop),
    (("brightness",), _blend("brightness", brightened)),
    (("contrast",), _blend("contrast", contrasted)),
    (("saturation",), _blend("saturation", saturated)),
    (("blur",), _blur),
    (("noise",), _noise),
    (("jpeg",), _jpeg),
    (("erase",), _erase),
)
