"""The reference loop against gradient descent written out by hand in float64."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import beta

from oracle.loop import Moment, Training
from oracle.stack import new_network
from wellfit.records.config import Config, Network, Optimization, Regularization
from wellfit.training.noise import batch_order, input_noise_block, mixing, noise_block

SIZES = Network(widths=(7, 5), embedding="none")
OPTIMIZERS = {
    "sgd": Optimization(optimizer="sgd", lr=0.05, epochs=2, batch_size=40),
    "momentum": Optimization(optimizer="momentum", lr=0.05, epochs=2, batch_size=40),
    "adam": Optimization(optimizer="adam", lr=0.01, epochs=2, batch_size=40, betas=(0.8, 0.95)),
}
VARIANTS = {
    "clipped momentum": replace(OPTIMIZERS["momentum"], clip_norm=0.3),
    "clipped adam on coslog4": replace(OPTIMIZERS["adam"], clip_norm=0.3, schedule="coslog4"),
    "sgd at a constant rate": replace(OPTIMIZERS["sgd"], schedule="constant"),
}
REGULARIZERS = {
    "none": Regularization(),
    "l2": Regularization(l2=30.0),
    "dropout": Regularization(keep_prob=0.6),
    "both": Regularization(l2=30.0, keep_prob=(0.9, 0.5)),
    "l1": Regularization(l1=10.0),
    "label smoothing": Regularization(label_smoothing=0.2),
    "input noise": Regularization(input_noise=0.3),
    "mixup": Regularization(mixup=0.4),
    "ema": Regularization(ema=0.8),
    "schedules": Regularization(l2=30.0, l1=10.0, keep_prob=0.6, l2_schedule="flat_cos", keep_prob_schedule="flat_cos"),
}
EVERYTHING = Regularization(
    l2=30.0,
    l1=10.0,
    keep_prob=(0.9, 0.5),
    label_smoothing=0.2,
    input_noise=0.3,
    mixup=0.4,
    ema=0.8,
    l2_schedule="flat_cos",
    keep_prob_schedule="flat_cos",
)


class ByHand:
    """The same training: forward, backward, decay and update, with nothing but matrix products."""

    def __init__(self, data, config, parameters):
        self.config, self.rows = config, data.train.rows
        self.knobs = config.regularization
        self.columns = data.train.numeric.shape[1]
        few = data.train.codes[:, [0]]
        self.fixed = np.hstack([data.train.numeric, (few == np.arange(1, 5)).astype(float)])
        self.codes = data.train.codes[:, 1]
        self.classify = data.preparation.schema.task == "classification"
        if self.classify:
            smoothing, classes = self.knobs.label_smoothing, data.preparation.outputs
            self.target = (1 - smoothing) * np.eye(classes)[data.train.target] + smoothing / classes
        else:
            self.target = (data.train.target - data.preparation.target_mean)[:, None] / data.preparation.target_scale
        self.p = parameters
        self.mean = dict(parameters)
        self.first = {name: np.zeros_like(value) for name, value in parameters.items()}
        self.second = {name: np.zeros_like(value) for name, value in parameters.items()}

    def run(self):
        knobs = self.config.optimization
        batches = [
            batch
            for epoch in range(knobs.epochs)
            for batch in np.split(
                batch_order(seed=self.config.seed, stream="shared", epoch=epoch, rows=self.rows),
                range(knobs.batch_size, self.rows, knobs.batch_size),
            )
        ]
        for update, batch in enumerate(batches):
            through = update / len(batches)
            rates = {
                "constant": 1.0,
                "cosine": 0.5 * (1 + np.cos(np.pi * through)),
                "coslog4": 0.5 * (1 - np.cos(2 * np.pi * np.log2(1 + 15 * through))),
            }
            self.fading = 1.0 if through < 0.5 else 0.5 * (1 + np.cos(np.pi * (2 * through - 1)))
            self.step(self.gradients(batch, update), lr=knobs.lr * rates[knobs.schedule], count=update + 1)
            decay = min(self.knobs.ema, (1 + update) / (10 + update))
            self.mean = {name: decay * mean + (1 - decay) * self.p[name] for name, mean in self.mean.items()}
        return self.p

    def strength(self, schedule):
        return self.fading if schedule == "flat_cos" else 1.0

    def masks(self, update, rows):
        for layer, (asked, width) in enumerate(zip(self.config.keep_probs, self.config.network.widths, strict=True)):
            keep = 1 - (1 - asked) * self.strength(self.knobs.keep_prob_schedule)
            noise = noise_block(
                seed=self.config.seed, stream="shared", update=update, layer=layer, rows=rows, width=width
            )
            yield (noise.astype(float) < keep * 65_536) / keep

    def gradients(self, batch, update):
        p, rows = self.p, len(batch)
        address = {"seed": self.config.seed, "stream": "shared", "update": update, "rows": rows}
        table = p["categories.1.weight"]
        fixed = self.fixed[batch].astype(float)
        noise = input_noise_block(width=self.columns, **address).astype(float)
        fixed[:, : self.columns] += self.knobs.input_noise * noise
        mixer = np.eye(rows)
        if self.knobs.mixup:
            uniform, partner = mixing(**address)
            share = beta.ppf(uniform, self.knobs.mixup, self.knobs.mixup)
            mixer = share * np.eye(rows) + (1 - share) * np.eye(rows)[partner]
        x0 = mixer @ np.hstack([fixed, table[self.codes[batch]]])
        target = mixer @ self.target[batch]
        m1, m2 = self.masks(update, rows)
        z1 = x0 @ p["layers.0.weight"].T + p["layers.0.bias"]
        x1 = np.maximum(z1, 0) * m1
        z2 = x1 @ p["layers.1.weight"].T + p["layers.1.bias"]
        x2 = np.maximum(z2, 0) * m2
        out = x2 @ p["layers.2.weight"].T + p["layers.2.bias"]
        if self.classify:
            likely = np.exp(out - out.max(1, keepdims=True))
            d3 = (likely / likely.sum(1, keepdims=True) - target) / rows
        else:
            d3 = 2 * (out - target) / rows
        d2 = (d3 @ p["layers.2.weight"]) * m2 * (z2 > 0)
        d1 = (d2 @ p["layers.1.weight"]) * m1 * (z1 > 0)
        d0 = mixer.T @ (d1 @ p["layers.0.weight"])[:, self.fixed.shape[1] :]
        grads = {"categories.1.weight": np.zeros_like(table)}
        np.add.at(grads["categories.1.weight"], self.codes[batch], d0)
        for place, (delta, entered) in enumerate([(d1, x0), (d2, x1), (d3, x2)]):
            grads[f"layers.{place}.weight"] = delta.T @ entered
            grads[f"layers.{place}.bias"] = delta.sum(0)
        return grads

    def step(self, grads, *, lr, count):
        knobs, strength = self.config.optimization, self.strength(self.knobs.l2_schedule)
        decay, soft = (strength * knob / self.rows for knob in (self.knobs.l2, self.knobs.l1))
        norm = np.sqrt(sum((grad**2).sum() for grad in grads.values()))
        clip = min(1, knobs.clip_norm / (norm + 1e-6)) if knobs.clip_norm else 1
        for name, value in self.p.items():
            grad = clip * grads[name]
            shrinks = name.startswith("layers") and name.endswith("weight")
            if knobs.optimizer == "adam":
                b1, b2 = knobs.betas
                self.first[name] = b1 * self.first[name] + (1 - b1) * grad
                self.second[name] = b2 * self.second[name] + (1 - b2) * grad**2
                moved = self.first[name] / (1 - b1**count) / (np.sqrt(self.second[name] / (1 - b2**count)) + 1e-8)
                self.p[name] = value * (1 - lr * decay * shrinks) - lr * moved
            elif knobs.optimizer == "momentum":
                self.first[name] = knobs.momentum * self.first[name] + grad + decay * shrinks * value
                self.p[name] = value - lr * self.first[name]
            else:
                self.p[name] = value * (1 - lr * decay * shrinks) - lr * grad
            if shrinks:
                left = np.maximum(np.abs(self.p[name]) - lr * soft, 0)
                self.p[name] = np.sign(self.p[name]) * left


def started(data, config):
    network = new_network(data, config.network, seed=config.seed, dtype=torch.float64)
    # An output layer of zeros would hide errors in the layers below.
    source = np.random.default_rng(1)
    with torch.no_grad():
        network.layers[-1].weight.copy_(torch.from_numpy(source.normal(size=network.layers[-1].weight.shape)))
    return network


def assert_equal_by_hand(config, data):
    if data.preparation.schema.task == "regression":
        config = replace(config, regularization=replace(config.regularization, label_smoothing=0.0))
    network = started(data, config)
    by_hand = ByHand(data, config, {name: value.detach().numpy().copy() for name, value in network.named_parameters()})
    training = Training(config, data, network=network, dtype=torch.float64)
    assert len(list(training.losses())) == training.updates == 30
    expected = by_hand.run()
    pairs = [(network, expected), (training.measured, by_hand.mean if config.regularization.ema else expected)]
    for measured, values in pairs:
        for name, value in measured.named_parameters():
            np.testing.assert_allclose(value.detach().numpy(), values[name], rtol=1e-9, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("task", ["classification", "regression"])
@pytest.mark.parametrize("regularizer", REGULARIZERS)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_the_loop_equals_the_formulas(optimizer, regularizer, task, request):
    regularization = REGULARIZERS[regularizer]
    config = Config(network=SIZES, optimization=OPTIMIZERS[optimizer], regularization=regularization, seed=4)
    assert_equal_by_hand(config, request.getfixturevalue(task))


@pytest.mark.parametrize("task", ["classification", "regression"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS | VARIANTS)
def test_everything_at_once_equals_the_formulas(optimizer, task, request):
    optimization = (OPTIMIZERS | VARIANTS)[optimizer]
    config = Config(network=SIZES, optimization=optimization, regularization=EVERYTHING, seed=4)
    assert_equal_by_hand(config, request.getfixturevalue(task))


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_without_a_gradient_lambda_multiplies_the_weights_and_nothing_else(optimizer, classification):
    config = Config(
        network=SIZES,
        optimization=replace(OPTIMIZERS[optimizer], schedule="constant", momentum=0.0),
        regularization=Regularization(l2=30.0),
    )
    network = started(classification, config)
    training = Training(config, classification, network=network, dtype=torch.float64)
    before = {name: value.detach().clone() for name, value in network.named_parameters()}
    for value in network.parameters():
        value.grad = torch.zeros_like(value)
    training._descend(Moment(config=config, stream="shared", update=0, updates=30))
    factor = 1 - config.optimization.lr * 30.0 / classification.train.rows
    for name, value in network.named_parameters():
        torch.testing.assert_close(
            value, before[name] * (factor if name in network.decayed() else 1), rtol=1e-12, atol=0
        )
