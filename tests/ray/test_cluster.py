"""A sweep on Ray gives the outcomes that it has here, also where workers, nodes and programs go away."""

from __future__ import annotations

import numpy as np
import pytest

import wellfit as wf

pytestmark = [pytest.mark.proof, pytest.mark.timeout(170), pytest.mark.filterwarnings("ignore")]
QUICK = wf.Config(
    network=wf.Network(widths=(16,)), optimization=wf.Optimization(epochs=4, batch_size=64, lr=0.01), seed=1
)
OVER = {"l2": [0.0, 1.0, 10.0, 100.0], "keep_prob": [1.0, 0.7]}


def same(first, second):
    """Whether two outcomes are equal to the bit, in everything but their seconds."""
    scalars = [{**outcome.to_json(), "seconds": 0} for outcome in (first, second)]
    pairs = [(first.arrays[name], second.arrays[name]) for name in first.arrays]
    return scalars[0] == scalars[1] and all(np.array_equal(one, two) for one, two in pairs)


def all_same(first, second):
    return len(first.members) == len(second.members) and all(map(same, first.members, second.members))


def test_a_sweep_on_a_cluster_of_this_machine_equals_the_pools_and_leaves_no_connection(split):
    import ray

    here = wf.sweep(split, QUICK, over=OVER)
    there = wf.sweep(split, QUICK, over=OVER, executor=wf.Ray(local=2))
    assert all_same(here, there)
    assert not ray.is_initialized()


def test_two_nodes_one_killed_in_the_middle_one_added_give_the_same_outcomes(split, cluster):
    import ray

    nodes = [cluster.add_node(num_cpus=1, object_store_memory=80_000_000) for _ in range(2)]
    long = QUICK.with_knobs(epochs=150)
    here = wf.sweep(split, long, over=OVER)
    told = []

    def notify(event):
        told.append(event)
        members = sum(each["event"] == "member" for each in told)
        if event["event"] == "member" and members == 2:
            cluster.remove_node(nodes[0], allow_graceful=False)
            cluster.add_node(num_cpus=1, object_store_memory=80_000_000)

    ray.init(address=cluster.address, log_to_driver=False)
    there = wf.sweep(split, long, over=OVER, executor=wf.Ray(), notify=notify)
    assert ray.is_initialized()
    assert all_same(here, there)
    assert [event["why"] for event in told if event["event"] == "put back"]
