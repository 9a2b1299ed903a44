from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from module_cases import Attention, Encoder, Layer, Normed, Plain, Recurrent, prepare_small
from oracle.loop import Training
from wellfit.exceptions import BadInput
from wellfit.fused.module_rows import module_layout
from wellfit.fused.torch_module import TorchModule
from wellfit.fused.torch_stack import TorchStack
from wellfit.records.config import Config, Network, Optimization, Regularization
from wellfit.training.module import module_network
from wellfit.training.tensors import state_of

UPDATES = 30
REGULARIZERS = {
    "none": {},
    "dropout": {"keep_prob": (1.0, 0.9, 0.5, 0.3, 0.7)},
    "l2": {"l2": (0.0, 0.5, 3.0, 10.0, 30.0)},
    "l1": {"l1": (0.0, 0.1, 0.5, 1.0, 2.0)},
    "input noise": {"input_noise": (0.0, 0.1, 0.5, 1.0, 0.3)},
    "dropout of inputs": {"input_keep_prob": (1.0, 0.9, 0.5, 0.3, 1.0)},
    "dropout of inputs among others": {
        "input_keep_prob": (1.0, 0.9, 0.5, 1.0, 0.7),
        "keep_prob": (1.0, 0.9, 0.9, 0.7, 0.7),
        "mixup": (0.0, 0.2, 1.0, 3.0, 0.5),
        "input_noise": (0.0, 0.1, 0.5, 1.0, 0.3),
        "keep_prob_schedule": ("constant", "flat_cos", "flat_cos", "flat_cos", "constant"),
    },
    "mixup": {"mixup": (0.0, 0.2, 1.0, 3.0, 0.5)},
    "ema": {"ema": (0.0, 0.5, 0.9, 0.99, 0.7)},
    "label smoothing": {"label_smoothing": (0.0, 0.1, 0.3, 0.5, 0.2)},
    "all, with schedules": {
        "keep_prob": (1.0, 0.9, 0.5, 0.3, 0.7),
        "l2": (0.0, 0.5, 3.0, 10.0, 30.0),
        "mixup": (0.0, 0.2, 1.0, 3.0, 0.5),
        "input_noise": (0.0, 0.1, 0.5, 1.0, 0.3),
        "ema": (0.0, 0.5, 0.9, 0.99, 0.7),
        "l2_schedule": ("flat_cos",) * 5,
        "keep_prob_schedule": ("constant", "flat_cos", "flat_cos", "flat_cos", "constant"),
    },
}
DATA = {task: prepare_small(task) for task in ("classification", "regression")}


def configs(regularizer, *, optimizer="adam"):
    knobs = REGULARIZERS[regularizer]
    optimization = Optimization(optimizer=optimizer, lr=0.01, epochs=12, batch_size=32, clip_norm=1.0)
    return [
        Config(
            network=Network(widths=()),
            optimization=replace(optimization, lr=0.01 + 0.002 * place),
            regularization=Regularization(**{name: values[place] for name, values in knobs.items()}),
            seed=4,
        )
        for place in range(5)
    ]


def stack(factory, given, *, task="classification", dtype=np.float64):
    net = module_network(DATA[task].preparation, factory, seed=4).to(
        torch.float64 if dtype is np.float64 else torch.float32
    )
    layout = module_layout(DATA[task], given[0], network=net, dtype=dtype)
    return TorchStack(DATA[task], given, network=TorchModule(layout))


def trained(given_stack, updates=UPDATES):
    while given_stack.updates < updates:
        given_stack.advance(updates)
    return given_stack


def lone(factory, config, *, task="classification"):
    net = module_network(DATA[task].preparation, factory, seed=config.seed).double()
    training = Training(config, DATA[task], network=net, dtype=torch.float64)
    for _update, _loss in zip(range(UPDATES), training.losses(), strict=False):
        pass
    return training.measured


def require_equal(given_stack, factory, *, task="classification"):
    for row, config in zip(given_stack.parameters, given_stack.configs, strict=True):
        found = state_of(given_stack.network_of(row), DATA[task])
        expected = lone(factory, config, task=task).state_dict()
        assert set(expected) <= set(found)
        for name, value in expected.items():
            scale = np.abs(value.numpy()).max(initial=0)
            np.testing.assert_allclose(found[name], value.numpy(), rtol=1e-9, atol=1e-9 * scale, err_msg=name)


@pytest.mark.parametrize(
    ("regularizer", "optimizer"),
    [
        *((regularizer, "adam") for regularizer in REGULARIZERS),
        *(
            (regularizer, optimizer)
            for regularizer in ("l2", "all, with schedules")
            for optimizer in ("sgd", "momentum")
        ),
    ],
)
def test_parameters_are_those_of_the_reference_loop(regularizer, optimizer):
    require_equal(trained(stack(Layer, configs(regularizer, optimizer=optimizer))), Layer)


@pytest.mark.parametrize("factory", [Normed, Attention, Recurrent])
def test_other_modules_train_as_the_reference_loop_trains_them(factory):
    require_equal(trained(stack(factory, configs("all, with schedules"))), factory)


def test_so_do_modules_of_a_regression():
    made = trained(stack(Encoder, configs("all, with schedules"), task="regression"))
    assert made.notice == ""
    require_equal(made, Encoder, task="regression")


def test_members_that_leave_change_nothing_for_the_others():
    given = configs("all, with schedules")
    whole, halved = stack(Layer, given), trained(stack(Layer, given), updates=11)
    halved.keep(np.array([True, False, True, False, False]))
    assert len(halved) == 2
    found, expected = trained(halved).parameters, trained(whole).parameters[[0, 2]]
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)


def test_permuting_members_permutes_results():
    given, order = configs("all, with schedules"), [4, 0, 3, 1, 2]
    found = trained(stack(Layer, [given[place] for place in order])).parameters
    np.testing.assert_allclose(found, trained(stack(Layer, given)).parameters[order], rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_outputs_are_those_of_the_network_that_the_row_holds(task):
    made = trained(stack(Normed, configs("none"), task=task), updates=5)
    dev = DATA[task].dev
    net = module_network(DATA[task].preparation, Normed, seed=0).double()
    for row, outputs in zip(made.parameters, made.outputs(made.parameters, dev), strict=True):
        net.load_state_dict(made.network_of(row).state_dict())
        with torch.no_grad():
            expected = net(torch.from_numpy(dev.numeric).double(), torch.from_numpy(dev.codes))
        np.testing.assert_allclose(outputs, expected.numpy(), rtol=1e-10, atol=1e-12)


def test_a_regression_keeps_the_range_of_its_target():
    made = stack(Plain, configs("none"), task="regression")
    state, target = state_of(made.network_of(made.parameters[0]), DATA["regression"]), DATA["regression"].train.target
    assert state["output_range"].tolist() == [target.min(), target.max()]


def test_a_member_that_diverges_leaves_the_others_alone():
    given = configs("none")
    broken = replace(given[1], optimization=replace(given[1].optimization, lr=1e300, optimizer="sgd", clip_norm=None))
    others = [replace(one, optimization=replace(one.optimization, optimizer="sgd", clip_norm=None)) for one in given]
    found = trained(stack(Plain, [others[0], broken, *others[2:]], task="regression")).parameters
    expected = trained(stack(Plain, others, task="regression")).parameters
    assert not np.isfinite(found[1]).all()
    np.testing.assert_array_equal(found[[0, 2, 3, 4]], expected[[0, 2, 3, 4]])


def test_a_keep_prob_without_a_site_is_refused_before_training():
    with pytest.raises(BadInput, match="a module must have a dropout site"):
        stack(Plain, configs("dropout"))
