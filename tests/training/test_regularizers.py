"""Each regularizer in a training, against plain torch or a closed form."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from oracle.loop import Training, mean_loss, soft_labels
from oracle.stack import fit, new_network
from wellfit.records.config import Config, Network, Optimization, Regularization
from wellfit.records.goals import goal_named
from wellfit.training.noise import batch_order, input_noise_block
from wellfit.training.tensors import Inputs, target_of

SMALL = Network(widths=(9,))
ONE_STEP = Optimization(optimizer="sgd", schedule="constant", lr=0.1, epochs=1, batch_size=600)
"""One update, on all training rows."""
OFF = Regularization()
OPTIMIZERS = {
    "sgd": (Optimization(optimizer="sgd"), torch.optim.SGD, {}),
    "momentum": (Optimization(optimizer="momentum"), torch.optim.SGD, {"momentum": 0.9}),
    "adam": (Optimization(optimizer="adam"), torch.optim.AdamW, {"weight_decay": 0.0, "fused": True}),
}


def trained(data, config, *, dtype=torch.float64):
    """Make every update of `config`; return the training."""
    network = new_network(data, config.network, seed=config.seed, dtype=dtype)
    training = Training(config, data, network=network, dtype=dtype)
    for _ in training.losses():
        pass
    return training


def stepped(data, *, regularization=OFF, **knobs):
    return trained(data, Config(network=SMALL, optimization=replace(ONE_STEP, **knobs), regularization=regularization))


def plainly(data, *, kind, numeric=None):
    """Return a network and the gradient of one step from its start, without any of the loop; `kind` picks the cost."""
    network = new_network(data, SMALL, seed=0, dtype=torch.float64)
    inputs, target = Inputs.of(data.train, dtype=torch.float64), target_of(data.train, data.preparation)
    outputs = network(inputs.numeric if numeric is None else numeric, inputs.codes)
    kind(outputs, target).backward()
    return network, {name: value.grad for name, value in network.named_parameters()}


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_without_regularizers_it_is_plain_torch_to_the_bit(optimizer, classification):
    knobs, kind, settings = OPTIMIZERS[optimizer]
    knobs = replace(knobs, lr=0.02, epochs=2, batch_size=70, schedule="constant")
    training = trained(classification, Config(network=SMALL, optimization=knobs), dtype=torch.float32)
    network = new_network(classification, SMALL, seed=0)
    other = kind(network.parameters(), lr=0.02, **settings)
    inputs, target = Inputs.of(classification.train), target_of(classification.train, classification.preparation)
    for epoch in range(2):
        order = torch.from_numpy(batch_order(seed=0, stream="shared", epoch=epoch, rows=600))
        for batch in order.split(70):
            other.zero_grad()
            nn.functional.cross_entropy(network(inputs.numeric[batch], inputs.codes[batch]), target[batch]).backward()
            other.step()
    for ours, theirs in zip(training.network.parameters(), network.parameters(), strict=True):
        assert torch.equal(ours, theirs)
    assert training.measured is training.network


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_norm_that_no_gradient_reaches_clips_nothing(optimizer, classification):
    knobs = replace(OPTIMIZERS[optimizer][0], epochs=2)
    first, second = (
        trained(classification, Config(network=SMALL, optimization=replace(knobs, clip_norm=norm)))
        for norm in (None, 1e6)
    )
    for ours, theirs in zip(first.network.parameters(), second.network.parameters(), strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("clip_norm", [1e-3, 1e-2])
def test_a_step_is_no_longer_than_lr_times_the_clipped_norm(clip_norm, classification):
    start, gradient = plainly(classification, kind=nn.functional.cross_entropy)
    norm = torch.cat([each.flatten() for each in gradient.values()]).norm().item()
    after = stepped(classification, clip_norm=clip_norm).network.state_dict()
    steps = {name: after[name] - value.detach() for name, value in start.named_parameters()}
    length = torch.cat([each.flatten() for each in steps.values()]).norm().item()
    assert clip_norm < norm
    assert length == pytest.approx(0.1 * clip_norm * norm / (norm + 1e-6), rel=1e-9)
    for name, step in steps.items():
        torch.testing.assert_close(step, gradient[name] * (-length / norm), rtol=1e-9, atol=1e-15)


def test_numbers_are_jittered_before_they_are_encoded_and_categories_are_not(classification):
    numeric = Inputs.of(classification.train, dtype=torch.float64).numeric
    order = batch_order(seed=0, stream="shared", epoch=0, rows=600)
    noise = input_noise_block(seed=0, stream="shared", update=0, rows=600, width=numeric.shape[1])
    jittered = numeric.clone()
    jittered[torch.from_numpy(order)] += 0.4 * torch.from_numpy(noise).double()
    start, gradient = plainly(classification, kind=nn.functional.cross_entropy, numeric=jittered)
    after = stepped(classification, regularization=Regularization(input_noise=0.4)).network.state_dict()
    assert start.bins is not None
    for name, value in start.named_parameters():
        torch.testing.assert_close(after[name], value.detach() - 0.1 * gradient[name], rtol=1e-9, atol=1e-12)


def test_label_smoothing_is_the_one_of_torch(classification):
    start, gradient = plainly(classification, kind=nn.CrossEntropyLoss(label_smoothing=0.3))
    after = stepped(classification, regularization=Regularization(label_smoothing=0.3)).network.state_dict()
    for name, value in start.named_parameters():
        torch.testing.assert_close(after[name], value.detach() - 0.1 * gradient[name], rtol=1e-9, atol=1e-12)


def test_the_best_prediction_under_label_smoothing_is_the_smoothed_label():
    codes = torch.tensor([0, 2, 1, 2])
    labels = soft_labels(codes, classes=3, smoothing=0.3, dtype=torch.float64)
    assert labels[1].tolist() == pytest.approx([0.1, 0.1, 0.8])
    outputs = (labels.log() + 5.0).requires_grad_()
    mean_loss(outputs, labels, task="classification").backward()
    torch.testing.assert_close(outputs.grad, torch.zeros_like(outputs), rtol=0, atol=1e-15)


def test_labels_without_smoothing_cost_what_codes_cost():
    source = torch.Generator().manual_seed(0)
    outputs, codes = torch.randn(50, 4, generator=source, dtype=torch.float64), torch.arange(50) % 4
    labels = soft_labels(codes, classes=4, smoothing=0.0, dtype=torch.float64)
    costs = [mean_loss(outputs, target, task="classification").item() for target in (codes, labels)]
    assert costs[0] == pytest.approx(costs[1], rel=1e-12)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_l1_makes_more_zeros_the_larger_it_is_and_only_in_the_weights(optimizer, classification):
    knobs = replace(OPTIMIZERS[optimizer][0], lr=0.05, epochs=5, batch_size=60)

    def zeros(l1):
        config = Config(network=SMALL, optimization=knobs, regularization=Regularization(l1=l1))
        state = fit(classification, config, goal=goal_named("error")).state
        assert (state["layers.1.bias"] != 0).all()
        assert (state["categories.1.weight"][1:] != 0).all()
        return sum(int((state[name] == 0).sum()) for name in ("layers.0.weight", "layers.1.weight"))

    few, many, most = (zeros(l1) for l1 in (0.0, 10.0, 40.0))
    assert few == 0
    assert 0 < many < most


def test_the_average_is_what_is_measured_and_kept_and_leaves_the_training_alone(classification):
    knobs = Optimization(epochs=3, batch_size=64, lr=0.01)
    plain, averaged = (
        Config(network=SMALL, optimization=knobs, regularization=Regularization(ema=ema)) for ema in (0.0, 0.9)
    )
    training = trained(classification, averaged, dtype=torch.float32)
    for ours, theirs in zip(
        training.network.parameters(),
        trained(classification, plain, dtype=torch.float32).network.parameters(),
        strict=True,
    ):
        assert torch.equal(ours, theirs)
    outcome = fit(classification, averaged, goal=goal_named("log_loss"))
    for name, value in training.measured.named_parameters():
        assert np.array_equal(outcome.state[name], value.detach().numpy())
    assert outcome.curve[-1].dev == pytest.approx(outcome.losses["dev"])


def test_the_first_update_of_the_average_goes_nine_tenths_of_the_way(classification):
    """At update 0 the decay is (1 + 0) / (10 + 0) = .1, however large ema is."""
    start, _ = plainly(classification, kind=nn.functional.cross_entropy)
    training = stepped(classification, regularization=Regularization(ema=0.999))
    after = training.network.state_dict()
    for name, mean in training.measured.named_parameters():
        expected = 0.1 * dict(start.named_parameters())[name] + 0.9 * after[name]
        torch.testing.assert_close(mean, expected, rtol=1e-12, atol=1e-15)
