"""What the engine of devices promises beside equality: members that leave, portions of any size, memory, refusals."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from test_fused_equality import KNOBS, config_of, fused, stack_of

import wellfit as wf
from wellfit.exceptions import BadInput
from wellfit.fused.layout import layout_of
from wellfit.fused.memory import plan_memory
from wellfit.fused.torch_mlp import TorchMLP, product
from wellfit.fused.torch_stack import TorchStack, arithmetic
from wellfit.records.config import PRECISIONS, Device, Network, device_of
from wellfit.records.goals import goal_named
from wellfit.sweeps.executor import InProcess
from wellfit.sweeps.worker_pool import WorkerPool

MEMBERS = [config_of({**one, "lr": 0.005 * (place + 1)}) for place, one in enumerate(KNOBS["all at once"])]
HERE = Device("cpu")
pytestmark = pytest.mark.timeout(600)


def test_permuting_members_permutes_results(table):
    data, order = table("classification"), [3, 0, 4, 1, 2]
    stack, costs = fused(data, MEMBERS, engine="cpu")
    permuted, other = fused(data, [MEMBERS[place] for place in order], engine="cpu")
    np.testing.assert_allclose(permuted.parameters, stack.parameters[order], rtol=0, atol=1e-12)
    np.testing.assert_allclose(other, costs[:, order], rtol=1e-12)


def test_members_that_leave_on_the_way_leave_the_rest_as_they_were(table):
    data = table("classification")
    whole, _ = fused(data, MEMBERS, engine="cpu")
    stack, _ = fused(data, MEMBERS, updates=11, engine="cpu")
    stays = np.array([False, True, False, True, True])
    stack.keep(stays)
    while stack.updates < whole.updates:
        stack.advance(whole.updates)
    np.testing.assert_allclose(stack.parameters, whole.parameters[stays], rtol=0, atol=1e-12)


def test_a_member_that_is_no_number_any_more_leaves_the_others(table):
    data = table("classification")
    expected, _ = fused(data, MEMBERS, engine="cpu")
    broken = config_of({"lr": 1e300, "l2": 1e6}, optimizer="adam")
    stack, costs = fused(data, [MEMBERS[0], broken, *MEMBERS[1:]], engine="cpu")
    assert not np.isfinite(costs[-1, 1])
    np.testing.assert_allclose(np.delete(stack.parameters, 1, axis=0), expected.parameters, rtol=0, atol=1e-12)


def test_updates_in_other_portions_are_the_same_updates(table):
    data = table("regression")
    configs = [replace(one, regularization=replace(one.regularization, label_smoothing=0.0)) for one in MEMBERS]
    whole, costs = fused(data, configs, engine="cpu")
    stack, found = stack_of(data, configs, engine="cpu"), []
    while stack.updates < whole.updates:
        found += list(stack.advance(min(stack.updates + 1 + stack.updates % 3, whole.updates)))
    np.testing.assert_array_equal(stack.parameters, whole.parameters)
    np.testing.assert_array_equal(np.array(found), costs)


def test_outputs_are_those_of_the_cores(table):
    data = table("classification")
    cores, there = (fused(data, MEMBERS, engine=engine)[0] for engine in ("cores", "cpu"))
    expected = cores.outputs(cores.parameters, data.dev)
    np.testing.assert_allclose(there.outputs(cores.parameters, data.dev), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_members_are_measured_in_float32_whatever_they_were_trained_with(precision, table):
    data = table("classification")
    layout = layout_of(data, MEMBERS[0])
    devices = [Device("cpu", each) for each in ("float32", precision)]
    stacks = [TorchStack(data, MEMBERS, network=TorchMLP(layout, each), device=each) for each in devices]
    while stacks[0].updates < 10:
        stacks[0].advance(10)
    plain, other = (stack.outputs(stacks[0].parameters, data.dev) for stack in stacks)
    np.testing.assert_array_equal(other, plain)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_products_are_as_exact_as_asked_for_and_torch_is_left_as_it_was(precision):
    """The largest error of a sum of 64 products, beside 2^-24 and 2^-8 of their sizes."""
    left, right = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0)).unbind()
    device, before = Device("cpu", precision), torch.get_float32_matmul_precision()
    with arithmetic(device):
        found = product(device, left, right)
    error = (found.double() - left.double() @ right.double()).abs().max()
    unit = 2.0**-8 if precision != "float32" else 2.0**-24
    assert error <= 64 * unit * (left.abs().double() @ right.abs().double()).max()
    assert (error > 2.0**-12) == (precision == "bf16")
    assert torch.get_float32_matmul_precision() == before


def test_outcomes_are_those_of_the_cores_within_float32(table):
    data, goal = table("classification"), goal_named("log_loss")
    configs = [config_of({"keep_prob": keep, "l2": l2}) for keep, l2 in ((1.0, 0.0), (0.8, 1.0), (0.6, 5.0))]
    here, there = (InProcess(data, goal=goal, device=device).train(configs) for device in (None, HERE))
    with WorkerPool(data, goal=goal, device=HERE) as pool:
        pooled = pool.train(configs)
    for one, other, third in zip(here, there, pooled, strict=True):
        assert other.status is one.status
        assert other.losses == pytest.approx(one.losses, rel=1e-3)
        assert third.losses == pytest.approx(other.losses, rel=1e-6)


def test_a_plan_goes_in_passes_where_the_limit_is_tight(table):
    data = table("classification")
    layout = layout_of(data, MEMBERS[0])
    whole = plan_memory(data, MEMBERS, network=layout, device=HERE)
    assert whole.passes == 1
    halves = plan_memory(data, MEMBERS, network=layout, device=HERE, limit=whole.fixed + 3 * whole.member)
    assert (halves.members, halves.passes) == (3, 2)
    with pytest.raises(BadInput, match="hold at least one member"):
        plan_memory(data, MEMBERS, network=layout, device=HERE, limit=whole.fixed)


def test_a_smaller_last_batch_is_planned_for_as_a_recording_of_its_own(table):
    data = table("classification")

    def member_bytes(batch_size):
        config = config_of({"batch_size": batch_size})
        return plan_memory(data, [config], network=layout_of(data, config), device=HERE).member

    assert data.train.rows % 70 == 0
    assert member_bytes(70) < member_bytes(69)


REFUSED = {
    "a device that there is not": ("tpu", "float32", "device='tpu'"),
    "a precision that there is not": ("cuda", "float8", "precision='float8'"),
    "a precision of a GPU on the cores": ("cpu", "bf16", "precision='bf16' with device='cpu'"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_devices(case):
    name, precision, found = REFUSED[case]
    with pytest.raises(BadInput) as refused:
        device_of(name, precision)
    assert refused.value.found == found


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_a_gpu_that_is_not_there_is_refused_before_any_training():
    with pytest.raises(BadInput, match="torch must be built for it"):
        wf.sweep(wf.split({"x": [0.5, 1.5, 2.5] * 20, "y": ["a", "b"] * 30}, target="y"), device="cuda")


def test_pictures_and_modules_are_refused_before_any_training(table):
    config = replace(MEMBERS[0], network=Network(kind="conv", widths=(4,), embedding="none"))
    with pytest.raises(BadInput, match="a network for pictures"):
        InProcess(table("classification"), goal=goal_named("error"), device=HERE).train([config])


def test_the_cores_are_no_device():
    assert device_of("cpu", "float32") is None
    assert Device.from_json(Device("cuda", "tf32").to_json()) == Device("cuda", "tf32")
