"""The cost J = (1/m) sum L + lambda/(2m) ||W||^2, and how each optimizer makes it small.

Gradient descent on J multiplies W by (1 - lr * lambda/m) at each update, next to the step along the loss. SGD and
momentum get lambda as this penalty: its gradient is (lambda/m) W. Adam would divide a penalty by its moments, so it
gets the decay itself (AdamW, Loshchilov and Hutter, 2019): W *= 1 - lr_t * lambda/m. Biases and embeddings are left
alone by both.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from wellfit._typing import Task
from wellfit.config import Config, Optimization, weight_decay_of
from wellfit.training.network import MLP


def mean_loss(outputs: Tensor, target: Tensor, *, task: Task) -> Tensor:
    """Return (1/n) sum L over a batch: cross-entropy of logits [N, K], or the squared error of outputs [N, 1].

    `target` is [N]: class codes, or the standardized target.
    """
    if task == "classification":
        return nn.functional.cross_entropy(outputs, target)
    return nn.functional.mse_loss(outputs[:, 0], target)


def optimizer_for(network: MLP, config: Config, *, rows: int) -> torch.optim.Optimizer:
    """Return the optimizer of `config`; lambda acts on the decayed weights only, with m = `rows`."""
    knobs = config.optimization
    groups = [
        {
            "params": list(network.decayed().values()),
            "weight_decay": weight_decay_of(config.regularization.l2, rows=rows),
        },
        {"params": list(network.undecayed().values()), "weight_decay": 0.0},
    ]
    if knobs.optimizer == "adam":
        return torch.optim.AdamW(groups, lr=knobs.lr, betas=knobs.betas, fused=True)
    momentum = knobs.momentum if knobs.optimizer == "momentum" else 0.0
    return torch.optim.SGD(groups, lr=knobs.lr, momentum=momentum)


def learning_rate(knobs: Optimization, *, update: int, updates: int) -> float:
    """Return the learning rate of one of `updates` updates: constant, or half a cosine from lr down to 0."""
    if knobs.schedule == "constant":
        return knobs.lr
    return knobs.lr * (1 + math.cos(math.pi * update / updates)) / 2
