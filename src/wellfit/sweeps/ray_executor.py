"""Trains configs as tasks of a Ray cluster; it has its own file because Ray is an extra.

Plain tasks, as nothing lives longer than a shard of members: Ray puts them where there is room and where the data
already is. This process alone decides what is trained again, keeps the outcomes and writes the journal. The data are
stored once in the cluster (`ray.put`), and every task maps the copy of its node, read-only, into memory.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Self, TypeAlias

import numpy as np
import ray
from ray.exceptions import (
    ObjectLostError,
    ObjectStoreFullError,
    OutOfDiskError,
    OutOfMemoryError,
    RayError,
    RayTaskError,
    TaskCancelledError,
)

from wellfit.base.typing import Floats, Json, Notify, ignore_events
from wellfit.data.prepare import Arrays, Prepared
from wellfit.exceptions import NoRoom, WellfitError
from wellfit.fused.engine import fit_stack, require_trainable, stacks_of
from wellfit.records.config import Config, Device
from wellfit.records.goals import Goal, goal_named
from wellfit.records.outcome import Outcome
from wellfit.sweeps.executor import OnOutcome, ignore_outcome, shares_of
from wellfit.sweeps.ray_cluster import ATTEMPTS, TELL_SECONDS, Cluster, raise_cause, require_versions, versions
from wellfit.sweeps.rungs import Rungs
from wellfit.training.module_checks import ModuleFactory

SHARD_SECONDS = 10.0
"""Work of a shard, once the speed of its members is known: long beside the milliseconds that a task costs, short beside
what is lost with a node."""
LATE_SECONDS, LATE_SHARE = 10.0, 0.1
"""Time after the deadline, at least and as a share of the time that was given, after which nothing is waited for."""

_Answer: TypeAlias = list[tuple[Json, dict[str, Floats]]]


@dataclass
class _Shard:
    """Configs that one task trains, and how often a task with them was lost."""

    configs: list[Config]
    lost: int = 0


@dataclass
class _Work:
    """What is still to be submitted: shards that came back first, then stacks, from which shards are cut.

    A stack's first shards are of one member, to learn its speed; later ones take `SHARD_SECONDS`, and fewer towards the
    end, so that all slots end together. A `whole` shard is not cut, since its members are compared or computed
    together; only one that ran out of memory is halved, and its rungs then compare fewer.
    """

    shards: deque[_Shard]
    stacks: deque[list[Config]]
    seconds: dict[str, list[float]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.shards or self.stacks)

    def learn(self, outcome: Outcome) -> None:
        self.seconds.setdefault(_kind(outcome.config), []).append(outcome.seconds)

    def next(self, slots: int) -> _Shard:
        if self.shards:
            return self.shards.popleft()
        stack = self.stacks[0]
        known = self.seconds.get(_kind(stack[0]))
        share = math.ceil(len(stack) / (2 * slots))
        count = min(share, max(1, int(SHARD_SECONDS * len(known) / max(sum(known), 1e-3)))) if known else 1
        taken, stack[:] = stack[:count], stack[count:]
        if not stack:
            self.stacks.popleft()
        return _Shard(taken)


def _kind(config: Config) -> str:
    """Return a name of what decides the time that a config takes."""
    return repr((config.network, config.optimization, config.data))


@dataclass
class _Call:
    """One call of `train`: what is asked of every task, what is left to do, and what is on its way."""

    request: Json
    work: _Work
    keep: OnOutcome
    deadline: float | None
    flight: dict[Any, _Shard] = field(default_factory=dict)


class RayExecutor:
    """Trains configs on a joined cluster; `close` leaves the cluster.

    The members in training on one machine may take `memory` bytes. With a `device`, each task trains all members of its
    share at once on it. `notify` receives an event when a shard is put back, and when nothing can start.
    """

    notice = ""
    """Always empty: see `InProcess.notice`."""

    def __init__(
        self,
        data: Prepared,
        *,
        cluster: Cluster,
        goal: Goal,
        memory: int | None = None,
        module: ModuleFactory | None = None,
        device: Device | None = None,
        notify: Notify = ignore_events,
    ) -> None:
        self._cluster, self._data, self._notify = cluster, data, notify
        self._memory, self._module, self._device = memory, module, device
        self._told = time.monotonic()
        self._goal = goal
        try:
            self._stored = self._store()
        except BaseException:
            cluster.close()
            raise

    @property
    def slots(self) -> int:
        """Number of shards that can be trained at the same time on the nodes that are there now."""
        return max(self._cluster.slots, 1)

    def train(
        self,
        configs: Sequence[Config],
        *,
        deadline: float | None = None,
        rungs: Rungs | None = None,
        on_outcome: OnOutcome = ignore_outcome,
    ) -> list[Outcome]:
        """Train configs on the cluster, as `Executor.train` describes.

        Outcomes come when their shard ends. A shard whose worker or node was lost is trained again, in halves if it was
        for lack of memory, and is an error after `ATTEMPTS` times.
        """
        stacks = stacks_of(list({config.identity: config for config in configs}.values()))
        require_trainable(self._data, stacks, memory=self._share(), module=self._module, device=self._device)
        is_whole = rungs is not None or self._module is not None or self._device is not None
        whole = shares_of(configs, workers=self.slots) if is_whole else []
        work = _Work(deque(map(_Shard, whole)), deque() if is_whole else deque(stacks))
        request = {
            "versions": versions(),
            "goal": self._goal.name,
            "memory": self._share(),
            "module": self._module,
            "device": self._device,
            "rungs": rungs,
        }
        late = _late(deadline)
        found: dict[str, Outcome] = {}

        def keep(outcome: Outcome) -> None:
            if not outcome.is_snapshot:
                found[outcome.identity] = outcome
                work.learn(outcome)
            on_outcome(outcome)

        call = _Call(request, work, keep, deadline)
        try:
            while work or call.flight:
                self._submit(call)
                if not call.flight or time.monotonic() >= late:
                    break
                ready, _ = ray.wait(list(call.flight), timeout=1.0)
                for reference in ready:
                    self._take(reference, call.flight.pop(reference), call)
                self._tell_waiting(bool(ready))
        finally:
            # Whatever is left was interrupted, refused or is late: nothing goes on training behind the caller's back.
            for reference in call.flight:
                ray.cancel(reference, force=True)
        return [found[config.identity] for config in configs if config.identity in found]

    def close(self) -> None:
        """Leave the cluster, or end it if it was started for this executor."""
        self._stored = None
        self._cluster.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def _store(self) -> Any:
        try:
            return ray.put(self._data)
        except (ObjectStoreFullError, OutOfDiskError) as error:
            raise NoRoom(
                "the cluster's object store must have room for the prepared data",
                found=f"{sum(each.numeric.nbytes + each.codes.nbytes for each in self._data.parts.values()):,} bytes",
                remedy="Start Ray with a larger --object-store-memory, or use fewer rows",
            ) from error

    def _share(self) -> int | None:
        """Return the bytes that one task may take of a machine's `memory`."""
        return None if self._memory is None else self._memory // max(*self._cluster.slots_by_node, 1)

    def _submit(self, call: _Call) -> None:
        # The second shard of a slot hides the way of a result and of the next request. Its time, however, would begin
        # to run while it waits: there is none if time is limited.
        slots = self.slots
        limit = slots if call.deadline is not None else 2 * slots
        task = _train_shard.options(num_cpus=self._cluster.asked.cpus, num_gpus=self._cluster.asked.gpus)
        while call.work and len(call.flight) < limit:
            left = None if call.deadline is None else call.deadline - time.monotonic()
            if left is not None and left <= 0:
                return
            shard = call.work.next(slots)
            asked = {**call.request, "configs": [config.to_json() for config in shard.configs]}
            asked |= {"seconds": left, "sent": time.time()}
            call.flight[task.remote(self._stored, asked)] = shard

    def _take(self, reference: Any, shard: _Shard, call: _Call) -> None:
        """Hand over the outcomes of a task that ended, or put its shard back."""
        try:
            answer: _Answer = ray.get(reference)
        except TaskCancelledError:
            return
        except RayTaskError as error:
            if not isinstance(error.cause, RayError):
                raise_cause(error)
            self._put_back(shard, error.cause, call.work)
        except RayError as error:
            self._put_back(shard, error, call.work)
        else:
            for body, arrays in answer:
                # A copy: what the cluster's store lends would fill it for as long as the outcome lives.
                call.keep(Outcome.from_json(body, arrays={name: np.array(array) for name, array in arrays.items()}))

    def _put_back(self, shard: _Shard, error: RayError, work: _Work) -> None:
        lost, why = shard.lost + 1, _reason(error)
        if lost >= ATTEMPTS:
            raise WellfitError(
                "a task must not be lost while it trains",
                found=f"{why}, {ATTEMPTS} times for {shard.configs[0].to_json()}",
                remedy="Reserve more CPUs for a training (cpus=), so that fewer share a node's memory, or use a "
                "smaller network",
            ) from error
        if isinstance(error, ObjectLostError):
            self._stored = self._store()
        self._notify({"event": "put back", "networks": len(shard.configs), "why": why})
        halves = [shard.configs]
        if isinstance(error, OutOfMemoryError) and len(shard.configs) > 1:
            halves = [shard.configs[::2], shard.configs[1::2]]
        work.shards.extendleft(_Shard(half, lost) for half in halves)

    def _tell_waiting(self, is_going: bool) -> None:
        """Tell what is waited for if nothing ended for a while and no CPU works."""
        now = time.monotonic()
        if is_going:
            self._told = now
        elif now - self._told > TELL_SECONDS and not self._cluster.slots:
            self._told = now
            free, every = self._cluster.cpus
            self._notify({"event": "waiting", "free": free, "of": every})


def _late(deadline: float | None) -> float:
    """Return the monotonic time after which no task is waited for: those that are on time have ended by then."""
    if deadline is None:
        return math.inf
    return deadline + max(LATE_SECONDS, LATE_SHARE * (deadline - time.monotonic()))


def _reason(error: RayError) -> str:
    name = type(error).__name__
    words = {"OutOfMemoryError": "a node ran out of memory", "NodeDiedError": "a node went away"}
    words |= {"WorkerCrashedError": "a worker was killed", "ObjectLostError": "an object was lost with its node"}
    return words.get(name, name)


@ray.remote(max_retries=0, retry_exceptions=False)
def _train_shard(data: Prepared, request: Json) -> _Answer:
    """Train the configs of a shard in a worker, and return their outcomes and snapshots as they came."""
    require_versions(request["versions"])
    found: _Answer = []
    rungs, seconds = request["rungs"], _left(request["seconds"], sent=request["sent"])
    fit_stack(
        _writable(data),
        [Config.from_json(config) for config in request["configs"]],
        goal=goal_named(request["goal"]),
        deadline=None if seconds is None else time.monotonic() + seconds,
        judge=rungs.judge if rungs else None,
        memory=request["memory"],
        module=request["module"],
        device=request["device"],
        on_outcome=lambda outcome: found.append((outcome.to_json(), outcome.arrays)),
    )
    return found


def _left(seconds: float | None, *, sent: float) -> float | None:
    """Return the time that is left of `seconds` that were left at the Unix time `sent`: a task may wait in a queue.

    A machine whose clock is behind has all of it: monotonic clocks say nothing on another machine.
    """
    return None if seconds is None else max(0.0, seconds - max(0.0, time.time() - sent))


def _writable(data: Prepared) -> Prepared:
    """Return the data with arrays that count as writable, though nothing writes.

    The arrays lie in the node's shared memory, and Ray lends them read-only. Torch asks for writable memory, and Numba
    would compile every loop a second time for arrays of another type.
    """

    def lent(part: Arrays) -> Arrays:
        arrays = {each.name: getattr(part, each.name) for each in fields(part)}
        views: dict[str, Any] = {name: _Lent.view(array) for name, array in arrays.items() if array is not None}
        return replace(part, **views)

    return replace(
        data,
        train=lent(data.train),
        train_dev=None if data.train_dev is None else lent(data.train_dev),
        dev=lent(data.dev),
        more={name: lent(part) for name, part in data.more.items()},
    )


class _Lent:
    """The memory of a read-only array, which it keeps alive, described as writable."""

    def __init__(self, array: Floats) -> None:
        self.array = array
        address, _ = array.__array_interface__["data"]
        self.__array_interface__ = {**array.__array_interface__, "data": (address, False)}

    @classmethod
    def view(cls, array: Floats) -> Floats:
        """Return a writable view; an empty array has no memory to lend."""
        return np.asarray(cls(array)) if array.size else array.copy()
