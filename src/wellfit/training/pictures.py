"""Batches of pictures as training sees them: changed at random (augment/), and with boxes exchanged (cutmix).

The draws do not depend on the population: members see the same changes, scaled by their own strengths. This module also
has features for the diagnosis, small pictures for the reference models, and test-time augmentation.
Shapes: K members, N pictures, D = C * H * W pixels, Q classes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from wellfit.augment.apply import DRAWN, changed_fast
from wellfit.base.typing import Floats
from wellfit.data.prepare import Arrays, Preparation, Prepared
from wellfit.data.schema import Schema
from wellfit.exceptions import BadInput
from wellfit.records.augmentation import Augmentation, asked_for
from wellfit.records.config import Config
from wellfit.training.module import ModuleNetwork
from wellfit.training.network import ConvNet
from wellfit.training.noise import Address, cutting, picture_draws, pixel_noise
from wellfit.training.tensors import Part, network_from, one_thread, rows_at_once

Shape = tuple[int, int, int]
"""Height, width and channels."""
Member = tuple[Augmentation, float]
"""Augmentation and its strength."""


def member_of(config: Config) -> Member:
    """Return a config's augmentation and strength, which are equal for all configs that change no pictures."""
    strength = config.regularization.augment
    return (config.augmentation, strength) if strength else (Augmentation(), 0.0)


def require_pictures(config: Config, schema: Schema) -> None:
    """Refuse augmentation and a convolutional network for the rows of a table, and cutmix without classes."""
    if schema.picture is not None:
        if config.augmentation.cutmix and config.regularization.augment and schema.task == "regression":
            raise BadInput("cutmix must be used with classes", found="a number as the target", remedy="Remove cutmix")
        return
    for knob, value, off in (("augment", config.regularization.augment, 0.0), ("kind", config.network.kind, "mlp")):
        if value != off:
            raise BadInput(
                f"{knob} must be used with pictures", found=f"{knob}={value!r} on a table", remedy=f"Remove {knob}"
            )


def drawn(members: Sequence[Member], *, at: Address, rows: int, shape: Shape) -> tuple[Floats, Floats | None]:
    """Return the draws for a batch: uniform numbers [N, DRAWN], and noise [N, C, H, W] if a member uses any."""
    uniform = picture_draws(**vars(at), rows=rows, width=DRAWN)
    if not any(one.noise * strength for one, strength in members):
        return uniform, None
    height, width, channels = shape
    noise = pixel_noise(**vars(at), rows=rows, width=height * width * channels)
    return uniform, noise.reshape(rows, channels, height, width)


def changed(values: Tensor, members: Sequence[Member], *, at: Address, shape: Shape) -> Tensor:
    """Return the pixels [K, N, D] of a batch [N, D] as each of K members sees them."""
    rows, (height, width, channels) = len(values), shape
    uniform, normal = drawn(members, at=at, rows=rows, shape=shape)
    pictures = values.reshape(rows, channels, height, width).numpy()
    seen = changed_fast(pictures, members, uniform=uniform, normal=normal)
    return torch.from_numpy(seen.reshape(len(members), rows, -1))


@dataclass(frozen=True)
class Cut:
    """One box [D] for a whole batch (True inside), filled from pictures of the partners [N].

    `share` is the share of its own label that a picture keeps.
    """

    box: Tensor
    partner: Tensor
    share: float

    def pictures(self, values: Tensor) -> Tensor:
        """Return pixels [..., N, D] with those of the partners inside the box."""
        return torch.where(self.box, values[..., self.partner, :], values)

    def labels(self, target: Tensor) -> Tensor:
        """Return labels [..., N, Q], mixed by the share of the pixels."""
        return self.share * target + (1 - self.share) * target[..., self.partner, :]


def cut_of(member: Member, *, at: Address, rows: int, shape: Shape) -> Cut | None:
    """Return the box of a batch; None if this member has no box in it."""
    asked = member[0].cutmix * min(member[1], 1.0)
    if not asked:
        return None
    (whether, area, down, right), partner = cutting(**vars(at), rows=rows)
    if whether >= asked:
        return None
    height, width, channels = shape
    box = box_of(area=area, down=down, right=right, shape=(height, width))
    return Cut(box.flatten().repeat(channels), torch.from_numpy(partner), share_outside(box))


def box_of(*, area: float, down: float, right: float, shape: tuple[int, int]) -> Tensor:
    """Return [H, W], True inside the box that all pictures of a batch exchange (Yun et al., 2019).

    `area` is the box's share of the picture before it is cut at the edges; its centre is `down` from the top and
    `right` from the left, both from 0 to 1.
    """
    inside = []
    for centre, size in zip((down, right), shape, strict=True):
        middles = torch.arange(size, dtype=torch.float32) + 0.5
        # In single precision throughout: a pixel whose middle lies on the edge must fall on the same side everywhere.
        place, side = torch.tensor(centre) * size, torch.tensor(math.sqrt(area)) * size
        inside.append((middles - place).abs() < side / 2)
    return inside[0][:, None] & inside[1][None, :]


def share_outside(box: Tensor) -> float:
    """Return the share of its own label that a picture keeps: its share of pixels kept."""
    return 1 - float(box.float().mean())


@torch.no_grad()
def picture_features(
    preparation: Preparation, config: Config, state: Mapping[str, Floats], *, arrays: Arrays
) -> Floats | None:
    """Return features [N, channels] of N pictures; None if the network is not a `ConvNet` or averages several."""
    if config.network.kind != "conv" or not state:
        return None
    network = network_from(state, preparation, config.network)
    if not isinstance(network, ModuleNetwork) or not isinstance(network.module, ConvNet):
        return None
    most = rows_at_once(network)
    with one_thread():
        pixels = torch.from_numpy(arrays.numeric).float()
        seen = [network.module.seen(pixels[start : start + most]) for start in range(0, len(pixels), most)]
        return np.asarray(torch.cat([each.mean(dim=(2, 3)) for each in seen]).numpy(), dtype=np.float64)


MOST_SIDE = 10
"""Pictures with at most this many pixels on a side are left as they are."""


def reduced_data(data: Prepared) -> Prepared:
    """Return the parts with their pictures reduced; a table is returned as it is."""
    shape = data.preparation.schema.picture
    if shape is None:
        return data
    train_dev = reduced(data.train_dev, shape) if data.train_dev else None
    return Prepared(data.preparation, reduced(data.train, shape), train_dev, reduced(data.dev, shape))


def reduced(arrays: Arrays, shape: Shape) -> Arrays:
    """Return rows of C * H * W pixels as rows of C * h * w means, h and w at most `MOST_SIDE`."""
    height, width, channels = shape
    factor = -(-max(height, width) // MOST_SIDE)
    if factor == 1:
        return arrays
    pixels = arrays.numeric.reshape(-1, channels, height, width)
    edges = [np.arange(0, side, factor) for side in (height, width)]
    sums = np.add.reduceat(np.add.reduceat(pixels, edges[0], axis=2), edges[1], axis=3)
    counts = np.outer(*(np.diff([*edge, side]) for edge, side in zip(edges, (height, width), strict=True)))
    return replace(arrays, numeric=np.ascontiguousarray((sums / counts).reshape(arrays.rows, -1), dtype=np.float32))


STREAM = "test time"
MOST_VIEWS = 256
_SPOILS = ("erase", "noise", "cutmix")
"""Changes that only remove information, which help in training but not in prediction."""


def require_views(views: int, preparation: Preparation) -> None:
    """Refuse a number of views out of range, or several views of the rows of a table."""
    if not 1 <= views <= MOST_VIEWS:
        raise BadInput(f"views must be from 1 to {MOST_VIEWS}", found=f"{views}", remedy="Pass another number")
    if views > 1 and preparation.schema.picture is None:
        raise BadInput("several views must be of pictures", found=f"{views} views of a table", remedy="Remove views")


def view_of(parts: Sequence[Part], preparation: Preparation) -> Member:
    """Return the augmentation for the views: that of the network with the largest weight, or a light one."""
    config = max(parts, key=lambda part: part.weight).config
    strength = config.regularization.augment
    shape = preparation.schema.shape
    light = asked_for("light", classes=preparation.schema.classes, colour=shape[2] == 3)
    ranges: Augmentation = config.augmentation if strength else light
    return replace(ranges, **dict.fromkeys(_SPOILS, 0.0)), strength or 1.0


def averaged_views(
    predict: Callable[[Arrays], Floats], member: Member, *, shape: Shape, views: int
) -> Callable[[Arrays], Floats]:
    """Return `predict` averaged over the picture itself and `views` - 1 changed views of it."""
    height, width, channels = shape
    # Philox gives the first rows whatever follows: more views keep the earlier ones.
    draws = picture_draws(seed=0, stream=STREAM, update=0, rows=views, width=DRAWN)

    def of(arrays: Arrays) -> Floats:
        pictures = arrays.numeric.reshape(-1, channels, height, width)
        total = predict(arrays).astype(np.float64)
        for view in draws[1:]:
            uniform = np.broadcast_to(view, (len(pictures), DRAWN))
            seen = changed_fast(pictures, [member], uniform=np.ascontiguousarray(uniform), normal=None)[0]
            total += predict(replace(arrays, numeric=seen.reshape(len(pictures), -1)))
        return np.asarray(total / views)

    return of
