"""Effects of regularization on a network: its smoothness, linearity, dependence on single units, and size.

All are measured without dropout, on rows drawn by the seed, which are the same for all members of a sweep.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from wellfit.base.typing import Task
from wellfit.data.prepare import Arrays, Prepared
from wellfit.training.module import AnyNetwork
from wellfit.training.network import MLP, Drop
from wellfit.training.noise import batch_order
from wellfit.training.tensors import Inputs, one_thread, target_of

MOST_ROWS = 1_000
MOST_UNITS = 16
MOST_RELIANCE_ROWS = 250
"""Number of rows on which units are removed one at a time: for 16 units, this makes 4,000 forward passes."""
LINEAR_ZONE = 0.5
"""|z| below which tanh(z) is within 8 % of z, its linear zone."""
ROWS_PER_COLUMN = 2
"""Number of rows that a linear fit needs per column."""
_RIDGE = 1e-9  # of the mean column: collinear columns (one-hot, unused bins) must not break the fit
_STREAM = "effects"


def measure_effects(network: AnyNetwork, data: Prepared, *, seed: int) -> dict[str, float]:
    """Return the measures of a trained network by name; those that are not defined for it are left out.

    The hidden units of a user's module are not known, so only an `MLP` has measures of them.

    input_gradient: mean over rows of the Euclidean norm of the gradient, with respect to the encoded row, of
        log p_top - log p_second (for regression, of the standardized output). A small value means a smooth decision
        boundary.
    linear_r2: share of the outputs' variance explained by the best linear function of the encoded rows (`linear_r2`).
    tanh_linear: share of hidden tanh units x rows with |z| < 0.5 before the activation; tanh networks only.
    unit_reliance: mean over up to 16 hidden units, drawn from all layers, of the increase in mean loss
        (cross-entropy, or squared error of the standardized target) of 250 training rows when the unit's output is set
        to 0. On dev, an over-confident network would gain from losing any unit.
    zeros: share of weights of W that are exactly 0.
    exported_bytes: size of W; see `exported_bytes`.

    The measures use dev rows, and training rows where stated or where dev has too few for the linear fit; `seed`
    chooses rows and units.
    """
    with one_thread():
        rows = _rows(data.dev, seed=seed)
        encoded = _encoded(network, data.dev, rows)
        with torch.no_grad():
            outputs = network.from_encoded(encoded)
        task = data.preparation.schema.task
        weights = [value.detach().flatten(1) for value in network.decayed().values()]
        every, present = sum(one.numel() for one in weights), sum(int(one.count_nonzero()) for one in weights)
        found = {
            "input_gradient": input_gradient(network, encoded, task=task),
            "linear_r2": linear_r2(*_filled_up(network, data, (encoded, outputs), seed=seed)),
            **(_units(network, data, encoded, seed=seed) if isinstance(network, MLP) else {}),
            "zeros": 1 - present / every if every else 0.0,
            "exported_bytes": sum(exported_bytes(one) for one in weights),
        }
    # A network that diverged has measures that overflow; a journal holds finite numbers only.
    return {name: float(value) for name, value in found.items() if value is not None and math.isfinite(value)}


def input_gradient(network: AnyNetwork, encoded: Tensor, *, task: Task) -> float:
    """Return the mean norm of the gradient of each row's margin (regression: of the output) at `encoded` [N, Din]."""
    leaf = encoded.detach().requires_grad_()
    outputs = network.from_encoded(leaf)
    if task == "classification":
        top = outputs.topk(2, dim=1).values
        # log p_top - log p_second: the normalizing constant of the softmax cancels.
        outputs = top[:, 0] - top[:, 1]
    (gradient,) = torch.autograd.grad(outputs.sum(), leaf)
    return float(gradient.double().norm(dim=1).mean())


def linear_r2(encoded: Tensor, outputs: Tensor) -> float | None:
    """Return the adjusted R^2 of a least-squares fit of outputs [N, K] to encoded rows [N, Din].

    It is 1 - (1 - R^2) (n - 1) / (n - p - 1), with p the number of columns that vary (Ezekiel, 1930): an estimate of
    the R^2 that the best linear function has on all rows. It is pooled over the outputs; for logits, only their
    differences count. Outputs that do not vary are linear. The result is at least 0, and None with fewer than two rows
    per column.
    """
    inputs, wanted = encoded.double(), outputs.double()
    if wanted.shape[1] > 1:
        wanted = wanted - wanted.mean(dim=1, keepdim=True)
    inputs = inputs[:, inputs.amax(dim=0) > inputs.amin(dim=0)]
    rows, columns = inputs.shape
    if rows < ROWS_PER_COLUMN * (columns + 1):
        return None
    inputs, wanted = inputs - inputs.mean(dim=0), wanted - wanted.mean(dim=0)
    whole = wanted.square().sum().item()
    left = _residual(inputs, wanted).square().sum().item()
    if whole <= torch.finfo(outputs.dtype).eps ** 2 * outputs.double().square().sum().item():
        return 1.0
    return max(1 - left / whole * (rows - 1) / (rows - columns - 1), 0.0)


def exported_bytes(weights: Tensor) -> int:
    """Return the bytes of a matrix [R, C] in the smaller of two forms.

    Dense: 4 bytes per weight. Compressed sparse rows: for each weight that is not 0, its 4 bytes and 2 for its column
    (4 from 65,536 columns on), and 4 for the start of each row.
    """
    rows, columns = weights.shape
    index = 2 if columns < 65_536 else 4
    return min(4 * weights.numel(), (4 + index) * int(weights.count_nonzero()) + 4 * (rows + 1))


def _rows(arrays: Arrays, *, seed: int, most: int = MOST_ROWS) -> Tensor:
    return torch.from_numpy(batch_order(seed=seed, stream=_STREAM, epoch=0, rows=arrays.rows)[:most])


@torch.no_grad()
def _encoded(network: AnyNetwork, arrays: Arrays, rows: Tensor) -> Tensor:
    inputs = Inputs.of(arrays)[rows]
    return network.encode(inputs.numeric, inputs.codes)


@torch.no_grad()
def _filled_up(network: AnyNetwork, data: Prepared, dev: tuple[Tensor, Tensor], *, seed: int) -> tuple[Tensor, Tensor]:
    """Add training rows if there are fewer than `MOST_ROWS` dev rows: linearity needs no labels."""
    encoded, outputs = dev
    if len(encoded) >= MOST_ROWS:
        return dev
    more = _encoded(network, data.train, _rows(data.train, seed=seed, most=MOST_ROWS - len(encoded)))
    return torch.cat([encoded, more]), torch.cat([outputs, network.from_encoded(more)])


def _residual(inputs: Tensor, wanted: Tensor) -> Tensor:
    """Return the residual [N, K] of a least-squares fit to `wanted`; all columns are centred."""
    gram = inputs.T @ inputs
    gram.diagonal().add_(_RIDGE * max(gram.diagonal().mean().item(), 1e-300) if len(gram) else 0.0)
    factor, failed = torch.linalg.cholesky_ex(gram)
    return wanted - inputs @ torch.cholesky_solve(inputs.T @ wanted, factor) if not failed else wanted


@torch.no_grad()
def _units(network: MLP, data: Prepared, encoded: Tensor, *, seed: int) -> dict[str, float | None]:
    """Return the measures of hidden units: the linear zone of tanh, and the reliance on single ones."""
    layers: list[Tensor] = []

    def record(values: Tensor, *, layer: int) -> Tensor:  # noqa: ARG001 - layers come in their order
        layers.append(values)
        return values

    network.from_encoded(encoded, record)
    if not layers:
        return {}
    reliance = _unit_reliance(network, data, widths=[units.shape[1] for units in layers], seed=seed)
    inside = sum(int((units.abs() < math.tanh(LINEAR_ZONE)).sum()) for units in layers)
    linear = inside / sum(units.numel() for units in layers)
    return {"tanh_linear": linear if network.activation == "tanh" else None, "unit_reliance": reliance}


def _unit_reliance(network: MLP, data: Prepared, *, widths: list[int], seed: int) -> float:
    drawn = batch_order(seed=seed, stream=f"{_STREAM} units", epoch=0, rows=sum(widths))[:MOST_UNITS]
    rows = _rows(data.train, seed=seed, most=MOST_RELIANCE_ROWS)
    encoded, target = _encoded(network, data.train, rows), target_of(data.train, data.preparation)[rows]
    whole = _row_losses(network.from_encoded(encoded), target)
    rises, first = [], 0
    for layer, width in enumerate(widths):
        units = torch.from_numpy(drawn[(drawn >= first) & (drawn < first + width)] - first)
        first += width
        if len(units):
            removed = network.from_encoded(encoded, _without(units, of=layer))
            rises.append(_row_losses(removed, target) - whole)
    return float(torch.cat(rises, dim=0).mean())


def _without(units: Tensor, *, of: int) -> Drop:
    """Return a function that zeroes each unit of layer `of` in turn, along a new leading dimension."""

    def removed(values: Tensor, *, layer: int) -> Tensor:
        if layer != of:
            return values
        stacked = values.expand(len(units), *values.shape).clone()
        stacked[torch.arange(len(units)), :, units] = 0
        return stacked

    return removed


def _row_losses(outputs: Tensor, target: Tensor) -> Tensor:
    """Return losses [U, N] of outputs [..., N, K]: cross-entropy, or squared error of the standardized targets."""
    outputs = outputs.reshape(-1, *outputs.shape[-2:])
    if target.is_floating_point():
        return (outputs - target.reshape(outputs.shape[1:])).double().square().mean(dim=-1)
    targets = target.expand(len(outputs), -1)
    return nn.functional.cross_entropy(outputs.transpose(1, 2), targets, reduction="none").double()
