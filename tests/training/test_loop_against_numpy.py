"""The reference loop against gradient descent written out by hand in float64."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from wellfit.config import Config, Network, Optimization, Regularization
from wellfit.training.loop import Training
from wellfit.training.noise import batch_order, noise_block
from wellfit.training.tensors import new_network

SIZES = Network(widths=(7, 5), embedding="none")
OPTIMIZERS = {
    "sgd": Optimization(optimizer="sgd", lr=0.05, epochs=2, batch_size=40),
    "momentum": Optimization(optimizer="momentum", lr=0.05, epochs=2, batch_size=40),
    "adam": Optimization(optimizer="adam", lr=0.01, epochs=2, batch_size=40, betas=(0.8, 0.95)),
}
REGULARIZERS = {
    "none": Regularization(),
    "l2": Regularization(l2=30.0),
    "dropout": Regularization(keep_prob=0.6),
    "both": Regularization(l2=30.0, keep_prob=(0.9, 0.5)),
}


class ByHand:
    """The same training: forward, backward, decay and update, with nothing but matrix products."""

    def __init__(self, data, config, parameters):
        self.config, self.rows = config, data.train.rows
        self.classify = data.preparation.schema.task == "classification"
        few = data.train.codes[:, [0]]
        self.fixed = np.hstack([data.train.numeric, (few == np.arange(1, 5)).astype(float)])
        self.codes = data.train.codes[:, 1]
        self.target = data.train.target
        if not self.classify:
            self.target = (self.target - data.preparation.target_mean) / data.preparation.target_scale
        self.p = parameters
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
            lr = knobs.lr * 0.5 * (1 + np.cos(np.pi * update / len(batches)))
            self.step(self.gradients(batch, update), lr=lr, count=update + 1)
        return self.p

    def masks(self, update, rows):
        for layer, (keep, width) in enumerate(zip(self.config.keep_probs, self.config.network.widths, strict=True)):
            noise = noise_block(
                seed=self.config.seed, stream="shared", update=update, layer=layer, rows=rows, width=width
            )
            yield (noise.astype(float) < keep * 65_536) / keep

    def gradients(self, batch, update):
        p, rows = self.p, len(batch)
        table = p["categories.1.weight"]
        x0 = np.hstack([self.fixed[batch], table[self.codes[batch]]])
        m1, m2 = self.masks(update, rows)
        z1 = x0 @ p["layers.0.weight"].T + p["layers.0.bias"]
        x1 = np.maximum(z1, 0) * m1
        z2 = x1 @ p["layers.1.weight"].T + p["layers.1.bias"]
        x2 = np.maximum(z2, 0) * m2
        out = x2 @ p["layers.2.weight"].T + p["layers.2.bias"]
        if self.classify:
            likely = np.exp(out - out.max(1, keepdims=True))
            d3 = (likely / likely.sum(1, keepdims=True) - np.eye(out.shape[1])[self.target[batch]]) / rows
        else:
            d3 = 2 * (out - self.target[batch][:, None]) / rows
        d2 = (d3 @ p["layers.2.weight"]) * m2 * (z2 > 0)
        d1 = (d2 @ p["layers.1.weight"]) * m1 * (z1 > 0)
        d0 = (d1 @ p["layers.0.weight"])[:, self.fixed.shape[1] :]
        grads = {"categories.1.weight": np.zeros_like(table)}
        np.add.at(grads["categories.1.weight"], self.codes[batch], d0)
        for place, (delta, entered) in enumerate([(d1, x0), (d2, x1), (d3, x2)]):
            grads[f"layers.{place}.weight"] = delta.T @ entered
            grads[f"layers.{place}.bias"] = delta.sum(0)
        return grads

    def step(self, grads, *, lr, count):
        knobs, decay = self.config.optimization, self.config.regularization.l2 / self.rows
        for name, value in self.p.items():
            grad = grads[name]
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


def started(data, config):
    network = new_network(data, config.network, seed=config.seed, dtype=torch.float64)
    # An output layer of zeros would hide errors in the layers below.
    source = np.random.default_rng(1)
    with torch.no_grad():
        network.layers[-1].weight.copy_(torch.from_numpy(source.normal(size=network.layers[-1].weight.shape)))
    return network


@pytest.mark.parametrize("task", ["classification", "regression"])
@pytest.mark.parametrize("regularizer", REGULARIZERS)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_the_loop_equals_the_formulas(optimizer, regularizer, task, request):
    data = request.getfixturevalue(task)
    config = Config(network=SIZES, optimization=OPTIMIZERS[optimizer], regularization=REGULARIZERS[regularizer], seed=4)
    network = started(data, config)
    by_hand = ByHand(data, config, {name: value.detach().numpy().copy() for name, value in network.named_parameters()})
    training = Training(config, data, network=network, dtype=torch.float64)
    assert len(list(training.losses())) == training.updates == 30
    expected = by_hand.run()
    for name, value in network.named_parameters():
        np.testing.assert_allclose(value.detach().numpy(), expected[name], rtol=1e-9, atol=1e-12, err_msg=name)


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
    training._optimizer.step()
    factor = 1 - config.optimization.lr * 30.0 / classification.train.rows
    for name, value in network.named_parameters():
        torch.testing.assert_close(
            value, before[name] * (factor if name in network.decayed() else 1), rtol=1e-12, atol=0
        )
