"""A network of the user's own is checked by itself before wf.train and wf.sweep train it."""

from __future__ import annotations

import logging

import numpy as np
import pyarrow as pa
import pytest
from torch import nn

import wellfit as wf

CONFIG = wf.Config(optimization=wf.Optimization(epochs=1))


def sound(inputs, outputs):
    return nn.Sequential(nn.Linear(inputs, 8), nn.ReLU(), nn.Linear(8, outputs))


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
@pytest.mark.parametrize(("net", "fired"), [(sound, []), (softmaxed, ["WF502"])], ids=["sound", "softmax-twice"])
def test_what_fired_is_a_warning_and_an_event(split, caplog, name, net, fired):
    events = []
    with caplog.at_level(logging.WARNING, logger="wellfit"):
        TRAININGS[name](split, net, events.append)
    warned = [record.getMessage() for record in caplog.records if record.name.startswith("wellfit.checking")]
    assert [event["fired"] for event in events if event["event"] == "check"] == ([fired] if fired else [])
    assert [message[:5] for message in warned] == fired
