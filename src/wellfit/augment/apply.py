"""All changes in their order: flips, motion, crop, colours, blur, noise, JPEG, erase.

What is random is handed in: a row of uniform numbers for each picture, each operation reading its own columns, so that
a picture is changed in the same way whatever else is on, on every device, and whatever pictures stand beside it.
A Gaussian blur, with its own width for every picture.
Brightness, contrast and saturation: each blends a picture with black, its mean grey, or its own grey picture.
Random crops of a padded picture: the picture, mirrored at its edges, moved by whole pixels.
CutMix (Yun et al., 2019): a box of every picture comes from its partner, and that share of its label.
Cutout (DeVries and Taylor, 2017): a rectangle is blanked with the picture's mean colour.
Mirror images.
Gaussian noise on every value of a picture.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor
from torch.nn.functional import pad

from wellfit.augment.geometry import Motion, each, grey_of, moved, where
from wellfit.augment.jpeg import recompressed
from wellfit.augmentation import OPERATIONS, Augmentation, range_of


def brightened(pictures: Tensor, factor: Tensor) -> Tensor:
    """Return factor [N] * pictures [N, C, H, W], inside [0, 1]."""
    return where(factor != 1, (each(factor) * pictures).clamp_(0, 1), pictures)


def contrasted(pictures: Tensor, factor: Tensor) -> Tensor:
    """Return mean + factor [N] * (pictures - mean), with the mean of each picture's grey values, inside [0, 1]."""
    mean = grey_of(pictures).mean(dim=(2, 3), keepdim=True)
    return where(factor != 1, (mean + each(factor) * (pictures - mean)).clamp_(0, 1), pictures)


def saturated(pictures: Tensor, factor: Tensor) -> Tensor:
    """Return grey + factor [N] * (pictures - grey), with the grey value of each pixel, inside [0, 1]."""
    if pictures.shape[1] == 1:
        return pictures
    grey = grey_of(pictures)
    return where(factor != 1, (grey + each(factor) * (pictures - grey)).clamp_(0, 1), pictures)


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


TRUNCATE = 3.0
"""A kernel reaches this many standard deviations, rounded to pixels."""


def blurred(pictures: Tensor, sigma: Tensor) -> Tensor:
    """Return pictures [N, C, H, W] under Gaussians of `sigma` [N] pixels; the edges are mirrored."""
    taps = _kernels(sigma)
    down = _filtered(pictures, taps, vertical=True)
    return where(sigma > 0, _filtered(down, taps, vertical=False), pictures)


def _kernels(sigma: Tensor) -> Tensor:
    """Return [N, 2 r + 1] weights, r the widest radius; a narrower kernel has zeros at its ends."""
    # In double, so that rounding does not depend on the pictures that stand beside.
    wide = sigma.double()
    radius = (TRUNCATE * wide).round()
    widest = int(radius.max())
    places = torch.arange(-widest, widest + 1, device=wide.device, dtype=wide.dtype)
    weights = torch.exp(-0.5 * (places[None, :] / wide.clamp(min=1e-6)[:, None]) ** 2)
    weights = torch.where(places.abs()[None, :] <= radius[:, None], weights, 0)
    return (weights / weights.sum(dim=1, keepdim=True)).to(sigma.dtype)


def _filtered(pictures: Tensor, taps: Tensor, *, vertical: bool) -> Tensor:
    radius, size = taps.shape[1] // 2, pictures.shape[2 if vertical else 3]
    if size == 1:
        return pictures
    wide = pictures
    # One mirror reaches across the picture at most; a wide kernel on a small picture takes several.
    left = radius
    while left > 0:
        step = min(left, size - 1)
        wide = pad(wide, (0, 0, step, step) if vertical else (step, step, 0, 0), mode="reflect")
        left -= step
    found = torch.zeros_like(pictures)
    for place in range(taps.shape[1]):
        part = wide.narrow(2 if vertical else 3, place, size)
        found = found + each(taps[:, place]) * part
    return found


def shifted(pictures: Tensor, *, down: Tensor, right: Tensor) -> Tensor:
    """Return pictures [N, C, H, W] moved by whole pixels [N]; beyond the edge they are mirrored at it.

    The same as padding by reflection and cutting out a window; the pixels at the edge are not repeated.
    """
    count, channels, height, width = pictures.shape
    rows = _mirrored(height, by=down)[:, None, :, None].expand(count, channels, height, width)
    columns = _mirrored(width, by=right)[:, None, None, :].expand(count, channels, height, width)
    return pictures.gather(2, rows).gather(3, columns)


def _mirrored(size: int, *, by: Tensor) -> Tensor:
    """Return [N, size]: which place each place is filled from."""
    places = torch.arange(size, device=by.device)[None, :] - by.round().long()[:, None]
    if size == 1:
        return torch.zeros_like(places)
    turn = 2 * (size - 1)
    places = places.remainder(turn)
    return torch.minimum(places, turn - places)


def box_of(*, area: float, down: float, right: float, shape: tuple[int, int]) -> Tensor:
    """Return [H, W], True inside the box that all pictures of a batch exchange.

    Args:
        area: share of the picture, before the box is cut at its edges.
        down: height of the centre, from 0 (top) to 1.
        right: place of the centre across, from 0 (left) to 1.
        shape: H and W.
    """
    centre, side = torch.tensor([[down], [right]]), torch.tensor([math.sqrt(area)])
    return boxes(rows=centre[0], columns=centre[1], share=side, shape=shape)[0, 0]


def share_outside(box: Tensor) -> float:
    """Return the share of its own label that a picture keeps: the pixels that it keeps."""
    return 1 - float(box.float().mean())


def boxes(*, rows: Tensor, columns: Tensor, share: Tensor, shape: tuple[int, int]) -> Tensor:
    """Return [N, 1, H, W], True inside boxes of `share` of both sides about a centre; they may reach over the edge.

    Args:
        rows: [N] height of the centre, from 0 (top) to 1.
        columns: [N] place of the centre across, from 0 (left) to 1.
        share: [N] of the sides.
        shape: H and W.
    """
    down = _between(rows * shape[0], half=share * shape[0] / 2, size=shape[0])
    across = _between(columns * shape[1], half=share * shape[1] / 2, size=shape[1])
    return (down[:, :, None] & across[:, None, :])[:, None]


def erased(pictures: Tensor, inside: Tensor) -> Tensor:
    """Return pictures [N, C, H, W] with the mean of each of their channels `inside` [N, 1, H, W]."""
    mean = pictures.mean(dim=(2, 3), keepdim=True)
    blank = torch.where(inside, mean, pictures)
    return where(inside.flatten(1).any(dim=1), blank, pictures)


def _between(centre: Tensor, *, half: Tensor, size: int) -> Tensor:
    """Return [N, size], True for pixels whose middle lies within `half` of `centre`."""
    middles = torch.arange(size, device=centre.device, dtype=centre.dtype) + 0.5
    return (middles[None, :] - centre[:, None]).abs() < half[:, None]


def flip_horizontal(pictures: Tensor, flipped: Tensor) -> Tensor:
    """Return pictures [N, C, H, W] with left and right exchanged in the rows marked in `flipped` [N]."""
    return where(flipped, pictures.flip(3), pictures)


def flip_vertical(pictures: Tensor, flipped: Tensor) -> Tensor:
    """Return pictures [N, C, H, W] with top and bottom exchanged in the rows marked in `flipped` [N]."""
    return where(flipped, pictures.flip(2), pictures)


def noisy(pictures: Tensor, *, spread: Tensor, normal: Tensor) -> Tensor:
    """Return pictures [N, C, H, W] + spread [N] * normal [N, C, H, W], inside [0, 1]."""
    return where(spread != 0, (pictures + each(spread) * normal).clamp_(0, 1), pictures)
