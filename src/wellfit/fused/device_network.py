"""The costs and the gradients of all members at once: `kernels.py` in batched products, for a device.

The letters of the shapes are those of `arrays.py`.
How a device computes products, and what memory it has left.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from wellfit.device import BF16, TF32, Device
from wellfit.fused.batches import Needs
from wellfit.fused.device_steps import Moment
from wellfit.fused.layout import RELU, TANH, Layout


@dataclass(frozen=True)
class _Read:
    """What members read of a batch.

    Attributes:
        shared: [B, S], or [K, B, S] where numbers are moved or rows are mixed.
        embedded: [K, B, E].
    """

    shared: Tensor
    embedded: Tensor


@dataclass(frozen=True)
class _Way:
    """What the way forward leaves for the way back: of each layer its inputs, of each hidden one its slopes."""

    inputs: list[Tensor]
    slopes: list[Tensor]
    outputs: Tensor


class DeviceNetwork:
    """The network of a stack as a function of all members' rows. It keeps nothing of them.

    Args:
        layout: of the rows.
        device: where everything is.
    """

    def __init__(self, layout: Layout, device: Device) -> None:
        self._plan = layout.plan
        self._shared = layout.shared
        self._device = device
        self._embedded = layout.embedded
        self._layers: list[tuple[int, int, int, int]] = [tuple(layer) for layer in layout.plan.layers.tolist()]
        column, low, width = torch.from_numpy(layout.plan.bins).to(device.name)
        self._bins = column.long(), low, width
        self._ends = {piece.start: piece.end for piece in layout.pieces}
        self._classes = layout.outputs if layout.plan.classification else 0

    def costs_and_gradients(self, rows: Tensor, moment: Moment, needs: Needs) -> tuple[Tensor, Tensor]:
        """Return the cost [K] of the batch to each member `rows` [K, P], and its derivative [K, P]."""
        read = self._read(rows, moment, needs)
        way = self._forward(rows, read, moment=moment, needs=needs)
        cost = _cross_entropy if self._classes else _squared_error
        costs, deltas = cost(way.outputs, moment, mixed=needs.mixup)
        return costs, self._backward(rows, read, way, deltas=deltas, moment=moment, mixed=needs.mixup)

    def outputs(self, rows: Tensor, codes: Tensor, shared: Tensor) -> Tensor:
        """Return the outputs [K, B, outputs] on encoded rows, without dropout."""
        hidden = self._first(rows, _Read(shared, self._embed(rows, codes)))
        for layer in range(1, len(self._layers)):
            active, _ = self._activate(hidden)
            hidden = self._product(active, self._weights(rows, layer)) + self._bias(rows, layer)
        return hidden

    def _read(self, rows: Tensor, moment: Moment, needs: Needs) -> _Read:
        shared, embedded = moment.shared, self._embed(rows, moment.codes)
        if needs.jitter:
            shared = self._jittered(moment)
        if needs.mixup:
            share = moment.share[:, None, None]
            shared = share * shared + (1 - share) * shared[..., moment.partners, :]
            embedded = share * embedded + (1 - share) * embedded[:, moment.partners]
        return _Read(shared, embedded)

    def _jittered(self, moment: Moment) -> Tensor:
        """Encode each member's own numbers: [K, B, S]."""
        column, low, width = self._bins
        moved = moment.numeric + moment.spread[:, None, None] * moment.jitter
        bins = ((moved[..., column] - low) / width).clamp(0, 1)
        categories = moment.shared[:, moved.shape[2] + len(low) :].expand(len(moved), -1, -1)
        return torch.cat([moved, bins, categories], dim=2)

    def _tables(self, rows: Tensor) -> list[tuple[int, Tensor]]:
        """Column of codes and table [K, levels, size] of each embedding, as views of the rows."""
        return [
            (column, rows[:, table : self._ends[table]].view(len(rows), -1, size))
            for column, size, table, _ in self._plan.embeddings.tolist()
        ]

    def _embed(self, rows: Tensor, codes: Tensor) -> Tensor:
        if not self._embedded:
            return rows.new_empty(len(rows), len(codes), 0)
        return torch.cat([table[:, codes[:, column]] for column, table in self._tables(rows)], dim=2)

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
        found = self._product(read.shared, weights[:, : self._shared]) + self._bias(rows, 0)
        return found + self._product(read.embedded, weights[:, self._shared :]) if self._embedded else found

    def _forward(self, rows: Tensor, read: _Read, *, moment: Moment, needs: Needs) -> _Way:
        hidden = self._first(rows, read)
        inputs, slopes = [], []
        start = 0
        for layer in range(len(self._layers) - 1):
            active, slope = self._activate(hidden)
            end = start + moment.rows * self._layers[layer][1]
            if needs.dropout[layer]:
                noise = moment.noise[start:end].view(moment.rows, -1)
                kept = noise <= moment.thresholds[:, layer, None, None]
                scale = kept * moment.scales[:, layer, None, None]
                # Not a product: a value that is no number is dropped like any other.
                active, slope = torch.where(kept, active * scale, 0), slope * scale
            inputs.append(active)
            slopes.append(slope)
            hidden = self._product(active, self._weights(rows, layer + 1)) + self._bias(rows, layer + 1)
            start = end
        return _Way(inputs, slopes, hidden)

    def _activate(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """Return the activation and its derivative."""
        if self._plan.activation == RELU:
            return values.clamp_min(0), (values > 0).to(values.dtype)
        if self._plan.activation == TANH:
            active = values.tanh()
            return active, 1 - active * active
        below = torch.special.ndtr(values)
        return values * below, below + values * (values * values * -0.5).exp() * (1 / math.sqrt(2 * math.pi))

    def _backward(self, rows: Tensor, read: _Read, way: _Way, *, deltas: Tensor, moment: Moment, mixed: bool) -> Tensor:
        parts: dict[int, Tensor] = {}
        for layer in range(len(self._layers) - 1, 0, -1):
            parts |= self._layer_parts(layer, way.inputs[layer - 1], deltas)
            deltas = self._product(deltas, self._weights(rows, layer).mT) * way.slopes[layer - 1]
        parts |= self._layer_parts(0, read.shared, deltas)
        if self._embedded:
            inputs, width, place, _ = self._layers[0]
            parts[place + (inputs - self._embedded) * width] = self._product(read.embedded.mT, deltas)
            into = self._product(deltas, self._weights(rows, 0)[:, self._shared :].mT)
            parts |= self._table_parts(rows, into, moment=moment, mixed=mixed)
        # Every place of a row is in one part.
        return torch.cat([parts[start].flatten(1) for start in sorted(parts)], dim=1)

    def _layer_parts(self, layer: int, inputs: Tensor, deltas: Tensor) -> dict[int, Tensor]:
        """Place in the row -> derivative, of a layer's W and bias."""
        _, _, place, bias = self._layers[layer]
        return {place: self._product(inputs.mT, deltas), bias: deltas.sum(dim=1)}

    def _table_parts(self, rows: Tensor, deltas: Tensor, *, moment: Moment, mixed: bool) -> dict[int, Tensor]:
        """Place in the row -> derivative, of each table; code 0 is no level and stays zeros.

        As a product, whose sums have an order: additions into one place from many threads have none.
        """
        sizes = self._plan.embeddings[:, 1].tolist()
        share = moment.share[:, None, None]
        own = torch.split(share * deltas if mixed else deltas, sizes, dim=2)
        other = torch.split((1 - share) * deltas, sizes, dim=2) if mixed else ()
        found = {}
        for place, (column, table) in enumerate(self._tables(rows)):
            codes, levels = moment.codes[:, column], torch.arange(table.shape[1], device=deltas.device)[:, None]
            sums = torch.matmul((codes == levels).to(deltas.dtype), own[place])
            if mixed:
                sums += torch.matmul((codes[moment.partners] == levels).to(deltas.dtype), other[place])
            sums[:, 0] = 0
            found[int(self._plan.embeddings[place, 2])] = sums
        return found


def _cross_entropy(logits: Tensor, moment: Moment, *, mixed: bool) -> tuple[Tensor, Tensor]:
    """Return the cost [K] against the mixed and smoothed labels, and its derivative by the logits [K, B, C]."""
    classes = logits.shape[2]
    target, part = moment.target[:, 0].long(), moment.weights / moment.rows
    labels = (target[:, None] == torch.arange(classes, device=logits.device)).to(logits.dtype)
    labels, part = _mixed(labels, moment, mixed=mixed), _mixed(part[:, None], moment, mixed=mixed)
    smoothing = moment.smoothing[:, None, None]
    labels = (1 - smoothing) * labels + smoothing / classes
    logs = logits.log_softmax(2)
    # Logits may be so far apart that 0 times their difference is not 0.
    costs = -(torch.where(labels > 0, labels * logs, 0).sum(dim=2, keepdim=True) * part).sum(dim=(1, 2))
    return costs, (logs.exp() - labels) * part


def _squared_error(values: Tensor, moment: Moment, *, mixed: bool) -> tuple[Tensor, Tensor]:
    """Return the cost [K] and its derivative by the values [K, B, Q]."""
    part = _mixed(moment.weights[:, None] / (moment.rows * values.shape[2]), moment, mixed=mixed)
    misses = values - _mixed(moment.target, moment, mixed=mixed)
    return (misses.square() * part).sum(dim=(1, 2)), 2 * misses * part


def _mixed(values: Tensor, moment: Moment, *, mixed: bool) -> Tensor:
    """Mix rows [B, ...] with their partners: [K, B, ...], or as they are where no member mixes."""
    if not mixed:
        return values
    share = moment.share[:, None, None]
    return share * values + (1 - share) * values[moment.partners]


@contextlib.contextmanager
def arithmetic(device: Device) -> Iterator[None]:
    """Compute products as the device was asked to, and leave torch's own setting as it was."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high" if device.precision == TF32 else "highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def product(device: Device, left: Tensor, right: Tensor) -> Tensor:
    """Return the matrix products of two stacks of matrices."""
    if device.precision == BF16:
        return torch.matmul(left.bfloat16(), right.bfloat16()).to(left.dtype)
    return torch.matmul(left, right)


def give_back(device: Device) -> None:
    """Return memory that torch keeps for later: who plans the next stack, maybe in another process, sees it as used."""
    if device.is_gpu:
        torch.cuda.empty_cache()


def free_bytes(device: Device) -> int | None:
    """Return the memory that nobody uses there; None where that is the machine's own."""
    return torch.cuda.mem_get_info()[0] if device.is_gpu else None
