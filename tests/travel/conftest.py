"""Two small models with everything that a table can bring: missing numbers, categories, dates, unseen levels."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pyarrow as pa
import pytest

import wellfit as wf
from wellfit.records.goals import goal_named
from wellfit.training.tensors import Part
from wellfit.travel.folder import Model


def rows(count, *, seed):
    rng = np.random.default_rng(seed)
    age = rng.normal(40, 12, count)
    city = rng.choice(["Oslo", "Rome", "Bern", None], count)
    days = rng.integers(0, 3_000, count)
    signal = (age - 40) / 12 + (city == "Rome")
    return {
        "age": pa.array(np.where(rng.random(count) < 0.1, np.nan, age)),
        "city": pa.array(city.tolist(), pa.string()),
        "member": pa.array(rng.random(count) < 0.5),
        "street": pa.array([f"street {number % 40}" for number in rng.integers(0, 40, count)]),
        "joined": pa.array(
            [dt.datetime(2015, 1, 1) + dt.timedelta(days=int(day), hours=int(day % 24)) for day in days]
        ),
        "signal": signal + rng.normal(0, 0.5, count),
    }


def table(task, count=400, *, seed=0):
    found = rows(count, seed=seed)
    signal = found.pop("signal")
    target = signal if task == "regression" else np.digitize(signal, [-0.5, 0.8]).astype(str)
    return pa.table({**found, "y": target})


@pytest.fixture(scope="session", params=["classification", "regression"])
def model(request):
    """An average of three networks, whose numbers enter in all three ways; that of classes at a temperature."""
    split = wf.split(table(request.param), target="y", seed=1)
    plain = wf.Config(network=wf.Network(widths=(8,)), optimization=wf.Optimization(epochs=3))
    tanh = wf.Config(network=wf.Network(widths=(6, 6), activation="tanh", embedding="none"), seed=2)
    waved = wf.Config(network=wf.Network(widths=(8,), embedding="periodic"), optimization=wf.Optimization(epochs=3))
    outcomes = [wf.train(split, config) for config in (plain, tanh, waved)]
    weights = (0.5, 0.25, 0.25)
    parts = tuple(Part(weight, each.config, each.state) for weight, each in zip(weights, outcomes, strict=True))
    preparation = split.prepared().preparation
    if request.param == "regression":
        return Model(goal_named("rmse"), preparation, parts)
    return Model(goal_named("error"), preparation, parts, temperature=1.7)


@pytest.fixture(scope="session")
def new(model):
    """Rows that the model has not seen, with a level that train never had and a missing date."""
    found = table(model.preparation.schema.task, 60, seed=7).drop_columns(["y"])
    city = found.column("city").to_pylist()
    joined = found.column("joined").to_pylist()
    city[0], joined[1] = "Atlantis", None
    found = found.set_column(1, "city", pa.array(city, pa.string()))
    return found.set_column(4, "joined", pa.array(joined, found.schema.field("joined").type))
