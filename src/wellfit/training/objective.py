"""The cost J = (1/m) sum L + lambda/(2m) ||W||^2, and how each optimizer makes it small.

Gradient descent on J multiplies W by (1 - lr * lambda/m) at each update, next to the step along the loss. SGD and
momentum get lambda as this penalty: its gradient is (lambda/m) W. Adam would divide a penalty by its moments, so it
gets the decay itself (AdamW, Loshchilov and Hutter, 2019): W *= 1 - lr_t * lambda/m. Biases and embeddings are left
alone by both. Label smoothing (Szegedy et al., 2016) and mixup change the labels that L compares with.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from wellfit._typing import Task
from wellfit.config import Optimization, Regularization, weight_decay_of
from wellfit.exceptions import BadInput
from wellfit.training.module import AnyNetwork
from wellfit.training.schedules import Moment


def mean_loss(outputs: Tensor, target: Tensor, *, task: Task, weights: Tensor | None = None) -> Tensor:
    """Return (1/n) sum L over a batch: cross-entropy of logits [N, K], or the mean squared error of outputs [N, K].

    `target` is [N]: class codes, or the one standardized target; or [N, K]: the share of each class in a row's label,
    or several standardized targets. `weights` [N] multiply L; their mean over all training rows is 1.
    """
    if task == "classification":
        losses = nn.functional.cross_entropy(outputs, target, reduction="none")
    else:
        losses = (outputs - target.reshape(outputs.shape)).square().mean(dim=1)
    return (losses if weights is None else losses * weights).mean()


def soft_labels(codes: Tensor, *, classes: int, smoothing: float, dtype: torch.dtype) -> Tensor:
    """Return labels q [N, K] = (1 - smoothing) onehot(y) + smoothing / K of class codes y [N]."""
    return nn.functional.one_hot(codes, classes).to(dtype) * (1 - smoothing) + smoothing / classes


def require_labels(regularization: Regularization, *, task: Task) -> None:
    """Refuse label smoothing where there are no labels.

    Raises:
        BadInput: for a positive label_smoothing with a regression target.
    """
    if regularization.label_smoothing and task == "regression":
        raise BadInput(
            "label_smoothing spreads a label over classes, which a regression target has not",
            found=f"label_smoothing={regularization.label_smoothing!r}",
            remedy="Set label_smoothing to 0",
        )


def optimizer_for(network: AnyNetwork, knobs: Optimization) -> torch.optim.Optimizer:
    """Return the optimizer of `knobs`, its first group the decayed weights; `set_step` gives it lambda and the rate."""
    groups = [{"params": list(network.decayed().values())}, {"params": list(network.undecayed().values())}]
    if knobs.optimizer == "adam":
        return torch.optim.AdamW(groups, lr=knobs.lr, betas=knobs.betas, weight_decay=0.0, fused=True)
    momentum = knobs.momentum if knobs.optimizer == "momentum" else 0.0
    return torch.optim.SGD(groups, lr=knobs.lr, momentum=momentum)


def set_step(optimizer: torch.optim.Optimizer, now: Moment, *, rows: float) -> None:
    """Give the optimizer's next step the learning rate and the lambda of this moment, with m = `rows`."""
    decayed, others = optimizer.param_groups
    decayed["lr"] = others["lr"] = now.lr
    decayed["weight_decay"] = weight_decay_of(now.l2, rows=rows)
