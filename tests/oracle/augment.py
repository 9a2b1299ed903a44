"""The random changes of pictures as operations of torch on whole batches: the oracle of augment/kernels.py.

All changes in their order: flips, motion, crop, colours, blur, noise, JPEG, erase. What is random is handed in: a row
of uniform numbers for each picture, each operation reading its own columns. Shapes: N pictures, C channels, H rows of
pixels, W columns. Values are in [0, 1]; a parameter is a tensor [N].
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import grid_sample, pad

from wellfit.augment.apply import CHROMINANCE, COLUMNS, GREY, LUMINANCE, TO_YCC, TRUNCATE
from wellfit.augment.kernels import BLOCK, TIE
from wellfit.records.augmentation import OPERATIONS, Augmentation, range_of
from wellfit.training.pictures import Address, Member, Shape, drawn


@dataclass(frozen=True)
class Motion:
    """How each picture is moved about its centre: it is scaled, then rotated, then translated.

    Attributes:
        degrees: [N] counterclockwise.
        factor: [N] above 1 enlarges.
        down: [N] pixels.
        right: [N] pixels.
    """

    degrees: Tensor
    factor: Tensor
    down: Tensor
    right: Tensor

    @classmethod
    def none(cls, rows: int, *, like: Tensor) -> Motion:
        """Return the motion that leaves `rows` pictures where they are."""
        zeros = like.new_zeros(rows)
        return cls(zeros, torch.ones_like(zeros), zeros, zeros)

    @property
    def moves(self) -> Tensor:
        """[N] True where anything moves."""
        return (self.degrees != 0) | (self.factor != 1) | (self.down != 0) | (self.right != 0)


def moved(pictures: Tensor, motion: Motion) -> Tensor:
    """Return pictures [N, C, H, W] after their motion."""
    theta = _source_of_target(motion, height=pictures.shape[2], width=pictures.shape[3])
    grid = _places(theta, height=pictures.shape[2], width=pictures.shape[3])
    after = grid_sample(pictures, grid, mode="bilinear", padding_mode="border", align_corners=False)
    return where(motion.moves, after, pictures)


def _places(theta: Tensor, *, height: int, width: int) -> Tensor:
    """Return the places [N, H, W, 2] of `theta` [N, 2, 3] for every pixel.

    The same as `torch.nn.functional.affine_grid`, whose products of matrices take several times as long on a CPU.
    """
    down, across = (
        (2 * torch.arange(size, device=theta.device, dtype=theta.dtype) + 1) / size - 1 for size in (height, width)
    )
    grid = theta.new_empty(len(theta), height, width, 2)
    for axis in (0, 1):
        by_row = theta[:, axis, 1, None] * down + theta[:, axis, 2, None]
        by_column = theta[:, axis, 0, None] * across
        torch.add(by_row[:, :, None], by_column[:, None, :], out=grid[..., axis])
    return grid


def _source_of_target(motion: Motion, *, height: int, width: int) -> Tensor:
    """Return [N, 2, 3]: from a place in the result to the place in the picture, both in [-1, 1], x before y."""
    angle = torch.deg2rad(motion.degrees)
    cos, sin = torch.cos(angle) / motion.factor, torch.sin(angle) / motion.factor
    # With y downwards a counterclockwise turn takes (x, y) to (cos x + sin y, -sin x + cos y); this is its inverse.
    aspect = height / width
    across, along = 2 * motion.right / width, 2 * motion.down / height
    x_row = torch.stack([cos, -sin * aspect, -(cos * across - sin * aspect * along)], dim=1)
    y_row = torch.stack([sin / aspect, cos, -(sin / aspect * across + cos * along)], dim=1)
    return torch.stack([x_row, y_row], dim=1)


def each(parameter: Tensor) -> Tensor:
    """Return a parameter [N] as [N, 1, 1, 1], to meet pictures."""
    return parameter[:, None, None, None]


def where(changed: Tensor, after: Tensor, before: Tensor) -> Tensor:
    """Return `after` for the rows marked in `changed` [N], and the very values of `before` for the others."""
    if changed.device.type == "cpu" and bool(changed.all()):
        return after
    return torch.where(each(changed), after, before)


def grey_of(pictures: Tensor) -> Tensor:
    """Return the grey values [N, 1, H, W] of pictures of 3 channels, or the pictures of one channel themselves."""
    if pictures.shape[1] == 1:
        return pictures
    weights = pictures.new_tensor(GREY)[:, None, None]
    return (pictures * weights).sum(dim=1, keepdim=True)


def compressed(pictures: Tensor, quality: Tensor) -> Tensor:
    """Return pictures [N, C, H, W], C 1 or 3, as JPEG of `quality` [N] from 1 to 100 gives them back."""
    height, width = pictures.shape[2:]
    colour = pictures.shape[1] == 3
    turn = pictures.new_tensor(TO_YCC)
    levels = _whole(pictures * 255)
    planes = torch.einsum("dc,nchw->ndhw", turn, levels) if colour else levels
    if colour:
        planes = planes + pictures.new_tensor([0.0, 128.0, 128.0])[:, None, None]
    wide = pad(_whole(planes) - 128, (0, -width % BLOCK, 0, -height % BLOCK), mode="replicate")
    kept = _rounded(wide, tables_of(quality, channels=pictures.shape[1]))[:, :, :height, :width]
    planes = _whole(kept + 128).clamp(0, 255)
    if colour:
        planes = planes - pictures.new_tensor([0.0, 128.0, 128.0])[:, None, None]
        planes = torch.einsum("cd,ndhw->nchw", torch.linalg.inv(turn), planes)
    return _whole(planes).clamp(0, 255) / 255


def recompressed(pictures: Tensor, *, quality: Tensor, chosen: Tensor) -> Tensor:
    """Return `compressed` for the rows marked in `chosen` [N], the others as they are."""
    return where(chosen, compressed(pictures, quality), pictures)


def _rounded(planes: Tensor, tables: Tensor) -> Tensor:
    """Return planes [N, C, H, W] whose blocks' cosine coefficients are multiples of `tables` [N, C, 8, 8]."""
    count, channels, height, width = planes.shape
    blocks = planes.reshape(count, channels, height // BLOCK, BLOCK, width // BLOCK, BLOCK).transpose(3, 4)
    waves = cosines(planes)
    steps = tables[:, :, None, None]
    coefficients = _whole(waves @ blocks @ waves.T / steps) * steps
    return (waves.T @ coefficients @ waves).transpose(3, 4).reshape(planes.shape)


def _whole(values: Tensor) -> Tensor:
    return (values + TIE).round()


def cosines(like: Tensor) -> Tensor:
    """Return the orthonormal cosine transform [8, 8]: frequencies by places."""
    places = torch.arange(BLOCK, device=like.device, dtype=like.dtype)
    waves = torch.cos((2 * places[None, :] + 1) * places[:, None] * math.pi / (2 * BLOCK)) * math.sqrt(2 / BLOCK)
    return torch.cat([waves[:1] / math.sqrt(2), waves[1:]])


def tables_of(quality: Tensor, *, channels: int) -> Tensor:
    """Return the quantization tables [N, C, 8, 8] of qualities [N]."""
    whole = quality.round().clamp(1, 100)
    scale = torch.where(whole < 50, (5000 / whole).floor(), 200 - 2 * whole)
    base = torch.stack([quality.new_tensor(LUMINANCE), *[quality.new_tensor(CHROMINANCE)] * 2])[:channels]
    tables = ((base.reshape(channels, BLOCK, BLOCK) * each(scale) + 50) / 100).floor()
    return tables.clamp(1, 255)


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


def changed(values: Tensor, members: Sequence[Member], *, at: Address, shape: Shape) -> Tensor:
    """Return pixels [K, N, D] of a batch [N, D], as each of K members sees them."""
    rows, count, (height, width, channels) = len(values), len(members), shape
    uniform, normal = drawn(members, at=at, rows=rows, shape=shape)
    noise = None if normal is None else torch.from_numpy(normal).to(values).repeat(count, 1, 1, 1)
    draws = Draws(torch.from_numpy(uniform).to(values).repeat(count, 1), noise)
    ranges = {name: each.to(values) for name, each in ranges_of(members, rows=rows).items()}
    pictures = values.reshape(rows, channels, height, width).repeat(count, 1, 1, 1)
    return augmented(pictures, draws, ranges=ranges).reshape(count, rows, -1)
