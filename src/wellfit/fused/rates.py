"""The knobs of every member at every update of a call, as arrays that the compiled functions read.

The cost is J = (1/m) sum L + lambda/(2m) ||W||^2, and this is where lambda enters the update. SGD and momentum get it
as a penalty with gradient (lambda/m) W. Adam would divide a penalty by its moments, so it gets the decay itself (AdamW,
Loshchilov and Hutter, 2019): W *= 1 - lr_t * lambda/m. Neither changes biases and embeddings.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
from scipy.special import betaincinv

from wellfit.base.typing import Floats
from wellfit.records.config import Config
from wellfit.training.noise import threshold_of
from wellfit.training.schedules import averaging_decay, keep_prob_at, share_of_lr, strength

Key = TypeVar("Key", bound=Hashable)


class Rates(NamedTuple):
    """The knobs of every member at every update."""

    step: Floats  # [T, K] factor of the gradient (or of its momentum, or of Adam's ratio)
    root: Floats  # [T, K] 1/sqrt(1 - beta2^t), Adam's correction of the second moment
    shrink: Floats  # [T, K] factor of W before the step (decoupled decay)
    penalty: Floats  # [T, K] lambda/m, by which W enters the gradient
    soft: Floats  # [T, K] threshold of the proximal step of L1
    averaging: Floats  # [T, K] decay of the moving average
    share: Floats  # [T, K] of a row in its mixture; 1 without mixup
    thresholds: npt.NDArray[np.uint16]  # [T, K, L] highest noise that keeps a unit; the last is the inputs'
    scales: Floats  # [T, K, L] 1 / share kept; the last is the inputs'
    betas: Floats  # [K, 2] of Adam; the first is also the momentum
    clip: Floats  # [K] highest norm of a gradient
    smoothing: Floats  # [K] label smoothing
    spread: Floats  # [K] standard deviation of the noise on the numbers


def rates_of(
    configs: Sequence[Config],
    keep_probs: Floats,
    start: int,
    *,
    uniform: Floats,
    rows: float,
    updates: int,
    dtype: type[np.floating[Any]],
) -> Rates:
    """Return the knobs of K configs of one stack at T of `updates` updates, from number `start` on.

    `keep_probs` [K, L - 1] has the value for each place that drops units, `uniform` [T] decides each update's mixture
    for all members, and `rows` is m of the cost.
    """
    span = range(start, start + len(uniform))

    def along(keys: Sequence[Key], value: Callable[..., float]) -> Floats:
        """Return the value of a schedule [T, K] at every update, computed once for members with equal keys."""
        columns = {key: [value(key, update=at, updates=updates) for at in span] for key in set(keys)}
        return np.array([columns[key] for key in keys], dtype=np.float64).reshape(len(keys), len(span)).T

    def real(values: Floats) -> Floats:
        return np.ascontiguousarray(values, dtype=dtype)

    boards = [config.optimization for config in configs]
    knobs = [config.regularization for config in configs]
    adam = boards[0].optimizer == "adam"
    betas = np.array([one.betas if adam else (one.momentum, 0.0) for one in boards])
    made = np.array(span)[:, None] + 1
    lr = np.array([one.lr for one in boards]) * along([one.schedule for one in boards], share_of_lr)
    decay = along([one.l2_schedule for one in knobs], strength) / rows
    l2, l1 = (np.array([getattr(one, name) for one in knobs]) * decay for name in ("l2", "l1"))
    drop = along([one.keep_prob_schedule for one in knobs], strength)
    alpha = np.array([one.mixup for one in knobs])
    # The share is of Beta(alpha, alpha); without mixup it is 1, a row by itself.
    mixed = betaincinv(np.maximum(alpha, 1e-300), alpha, uniform[:, None])
    all_keeps = np.column_stack([keep_probs, [one.input_keep_prob for one in knobs]])
    keeps = keep_prob_at(all_keeps, strength=drop[:, :, None])
    return Rates(
        step=real(lr / (1 - betas[:, 0] ** made) if adam else lr),
        root=real(1 / np.sqrt(1 - betas[:, 1] ** made)),
        shrink=real(1 - lr * l2),
        penalty=real(l2),
        soft=real(lr * l1),
        averaging=real(along([one.ema for one in knobs], averaging_decay)),
        share=real(np.where(alpha > 0, mixed, 1.0)),
        thresholds=np.ascontiguousarray(threshold_of(keeps)),
        scales=real(1 / keeps),
        betas=real(betas),
        clip=real(np.array([np.inf if one.clip_norm is None else one.clip_norm for one in boards])),
        smoothing=real(np.array([one.label_smoothing for one in knobs])),
        spread=real(np.array([one.input_noise for one in knobs])),
    )
