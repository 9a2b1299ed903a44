"""What outputs and targets are is decided once, from the loss, for all rows alike."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from wellfit.exceptions import BadInput
from wellfit.loops.outputs import LossSpy, Trial, decide, second_softmax


def read(outputs, target, *, loss=None, **options):
    """The pair of one batch, as a network that returns `outputs` and is trained by `loss` is read."""
    returned, labels = outputs, torch.as_tensor(target)
    with LossSpy() as spy:
        if callable(outputs):
            returned = outputs()
        if loss is not None:
            loss(returned, labels)
    reading = decide(Trial(labels, returned, spy.end_of), losses=spy.losses, **options)
    return reading.pair([labels], [reading.outputs(returned)], part="train")


MILD = torch.tensor([0.2, 0.6, 0.9])
"""Logits that look like probabilities."""
ONES = [0.0, 1.0, 1.0]


@pytest.mark.parametrize(
    ("loss", "outputs", "target", "expected"),
    [
        (functional.binary_cross_entropy_with_logits, MILD, ONES, MILD.double().sigmoid()),
        (nn.BCEWithLogitsLoss(), MILD[:, None], [[0.0], [1.0], [1.0]], MILD.double().sigmoid()),
        (nn.BCELoss(), MILD, ONES, MILD.double()),
        (functional.soft_margin_loss, MILD, [-1.0, 1.0, 1.0], MILD.double().sigmoid()),
    ],
    ids=["logits", "a column of logits", "probabilities", "classes -1 and 1"],
)
def test_one_output_of_two_classes_is_what_its_loss_takes(loss, outputs, target, expected):
    labels, prediction = read(outputs, target, loss=loss)
    assert labels.tolist() == [0, 1, 1]
    np.testing.assert_allclose(prediction[:, 1], expected)
    np.testing.assert_allclose(prediction.sum(axis=1), 1)


def test_a_network_that_ends_in_a_sigmoid_returns_probabilities_though_it_is_trained_on_logits():
    def loss(_returned, labels):
        return functional.binary_cross_entropy_with_logits(MILD, labels)

    _, prediction = read(lambda: MILD.sigmoid().unsqueeze(1), ONES, loss=loss)
    np.testing.assert_allclose(prediction[:, 1], MILD.sigmoid())


def test_a_sigmoid_in_the_training_step_leaves_logits():
    def loss(returned, labels):
        return functional.binary_cross_entropy(returned.sigmoid(), labels)

    outputs = torch.tensor([-3.0, 0.5, 4.0])
    _, prediction = read(outputs, ONES, loss=loss)
    np.testing.assert_allclose(prediction[:, 1], outputs.double().sigmoid())


COLUMNS = torch.tensor([[0.1, 0.9], [0.3, 0.8]])


@pytest.mark.parametrize(
    ("loss", "outputs", "expected"),
    [
        (nn.CrossEntropyLoss(), COLUMNS, COLUMNS.double().softmax(1)),
        (nn.NLLLoss(), COLUMNS.log_softmax(1), COLUMNS.double().softmax(1)),
        (None, COLUMNS.softmax(1), COLUMNS.double().softmax(1)),
        (None, COLUMNS, COLUMNS.double().softmax(1)),
    ],
    ids=["logits", "logarithms", "probabilities", "logits of an unknown loss"],
)
def test_columns_become_probabilities(loss, outputs, expected):
    labels, prediction = read(outputs, [1, 0], loss=loss)
    assert labels.tolist() == [1, 0]
    np.testing.assert_allclose(prediction, expected, rtol=1e-6)


def test_one_hot_targets_are_labels():
    labels, _ = read(COLUMNS, [[0.0, 1.0], [1.0, 0.0]], loss=nn.CrossEntropyLoss())
    assert labels.tolist() == [1, 0]


@pytest.mark.parametrize(
    ("loss", "outputs", "target", "expected"),
    [
        (nn.MSELoss(), [0.2, 0.9], [0.0, 1.0], [0.2, 0.9]),
        (nn.L1Loss(), [[0.2], [0.9]], [[0.0], [1.0]], [0.2, 0.9]),
        (nn.PoissonNLLLoss(), [0.0, 1.0], [1.0, 2.0], [1.0, np.e]),
        (functional.huber_loss, [[0.2, 1.0], [0.9, 2.0]], [[0.0, 1.0], [1.0, 2.0]], [[0.2, 1.0], [0.9, 2.0]]),
        (None, [0.2, 0.9], [0.5, 3.5], [0.2, 0.9]),
    ],
    ids=["values of 0 and 1", "columns", "logarithms of a rate", "several targets", "unknown loss"],
)
def test_values_stay_values_though_all_targets_are_0_and_1(loss, outputs, target, expected):
    values, prediction = read(torch.tensor(outputs), target, loss=loss)
    np.testing.assert_allclose(prediction, expected, rtol=1e-6)
    assert values.shape == prediction.shape


@pytest.mark.parametrize(
    ("returned", "shape"),
    [
        (lambda: (torch.ones(2, 7), COLUMNS), "tuple"),
        (lambda: {"features": torch.ones(2, 7), "logits": COLUMNS}, "mapping"),
        (lambda: {"anything": COLUMNS, "loss": torch.tensor(3.0)}, "one of all rows"),
    ],
)
def test_the_outputs_are_found_among_what_is_returned(returned, shape):
    def loss(_returned, labels):
        return functional.cross_entropy(COLUMNS, labels)

    _, prediction = read(returned(), [1, 0], loss=loss)
    np.testing.assert_allclose(prediction, COLUMNS.double().softmax(1))


def test_the_loss_of_the_target_counts_among_several():
    def loss(returned, labels):
        functional.mse_loss(torch.ones(5), torch.zeros(5))
        functional.binary_cross_entropy_with_logits(returned, labels)

    _, prediction = read(MILD, ONES, loss=loss)
    np.testing.assert_allclose(prediction[:, 1], MILD.double().sigmoid())


def test_what_the_user_says_counts_first():
    _, prediction = read(MILD, ONES, kind="probabilities")
    np.testing.assert_allclose(prediction[:, 1], MILD)
    _, values = read(MILD, ONES, goal="rmse")
    np.testing.assert_allclose(values, MILD)


@pytest.mark.parametrize(
    ("outputs", "target", "options", "said"),
    [
        (MILD, ONES, {}, "the kind of a module's outputs"),
        (MILD, [0, 1, 1], {}, "the kind of a module's outputs"),
        (COLUMNS, [[0.5, 0.5], [0.0, 1.0]], {"loss": nn.CrossEntropyLoss()}, "a single class"),
        (COLUMNS, [1, 2], {}, "whole numbers from 0 to 1"),
        (COLUMNS, [1, -100], {}, "whole numbers from 0 to 1"),
        (COLUMNS, [[1.0, 1.0], [0.0, 1.0]], {"loss": nn.BCEWithLogitsLoss()}, "one label"),
        (torch.ones(2, 3, 4), [1, 0], {}, "outputs for one label"),
        (MILD, [0.1, 0.9, 0.9], {"loss": nn.BCEWithLogitsLoss()}, "0 and 1"),
        (COLUMNS, [1, 0], {"kind": "probabilities"}, "add up to 1"),
        ((torch.ones(2, 7), COLUMNS), [1, 0], {}, "as a tensor"),
        ({"loss": torch.tensor(1.0)}, [1, 0], {}, "as a tensor"),
    ],
    ids=[
        "one output, unknown loss",
        "integers, unknown loss",
        "shared label",
        "label too large",
        "ignored label",
        "several labels",
        "pictures",
        "smoothed labels",
        "no probabilities",
        "which of two",
        "none",
    ],
)
def test_what_stays_open_or_does_not_fit_is_refused(outputs, target, options, said):
    with pytest.raises(BadInput, match=said):
        read(outputs, target, **options)


@pytest.mark.parametrize("twice", [True, False])
def test_a_second_softmax_is_noticed(twice):
    with LossSpy() as spy:
        functional.cross_entropy(COLUMNS.softmax(1) if twice else COLUMNS * 2, torch.tensor([0, 1]))
    assert bool(second_softmax(spy)) is twice
