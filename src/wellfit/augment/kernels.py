"""The random changes of apply.py, compiled: each picture in turn gets all its changes while in the core's cache.

Flips, motion and crop are a single resampling: each place of the result is traced back through all of them at once.
The torch operations in tests/oracle/augment.py are the definitions; the tests require equal values from both.

Shapes: K members, N pictures, C channels, H rows of pixels, W columns. Literals would be float64, so they are avoided.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from wellfit.base.compiled import compiled
from wellfit.base.typing import Floats, Real

# Columns of a member's ranges [len(OPERATIONS)], in the order of `augmentation.OPERATIONS`.
FLIP_HORIZONTAL, FLIP_VERTICAL, ROTATE, TRANSLATE, SCALE, CROP, ERASE = range(7)
BRIGHTNESS, CONTRAST, SATURATION, NOISE, BLUR, JPEG = range(7, 13)
# Columns of a picture's uniform numbers [DRAWN], as `apply.COLUMNS` gives them away; the first two are those above.
DRAWN_TURN, DRAWN_DOWN, DRAWN_RIGHT, DRAWN_SCALE, DRAWN_CROP_DOWN, DRAWN_CROP_RIGHT = range(2, 8)
DRAWN_ERASE_DOWN, DRAWN_ERASE_RIGHT, DRAWN_BRIGHTNESS, DRAWN_CONTRAST, DRAWN_SATURATION = range(8, 13)
DRAWN_NOISE, DRAWN_BLUR, DRAWN_JPEG = range(13, 16)

PLACES_AT_ONCE = 1_024
"""Number of places of a picture handled at once, so that the notes on them stay in the first-level cache."""
TIE = 5e-4
"""Added before JPEG rounds: exact halves are frequent and would be rounded up in one place and down in another."""
BLOCK = 8
WHITE = 255


class Desk(NamedTuple):
    """Buffers in which one picture is changed, allocated once."""

    rows: Floats  # [H * W] the row that each place is filled from; its own without a crop
    columns: Floats  # [H * W] the column
    nearest: npt.NDArray[np.uint32]  # [PLACES_AT_ONCE] upper left of the four pixels about a point, a place in H * W
    across: Floats  # [PLACES_AT_ONCE] share of the right pixels
    along: Floats  # [PLACES_AT_ONCE] share of the lower pixels
    plane: Floats  # [H, W]
    planes: Floats  # [C, H8, W8], the sides filled up to whole blocks
    taps: npt.NDArray[np.float64]  # weights of the widest blur
    blocks: Floats  # [2, 8, 8]
    waves: Floats  # [2, 8, 8] cosines: frequencies by places, and the other way round
    turn: Floats  # [2, C, C] from channels to brightness and colour differences, and back
    tables: Floats  # [C, 8, 8] quantization steps of quality 50
    steps: Floats  # [C, 8, 8] of the quality of one picture
    grey: Floats  # [C] weights of a grey value


@compiled
def change(pictures: Floats, uniform: Floats, normal: Floats, ranges: Floats, desk: Desk, found: Floats) -> None:
    """Write N pictures [N, C, H, W] as each of K members sees them to found [K, N, C, H, W].

    Args:
        pictures: values in [0, 1].
        uniform: numbers [N, DRAWN] in [0, 1).
        normal: standard normal numbers [N, C, H, W]; [0, C, H, W] if no member has noise.
        ranges: ranges [K, len(OPERATIONS)], each multiplied by its member's strength.
        desk: buffers to work in.
        found: the result.
    """
    for member in range(len(ranges)):
        most = ranges[member]
        if most[CROP] == 0:
            # The member before may have cropped.
            _crop(uniform[0], most[CROP], pictures.shape[2:], desk)
        for row in range(len(pictures)):
            draw, picture = uniform[row], found[member, row]
            _place(pictures[row], draw, most, desk, picture)
            _colour(picture, draw, most, desk)
            if most[BLUR] > 0:
                _blur(picture, draw[DRAWN_BLUR] * most[BLUR], desk)
            if most[NOISE] > 0 and len(normal):
                _add(picture, draw[DRAWN_NOISE] * most[NOISE], normal[row])
            if most[JPEG] > 0:
                real = picture.dtype.type
                worst = max(real(1) - most[JPEG] / real(100), real(0.01))
                quality = real(100) * worst ** draw[DRAWN_JPEG]
                _compress(picture, quality, desk)
            if most[ERASE] > 0:
                _erase(picture, draw, most[ERASE])


@compiled
def _both_ways(draw: Floats, place: int) -> Real:
    """Return one draw, stretched from [0, 1) to [-1, 1)."""
    spread: Real = draw[place] + draw[place] - draw.dtype.type(1)
    return spread


@compiled
def _place(source: Floats, draw: Floats, most: Floats, desk: Desk, found: Floats) -> None:
    """Flip, move and crop one picture [C, H, W]."""
    height, width = source.shape[1:]
    real = source.dtype.type
    mirrored, upturned = draw[FLIP_HORIZONTAL] < most[FLIP_HORIZONTAL], draw[FLIP_VERTICAL] < most[FLIP_VERTICAL]
    moved = most[ROTATE] > 0 or most[TRANSLATE] > 0 or most[SCALE] > 0 or most[CROP] > 0
    if not (mirrored or upturned or moved) or height < 2 or width < 2:
        found[:] = source
        return
    if most[CROP] > 0:
        _crop(draw, most[CROP], (height, width), desk)
    angle = _both_ways(draw, DRAWN_TURN) * most[ROTATE] * real(math.pi / 180)
    factor = (real(1) + most[SCALE]) ** _both_ways(draw, DRAWN_SCALE)
    cos, sin = real(math.cos(angle)) / factor, real(math.sin(angle)) / factor
    down = _both_ways(draw, DRAWN_DOWN) * most[TRANSLATE] * real(height)
    right = _both_ways(draw, DRAWN_RIGHT) * most[TRANSLATE] * real(width)
    middle_down, middle_right = real(height - 1) / real(2), real(width - 1) / real(2)
    # Counterclockwise with rows counted downwards: the inverse takes (x, y) to (cos x - sin y, sin x + cos y).
    first_right = middle_right - (cos * (middle_right + right) - sin * (middle_down + down))
    first_down = middle_down - (sin * (middle_right + right) + cos * (middle_down + down))
    across = (cos, -sin, first_right)
    along = (sin, cos, first_down)
    if mirrored:
        across = (-cos, sin, real(width - 1) - first_right)
    if upturned:
        along = (-sin, -cos, real(height - 1) - first_down)
    _resample(source, across, along, desk, found)


@compiled
def _crop(draw: Floats, most: Real, shape: tuple[int, int], desk: Desk) -> None:
    """Note for each place the row and column from which it is filled: moved by whole pixels, mirrored at the edges."""
    height, width = shape
    down = int(np.rint(_both_ways(draw, DRAWN_CROP_DOWN) * most))
    right = int(np.rint(_both_ways(draw, DRAWN_CROP_RIGHT) * most))
    for row in range(height):
        source = _mirrored(row - down, height)
        for place in range(width):
            desk.rows[row * width + place] = source
    for place in range(width):
        source = _mirrored(place - right, width)
        for row in range(height):
            desk.columns[row * width + place] = source


@compiled
def _mirrored(place: int, size: int) -> int:
    """Return the place inside [0, size) to which mirrors at both ends map `place`."""
    turn = 2 * (size - 1)
    back = place % turn if turn else 0
    return min(back, turn - back)


@compiled
def _resample(
    source: Floats, across: tuple[Real, Real, Real], along: tuple[Real, Real, Real], desk: Desk, found: Floats
) -> None:
    """Fill each place (x, y) from x', y' of the source: x' = across . (x, y, 1), y' = along . (x, y, 1)."""
    channels, height, width = source.shape
    size = height * width
    one, below, following = source.dtype.type(1), np.uint32(width), np.uint32(1)
    planes, into = source.reshape(channels, size), found.reshape(channels, size)
    for start in range(0, size, PLACES_AT_ONCE):
        part = slice(start, min(start + PLACES_AT_ONCE, size))
        _find(across, along, (height, width), part, desk)
        for channel in range(channels):
            plane, filled = planes[channel], into[channel, part]
            for place in range(len(filled)):
                at, right, down = desk.nearest[place], desk.across[place], desk.along[place]
                upper = (one - right) * plane[at] + right * plane[at + following]
                lower = (one - right) * plane[at + below] + right * plane[at + below + following]
                filled[place] = (one - down) * upper + down * lower


@compiled
def _find(
    across: tuple[Real, Real, Real],
    along: tuple[Real, Real, Real],
    shape: tuple[int, int],
    part: slice,
    desk: Desk,
) -> None:
    """Note for each place of a part the four pixels between which its value is found, and their shares."""
    height, width = shape
    real = desk.across.dtype.type
    zero, last_right, last_down = real(0), real(width - 1), real(height - 1)
    # The last column and row begin no square of four: their places have a share of 1 in the square before.
    most_left, most_top, wide = np.int32(width - 2), np.int32(height - 2), np.int32(width)
    columns, rows = desk.columns[part], desk.rows[part]
    for place in range(len(columns)):
        x = min(max(across[0] * columns[place] + across[1] * rows[place] + across[2], zero), last_right)
        y = min(max(along[0] * columns[place] + along[1] * rows[place] + along[2], zero), last_down)
        left, top = min(np.int32(x), most_left), min(np.int32(y), most_top)
        desk.across[place], desk.along[place] = x - real(left), y - real(top)
        desk.nearest[place] = top * wide + left


@compiled
def _colour(picture: Floats, draw: Floats, most: Floats, desk: Desk) -> None:
    """Change brightness, contrast and saturation, as Pillow's `ImageEnhance` does."""
    channels = len(picture)
    zero, one = picture.dtype.type(0), picture.dtype.type(1)
    flat = picture.reshape(channels, picture.size // channels)
    factor = one + _both_ways(draw, DRAWN_BRIGHTNESS) * most[BRIGHTNESS]
    if factor != one:
        for channel in range(channels):
            for place in range(flat.shape[1]):
                flat[channel, place] = min(max(factor * flat[channel, place], zero), one)
    factor = one + _both_ways(draw, DRAWN_CONTRAST) * most[CONTRAST]
    if factor != one:
        mean = _mean_grey(flat, desk.grey)
        for channel in range(channels):
            for place in range(flat.shape[1]):
                flat[channel, place] = min(max(mean + factor * (flat[channel, place] - mean), zero), one)
    factor = one + _both_ways(draw, DRAWN_SATURATION) * most[SATURATION]
    if factor != one and channels == 3:
        for place in range(flat.shape[1]):
            red, green, blue = flat[0, place], flat[1, place], flat[2, place]
            grey = desk.grey[0] * red + desk.grey[1] * green + desk.grey[2] * blue
            flat[0, place] = min(max(grey + factor * (red - grey), zero), one)
            flat[1, place] = min(max(grey + factor * (green - grey), zero), one)
            flat[2, place] = min(max(grey + factor * (blue - grey), zero), one)


@compiled
def _mean_grey(flat: Floats, weights: Floats) -> Real:
    total = flat.dtype.type(0)
    for channel in range(len(flat)):
        part = flat.dtype.type(0)
        for place in range(flat.shape[1]):
            part += flat[channel, place]
        total += weights[channel] * part
    return total / flat.dtype.type(flat.shape[1])


@compiled
def _blur(picture: Floats, sigma: Real, desk: Desk) -> None:
    radius = int(np.rint(np.float64(3) * np.float64(sigma)))
    if radius == 0:
        return
    total = np.float64(0)
    for place in range(2 * radius + 1):
        away = np.float64(place - radius) / np.float64(sigma)
        desk.taps[place] = math.exp(np.float64(-0.5) * away * away)
        total += desk.taps[place]
    for place in range(2 * radius + 1):
        desk.taps[place] /= total
    for channel in range(len(picture)):
        _filter(picture[channel], desk.taps[: 2 * radius + 1], desk.plane)
        _filter(desk.plane.T, desk.taps[: 2 * radius + 1], picture[channel].T)


@compiled
def _filter(plane: Floats, taps: npt.NDArray[np.float64], into: Floats) -> None:
    """Write the weighted sums down each column of a plane, mirrored at its ends."""
    height, width = plane.shape
    radius = len(taps) // 2
    for row in range(height):
        into[row, :] = plane.dtype.type(0)
        for tap in range(len(taps)):
            weight, source = plane.dtype.type(taps[tap]), _mirrored(row + tap - radius, height)
            for place in range(width):
                into[row, place] += weight * plane[source, place]


@compiled
def _add(picture: Floats, spread: Real, normal: Floats) -> None:
    zero, one = picture.dtype.type(0), picture.dtype.type(1)
    flat, noise = picture.reshape(picture.size), normal.reshape(normal.size)
    for place in range(flat.size):
        flat[place] = min(max(flat[place] + spread * noise[place], zero), one)


@compiled
def _compress(picture: Floats, quality: Real, desk: Desk) -> None:
    """Degrade a picture like JPEG (ITU-T T.81) of a given quality, with libjpeg's scaling and no subsampling."""
    height, width = picture.shape[1:]
    real = picture.dtype.type
    zero, high, half = real(0), real(WHITE), real((WHITE + 1) // 2)
    _turn_colours(picture, desk)
    _set_steps(quality, desk)
    for channel in range(len(picture)):
        plane, steps = desk.planes[channel], desk.steps[channel]
        # Colour differences lie about 0 already.
        middle = zero if channel > 0 else half
        _centre(plane, (height, width), middle)
        for top in range(0, plane.shape[0], BLOCK):
            for left in range(0, plane.shape[1], BLOCK):
                _round_block(plane[top : top + BLOCK, left : left + BLOCK], steps, desk)
        for row in range(height):
            for place in range(width):
                plane[row, place] = min(max(_whole(plane[row, place] + half), zero), high) - half + middle
    _turn_back(picture, desk)


@compiled
def _centre(plane: Floats, shape: tuple[int, int], middle: Real) -> None:
    """Round a plane to levels about 0, and repeat its edges to fill whole blocks."""
    height, width = shape
    for row in range(height):
        for place in range(width):
            plane[row, place] = _whole(plane[row, place]) - middle
        plane[row, width:] = plane[row, width - 1]
    for row in range(height, len(plane)):
        plane[row] = plane[height - 1]


@compiled
def _turn_back(picture: Floats, desk: Desk) -> None:
    """Convert brightness and colour differences back to channels in [0, 1]."""
    channels, height, width = picture.shape
    zero, high = picture.dtype.type(0), picture.dtype.type(WHITE)
    for channel in range(channels):
        for row in range(height):
            into, weights = picture[channel, row], desk.turn[1, channel]
            into[:] = zero
            for other in range(channels):
                for place in range(width):
                    into[place] += weights[other] * desk.planes[other, row, place]
            for place in range(width):
                into[place] = min(max(_whole(into[place]), zero), high) / high


@compiled
def _whole(value: Real) -> Real:
    """Round by means of an integer, which vectorizes."""
    moved = value + type(value)(TIE)
    return type(value)(np.int32(moved + type(value)(0.5) if moved > 0 else moved - type(value)(0.5)))


@compiled
def _turn_colours(picture: Floats, desk: Desk) -> None:
    """Write brightness and colour differences, in levels from 0 to 255 and about 0."""
    channels, height, width = picture.shape
    white = picture.dtype.type(WHITE)
    for channel in range(channels):
        for row in range(height):
            into = desk.planes[channel, row]
            into[:] = picture.dtype.type(0)
            for other in range(channels):
                weight = desk.turn[0, channel, other]
                for place in range(width):
                    into[place] += weight * _whole(picture[other, row, place] * white)


@compiled
def _set_steps(quality: Real, desk: Desk) -> None:
    """Write the quantization steps of a quality."""
    real = desk.steps.dtype.type
    whole = min(max(np.rint(quality), real(1)), real(100))
    # Half a unit more than whole numbers: their quotients may be computed by way of reciprocals.
    scale = np.floor(real(5000.5) / whole) if whole < real(50) else real(200) - whole - whole
    for channel in range(len(desk.steps)):
        for row in range(BLOCK):
            for place in range(BLOCK):
                step = np.floor((desk.tables[channel, row, place] * scale + real(50.5)) / real(100))
                desk.steps[channel, row, place] = min(max(step, real(1)), real(WHITE))


@compiled
def _round_block(block: Floats, steps: Floats, desk: Desk) -> None:
    """Round the cosine coefficients of a block [8, 8] to multiples of `steps`."""
    half_way, spectrum = desk.blocks[0], desk.blocks[1]
    _product(desk.waves[0], block, half_way)
    _product(half_way, desk.waves[1], spectrum)
    for row in range(BLOCK):
        for place in range(BLOCK):
            spectrum[row, place] = _whole(spectrum[row, place] / steps[row, place]) * steps[row, place]
    _product(desk.waves[1], spectrum, half_way)
    _product(half_way, desk.waves[0], block)


@compiled
def _product(one: Floats, other: Floats, into: Floats) -> None:
    for row in range(BLOCK):
        for place in range(BLOCK):
            into[row, place] = one[row, 0] * other[0, place]
        for inner in range(1, BLOCK):
            for place in range(BLOCK):
                into[row, place] += one[row, inner] * other[inner, place]


@compiled
def _erase(picture: Floats, draw: Floats, share: Real) -> None:
    """Fill a rectangle with the mean of each channel."""
    _, height, width = picture.shape
    top, bottom = _between(draw, DRAWN_ERASE_DOWN, share, height)
    left, right = _between(draw, DRAWN_ERASE_RIGHT, share, width)
    for channel in range(len(picture)):
        plane, total = picture[channel], picture.dtype.type(0)
        for row in range(height):
            for place in range(width):
                total += plane[row, place]
        plane[top:bottom, left:right] = total / picture.dtype.type(height * width)


@compiled
def _between(draw: Floats, drawn: int, share: Real, size: int) -> tuple[int, int]:
    """Return the first place whose middle is within half of `share` of the centre, and the place after the last one."""
    real, first, last = draw.dtype.type, size, size
    centre, half = draw[drawn] * real(size), share * real(size) / real(2)
    for place in range(size):
        inside = abs(real(place) + real(0.5) - centre) < half
        if inside and first == size:
            first = place
        if not inside and first < size and last == size:
            last = place
    return first, last
