"""`wf.check`: its findings as a record, what it accepts, and what it refuses with one message."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from torch import nn

import wellfit as wf
from wellfit.checking.check import CAUSES, CHECKS, Check
from wellfit.diagnosis.findings import CATALOGUE, EXPLAINED, OF_NETWORKS, explain
from wellfit.exceptions import BadInput


def make_net(inputs, outputs):
    return nn.Sequential(nn.Linear(inputs, 16), nn.Tanh(), nn.Linear(16, outputs))


def _rows(columns=4, rows=80):
    values = np.random.default_rng(0).normal(size=(rows, columns)).astype(np.float32)
    return values, np.where(values[:, 0] > 0, "yes", "no")


def test_every_code_has_a_check_a_place_among_the_causes_and_a_page():
    assert list(CHECKS) == list(OF_NETWORKS)
    assert sorted(CAUSES) == sorted(CHECKS)
    assert {**CATALOGUE, **OF_NETWORKS} == EXPLAINED
    assert set(CATALOGUE) & set(OF_NETWORKS) == set()


@pytest.mark.parametrize("code", list(OF_NETWORKS))
def test_an_entry_says_when_it_fires_and_what_to_do(code):
    entry = OF_NETWORKS[code]
    told = [entry.meaning, entry.computed, entry.remedy, entry.caution, entry.source]
    assert all(text.endswith(".") for text in (*told, *(when for _, when in entry.states.items())))
    assert explain(code.lower()).startswith(f"{code} ")


def test_a_check_is_findings_with_evidence_in_numbers():
    found = wf.check(make_net, *_rows())
    assert [each.code for each in found.findings] == list(CHECKS)
    assert found.fired == ()
    assert found.leading is None
    assert found.seconds > 0
    assert "Nothing was found that would keep this network from learning" in str(found)
    body = json.loads(json.dumps(found.to_json()))
    assert body["schema"] == 1
    assert Check.from_json(body) == found


def test_what_fired_is_told_first_with_its_remedy():
    rows, target = _rows()
    network = nn.Sequential(make_net(4, 2), nn.Softmax(1))
    found = wf.check(network, rows, target)
    assert found.leading.code == "WF502"
    assert "applies a softmax itself" in " ".join(str(found).split())
    assert str(found).index("WF502") < str(found).index("Passed:")


@pytest.mark.parametrize(
    "give",
    [
        pytest.param(lambda rows, target: (make_net, rows, target), id="factory-strings"),
        pytest.param(lambda rows, target: (make_net(4, 2), rows, target == "yes"), id="module-booleans"),
        pytest.param(lambda rows, target: (make_net(4, 1), rows, (target == "yes").astype(int)), id="one-logit"),
        pytest.param(lambda rows, _: (nn.Sequential(make_net(4, 1), nn.Flatten(0)), rows, rows[:, 0]), id="one-axis"),
        pytest.param(lambda rows, target: ((make_net(4, 1), nn.MSELoss()), rows, rows[:, :1]), id="pair"),
        pytest.param(lambda rows, _: (make_net, rows, rows[:, 0]), id="factory-real"),
        pytest.param(lambda rows, _: (make_net, rows.tolist(), list(range(80))), id="lists-of-many-whole-numbers"),
        pytest.param(lambda rows, _: (make_net(4, 1).double(), torch.as_tensor(rows), rows[:, 0]), id="float64"),
    ],
)
def test_networks_and_rows_come_in_many_forms(give):
    network, rows, target = give(*_rows())
    found = wf.check(network, rows, target)
    assert "WF502" not in [each.code for each in found.fired]
    assert [each for each in found.findings if each.evidence.startswith("Not checked")] == []


def test_the_same_check_twice_finds_the_same():
    rows, target = _rows()
    network = make_net(4, 2)
    first, second = (wf.check(network, rows, target) for _ in range(2))
    assert first.findings == second.findings


class TwoInputs(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 2)

    def forward(self, rows, other):
        return self.layer(rows) + other


class Pair(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 2)

    def forward(self, rows):
        return self.layer(rows), rows


REFUSED = {
    "two-inputs": (lambda rows, target: {"network": TwoInputs()}, "must map one tensor .*If forward takes several"),
    "two-outputs": (lambda rows, target: {"network": Pair()}, "must return one real tensor; found a tuple"),
    "other-rows": (lambda rows, target: {"y": target[:40]}, "must have the same number of rows"),
    "few-rows": (lambda rows, target: {"X": rows[:4], "y": target[:4]}, "at least 8"),
    "missing": (lambda rows, target: {"X": np.where(rows > 2, np.nan, rows)}, "X must be finite"),
    "words": (lambda rows, target: {"X": [["a"]] * 80}, "X must be an array or tensor of numbers"),
    "too-few-outputs": (lambda rows, target: {"network": make_net(4, 2), "y": np.arange(80) % 5}, "must fit together"),
    "optimizer-of-none": (
        lambda rows, target: {"optimizer": torch.optim.SGD(make_net(4, 2).parameters())},
        "must come with the module",
    ),
    "pair-and-loss": (
        lambda rows, target: {"network": (make_net(4, 2), nn.MSELoss()), "loss": nn.MSELoss()},
        "must be a pair",
    ),
    "no-module": (lambda rows, target: {"network": lambda inputs, outputs: 3}, "must return a torch.nn.Module"),
}


@pytest.mark.parametrize(("change", "words"), REFUSED.values(), ids=list(REFUSED))
def test_what_does_not_fit_together_is_one_message(change, words):
    rows, target = _rows()
    given = {"network": make_net, "X": rows, "y": target, **change(rows, target)}
    with pytest.raises(BadInput, match=words):
        wf.check(given.pop("network"), given.pop("X"), given.pop("y"), **given)


def test_the_tensor_with_the_wrong_gradient_is_named_with_its_factor():
    rows, target = _rows()
    network = make_net(4, 2)
    network[2].weight.register_hook(lambda gradient: 2 * gradient)
    network[0].bias.register_hook(lambda gradient: 4 * gradient)
    found = next(each for each in wf.check(network, rows, target).findings if each.code == "WF511")
    assert found.status == "fired"
    assert "2 of 4 tensors" in found.evidence
    assert all(
        words in found.evidence
        for words in ("2.weight: backward", ", a factor of 2", "0.bias: backward", ", a factor of 4")
    )
