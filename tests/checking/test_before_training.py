"""A network of the user's own is checked by itself before wf.train and wf.sweep train it."""

from __future__ import annotations

import logging

import numpy as np
import pyarrow as pa
import pytest
import torch
from torch import nn

import wellfit as wf
from wellfit.checking.before import warn_of_batches

CONFIG = wf.Config(optimization=wf.Optimization(epochs=1))


def sound(inputs, outputs):
    return nn.Sequential(nn.Linear(inputs, 8), nn.ReLU(), nn.Linear(8, outputs))


def zeroed(inputs, outputs):
    network = sound(inputs, outputs)
    for value in network.parameters():
        nn.init.zeros_(value)
    return network


def softmaxed(inputs, outputs):
    return nn.Sequential(sound(inputs, outputs), nn.Softmax(1))


@pytest.fixture(scope="module")
def split():
    values = np.random.default_rng(0).normal(size=(150, 3))
    columns = {name: values[:, place] for place, name in enumerate("abc")}
    return wf.split(pa.table({**columns, "y": np.where(values[:, 0] > 0, "yes", "no")}), target="y")


TRAININGS = {
    "train": lambda split, net, notify: wf.train(split, CONFIG, module=net, notify=notify),
    "sweep": lambda split, net, notify: wf.sweep(split, CONFIG, over={"l2": [0.0, 1.0]}, module=net, notify=notify),
}


@pytest.mark.parametrize("name", TRAININGS)
@pytest.mark.parametrize(("net", "fired"), [(sound, []), (zeroed, ["WF514"])], ids=["sound", "zeros"])
def test_what_fired_is_a_warning_and_an_event(split, caplog, name, net, fired):
    events = []
    with caplog.at_level(logging.WARNING, logger="wellfit"):
        TRAININGS[name](split, net, events.append)
    warned = [record.getMessage() for record in caplog.records if record.name.startswith("wellfit.checking")]
    assert [event["fired"][0] for event in events if event["event"] == "check"] == fired
    assert [message[:5] for message in warned] == fired


def _batches(rows=8):
    generator = torch.Generator().manual_seed(0)
    return [(torch.randn(rows, 3, generator=generator), torch.arange(rows) % 2) for _ in range(3)]


class Twice(nn.Module):
    def forward(self, rows, other):
        return rows + other


BATCHES = {
    "sound": (sound(3, 2), _batches(), []),
    "softmax-twice": (softmaxed(3, 2), _batches(), ["WF502"]),
    "no-batch": (sound(3, 2), [], []),
    "several-inputs": (sound(3, 2), [(torch.zeros(8, 3), torch.zeros(8, 3), torch.zeros(8))], []),
    "named-inputs": (sound(3, 2), [({"x": torch.zeros(8, 3)}, torch.zeros(8))], []),
    "forward-of-two": (Twice(), _batches(), []),
    "few-rows": (softmaxed(3, 2), _batches(rows=2), []),
}


@pytest.mark.parametrize(("net", "batches", "fired"), BATCHES.values(), ids=list(BATCHES))
def test_the_first_two_batches_of_a_loop_are_checked_where_they_can_be(caplog, net, batches, fired):
    with caplog.at_level(logging.WARNING, logger="wellfit"):
        warn_of_batches(net, iter(batches), loss=nn.functional.cross_entropy)
    assert [record.getMessage()[:5] for record in caplog.records] == fired


def test_without_a_loss_what_speaks_of_it_is_left_out(caplog):
    optimizer = torch.optim.SGD(softmaxed(3, 2).parameters(), lr=0.1)
    with caplog.at_level(logging.WARNING, logger="wellfit"):
        warn_of_batches(softmaxed(3, 2), _batches(), optimizer=optimizer)
    assert [record.getMessage()[:5] for record in caplog.records] == ["WF503"]
    assert "not in the optimizer" in caplog.text


def test_skorch_is_checked_by_its_callback(caplog):
    skorch = pytest.importorskip("skorch")
    from wellfit.loops.skorch import DiagnosisCallback

    generator = np.random.default_rng(0)
    rows = generator.normal(size=(90, 3)).astype(np.float32) * 300
    callback = DiagnosisCallback(write=lambda said: None)
    net = skorch.NeuralNetClassifier(
        sound, module__inputs=3, module__outputs=2, criterion=nn.CrossEntropyLoss, max_epochs=1, callbacks=[callback]
    )
    with caplog.at_level(logging.WARNING, logger="wellfit"):
        net.set_params(verbose=0).fit(rows, (rows[:, 0] > 0).astype(np.int64))
    assert caplog.records[0].getMessage().startswith("WF517 inputs that are not normalized")
