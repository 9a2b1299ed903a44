"""The fused engines against their slow twin, the reference loop: the same parameters in float64, with dropout on."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
import torch

from oracle.loop import Training
from oracle.stack import new_network
from wellfit.fused.compiled_stack import CompiledStack
from wellfit.fused.layout import layout_of
from wellfit.fused.torch_mlp import TorchMLP
from wellfit.fused.torch_stack import TorchStack
from wellfit.records.config import Config, Device, Network, Optimization, Regularization

UPDATES = 30
OPTIMIZERS = ("sgd", "momentum", "adam")
TASKS = ("classification", "regression")
ENGINES = ("cores", "cpu", *(["cuda"] if torch.cuda.is_available() else []))
"""Compiled updates, and the engine of devices: on this machine everywhere, and on its GPU if it has one."""

KNOBS: dict[str, list[dict[str, object]]] = {
    "lr": [{"lr": lr} for lr in (0.001, 0.003, 0.01, 0.02, 0.05)],
    "l2": [{"l2": l2} for l2 in (0.0, 0.5, 2.0, 10.0, 50.0)],
    "l2 with a schedule": [
        {"l2": 5.0, "l2_schedule": word} for word in ("constant", "flat_cos", "constant", "flat_cos", "flat_cos")
    ],
    "keep_prob": [{"keep_prob": keep} for keep in (1.0, 0.9, 0.7, 0.5, 0.1)],
    "keep_prob of each layer": [{"keep_prob": keep} for keep in ((1.0, 0.5), (0.5, 1.0), (0.9, 0.8), (0.3, 0.6), 0.7)],
    "keep_prob with a schedule": [
        {"keep_prob": keep, "keep_prob_schedule": "flat_cos"} for keep in (0.3, 0.5, 0.7, 0.9, 1.0)
    ],
    "l1": [{"l1": l1} for l1 in (0.0, 0.1, 0.5, 2.0, 10.0)],
    "label_smoothing": [{"label_smoothing": share} for share in (0.0, 0.01, 0.1, 0.3, 0.9)],
    "input_noise": [{"input_noise": spread} for spread in (0.0, 0.01, 0.1, 0.5, 1.0)],
    "input_keep_prob": [{"input_keep_prob": keep} for keep in (1.0, 0.9, 0.5, 1.0, 0.2)],
    "input_keep_prob with a schedule": [
        {"input_keep_prob": keep, "keep_prob": keep, "keep_prob_schedule": word}
        for keep, word in (
            (0.7, "flat_cos"),
            (0.7, "constant"),
            (1.0, "flat_cos"),
            (0.9, "flat_cos"),
            (0.8, "constant"),
        )
    ],
    "mixup": [{"mixup": alpha} for alpha in (0.0, 0.1, 0.4, 1.0, 5.0)],
    "ema": [{"ema": decay} for decay in (0.0, 0.5, 0.9, 0.99, 0.999)],
    "clip_norm": [{"clip_norm": norm} for norm in (None, 10.0, 0.5, 0.05, 0.001)],
    "schedule": [{"schedule": name} for name in ("cosine", "constant", "coslog4", "cosine", "coslog4")],
    "betas or momentum": [
        {"betas": (first, second), "momentum": first}
        for first, second in ((0.9, 0.999), (0.5, 0.9), (0.0, 0.95), (0.95, 0.99), (0.8, 0.5))
    ],
    "all at once": [
        {
            "l2": 3.0 * member,
            "l1": 0.2 * member,
            "keep_prob": 1 - 0.15 * member,
            "label_smoothing": 0.05 * member,
            "input_noise": 0.1 * member,
            "input_keep_prob": 1 - 0.1 * member,
            "mixup": 0.2 * member,
            "ema": 0.2 * member,
            "clip_norm": 1.0 + member,
            "l2_schedule": "flat_cos",
            "keep_prob_schedule": "flat_cos",
        }
        for member in range(5)
    ],
}
KNOBS = {name: [{"keep_prob": 0.8, **one} for one in members] for name, members in KNOBS.items()}


def config_of(knobs: dict[str, object], *, optimizer: str = "adam", network: Network | None = None) -> Config:
    ours = {name: value for name, value in knobs.items() if name in Optimization.__dataclass_fields__}
    rest = {name: value for name, value in knobs.items() if name not in ours}
    base = Optimization(optimizer=optimizer, lr=0.01, epochs=10, batch_size=64)  # type: ignore[arg-type]
    return Config(
        network=network or Network(widths=(12, 8), bins=5),
        optimization=replace(base, **ours),  # type: ignore[arg-type]
        regularization=Regularization(**rest),  # type: ignore[arg-type]
        seed=3,
    )


def stack_of(data, configs, *, engine="cores"):
    layout = layout_of(data, configs[0], dtype=np.float64)
    if engine == "cores":
        return CompiledStack(data, configs, layout=layout)
    return TorchStack(data, configs, network=TorchMLP(layout, Device(engine)), device=Device(engine))


def fused(data, configs, *, updates=UPDATES, engine="cores"):
    stack = stack_of(data, configs, engine=engine)
    costs = []
    while stack.updates < updates:
        costs += list(stack.advance(updates))
    return stack, np.array(costs)


def alone(data, config, layout, *, updates=UPDATES):
    """Return the row of the reference loop's parameters, and the costs of its batches."""
    network = new_network(data, config.network, seed=config.seed, dtype=torch.float64)
    training = Training(config, data, network=network, dtype=torch.float64)
    costs = list(islice(training.losses(), updates))
    return layout.pack(training.measured), np.array(costs)


def assert_same(data, configs, *, engine, updates=UPDATES):
    stack, costs = fused(data, configs, updates=updates, engine=engine)
    for member, config in enumerate(configs):
        row, expected = alone(data, config, stack.layout, updates=updates)
        assert np.abs(stack.parameters[member] - row).max() <= 1e-9 * np.abs(row).max()
        np.testing.assert_allclose(costs[:, member], expected, rtol=1e-9)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("knob", KNOBS)
def test_five_different_members_are_what_each_is_alone(knob, optimizer, task, engine, table):
    members = KNOBS[knob]
    if task == "regression":
        members = [{name: value for name, value in one.items() if name != "label_smoothing"} for one in members]
    assert_same(table(task), [config_of(one, optimizer=optimizer) for one in members], engine=engine)


NETWORKS = {
    "tanh": Network(widths=(12, 8), activation="tanh", bins=5),
    "gelu": Network(widths=(12, 8), activation="gelu", bins=5),
    "numbers as they are": Network(widths=(12, 8), embedding="none"),
    "periodic": Network(widths=(12, 8), embedding="periodic"),
    "one hidden layer": Network(widths=(9,), bins=5),
    "three hidden layers": Network(widths=(9, 8, 7), bins=5),
}


@pytest.mark.timeout(600)
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("network", NETWORKS)
def test_other_networks(network, task, engine, table):
    knobs = [
        {"keep_prob": keep, "l2": 2.0, "mixup": mixup, "input_keep_prob": inputs}
        for keep, mixup, inputs in ((1.0, 0.0, 0.8), (0.7, 0.0, 1.0), (0.5, 0.4, 0.6))
    ]
    assert_same(table(task), [config_of(one, network=NETWORKS[network]) for one in knobs], engine=engine)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("engine", ENGINES)
def test_no_hidden_layer(engine, table):
    network = Network(widths=(), bins=5)
    knobs = [{"l2": l2, "keep_prob": (), "input_keep_prob": keep} for l2, keep in ((0.0, 1.0), (3.0, 1.0), (0.0, 0.7))]
    configs = [config_of(one, network=network) for one in knobs]
    assert_same(table("classification"), configs, engine=engine)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("knob", ["keep_prob", "input_noise", "input_keep_prob"])
def test_a_table_without_numbers(knob, engine, table):
    assert_same(table("classification", numbers=False), [config_of(one) for one in KNOBS[knob]], engine=engine)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("engine", ENGINES)
def test_a_batch_of_the_whole_table(engine, table):
    configs = [config_of({**one, "batch_size": 1_000, "epochs": UPDATES}) for one in KNOBS["keep_prob"]]
    assert_same(table("classification"), configs, engine=engine)
