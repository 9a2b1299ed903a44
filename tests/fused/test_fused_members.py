"""A member of a stack does not notice the others: neither their order nor their number, nor what becomes of them."""

from __future__ import annotations

import numpy as np
import pytest
from test_fused_equality import KNOBS, alone, config_of, fused

from wellfit.fused import kernels
from wellfit.fused.batches import encoded
from wellfit.fused.compiled_stack import CompiledStack
from wellfit.fused.layout import layout_of
from wellfit.training.tensors import Inputs, outputs_of

MEMBERS = [config_of({**one, "lr": 0.005 * (place + 1)}) for place, one in enumerate(KNOBS["all at once"])]

pytestmark = pytest.mark.timeout(600)


def test_permuting_members_permutes_results_and_changes_no_bit(table):
    data, order = table("classification"), [3, 0, 4, 1, 2]
    stack, costs = fused(data, MEMBERS)
    permuted, other = fused(data, [MEMBERS[place] for place in order])
    np.testing.assert_array_equal(permuted.parameters, stack.parameters[order])
    np.testing.assert_array_equal(other, costs[:, order])


def test_without_half_of_the_members_the_rest_are_as_they_were(table):
    data = table("classification")
    whole, _ = fused(data, MEMBERS)
    half, _ = fused(data, MEMBERS[::2])
    np.testing.assert_allclose(half.parameters, whole.parameters[::2], rtol=0, atol=1e-12)


def test_members_that_leave_on_the_way_leave_the_rest_as_they_were(table):
    data = table("classification")
    whole, _ = fused(data, MEMBERS)
    stack, _ = fused(data, MEMBERS, updates=11)
    stays = np.array([False, True, False, True, True])
    stack.keep(stays)
    assert stack.configs == tuple(np.array(MEMBERS, dtype=object)[stays])
    while stack.updates < whole.updates:
        stack.advance(whole.updates)
    np.testing.assert_allclose(stack.parameters, whole.parameters[stays], rtol=0, atol=1e-12)


def test_a_member_that_is_no_number_any_more_leaves_the_others_bit_by_bit(table):
    data = table("classification")
    expected, _ = fused(data, MEMBERS)
    broken = config_of({"lr": 1e300, "l2": 1e6}, optimizer="adam")
    stack, costs = fused(data, [MEMBERS[0], broken, *MEMBERS[1:]])
    assert not np.isfinite(costs[-1, 1])
    np.testing.assert_array_equal(np.delete(stack.parameters, 1, axis=0), expected.parameters)


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_encoding_and_outputs_are_those_of_the_network(task, table):
    data = table(task)
    stack, _ = fused(data, [config_of({"keep_prob": 0.7}), config_of({"l2": 5.0})])
    rows = encoded(stack.layout, data.dev, places=slice(None))
    network = stack.layout.network
    inputs = Inputs.of(data.dev, dtype=next(network.parameters()).dtype)
    whole = network.encode(inputs.numeric, inputs.codes).detach().numpy()
    whole = whole[:, stack.layout.inputs]
    np.testing.assert_allclose(rows.shared, whole[:, : stack.layout.shared], rtol=0, atol=1e-15)
    bins = whole[:, stack.layout.shared : stack.layout.fixed]
    for place, (_, first, count, knot) in enumerate(stack.layout.plan.binned):
        found = rows.knots[:, place] - knot + rows.shares[:, place]
        np.testing.assert_allclose(found, bins[:, first : first + count].sum(axis=1), rtol=1e-14)
    start = stack.layout.pack(network)
    found = stack.outputs(np.array([start, start]), data.dev)
    expected = outputs_of(network, inputs).numpy()
    np.testing.assert_allclose(found, [expected, expected], rtol=0, atol=1e-12)


def test_a_row_is_a_network_and_back(table):
    data = table("classification")
    stack, _ = fused(data, [config_of({})])
    row = stack.parameters[0]
    np.testing.assert_array_equal(stack.layout.pack(stack.network_of(row)), row)


@pytest.mark.parametrize("keep_prob", [0.1, 0.5, 0.9])
def test_measured_keep_rates_of_each_member(keep_prob, table):
    """Slopes of tanh are 0 for dropped units only: they show the mask that each member got."""
    data = table("classification")
    rates = (keep_prob, 1.0, 0.5)
    network = config_of({}).network.__class__(widths=(40,), activation="tanh", embedding="none")
    configs = [config_of({"keep_prob": rate, "batch_size": 200, "epochs": 30}, network=network) for rate in rates]
    masks: list[list[np.ndarray]] = [[], [], []]
    for member, config in enumerate(configs):
        stack = CompiledStack(data, [config], layout=layout_of(data, config, dtype=np.float64))
        for update in range(10):
            stack.advance(update + 1)
            masks[member].append((stack._buffers.slopes[: 10 * 40] != 0).copy())
    for rate, found in zip(rates, masks, strict=True):
        kept = np.concatenate(found)
        assert abs(kept.mean() - rate) <= 4 * np.sqrt(rate * (1 - rate) / kept.size)
        if rate < 1:
            assert not np.array_equal(found[0], found[1])


def test_dropped_units_get_no_gradient_and_kept_ones_their_share(table):
    data = table("classification")
    config = config_of({"keep_prob": 0.5, "optimizer": "sgd", "lr": 1.0, "batch_size": 1, "schedule": "constant"})
    stack, _ = fused(data, [config], updates=12)
    rows_before = stack.parameters[0].copy()
    stack.advance(13)
    moved = stack.parameters[0] != rows_before
    inputs, width, place, _ = stack.layout.plan.layers[0]
    columns = moved[place : place + inputs * width].reshape(inputs, width).any(axis=0)
    slopes = stack._buffers.slopes[:width] != 0
    # With one row in the batch, a unit of the first layer moves only if it was kept and active.
    assert not (columns & ~slopes).any()
    assert columns.any()


def test_one_signature_of_each_kernel_for_each_type_of_reals(table):
    for task in ("classification", "regression"):
        for members in (KNOBS["all at once"][:1], KNOBS["keep_prob"], KNOBS["ema"]):
            knobs = [{name: value for name, value in one.items() if name != "label_smoothing"} for one in members]
            fused(table(task), [config_of(one) for one in knobs], updates=7)
    for kernel in (kernels.train, kernels.outputs, kernels.encode, kernels.look_up):
        types = [str(signature) for signature in kernel.signatures]
        assert len(types) == len({"float64" in one for one in types}), types


def test_the_reference_loop_gives_what_a_member_gives_after_many_epochs(table):
    data = table("regression")
    config = config_of({"keep_prob": 0.8, "l2": 1.0, "epochs": 12})
    stack, _ = fused(data, [config], updates=48)
    row, _ = alone(data, config, stack.layout, updates=48)
    assert np.abs(stack.parameters[0] - row).max() <= 1e-9 * np.abs(row).max()
