"""How work is cut for a cluster, and put back."""

from __future__ import annotations

import time
from collections import deque

import pytest

from wellfit.records.config import Config, Regularization
from wellfit.records.outcome import Outcome, Status

pytest.importorskip("ray")
from ray.exceptions import NodeDiedError, OutOfMemoryError

from wellfit.exceptions import WellfitError
from wellfit.sweeps.ray_cluster import ATTEMPTS
from wellfit.sweeps.ray_executor import SHARD_SECONDS, RayExecutor, _left, _Shard, _Work

STACK = [Config(regularization=Regularization(l2=float(place))) for place in range(60)]


def outcome(config, seconds):
    return Outcome(
        config=config, status=Status.FINISHED, updates=1, seconds=seconds, losses={}, curve=(), weight_norms=()
    )


def cut(work, slots, seconds):
    """Take shards until nothing is left, each of whose members took `seconds`."""
    found = []
    while work:
        found.append(work.next(slots).configs)
        for config in found[-1]:
            work.learn(outcome(config, seconds))
    return found


@pytest.mark.parametrize("seconds", [0.001, 1.0, 4.0, 100.0])
@pytest.mark.parametrize("slots", [1, 2, 16, 1000])
def test_every_config_is_in_one_shard_and_none_takes_longer_than_it_should(seconds, slots):
    shards = cut(_Work(deque(), deque([list(STACK)])), slots, seconds)
    assert [config for shard in shards for config in shard] == STACK
    assert len(shards[0]) == 1, "the speed is not known yet"
    assert all(len(shard) * seconds <= max(SHARD_SECONDS, seconds) for shard in shards)
    assert all(len(shard) <= -(-len(STACK) // (2 * slots)) for shard in shards), "every slot gets a share"


@pytest.fixture
def executor():
    """One that knows no cluster: putting a shard back needs none."""
    made = RayExecutor.__new__(RayExecutor)
    made.told = []
    made._notify = made.told.append
    return made


@pytest.mark.parametrize(
    ("error", "sizes"),
    [(NodeDiedError("gone"), [5]), (OutOfMemoryError("full"), [2, 3])],
    ids=["node", "memory"],
)
def test_a_lost_shard_comes_back_first_and_in_halves_after_memory(executor, error, sizes):
    work = _Work(deque([_Shard(STACK[5:6])]), deque())
    executor._put_back(_Shard(STACK[:5]), error, work)
    back = [work.next(2) for _ in sizes]
    assert sorted(len(shard.configs) for shard in back) == sizes
    assert {shard.lost for shard in back} == {1}
    assert sorted(config.regularization.l2 for shard in back for config in shard.configs) == [0, 1, 2, 3, 4]
    assert work.next(2).configs == STACK[5:6]
    assert [event["networks"] for event in executor.told] == [5]


def test_the_third_loss_of_a_shard_is_an_error_with_its_config(executor):
    shard, work = _Shard(STACK[3:4], lost=ATTEMPTS - 1), _Work(deque(), deque())
    with pytest.raises(WellfitError, match=r"a node went away, 3 times for .*'l2': 3.0"):
        executor._put_back(shard, NodeDiedError("gone"), work)


@pytest.mark.parametrize(
    ("seconds", "waited", "left"),
    [
        pytest.param(10.0, 4.0, 6.0, id="queued"),
        pytest.param(10.0, 40.0, 0.0, id="queued past the deadline"),
        pytest.param(10.0, -3600.0, 10.0, id="a clock that is behind"),
        pytest.param(None, 4.0, None, id="without a deadline"),
    ],
)
def test_the_time_in_a_queue_is_taken_off_a_tasks_time(seconds, waited, left):
    assert _left(seconds, sent=time.time() - waited) == pytest.approx(left, abs=0.1)


def test_a_cluster_is_left_where_its_executor_cannot_be_made(monkeypatch):
    left = []

    class Joined:
        def close(self):
            left.append(True)

    def interrupted(_self):
        raise KeyboardInterrupt

    monkeypatch.setattr(RayExecutor, "_store", interrupted)
    with pytest.raises(KeyboardInterrupt):
        RayExecutor(None, cluster=Joined(), goal=None)
    assert left == [True]
