"""A planted fault is the first thing that `wf.check` names, and nothing fires on a sound network."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
from check_cases import DEVELOPED_SOUND, SOUND, checked
from check_faults import FAULTS
from check_networks import DEVELOPED, KINDS

SMALL = ("mlp", "bag", "gru", "cnn")
QUICK = {fault.names: fault.name for fault in reversed(FAULTS)}
"""The first fault of each code is planted at every commit, the others by `make proof`."""
PLANTED = [
    pytest.param(
        fault,
        next(kind for kind in (*SMALL, *fault.kinds) if kind in fault.kinds),
        id=fault.name,
        marks=() if fault.name in QUICK.values() else pytest.mark.proof,
    )
    for fault in FAULTS
]
QUIET = ["mlp, plain", "gru, optimized", "cnn, optimized", "rezero", "tied-language-model", "straight-through"]
QUIET += ["spectral-norm", "pretrained-frozen", "l2-in-the-loss", "raw-behind-norm", "scaled-inside", "many-classes"]
CODES = {f"WF5{number:02d}" for number in range(1, 19)}


@pytest.mark.parametrize(("fault", "kind"), PLANTED)
def test_a_planted_fault_is_named_first(fault, kind):
    found = checked(lambda: fault.spoil(KINDS[kind]()), seed=0)
    assert found.leading is not None
    assert found.leading.code in fault.codes, [(each.code, each.evidence) for each in found.fired]


@pytest.mark.parametrize("name", QUIET)
def test_a_sound_network_raises_no_alarm(name):
    found = checked(SOUND[name], seed=0)
    assert [(each.code, each.evidence) for each in found.fired] == []


def test_every_code_is_planted_in_three_kinds_at_least():
    planted = {code: sum(len(fault.kinds) for fault in FAULTS if fault.codes[0] == code) for code in CODES}
    assert min(planted.values()) >= 3, planted
    assert len(KINDS) == 12
    assert len(SOUND) >= 40


def test_half_of_the_kinds_and_of_the_sound_networks_are_held_back():
    held = [kind for fault in FAULTS for kind in fault.kinds if kind not in DEVELOPED]
    assert len(DEVELOPED) == len(KINDS) / 2
    assert len(held) >= 40
    assert abs(len(DEVELOPED_SOUND) - len(SOUND) / 2) <= 1
