"""Batches of pictures as training sees them: changed at random (augment/), and with boxes exchanged (cutmix).

Every draw has the address (seed, stream, update, place in the batch) and none depends on the population, so that
members of different strengths see the same changes, each as far as its own strength goes.
Shapes: K members, N pictures, D = C * H * W pixels, Q classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from wellfit._typing import Floats
from wellfit.augment.apply import DRAWN, Draws, augmented, box_of, ranges_of, share_outside
from wellfit.augmentation import Augmentation
from wellfit.config import Config
from wellfit.data.schema import Schema
from wellfit.exceptions import BadInput
from wellfit.training.noise import cutting, picture_draws, pixel_noise

Shape = tuple[int, int, int]
"""Height, width and channels."""
Member = tuple[Augmentation, float]
"""What is changed, and how much of it."""


@dataclass(frozen=True)
class Address:
    """Where the draws of one batch are found."""

    seed: int
    stream: str
    update: int


def member_of(config: Config) -> Member:
    """Return how a config changes pictures; the same for all that change none."""
    strength = config.regularization.augment
    return (config.augmentation, strength) if strength else (Augmentation(), 0.0)


def require_pictures(config: Config, schema: Schema) -> None:
    """Refuse what only pictures have, where rows are none.

    Raises:
        BadInput: for augmentation or a convolutional network on a table; for cutmix without classes.
    """
    if schema.picture is not None:
        if config.augmentation.cutmix and config.regularization.augment and schema.task == "regression":
            raise BadInput("cutmix mixes classes", found="a number as the target", remedy="Leave cutmix out")
        return
    for knob, value, off in (
        ("augment", config.regularization.augment, 0.0),
        ("kind", config.network.kind, "mlp"),
    ):
        if value != off:
            raise BadInput(
                f"{knob} is for pictures", found=f"{knob}={value!r} with a table", remedy=f"Leave {knob} out"
            )


def drawn(members: Sequence[Member], *, at: Address, rows: int, shape: Shape) -> tuple[Floats, Floats | None]:
    """Return what is random about a batch: uniform numbers [N, DRAWN], and noise [N, C, H, W] where it is wanted."""
    address: dict[str, Any] = {"seed": at.seed, "stream": at.stream, "update": at.update, "rows": rows}
    uniform = picture_draws(**address, width=DRAWN)
    if not any(one.noise * strength for one, strength in members):
        return uniform, None
    height, width, channels = shape
    return uniform, pixel_noise(**address, width=height * width * channels).reshape(rows, channels, height, width)


def changed(values: Tensor, members: Sequence[Member], *, at: Address, shape: Shape) -> Tensor:
    """Return pixels [K, N, D] of a batch [N, D], as each of K members sees them."""
    rows, count, (height, width, channels) = len(values), len(members), shape
    uniform, normal = drawn(members, at=at, rows=rows, shape=shape)
    noise = None if normal is None else torch.from_numpy(normal).to(values).repeat(count, 1, 1, 1)
    draws = Draws(torch.from_numpy(uniform).to(values).repeat(count, 1), noise)
    ranges = {name: each.to(values) for name, each in ranges_of(members, rows=rows).items()}
    pictures = values.reshape(rows, channels, height, width).repeat(count, 1, 1, 1)
    return augmented(pictures, draws, ranges=ranges).reshape(count, rows, -1)


@dataclass(frozen=True)
class Cut:
    """One box for a whole batch, and whose picture fills it.

    Attributes:
        box: [D] True inside.
        partner: [N].
        share: of its own label that a picture keeps.
    """

    box: Tensor
    partner: Tensor
    share: float

    def pictures(self, values: Tensor) -> Tensor:
        """Return pixels [..., N, D] with the partners' inside the box."""
        return torch.where(self.box, values[..., self.partner, :], values)

    def labels(self, target: Tensor) -> Tensor:
        """Return labels [..., N, Q], mixed by the share of the pixels."""
        return self.share * target + (1 - self.share) * target[..., self.partner, :]


def cut_of(member: Member, *, at: Address, rows: int, shape: Shape) -> Cut | None:
    """Return the box of a batch, or None where this member has none there."""
    asked = member[0].cutmix * min(member[1], 1.0)
    if not asked:
        return None
    (whether, area, down, right), partner = cutting(seed=at.seed, stream=at.stream, update=at.update, rows=rows)
    if whether >= asked:
        return None
    height, width, channels = shape
    box = box_of(area=area, down=down, right=right, shape=(height, width))
    return Cut(box.flatten().repeat(channels), torch.from_numpy(partner), share_outside(box))
