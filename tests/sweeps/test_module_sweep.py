"""A sweep over a network of the user's own, as `wf.sweep(split, config, module=make_net)` runs it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

import wellfit as wf
from wellfit.exceptions import BadInput
from wellfit.records.config import Config, Network, Optimization, Regularization
from wellfit.records.outcome import Status

CONFIG = Config(optimization=Optimization(epochs=3, batch_size=32))


def make_net(inputs: int, outputs: int) -> nn.Module:
    return nn.Sequential(nn.Linear(inputs, 16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, outputs))


def make_other(inputs: int, outputs: int) -> nn.Module:
    return nn.Sequential(nn.Linear(inputs, 16), nn.Tanh(), nn.Dropout(0.3), nn.Linear(16, outputs))


def make_plain(inputs: int, outputs: int) -> nn.Module:
    return nn.Linear(inputs, outputs)


def make_tensor(inputs: int, outputs: int) -> torch.Tensor:
    return torch.zeros(inputs, outputs)


def make_norm(inputs: int, outputs: int) -> nn.Module:
    return nn.Sequential(nn.Linear(inputs, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, outputs))


class Branching(nn.Module):
    """A module that torch.vmap cannot run: what it does depends on what it reads."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.layer = nn.Linear(inputs, outputs)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        found = self.layer(rows)
        return found if found.sum() > 0 else -found


class Squeezing(nn.Module):
    """A module whose outputs lose the axis of the rows where there is one row."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.layer = nn.Linear(inputs, outputs)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        return self.layer(rows).squeeze()


SHARED = nn.Linear(4, 2)


@pytest.fixture(scope="module")
def split():
    source = np.random.default_rng(0)
    numbers = source.normal(size=(400, 4))
    frame = pd.DataFrame(numbers, columns=list("abcd"))
    frame["target"] = np.where(numbers[:, 0] + numbers[:, 1] * numbers[:, 2] > 0, "yes", "no")
    return wf.split(frame, target="target")


def test_members_differ_in_their_knobs_and_are_named_by_the_modules_code(split):
    over = {"l2": [0.0, 100.0], "keep_prob": [1.0, 0.5]}
    found = wf.sweep(split, CONFIG, over=over, module=make_net)
    assert [member.status for member in found.members] == [Status.FINISHED] * 4
    assert len({member.losses["train"] for member in found.members}) > 1
    assert {member.config.network for member in found.members} == {found.chosen.config.network}
    assert found.chosen.config.network.module.startswith("make_net@")
    other = wf.train(split, CONFIG, module=make_other)
    assert other.config.network.module.startswith("make_other@")
    assert other.config.identity not in {member.config.identity for member in found.members}


def test_one_member_of_a_sweep_is_the_training_of_its_config(split):
    found = wf.sweep(split, CONFIG, over={"keep_prob": [1.0, 0.5]}, module=make_net)
    dropped = Config(optimization=CONFIG.optimization, regularization=Regularization(keep_prob=0.5))
    alone = wf.train(split, dropped, module=make_net)
    beside = next(member for member in found.members if member.config.regularization.keep_prob == 0.5)
    assert alone.config == beside.config
    np.testing.assert_allclose(alone.predictions["dev"], beside.predictions["dev"], atol=1e-5)


REFUSED = {
    "no dropout to rule": (make_plain, {"keep_prob": [0.5]}, "keep_prob"),
    "not a module": (make_tensor, {"l2": [0.0]}, "torch.nn.Module"),
    "shared parameters": (lambda: SHARED, {"l2": [0.0]}, "new parameters"),
    "outputs that do not fit": (lambda inputs: nn.Linear(inputs, 5), {"l2": [0.0]}, "outputs"),
    "outputs of one row that do not fit": (Squeezing, {"l2": [0.0]}, r"module must return .*found \[2\] from 1 rows"),
    "a shape that is not its own": (make_net, {"widths": [(8,), (16,)]}, "found over='widths'"),
    # 240 training rows: one is left for the last batch.
    "a last batch that is too small": (make_norm, {"batch_size": [32, 239]}, "found a last batch of one row"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_module_that_cannot_be_trained_is_refused_before_any_training(case, split):
    module, over, rule = REFUSED[case]
    with pytest.raises(BadInput, match=rule):
        wf.sweep(split, CONFIG, over=over, module=module)


def test_members_that_cannot_run_at_once_are_told(split):
    over = {"l2": [0.0, 1.0]}
    slow, fast = (wf.sweep(split, CONFIG, over=over, module=module).warnings for module in (Branching, make_net))
    told = "The members ran one after another instead of together: torch.vmap cannot run it"
    assert [words.startswith(told) for words in slow if "one after another" in words] == [True]
    assert not any("one after another" in words for words in fast)


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ({"membrs": 3}, "found the argument 'membrs'"),
        ({"human_eror": 0.1}, r"Did you mean 'human_error'\?"),
        (
            {"human_error": 0.1},
            "the sweep of a split must not have a reference or an ensemble; found human_error=0.1",
        ),
        ({"ensemble": True}, "must not have a reference or an ensemble; found ensemble=True"),
    ],
)
def test_an_argument_that_would_do_nothing_is_refused(argument, message, split):
    with pytest.raises(BadInput, match=message):
        wf.sweep(split, CONFIG, module=make_net, **argument)


def test_members_tell_a_receiver_of_events(split):
    events = []
    wf.sweep(split, CONFIG, over={"l2": [0.0, 1.0]}, module=make_net, notify=events.append)
    assert [event["event"] for event in events] == ["member", "member"]


def test_an_experiment_takes_no_module_yet(split, tmp_path):
    with pytest.raises(BadInput, match="on a split"):
        wf.train(tmp_path / "any.wellfit", CONFIG, module=make_net)


def test_the_built_in_networks_knobs_are_no_part_of_a_modules_name(split):
    wide = Config(network=Network(widths=(128,)), optimization=CONFIG.optimization)
    first, second = (wf.train(split, config, module=make_net) for config in (CONFIG, wide))
    assert first.config.identity == second.config.identity
