"""A cluster of several raylets on this machine, all of which end with the tests."""

from __future__ import annotations

import shutil
import subprocess
import tempfile

import numpy as np
import pytest

import wellfit as wf

STORE = 80_000_000


@pytest.fixture(scope="session")
def split():
    """A small noisy table on which a network overfits."""
    source = np.random.default_rng(0)
    numbers = source.normal(size=(900, 4))
    signal = np.sin(2 * numbers[:, 0]) + numbers[:, 1] + 0.8 * source.normal(size=900)
    table = {name: numbers[:, place] for place, name in enumerate("abcd")}
    return wf.split({**table, "y": np.where(signal > 0, "yes", "no")}, target="y")


@pytest.fixture(scope="module")
def cluster():
    """Start a head without CPUs, to which a test adds nodes."""
    import ray
    from ray.cluster_utils import Cluster

    folder = tempfile.mkdtemp(prefix="r", dir="/tmp")
    options = {"num_cpus": 0, "object_store_memory": STORE, "include_dashboard": False, "temp_dir": folder}
    started = Cluster(initialize_head=True, head_node_args=options)
    processes = [
        info.process for node in started.list_all_nodes() for each in node.all_processes.values() for info in each
    ]
    try:
        yield started
    finally:
        if ray.is_initialized():
            ray.shutdown()
        processes += [
            info.process for node in started.list_all_nodes() for each in node.all_processes.values() for info in each
        ]
        started.shutdown()
        for process in processes:
            process.kill()
            process.wait(timeout=30)
        shutil.rmtree(folder, ignore_errors=True)
        assert not _left(folder)


def _left(folder):
    found = subprocess.run(["pgrep", "-f", folder], capture_output=True, text=True, check=False)
    return found.stdout.split()
