"""The convolutional network and the changes of its pictures: the population against the reference loop."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from picture_cases import prepared_digits

from oracle.loop import Training
from oracle.stack import fit
from wellfit.data.prepare import Preparation
from wellfit.exceptions import BadInput
from wellfit.fused.engine import fit_stack
from wellfit.fused.module_rows import module_layout
from wellfit.fused.torch_module import TorchModule
from wellfit.fused.torch_stack import TorchStack
from wellfit.records.augmentation import NOTHING, Augmentation
from wellfit.records.config import Config, Network, Optimization, Regularization
from wellfit.records.goals import goal_named
from wellfit.sweeps.executor import InProcess
from wellfit.training.network import ConvNet
from wellfit.training.noise import Address
from wellfit.training.pictures import changed, cut_of
from wellfit.training.tensors import conv_network, predict, state_of

DATA = prepared_digits()
ERROR = goal_named("error", task="classification")
NETWORK = Network(kind="conv", widths=(6, 8), embedding="none")
EVERYTHING = Augmentation(
    flip_horizontal=0.5, erase=0.3, crop=1, noise=0.2, blur=0.6, cutmix=0.5, rotate=20, translate=0.1, scale=0.2
)
WAYS = {
    "none": ((0.0, EVERYTHING), (0.0, EVERYTHING)),
    "one way for all": ((1.0, EVERYTHING), (1.0, EVERYTHING)),
    "strengths": ((0.0, EVERYTHING), (0.3, EVERYTHING), (1.0, EVERYTHING)),
    "operations": ((1.0, replace(NOTHING, rotate=20)), (1.0, replace(NOTHING, cutmix=1)), (0.5, EVERYTHING)),
}


def config(augment=0.0, augmentation=EVERYTHING, *, epochs=3, **knobs):
    return Config(
        network=NETWORK,
        optimization=Optimization(lr=3e-3, epochs=epochs, batch_size=32),
        regularization=Regularization(augment=augment, **knobs),
        augmentation=augmentation,
        seed=3,
    )


def lone(one, *, dtype=torch.float64):
    network = conv_network(DATA.preparation, one.network, seed=one.seed).to(dtype)
    training = Training(one, DATA, network=network, dtype=dtype)
    for _ in training.losses():
        pass
    return training.measured


@pytest.mark.parametrize("ways", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize(
    "others",
    [
        {},
        {"keep_prob": 0.7, "label_smoothing": 0.1, "input_noise": 0.1, "mixup": 0.4},
        {"input_keep_prob": 0.8, "mixup": 0.4},
    ],
)
def test_every_member_of_a_population_is_what_the_reference_loop_makes_of_it(ways, others):
    configs = [config(*way, l2=float(place), **others) for place, way in enumerate(ways)]
    network = conv_network(DATA.preparation, NETWORK, seed=3).double()
    layout = module_layout(DATA, configs[0], network=network, dtype=np.float64)
    stack = TorchStack(DATA, configs, network=TorchModule(layout))
    while stack.updates < stack.planned:
        stack.advance(stack.planned)
    for row, one in zip(stack.parameters, configs, strict=True):
        found = state_of(stack.network_of(row), DATA)
        for name, value in lone(one).state_dict().items():
            np.testing.assert_allclose(found[name], value.numpy(), rtol=0, atol=1e-8, err_msg=name)


def test_the_engine_says_that_convolutions_run_one_after_the_other():
    network = conv_network(DATA.preparation, NETWORK, seed=3)
    stack = TorchStack(DATA, [config()], network=TorchModule(module_layout(DATA, config(), network=network)))
    assert "grouped convolutions" in stack.notice


def outcomes(configs, **options):
    found = []
    fit_stack(DATA, configs, goal=ERROR, on_outcome=found.append, **options)
    return found


def test_an_outcome_is_the_same_from_both_engines_and_predicts_what_it_measured():
    one = config(0.5, replace(EVERYTHING, jpeg=0), epochs=6)
    (fused,), reference = outcomes([one]), fit(DATA, one, goal=ERROR)
    np.testing.assert_allclose(fused.predictions["dev"], reference.predictions["dev"], atol=1e-4)
    restored = predict(Preparation.from_json(DATA.preparation.to_json()), one, fused.state)
    np.testing.assert_allclose(restored(DATA.dev), fused.predictions["dev"], atol=1e-6)
    assert reference.losses["train"] < 0.6


def test_a_member_does_not_change_with_its_population():
    members = [config(strength) for strength in (0.0, 0.4, 1.0)]
    together = outcomes(members)
    for one, expected in zip(members, together, strict=True):
        np.testing.assert_allclose(outcomes([one])[0].predictions["dev"], expected.predictions["dev"], atol=1e-4)


def test_the_executor_trains_convolutional_networks_of_several_shapes():
    members = [config(), replace(config(), network=replace(NETWORK, widths=(4,)))]
    found = InProcess(DATA, goal=ERROR).train(members)
    assert [outcome.config.identity for outcome in found] == [one.identity for one in members]


def test_regression_on_pictures():
    data, goal = prepared_digits(task="regression"), goal_named("rmse", task="regression")
    one = config(0.3, replace(EVERYTHING, cutmix=0.0), epochs=20)
    outcome = fit(data, one, goal=goal)
    assert outcome.losses["train"] < 0.7 * np.var(data.train.target)
    with pytest.raises(BadInput, match="cutmix must be used with classes"):
        fit(data, config(1.0), goal=goal)


@pytest.mark.parametrize("one", [config(0.5), config()], ids=["augment", "conv"])
def test_a_table_has_no_pictures(one):
    schema = replace(DATA.preparation.schema, picture=None)
    table = replace(DATA, preparation=replace(DATA.preparation, schema=schema))
    with pytest.raises(BadInput, match="must be used with pictures"):
        outcomes_of(table, one)


def outcomes_of(data, one):
    fit_stack(data, [one], goal=ERROR, on_outcome=lambda _: None)


def test_the_same_address_gives_the_same_pictures_and_each_part_of_it_counts():
    values = torch.from_numpy(DATA.train.numeric[:20])

    def seen(**address):
        at = Address(**{"seed": 1, "stream": "shared", "update": 5, **address})
        return changed(values, [(EVERYTHING, 1.0)], at=at, shape=(8, 8, 1))

    assert torch.equal(seen(), seen())
    for other in ({"seed": 2}, {"stream": "own"}, {"update": 6}):
        assert not torch.equal(seen(), seen(**other))
    fewer = changed(values[:7], [(EVERYTHING, 1.0)], at=Address(1, "shared", 5), shape=(8, 8, 1))
    torch.testing.assert_close(fewer, seen()[:, :7], atol=1e-6, rtol=0)


def test_cutmix_gives_a_label_the_share_of_its_pixels():
    ways = [
        cut_of((replace(NOTHING, cutmix=1), 1.0), at=Address(0, "s", at), rows=4, shape=(8, 8, 1)) for at in range(9)
    ]
    shares = [way.share for way in ways]
    assert len(set(shares)) > 3
    for way in ways:
        own, other = torch.zeros(4, 64), torch.ones(4, 64)
        mixed = way.pictures(torch.stack([own, other]))
        assert torch.equal(mixed, torch.stack([own, other]))  # a partner stands in the same batch
        values = torch.arange(4.0)[:, None].expand(4, 64)
        found = way.pictures(values)
        assert torch.equal(found[:, way.box], values[way.partner][:, way.box])
        assert torch.equal(found[:, ~way.box], values[:, ~way.box])
        assert float((~way.box).float().mean()) == pytest.approx(way.share)
        labels = way.labels(torch.eye(4))
        torch.testing.assert_close(labels.sum(1), torch.ones(4))


def test_cutmix_happens_in_its_share_of_the_batches():
    member = (replace(NOTHING, cutmix=0.25), 1.0)
    hits = [cut_of(member, at=Address(0, "s", at), rows=4, shape=(8, 8, 1)) is not None for at in range(400)]
    assert 70 <= sum(hits) <= 130


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 20, 33), (1, 5, 5)])
def test_the_network_takes_pictures_of_any_shape(shape):
    net = ConvNet(shape, widths=(4, 4, 4), activation="relu", outputs=3)
    pixels = torch.rand(5, shape[0] * shape[1] * shape[2])
    assert net(pixels).shape == (5, 3)
    assert torch.equal(net(pixels), torch.zeros(5, 3))  # it begins at the same outputs for every picture


def test_the_network_sees_the_place_of_things():
    torch.manual_seed(0)
    net = ConvNet((1, 8, 8), widths=(4, 4), activation="relu", outputs=2)
    torch.nn.init.normal_(net.head.weight)
    picture = torch.zeros(1, 1, 8, 8)
    picture[0, 0, 2, 1] = 1
    assert not torch.allclose(net(picture.flatten(1)), net(picture.flip(3).flatten(1)))


def test_a_config_keeps_its_name_where_it_has_no_pictures():
    assert Config().to_json().keys() == {"network", "optimization", "regularization", "seed"}
    assert "kind" not in Config().to_json()["network"]
    one = config(0.5)
    assert Config.from_json(one.to_json()) == one
    assert one.identity != replace(one, augmentation=Augmentation()).identity
