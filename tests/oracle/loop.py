"""The plain loop: one config, trained as the formulas read, by torch alone. Every engine must give what it gives.

The cost is J = (1/m) sum L + lambda/(2m) ||W||^2. SGD and momentum get lambda as this penalty, Adam as decoupled decay.
Mixup (Zhang et al., 2018), label smoothing (Szegedy et al., 2016), noise on the inputs (Bishop, 1995), dropout of the
inputs (Srivastava et al., 2014), the moving average (Polyak and Juditsky, 1992), and L1 by proximal steps (ISTA;
Daubechies et al., 2004).
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from scipy.special import betaincinv
from torch import nn

from oracle.augment import changed
from wellfit.records.config import total_updates, weight_decay_of
from wellfit.training.network import Dropout
from wellfit.training.noise import SHARED, Address, batch_order, input_noise_block, kept, mixing, noise_block
from wellfit.training.pictures import cut_of, member_of, require_pictures
from wellfit.training.schedules import Update, averaging_decay, keep_prob_at, share_of_lr, strength
from wellfit.training.tensors import Inputs, require_labels, target_of

INPUTS_LAYER = 1_000_000
"""Layer of the noise that drops inputs."""


def learning_rate(knobs, *, update, updates):
    return knobs.lr * share_of_lr(knobs.schedule, update=update, updates=updates)


class Moment(Update):
    """An update, with the knobs that the engines read from `fused/rates.py`."""

    @property
    def lr(self):
        return learning_rate(self.config.optimization, update=self.update, updates=self.updates)

    @property
    def l2(self):
        return self.config.regularization.l2 * self._decay_strength

    @property
    def l1(self):
        return self.config.regularization.l1 * self._decay_strength

    @property
    def _decay_strength(self):
        return strength(self.config.regularization.l2_schedule, update=self.update, updates=self.updates)


class Training:
    """One training under way: `network` is moved by the optimizer, `updates` of `planned` ones are made."""

    def __init__(self, config, data, *, network, dtype=torch.float32):
        self._task, self._shape = data.preparation.schema.task, data.preparation.schema.picture
        require_labels(config.regularization, task=self._task)
        require_pictures(config, data.preparation.schema)
        self.network, self.updates, self.planned = network, 0, total_updates(config, rows=data.train.rows)
        self._config, self._classes, self._total = config, data.preparation.outputs, data.train.total
        self._inputs, self._dtype = Inputs.of(data.train, dtype=dtype), dtype
        self._target = target_of(data.train, data.preparation, dtype=dtype)
        weights = data.train.weights
        self._weights = None if weights is None else torch.from_numpy(weights / weights.mean()).to(dtype)
        self._optimizer = optimizer_for(network, config.optimization)
        ema = config.regularization.ema
        self._average = MovingAverage(network, ema=ema) if ema else None

    @property
    def measured(self):
        return self._average.network if self._average else self.network

    def losses(self):
        """Make one update after the other, and yield the batch's loss before each."""
        knobs = self._config.optimization
        for epoch in range(knobs.epochs):
            order = batch_order(seed=self._config.seed, stream=SHARED, epoch=epoch, rows=len(self._target))
            for batch in torch.split(torch.from_numpy(order), knobs.batch_size):
                yield self._update(batch)

    def _update(self, batch):
        now = Moment(config=self._config, stream=SHARED, update=self.updates, updates=self.planned)
        cost = self._cost(batch, now)
        self._optimizer.zero_grad()
        cost.backward()
        self._descend(now)
        if self._average:
            self._average.add(self.network, update=self.updates)
        self.updates += 1
        return cost.item()

    def _cost(self, batch, now):
        weights = None if self._weights is None else self._weights[batch]
        numeric, target = self._augmented(self._inputs.numeric[batch], self._labels(batch), now)
        values = self.network.encode(jittered(numeric, now), self._inputs.codes[batch])
        mix = mixture(now, rows=len(batch))
        if mix:
            values, target, weights = mix(values), mix(target), None if weights is None else mix(weights)
        values = without_some_columns(values, self.network, now)
        outputs = self.network.from_encoded(values, Dropout(now))
        return mean_loss(outputs, target, task=self._task, weights=weights)

    def _augmented(self, numeric, target, now):
        if self._shape is None or not self._config.regularization.augment:
            return numeric, target
        member, at = member_of(self._config), Address(self._config.seed, SHARED, now.update)
        numeric = changed(numeric, [member], at=at, shape=self._shape)[0]
        cut = cut_of(member, at=at, rows=len(numeric), shape=self._shape)
        return (cut.pictures(numeric), cut.labels(target)) if cut else (numeric, target)

    def _labels(self, batch):
        knobs, target = self._config.regularization, self._target[batch]
        cut = knobs.augment * self._config.augmentation.cutmix
        if self._task == "regression" or not (knobs.mixup or knobs.label_smoothing or cut):
            return target
        return soft_labels(target, classes=self._classes, smoothing=knobs.label_smoothing, dtype=self._dtype)

    def _descend(self, now):
        if self._config.optimization.clip_norm is not None:
            nn.utils.clip_grad_norm_(self.network.parameters(), self._config.optimization.clip_norm)
        decayed, others = self._optimizer.param_groups
        decayed["lr"] = others["lr"] = now.lr
        decayed["weight_decay"] = weight_decay_of(now.l2, rows=self._total)
        self._optimizer.step()
        if now.l1:
            soften(self.network.decayed().values(), by=now.lr * now.l1 / self._total)


class MovingAverage:
    """`network` has the average of a network's parameters; buffers are those of the network under training."""

    def __init__(self, network, *, ema):
        self.network = copy.deepcopy(network, {id(buffer): buffer for buffer in network.buffers()})
        self._ema = ema

    @torch.no_grad()
    def add(self, network, *, update):
        decay = averaging_decay(self._ema, update=update, updates=0)
        for mean, value in zip(self.network.parameters(), network.parameters(), strict=True):
            mean.mul_(decay).add_(value, alpha=1 - decay)
        for buffer, latest in zip(self.network.buffers(), network.buffers(), strict=True):
            if buffer is not latest:
                # A user's module may replace a buffer, where torch's own layers write into it.
                buffer.copy_(latest)


def optimizer_for(network, knobs):
    groups = [{"params": list(network.decayed().values())}, {"params": list(network.undecayed().values())}]
    if knobs.optimizer == "adam":
        return torch.optim.AdamW(groups, lr=knobs.lr, betas=knobs.betas, weight_decay=0.0, fused=True)
    return torch.optim.SGD(groups, lr=knobs.lr, momentum=knobs.momentum if knobs.optimizer == "momentum" else 0.0)


def mean_loss(outputs, target, *, task, weights=None):
    """(1/n) sum L: cross-entropy against class codes [N] or shares [N, K]; or the squared error of values."""
    if task == "classification":
        losses = nn.functional.cross_entropy(outputs, target, reduction="none")
    else:
        losses = (outputs - target.reshape(outputs.shape)).square().mean(dim=1)
    return (losses if weights is None else losses * weights).mean()


def soft_labels(codes, *, classes, smoothing, dtype):
    return nn.functional.one_hot(codes, classes).to(dtype) * (1 - smoothing) + smoothing / classes


def jittered(numeric, moment):
    spread = moment.config.regularization.input_noise
    if not spread:
        return numeric
    rows, width = numeric.shape
    address = {"seed": moment.config.seed, "stream": moment.stream, "update": moment.update}
    return numeric + spread * torch.from_numpy(input_noise_block(**address, rows=rows, width=width)).to(numeric.dtype)


def columns_of_inputs(network, inputs):
    """The column of the table, numbers first, of each encoded input: D numbers, their bins or features, categories."""
    categories = getattr(network, "categories", None)
    categories = network._categories if categories is None else categories
    levels = [category.width for category in categories]
    bins = [] if getattr(network, "bins", None) is None else network.bins.segments[0].tolist()
    periodic = getattr(network, "periodic", None)
    if periodic is not None:
        bins = [column for column in range(len(periodic.bias)) for _ in range(periodic.bias.shape[1])]
    numbers = inputs - len(bins) - sum(levels)
    codes = [numbers + place for place, width in enumerate(levels) for _ in range(width)]
    return [*range(numbers), *bins, *codes], numbers + len(levels)


def without_some_columns(values, network, moment):
    """Drop whole columns of each row, and divide the others by the share that is kept."""
    knobs = moment.config.regularization
    share = strength(knobs.keep_prob_schedule, update=moment.update, updates=moment.updates)
    keep_prob = keep_prob_at(knobs.input_keep_prob, strength=share)
    if keep_prob == 1:
        return values
    columns, width = columns_of_inputs(network, values.shape[1])
    address = {"seed": moment.config.seed, "stream": moment.stream, "update": moment.update, "layer": INPUTS_LAYER}
    mask = kept(noise_block(**address, rows=len(values), width=width), share=keep_prob)
    return values * torch.from_numpy(mask[:, columns] / keep_prob).to(values.dtype)


def share_of(alpha, *, uniform):
    """The value of Beta(alpha, alpha) below which lies the share `uniform` of the draws."""
    return float(betaincinv(alpha, alpha, uniform))


@dataclass(frozen=True)
class Mixture:
    """share * values + (1 - share) * values of the partners, the same for inputs and labels."""

    share: float
    partner: torch.Tensor

    def __call__(self, values):
        return self.share * values + (1 - self.share) * values[self.partner]


def mixture(moment, *, rows):
    alpha = moment.config.regularization.mixup
    if not alpha:
        return None
    uniform, partner = mixing(seed=moment.config.seed, stream=moment.stream, update=moment.update, rows=rows)
    return Mixture(share_of(alpha, uniform=uniform), torch.from_numpy(partner))


@torch.no_grad()
def soften(weights, *, by):
    """Replace each W by sign(W) max(|W| - by, 0), in place."""
    for weight in weights:
        weight.copy_(nn.functional.softshrink(weight, by))
