"""A pool of worker processes with one torch thread each.

Workers are separate programs. They are not forked, because torch's threads do not survive a fork, and not spawned by
multiprocessing, which imports the user's script a second time. They stay alive between calls, because importing torch
takes seconds. All of them map the data, written once to a temporary folder, into memory. Processes exchange arrays as
.npy files and scalars as JSON; nothing is pickled.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import shutil
import subprocess
import sys
import threading
import time
import uuid
import weakref
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from wellfit.base.files import scratch_folder
from wellfit.base.typing import Json, Notify, ignore_events
from wellfit.data.prepare import Arrays, Copies, Preparation, Prepared
from wellfit.exceptions import BadInput, NoRoom, Refusal, WellfitError
from wellfit.fused.engine import fit_stack, require_trainable, stacks_of
from wellfit.records.config import Config, Device
from wellfit.records.goals import Goal, goal_named
from wellfit.records.outcome import Outcome
from wellfit.sweeps.executor import InProcess, OnOutcome, ignore_outcome, shares_of
from wellfit.sweeps.rungs import Rungs
from wellfit.training.module_checks import ModuleFactory

if TYPE_CHECKING:
    from wellfit.sweeps.ray_cluster import Cluster, Ray
    from wellfit.sweeps.ray_executor import RayExecutor

ATTEMPTS = 2
"""Number of times to try a config whose worker was killed (most often for lack of memory)."""

_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
# -P and the appended path keep the folder the user happens to be in from standing in for a module. Ctrl-C goes to the
# whole terminal, also during the seconds of the imports; the parent decides what becomes of the workers.
_PROGRAM = (
    "import signal, sys; signal.signal(signal.SIGINT, signal.SIG_IGN); sys.path.append(sys.argv[1]); "
    "from wellfit.sweeps.worker_pool import main; main(sys.argv[2])"
)
_PACKAGES = Path(__file__).parents[2]
_REFUSALS = {kind.__name__: kind for kind in (WellfitError, BadInput, Refusal, NoRoom)}


def cores() -> int:
    """Return the cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class _Worker:
    """One worker process, and the exchange of messages with it."""

    def __init__(self, folder: Path) -> None:
        self.process = subprocess.Popen(  # noqa: S603 (this interpreter and our own program)
            [sys.executable, "-P", "-c", _PROGRAM, str(_PACKAGES), str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **_ONE_THREAD},
            text=True,
            encoding="utf-8",
        )

    def answers(self, request: Json) -> Iterator[Json]:
        """Yield the answers to a request; the last one is not an outcome, and is missing if the worker died."""
        if self.process.stdin is None or self.process.stdout is None:
            return
        with contextlib.suppress(OSError, ValueError):
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
            for line in self.process.stdout:
                # A line without its end was left by a dying worker.
                if not line.endswith("\n"):
                    return
                answer: Json = json.loads(line)
                yield answer
                if "outcome" not in answer:
                    return

    def end(self) -> int:
        """Kill the process if it is alive, and return its exit code."""
        self.process.kill()
        code = self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            # Anything still to be written to a dead process is lost with it.
            with contextlib.suppress(OSError):
                if stream is not None:
                    stream.close()
        return code


class _Workers:
    """The workers of one pool and their folder; the threads that talk to the workers borrow them one at a time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()
        self._idle: list[_Worker] = []
        self._all: list[_Worker] = []
        self._closed = False

    def borrow(self) -> _Worker:
        with self._lock:
            if self._closed:
                raise Refusal("a pool must be open to train", found="a closed pool", remedy="Make a new pool")
            if not self._idle:
                self._all.append(_Worker(self.folder))
                self._idle.append(self._all[-1])
            return self._idle.pop()

    def give_back(self, worker: _Worker) -> None:
        with self._lock:
            self._idle.append(worker)

    def end(self, worker: _Worker) -> int:
        with self._lock:
            self._all.remove(worker)
        return worker.end()

    def close(self) -> None:
        with self._lock:
            self._closed = True
            workers, self._all[:] = list(self._all), []
        for worker in workers:
            worker.end()
        shutil.rmtree(self.folder, ignore_errors=True)


class WorkerPool:
    """Trains configs on worker processes; use it as a context manager, or `close` it.

    It has at most `workers` processes, by default one per core, and fewer if `memory`, the bytes that all members in
    training may take together, is too small for one member per process. With a `device`, there is one worker.
    """

    notice = ""
    """Always empty: members of the built-in network run side by side (see `InProcess.notice`)."""

    def __init__(
        self,
        data: Prepared,
        *,
        goal: Goal,
        workers: int | None = None,
        memory: int | None = None,
        device: Device | None = None,
    ) -> None:
        if workers is not None and workers < 1:
            raise BadInput("a pool must have at least one worker", found=f"workers={workers}", remedy="Pass 1 or more")
        # All members of a stack are one product there, and a second process would only wait for the first.
        self._limit = 1 if device else workers or cores()
        self._data, self._memory, self._device = data, memory, device
        self._workers = _Workers(scratch_folder())
        # Runs also at the end of a program that never closed the pool.
        self._finish = weakref.finalize(self, self._workers.close)
        try:
            write_data(self._workers.folder, data, goal=goal)
        except WellfitError:
            self.close()
            raise

    def train(
        self,
        configs: Sequence[Config],
        *,
        deadline: float | None = None,
        rungs: Rungs | None = None,
        on_outcome: OnOutcome = ignore_outcome,
    ) -> list[Outcome]:
        """Train configs on the workers, as `Executor.train` describes; a stack is divided among all of them.

        A config that cannot be trained is refused before any training. A refusal in a worker, or a config whose worker
        was killed twice, raises an error here.
        """
        workers = self._limit
        least = require_trainable(self._data, stacks_of(configs), memory=self._memory, device=self._device)
        if self._memory is not None:
            # At least one, and as many as the memory holds a member for.
            workers = max(min(workers, self._memory // max(least, 1)), 1)
        request = {
            "memory": None if self._memory is None else self._memory // workers,
            "device": self._device.to_json() if self._device else None,
            "deadline": deadline,
            "rungs": rungs.to_json() if rungs else None,
        }
        shares = shares_of(configs, workers=workers)
        found: dict[str, Outcome] = {}
        arrived: queue.SimpleQueue[Outcome | Future[None]] = queue.SimpleQueue()
        with ThreadPoolExecutor(min(workers, len(shares)) or 1) as threads:
            for share in shares:
                threads.submit(self._train, share, request, arrived.put).add_done_callback(arrived.put)
            try:
                ended = 0
                while ended < len(shares):
                    one = arrived.get()
                    if isinstance(one, Future):
                        one.result()
                        ended += 1
                    else:
                        found[one.identity] = one
                        on_outcome(one)
            except BaseException:
                # Ctrl-C, a refusal or a full journal: nothing goes on training behind the caller's back.
                threads.shutdown(wait=False, cancel_futures=True)
                self.close()
                raise
        return [found[config.identity] for config in configs if config.identity in found]

    def close(self) -> None:
        """End the workers and delete the temporary folder."""
        self._finish()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def _train(self, share: Sequence[Config], request: Json, arrived: Callable[[Outcome], None]) -> None:
        left, code = {config.identity: config for config in share}, 0
        for _attempt in range(ATTEMPTS):
            if request["deadline"] is not None and time.monotonic() >= request["deadline"]:
                return None
            worker = self._workers.borrow()
            for answer in worker.answers({**request, "configs": [config.to_json() for config in left.values()]}):
                if "outcome" not in answer:
                    self._workers.give_back(worker)
                    return _require_done(answer)
                outcome = read_outcome(self._workers.folder / answer["arrays"], answer["outcome"])
                # A snapshot is not the end of its training.
                left.pop(outcome.identity, None)
                arrived(outcome)
            code = self._workers.end(worker)
            if code > 0:
                raise RuntimeError(f"a worker ended with exit code {code}; its traceback is on standard error")
        raise WellfitError(
            "a worker process must not be killed while it trains",
            found=f"signal {-code} ended it {ATTEMPTS} times for {next(iter(left.values())).to_json()}",
            remedy="Free memory, set a limit with --memory, or use fewer workers or a smaller network",
        )


def executor_for(
    data: Prepared,
    *,
    goal: Goal,
    module: ModuleFactory | None = None,
    single: bool = False,
    memory: int | None = None,
    device: Device | None = None,
    cluster: Cluster | None = None,
    notify: Notify = ignore_events,
) -> InProcess | WorkerPool | RayExecutor:
    """Return the executor of a command: worker processes, or this process for a user's module or a `single` network.

    The members in training may take `memory` bytes. A `device` trains the built-in network in place of the cores. A
    joined `cluster` trains everything in place of this machine, and is left when the executor is closed.
    """
    if cluster is not None:
        from wellfit.sweeps.ray_executor import RayExecutor

        return RayExecutor(data, cluster=cluster, goal=goal, memory=memory, module=module, device=device, notify=notify)
    if single or module is not None:
        return InProcess(data, goal=goal, memory=memory, module=module, device=device)
    return WorkerPool(data, goal=goal, memory=memory, device=device)


def executor_on(
    asked: Ray | None, data: Prepared, *, notify: Notify = ignore_events, **options: Any
) -> InProcess | WorkerPool | RayExecutor:
    """Return the executor of `executor_for`; if a cluster is asked for, join it and wait for its first worker."""
    return executor_for(data, cluster=asked.join(notify=notify) if asked else None, notify=notify, **options)


def _require_done(answer: Json) -> None:
    if "refused" in answer:
        refused = dict(answer["refused"])
        kind = _REFUSALS[refused.pop("kind")]
        raise kind(refused.pop("rule"), **refused)


def main(folder: str) -> None:
    """Serve the parent process, with the data that it wrote to `folder`."""
    # Answers keep standard output to themselves: whatever else prints goes to standard error.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    requests: queue.SimpleQueue[Json] = queue.SimpleQueue()
    gone = threading.Event()
    threading.Thread(target=_listen, args=(requests, Path(folder), gone), daemon=True).start()

    def tell(answer: Json) -> None:
        answers.write(json.dumps(answer) + "\n")
        answers.flush()

    try:
        data, goal = read_data(Path(folder))
        while True:
            tell(_answer(requests.get(), Path(folder), data=data, goal=goal, tell=tell))
    except OSError:
        if not gone.wait(1.0):
            raise
        os._exit(0)  # the parent was killed, and nobody hears the answer


def _listen(requests: queue.SimpleQueue[Json], folder: Path, gone: threading.Event) -> None:
    for line in sys.stdin:
        requests.put(json.loads(line))
    gone.set()
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(0)


def _answer(request: Json, folder: Path, *, data: Prepared, goal: Goal, tell: Callable[[Json], None]) -> Json:
    """Train the configs of a request, and return its final answer."""

    def hand_over(outcome: Outcome) -> None:
        arrays = f"{uuid.uuid4().hex}.npz"
        tell({"outcome": write_outcome(folder / arrays, outcome), "arrays": arrays})

    rungs = Rungs.from_json(request["rungs"]) if request["rungs"] else None
    try:
        fit_stack(
            data,
            [Config.from_json(config) for config in request["configs"]],
            goal=goal,
            # `time.monotonic` is one clock for all processes of a machine.
            deadline=request["deadline"],
            judge=rungs.judge if rungs else None,
            memory=request["memory"],
            device=Device.from_json(request["device"]) if request["device"] else None,
            on_outcome=hand_over,
        )
    except WellfitError as error:
        kind = type(error).__name__
        return {"refused": {"kind": kind, "rule": error.rule, "found": error.found, "remedy": error.remedy}}
    return {"done": True}


PARTS = ("train", "train_dev", "dev")
FIELDS = ("numeric", "codes", "target")
COPIES = ("train", "dev")


def write_data(folder: Path, data: Prepared, *, goal: Goal) -> None:
    """Write the prepared parts to a folder, once for all workers; raise NoRoom if they do not fit."""
    try:
        names = {"more": list(data.more), "importance": list(data.importance)}
        (folder / "data.json").write_text(
            json.dumps({"preparation": data.preparation.to_json(), "goal": goal.name, **names}), encoding="utf-8"
        )
        for name, array in _named_arrays(data):
            np.save(folder / f"{name}.npy", array, allow_pickle=False)
    except OSError as error:
        raise NoRoom(
            "the temporary folder must have room for a copy of the prepared data for the workers",
            found=f"{folder}: {error.strerror}",
            remedy="Free space there, or set TMPDIR to a larger disk",
        ) from error


def read_data(folder: Path) -> tuple[Prepared, Goal]:
    """Map the parts into memory, so that all workers share the same pages."""
    described = json.loads((folder / "data.json").read_text(encoding="utf-8"))
    parts = {part: _mapped(folder, part) for part in PARTS}
    train, dev = parts["train"], parts["dev"]
    if train is None or dev is None:
        raise FileNotFoundError(folder / "train.numeric.npy")
    copies = [folder / f"copies.{side}.npy" for side in COPIES]
    data = Prepared(
        Preparation.from_json(described["preparation"]),
        train,
        parts["train_dev"],
        dev,
        more={name: rows for at, name in enumerate(described["more"]) if (rows := _mapped(folder, f"more{at}"))},
        importance={name: np.load(folder / f"importance{at}.npy") for at, name in enumerate(described["importance"])},
        copies=Copies(*map(np.load, copies)) if copies[0].is_file() else None,
    )
    return data, goal_named(described["goal"])


def _named_arrays(data: Prepared) -> Iterator[tuple[str, Any]]:
    """Yield every array with the name of its file; added rows and importance weights are numbered."""
    more = {f"more{at}": rows for at, rows in enumerate(data.more.values())}
    for part, arrays in (data.parts | more).items():
        yield from ((f"{part}.{field}", getattr(arrays, field)) for field in FIELDS)
    yield from ((f"importance{at}", weights) for at, weights in enumerate(data.importance.values()))
    if data.copies is not None:
        yield from ((f"copies.{side}", getattr(data.copies, side)) for side in COPIES)


def _mapped(folder: Path, part: str) -> Arrays | None:
    if not (folder / f"{part}.numeric.npy").is_file():
        return None
    # "c" maps privately: torch asks for writable memory, though nothing writes.
    return Arrays(*(np.load(folder / f"{part}.{field}.npy", mmap_mode="c") for field in FIELDS))


def write_outcome(path: Path, outcome: Outcome) -> Json:
    """Write an outcome's arrays to `path` (.npz), and return its scalars."""
    np.savez(path, allow_pickle=False, **outcome.arrays)
    return outcome.to_json()


def read_outcome(path: Path, body: Json) -> Outcome:
    """Rebuild an outcome from its scalars and the arrays at `path`, and delete the file."""
    with np.load(path) as stored:
        arrays = {name: stored[name] for name in stored.files}
    path.unlink()
    return Outcome.from_json(body, arrays=arrays)
