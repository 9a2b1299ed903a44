"""The batches and the noise that all members of a stack read, a few updates at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from wellfit.base.typing import Floats, Integers
from wellfit.data.prepare import Arrays, Prepared
from wellfit.fused.kernels import encode, look_up
from wellfit.fused.layout import Batches, Encoded
from wellfit.fused.module_rows import MemberLayout
from wellfit.records.config import Config, updates_per_epoch
from wellfit.training.noise import SHARED, batch_order, input_noise_block, mixing, noise_block
from wellfit.training.tensors import target_of

BYTES_AT_ONCE = 4 * 2**20
"""Bytes of the batches in one call: a few times the second-level cache, which still keeps a member's parameters."""
MOST_UPDATES_AT_ONCE = 16
INPUTS_LAYER = 1_000_000
"""Layer number that addresses the noise of the inputs, above the numbers of hidden layers and of sites."""


def encoded(layout: MemberLayout, arrays: Arrays, *, places: Integers | slice) -> Encoded:
    """Return some rows as the first layer reads them."""
    numeric = np.ascontiguousarray(arrays.numeric[places], dtype=layout.dtype)
    codes = np.ascontiguousarray(arrays.codes[places], dtype=np.int64)
    shape = (len(numeric), len(layout.plan.binned))
    shared = np.empty((len(numeric), layout.shared), layout.dtype)
    knots, shares = np.empty(shape, np.int64), np.empty(shape, layout.dtype)
    encode(layout.plan, numeric, codes, shared)
    look_up(layout.plan, numeric, knots, shares)
    return Encoded(numeric, codes, shared, knots, shares)


class Needs(NamedTuple):
    """The operations that at least one member needs: any other would change nothing but cost a pass."""

    dropout: tuple[bool, ...]  # of each hidden layer, and last of the inputs
    jitter: bool
    mixup: bool
    clip: bool
    penalty: bool
    soft: bool

    @classmethod
    def of(cls, configs: Sequence[Config], keep_probs: Floats) -> Needs:
        """Return the needs of configs whose layers keep units with probabilities `keep_probs` [K, L]."""
        knobs = [config.regularization for config in configs]
        return cls(
            dropout=(*(bool(layer.any()) for layer in keep_probs.T < 1), any(one.input_keep_prob < 1 for one in knobs)),
            jitter=any(one.input_noise for one in knobs),
            mixup=any(one.mixup for one in knobs),
            clip=any(config.optimization.clip_norm is not None for config in configs),
            penalty=any(one.l2 > 0 for one in knobs),
            soft=any(one.l1 > 0 for one in knobs),
        )


class BatchReader:
    """Lays out the batches of a few updates; `config` may be any member's: all share seed, batch size and epochs."""

    def __init__(self, data: Prepared, layout: MemberLayout, *, config: Config) -> None:
        self._train = data.train
        self._target = target_of(data.train, data.preparation, dtype=torch.float64).numpy().reshape(data.train.rows, -1)
        weights = data.train.weights
        self._weights = np.ones(data.train.rows) if weights is None else weights / weights.mean()
        self._layout = layout
        self._seed = config.seed
        self._size = config.optimization.batch_size
        self._epoch, self._order = -1, np.empty(0, dtype=np.int64)

    @property
    def rows(self) -> int:
        """B, rows of the largest batch."""
        return min(self._size, self._train.rows)

    @property
    def at_once(self) -> int:
        """T, the largest number of updates in one call."""
        layout, columns = self._layout, self._train.numeric.shape[1]
        looked_up = len(layout.plan.binned) * (np.dtype(layout.dtype).itemsize + np.dtype(np.int64).itemsize)
        reals = np.dtype(layout.dtype).itemsize * (layout.shared + columns) + looked_up
        noise = np.dtype(np.uint16).itemsize * layout.units
        fitting = BYTES_AT_ONCE // (self.rows * (reals + noise))
        return max(1, min(MOST_UPDATES_AT_ONCE, int(fitting)))

    def read(self, start: int, *, stop: int, needs: Needs) -> tuple[Batches, Floats]:
        """Return equal-sized batches of the updates from `start` until before `stop`, and mixup's draws [T]."""
        picks = [self._pick(start)]
        for update in range(start + 1, min(stop, start + self.at_once)):
            pick = self._pick(update)
            if len(pick) != len(picks[0]):
                break
            picks.append(pick)
        places = np.concatenate(picks)
        shape = (len(picks), len(picks[0]))
        rows = encoded(self._layout, self._train, places=places)
        updates = range(start, start + len(picks))
        uniform, partners = self._mixing(updates, rows=shape[1], wanted=needs.mixup)
        batches = Batches(
            **{name: values.reshape(*shape, values.shape[1]) for name, values in rows._asdict().items()},
            target=self._target[places].astype(self._layout.dtype).reshape(*shape, -1),
            weights=self._weights[places].astype(self._layout.dtype).reshape(shape),
            partners=partners,
            jitter=self._jitter(updates, shape=(shape[1], rows.numeric.shape[1]), wanted=needs.jitter),
            noise=self._noise(updates, rows=shape[1], wanted=needs.dropout),
        )
        return batches, uniform

    def _pick(self, update: int) -> Integers:
        epoch, batch = divmod(update, updates_per_epoch(rows=self._train.rows, batch_size=self._size))
        if epoch != self._epoch:
            self._epoch = epoch
            self._order = batch_order(seed=self._seed, stream=SHARED, epoch=epoch, rows=self._train.rows)
        return self._order[batch * self._size : (batch + 1) * self._size]

    def _mixing(self, updates: range, *, rows: int, wanted: bool) -> tuple[Floats, Integers]:
        if not wanted:
            return np.full(len(updates), 0.5), np.tile(np.arange(rows), (len(updates), 1))
        drawn = [mixing(seed=self._seed, stream=SHARED, update=update, rows=rows) for update in updates]
        return np.array([uniform for uniform, _ in drawn]), np.array([partner for _, partner in drawn])

    def _jitter(self, updates: range, *, shape: tuple[int, int], wanted: bool) -> Floats:
        if not wanted:
            return np.empty((len(updates), 0, 0), self._layout.dtype)
        rows, width = shape
        drawn = [
            input_noise_block(seed=self._seed, stream=SHARED, update=update, rows=rows, width=width)
            for update in updates
        ]
        return np.array(drawn, dtype=self._layout.dtype)

    def _noise(self, updates: range, *, rows: int, wanted: Sequence[bool]) -> npt.NDArray[np.uint16]:
        """Return the noise of all hidden layers (or zeros, which drop nothing), and that of the inputs if wanted."""
        layers = list(enumerate(self._layout.plan.layers[:-1, 1].tolist()))
        is_wanted = [wanted[layer] for layer, _ in layers]
        if wanted[-1]:
            layers.append((INPUTS_LAYER, self._train.numeric.shape[1] + self._train.codes.shape[1]))
            is_wanted.append(True)
        found = np.zeros((len(updates), rows * sum(width for _, width in layers)), np.uint16)
        for place, update in enumerate(updates):
            start = 0
            for (layer, width), some in zip(layers, is_wanted, strict=True):
                end = start + rows * width
                if some:
                    at: dict[str, Any] = {"seed": self._seed, "stream": SHARED, "update": update, "layer": layer}
                    found[place, start:end] = noise_block(**at, rows=rows, width=width).ravel()
                start = end
        return found
