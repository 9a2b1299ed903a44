"""A sweep on Ray gives the outcomes that it has here, also where workers, nodes and programs go away.

The tests share a cluster's head, to which each adds nodes of its own.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest

import wellfit as wf
from wellfit.cli import main

pytestmark = [pytest.mark.proof, pytest.mark.timeout(170), pytest.mark.filterwarnings("ignore")]
STORE = 80_000_000
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

    nodes = [cluster.add_node(num_cpus=1, object_store_memory=STORE) for _ in range(2)]
    long = QUICK.with_knobs(epochs=100)
    here = wf.sweep(split, long, over=OVER)
    told = []

    def notify(event):
        told.append(event)
        members = sum(each["event"] == "member" for each in told)
        if event["event"] == "member" and members == 2:
            cluster.remove_node(nodes[0], allow_graceful=False)
            cluster.add_node(num_cpus=1, object_store_memory=STORE)

    ray.init(address=cluster.address, log_to_driver=False)
    there = wf.sweep(split, long, over=OVER, executor=wf.Ray(), notify=notify)
    assert ray.is_initialized()
    ray.shutdown()
    assert all_same(here, there)
    assert [event["why"] for event in told if event["event"] == "put back"]


def test_doctor_looks_at_every_node(cluster, capsys):
    cluster.add_node(num_cpus=1, object_store_memory=STORE)
    workers = len(cluster.worker_nodes)
    assert main(["doctor", "--ray", cluster.address, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["ray"]
    assert sorted(node["cpus"] for node in found["nodes"]) == [0] + [1] * workers
    assert [{name: node[name] for name in found["here"]} for node in found["nodes"]] == [found["here"]] * (1 + workers)
    assert (found["slots"], found["differences"]) == (workers, [])


PROGRAM = """
import os, sys
import wellfit as wf

def notify(event, told=[]):
    told.append(event["event"])
    if told.count("member") == 3:
        os.kill(os.getpid(), 9)

config = wf.Config(optimization=wf.Optimization(epochs=4))
wf.sweep(sys.argv[1], config, over={"l2": [0.0, 1.0, 10.0, 100.0, 1e3]}, executor=wf.Ray(), notify=notify)
"""


def test_the_call_of_a_killed_program_continues_on_the_cluster(cluster, tmp_path):
    cluster.add_node(num_cpus=1, object_store_memory=STORE)
    experiment, over = tmp_path / "rows.wellfit", {"l2": [0.0, 1.0, 10.0, 100.0, 1e3]}
    rows = tmp_path / "rows.csv"
    numbers = np.random.default_rng(1).normal(size=(400, 2))
    rows.write_text("a,b,y\n" + "".join(f"{a:.3f},{b:.3f},{'yes' if a * b > 0 else 'no'}\n" for a, b in numbers))
    assert main(["split", str(rows), "--target", "y", "--out", str(experiment)]) == 0
    known = {**os.environ, "RAY_ADDRESS": cluster.address}
    killed = subprocess.run([sys.executable, "-c", PROGRAM, str(experiment)], env=known, check=False, timeout=150)
    assert killed.returncode == -signal.SIGKILL
    told, config = [], wf.Config(optimization=wf.Optimization(epochs=4))
    there = wf.sweep(experiment, config, over=over, executor=wf.Ray(address=cluster.address), notify=told.append)
    assert sum(event["event"] == "member" for event in told) <= 3
    assert all_same(wf.sweep(wf.open_experiment(experiment).split, config, over=over), there)
