"""The built-in network in torch: costs and gradients of all members at once, as in `kernels.py`, by batched products.

The backward pass is written out, so that its sums have a fixed order on a GPU and recorded updates (torch_stack.py)
need no autograd. The letters of the shapes are those of `layout.py`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from wellfit.fused.batches import Needs
from wellfit.fused.layout import RELU, TANH, Layout
from wellfit.fused.torch_updates import InputReader, Rows, UpdateInputs
from wellfit.records.config import BF16, Config, Device
from wellfit.training.network import FEATURES, WAVES

BYTES_OF_ACTIVATIONS = 2**30
"""Maximum bytes of activations, over all members, in one forward pass."""
_PER_UNIT = 6
"""Numbers in memory per unit and row: output, slope, mask, and intermediate results."""


def bytes_of_row(layout: Layout) -> int:
    """Return the bytes of a member's activations on one row."""
    units = layout.units + layout.fixed + layout.embedded + WAVES * len(layout.plan.waves)
    return _PER_UNIT * np.dtype(layout.dtype).itemsize * units


class _Read(NamedTuple):
    """Inputs of the first layer."""

    fixed: Tensor  # [B, S + bins], or [K, B, S + bins] where numbers are moved, rows are mixed or columns dropped
    embedded: Tensor  # [K, B, E]


class _Waves(NamedTuple):
    """Periodic embedding of the numbers, before they are mixed or dropped."""

    numbers: Tensor  # [B, D], or [K, B, D] where members move them
    cosine: Tensor  # [K, B, D, waves]
    sine: Tensor  # the same


class _Forward(NamedTuple):
    """The inputs of each layer above the first and the slopes of each hidden one, kept for the backward pass."""

    inputs: list[Tensor]
    slopes: list[Tensor]
    outputs: Tensor


class TorchMLP:
    """The built-in network as a function of all members' rows, which it does not store."""

    recordable = True
    notice = ""

    def __init__(self, layout: Layout, device: Device) -> None:
        self.layout = layout
        self._plan = layout.plan
        self._device = device
        self._layers: list[tuple[int, int, int, int]] = [tuple(layer) for layer in layout.plan.layers.tolist()]
        self._reader = InputReader(layout.plan, layout.data.train, device=device.name)
        self._ends = {part.start: part.end for part in layout.slices}
        self._classes = layout.outputs if layout.plan.classification else 0

    @property
    def exact(self) -> TorchMLP:
        """The network as it is measured: in float32 whatever precision trained it, since it will predict elsewhere."""
        return TorchMLP(self.layout, Device(self._device.name))

    def costs_and_gradients(
        self,
        rows: Rows,
        at: UpdateInputs,
        *,
        needs: Needs,
        configs: Sequence[Config],  # noqa: ARG002
        update: int,  # noqa: ARG002
    ) -> tuple[Tensor, Tensor]:
        """Return each member's cost [K] of the batch, and its derivative [K, P] with respect to the parameters."""
        own = rows.parameters
        waves = None
        if len(self._plan.waves):
            numbers = at.shared[:, : len(self._plan.waves)]
            waves = self._waves(own, at.moved(numbers) if needs.jitter else numbers)
        read = self._read(own, at, needs, waves=waves)
        forward = self._forward(own, read, at=at, needs=needs)
        cost = _cross_entropy if self._classes else _squared_error
        costs, deltas = cost(forward.outputs, at, mixed=needs.mixup)
        parts, into = self._backward(own, read, forward, deltas=deltas)
        if self.layout.embedded:
            into = self._reader.embedded(into, at, needs)
            parts |= self._table_parts(own, into, at=at, mixed=needs.mixup)
            parts |= self._wave_parts(own, waves, into, at=at, mixed=needs.mixup) if waves else {}
        # Every place of a row is in one part.
        return costs, torch.cat([parts[start].flatten(1) for start in sorted(parts)], dim=1)

    def rows_at_once(self, members: int) -> int:
        """Return how many rows fit in one forward pass of `members` members."""
        return max(1, BYTES_OF_ACTIVATIONS // (members * bytes_of_row(self.layout)))

    def outputs(self, rows: Tensor, codes: Tensor, shared: Tensor) -> Tensor:
        """Return the outputs [K, B, outputs] on encoded rows, without dropout."""
        waves = self._waves(rows, shared[:, : len(self._plan.waves)]) if len(self._plan.waves) else None
        hidden = self._first(rows, _Read(self._reader.with_bins(shared), self._embed(rows, codes, waves)))
        for layer in range(1, len(self._layers)):
            active, _ = self._activate(hidden)
            hidden = self._product(active, self._weights(rows, layer)) + self._bias(rows, layer)
        return hidden

    def _waves(self, rows: Tensor, numbers: Tensor) -> _Waves:
        frequencies, phases, _ = self._wave_parameters(rows)
        angles = 2 * math.pi * (numbers[..., None] * frequencies[:, None] + phases[:, None])
        return _Waves(numbers, angles.cos(), angles.sin())

    def _wave_parameters(self, rows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return frequencies and phases [K, D, waves], and the weights of the features [K, D, features, waves]."""
        columns = len(self._plan.waves)
        starts = self._plan.waves[0, :3].tolist()
        frequencies, phases, weights = (rows[:, start : self._ends[start]] for start in starts)
        shape = (len(rows), columns, WAVES)
        return frequencies.view(shape), phases.view(shape), weights.view(len(rows), columns, FEATURES, WAVES)

    def _features(self, rows: Tensor, waves: _Waves) -> Tensor:
        """Return the features [K, B, D * features]."""
        _, _, weights = self._wave_parameters(rows)
        bias = int(self._plan.waves[0, 3])
        found = torch.einsum("kbdw,kdfw->kbdf", waves.cosine, weights).flatten(2)
        return found + rows[:, None, bias : self._ends[bias]]

    def _read(self, rows: Tensor, at: UpdateInputs, needs: Needs, *, waves: _Waves | None) -> _Read:
        embedded = self._embed(rows, at.codes, waves)
        embedded = self._reader.embedded(at.mixed(embedded) if needs.mixup else embedded, at, needs)
        return _Read(self._reader(at.shared, at, needs), embedded)

    def _tables(self, rows: Tensor) -> list[tuple[int, Tensor]]:
        """Return each embedding's column of codes and its table [K, levels, size], as views of the rows."""
        return [
            (column, rows[:, table : self._ends[table]].view(len(rows), -1, size))
            for column, size, table, _ in self._plan.embeddings.tolist()
        ]

    def _embed(self, rows: Tensor, codes: Tensor, waves: _Waves | None) -> Tensor:
        if not self.layout.embedded:
            return rows.new_empty(len(rows), len(codes), 0)
        features = [self._features(rows, waves)] if waves else []
        return torch.cat([*features, *(table[:, codes[:, column]] for column, table in self._tables(rows))], dim=2)

    def _weights(self, rows: Tensor, layer: int) -> Tensor:
        inputs, width, place, _ = self._layers[layer]
        return rows[:, place : place + inputs * width].view(len(rows), inputs, width)

    def _bias(self, rows: Tensor, layer: int) -> Tensor:
        _, width, _, bias = self._layers[layer]
        return rows[:, None, bias : bias + width]

    def _product(self, left: Tensor, right: Tensor) -> Tensor:
        return product(self._device, left, right)

    def _first(self, rows: Tensor, read: _Read) -> Tensor:
        weights = self._weights(rows, 0)
        found = self._product(read.fixed, weights[:, : self.layout.fixed]) + self._bias(rows, 0)
        return found + self._product(read.embedded, weights[:, self.layout.fixed :]) if self.layout.embedded else found

    def _forward(self, rows: Tensor, read: _Read, *, at: UpdateInputs, needs: Needs) -> _Forward:
        hidden = self._first(rows, read)
        inputs, slopes = [], []
        start = 0
        for layer in range(len(self._layers) - 1):
            active, slope = self._activate(hidden)
            end = start + at.rows * self._layers[layer][1]
            if needs.dropout[layer]:
                noise = at.noise[start:end].view(at.rows, -1)
                kept = noise <= at.thresholds[:, layer, None, None]
                scale = kept * at.scales[:, layer, None, None]
                # Not a product: a value that is no number is dropped like any other.
                active, slope = torch.where(kept, active * scale, 0), slope * scale
            inputs.append(active)
            slopes.append(slope)
            hidden = self._product(active, self._weights(rows, layer + 1)) + self._bias(rows, layer + 1)
            start = end
        return _Forward(inputs, slopes, hidden)

    def _activate(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """Return the activation and its derivative."""
        if self._plan.activation == RELU:
            return values.clamp_min(0), (values > 0).to(values.dtype)
        if self._plan.activation == TANH:
            active = values.tanh()
            return active, 1 - active * active
        below = torch.special.ndtr(values)
        return values * below, below + values * (values * values * -0.5).exp() * (1 / math.sqrt(2 * math.pi))

    def _backward(
        self, rows: Tensor, read: _Read, forward: _Forward, *, deltas: Tensor
    ) -> tuple[dict[int, Tensor], Tensor]:
        """Return place in the row -> derivative, for every W and bias; and that by the embedded inputs [K, B, E]."""
        parts: dict[int, Tensor] = {}
        for layer in range(len(self._layers) - 1, 0, -1):
            parts |= self._layer_parts(layer, forward.inputs[layer - 1], deltas)
            deltas = self._product(deltas, self._weights(rows, layer).mT) * forward.slopes[layer - 1]
        parts |= self._layer_parts(0, read.fixed, deltas)
        if self.layout.embedded:
            inputs, width, place, _ = self._layers[0]
            parts[place + (inputs - self.layout.embedded) * width] = self._product(read.embedded.mT, deltas)
            return parts, self._product(deltas, self._weights(rows, 0)[:, self.layout.fixed :].mT)
        return parts, read.embedded

    def _layer_parts(self, layer: int, inputs: Tensor, deltas: Tensor) -> dict[int, Tensor]:
        """Return the derivative for a layer's W and bias, by position in the row."""
        _, _, place, bias = self._layers[layer]
        return {place: self._product(inputs.mT, deltas), bias: deltas.sum(dim=1)}

    def _table_parts(self, rows: Tensor, deltas: Tensor, *, at: UpdateInputs, mixed: bool) -> dict[int, Tensor]:
        """Return the derivative for each table, by position in the row; code 0 is not a level and stays zero.

        It is computed as a product, whose sums have a fixed order; additions into one place from many threads do not.
        """
        sizes = self._plan.embeddings[:, 1].tolist()
        deltas, share = deltas[..., len(self._plan.waves) * FEATURES :], at.share[:, None, None]
        own = torch.split(share * deltas if mixed else deltas, sizes, dim=2)
        other = torch.split((1 - share) * deltas, sizes, dim=2) if mixed else ()
        found = {}
        for place, (column, table) in enumerate(self._tables(rows)):
            codes, levels = at.codes[:, column], torch.arange(table.shape[1], device=deltas.device)[:, None]
            sums = torch.matmul((codes == levels).to(deltas.dtype), own[place])
            if mixed:
                sums += torch.matmul((codes[at.partners] == levels).to(deltas.dtype), other[place])
            sums[:, 0] = 0
            found[int(self._plan.embeddings[place, 2])] = sums
        return found

    def _wave_parts(
        self, rows: Tensor, waves: _Waves, deltas: Tensor, *, at: UpdateInputs, mixed: bool
    ) -> dict[int, Tensor]:
        """Return place in the row -> derivative, for frequencies, phases, weights and biases of the features."""
        columns = len(self._plan.waves)
        deltas = deltas[..., : columns * FEATURES]
        if mixed:
            share = at.share[:, None, None]
            # Each row is the partner of exactly one.
            deltas = share * deltas + (1 - share) * deltas[:, at.partners.argsort()]
        deltas = deltas.reshape(*deltas.shape[:2], columns, FEATURES)
        _, _, weights = self._wave_parameters(rows)
        slopes = -2 * math.pi * waves.sine * torch.einsum("kbdf,kdfw->kbdw", deltas, weights)
        found = (
            (slopes * waves.numbers[..., None]).sum(dim=1),
            slopes.sum(dim=1),
            torch.einsum("kbdf,kbdw->kdfw", deltas, waves.cosine),
            deltas.sum(dim=1),
        )
        return dict(zip(self._plan.waves[0].tolist(), found, strict=True))


def _cross_entropy(logits: Tensor, at: UpdateInputs, *, mixed: bool) -> tuple[Tensor, Tensor]:
    """Return the cost [K] against mixed, smoothed labels, and its derivative [K, B, C] with respect to the logits."""
    labels, part = at.labels(logits.shape[2]), (at.weights / at.rows)[:, None]
    if mixed:
        labels, part = at.mixed(labels), at.mixed(part)
    labels = at.smoothed(labels)
    logs = logits.log_softmax(2)
    # Logits may be so far apart that 0 times their difference is not 0.
    costs = -(torch.where(labels > 0, labels * logs, 0).sum(dim=2, keepdim=True) * part).sum(dim=(1, 2))
    return costs, (logs.exp() - labels) * part


def _squared_error(values: Tensor, at: UpdateInputs, *, mixed: bool) -> tuple[Tensor, Tensor]:
    """Return the cost [K] and its derivative [K, B, Q] with respect to the values."""
    target, part = at.target, at.weights[:, None] / (at.rows * values.shape[2])
    if mixed:
        target, part = at.mixed(target), at.mixed(part)
    misses = values - target
    return (misses.square() * part).sum(dim=(1, 2)), 2 * misses * part


def product(device: Device, left: Tensor, right: Tensor) -> Tensor:
    """Return the matrix products of two stacks of matrices."""
    if device.precision == BF16:
        return torch.matmul(left.bfloat16(), right.bfloat16()).to(left.dtype)
    return torch.matmul(left, right)
