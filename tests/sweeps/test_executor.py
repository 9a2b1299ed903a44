from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from wellfit.exceptions import BadInput, NoRoom, Refusal, WellfitError
from wellfit.fused.compiled_stack import COMPILING, is_ready
from wellfit.fused.engine import require_trainable
from wellfit.records.config import Config, Network, Optimization, Regularization, total_updates
from wellfit.records.goals import goal_named
from wellfit.records.outcome import Status
from wellfit.sweeps import worker_pool
from wellfit.sweeps.executor import InProcess, trains_on_torch
from wellfit.sweeps.rungs import Rungs
from wellfit.sweeps.worker_pool import _PROGRAM, WorkerPool, shares_of

GOAL = goal_named("error")


def config(seed=0, *, epochs=3, **regularization):
    return Config(
        network=Network(widths=(16,)),
        optimization=Optimization(epochs=epochs, batch_size=64, lr=0.01),
        regularization=Regularization(**regularization),
        seed=seed,
    )


CONFIGS = [config(), config(epochs=20, l2=3.0), config(keep_prob=0.7), config(epochs=1), config(l2=1e3, keep_prob=0.5)]
ENDLESS = config(epochs=1_000_000)


@pytest.fixture(scope="module")
def pool(data):
    with WorkerPool(data, goal=GOAL, workers=2) as pool:
        yield pool


def same(first, second):
    scalars = [{**outcome.to_json(), "seconds": 0} for outcome in (first, second)]
    arrays = [{**o.state, "losses": o.train_losses, "dev": o.predictions["dev"]} for o in (first, second)]
    return scalars[0] == scalars[1] and all(np.array_equal(arrays[0][name], arrays[1][name]) for name in arrays[0])


def test_workers_and_this_process_give_the_same_outcomes_in_the_order_of_the_configs(data, pool):
    here, there = (executor.train(CONFIGS) for executor in (InProcess(data, goal=GOAL), pool))
    assert [outcome.config for outcome in there] == CONFIGS
    assert all(same(first, second) for first, second in zip(here, there, strict=True))


def test_one_worker_gives_what_two_give_and_the_pool_lives_between_calls(data, pool):
    with WorkerPool(data, goal=GOAL, workers=1) as single:
        first = single.train(CONFIGS[:2])
        workers = {worker.process.pid for worker in single._workers._all}
        first += single.train(CONFIGS[2:])
        assert {worker.process.pid for worker in single._workers._all} == workers
        assert len(workers) == 1
    assert all(same(one, two) for one, two in zip(first, pool.train(CONFIGS), strict=True))


def test_each_outcome_is_told_once_in_the_callers_thread(pool):
    told = []
    outcomes = pool.train(CONFIGS, on_outcome=lambda outcome: told.append((outcome, threading.current_thread())))
    assert {id(outcome) for outcome, _ in told} == {id(outcome) for outcome in outcomes}
    assert {thread for _, thread in told} == {threading.current_thread()}


@pytest.mark.parametrize("where", ["here", "pool"])
def test_a_deadline_cuts_short_what_runs_and_starts_nothing_more(where, data, pool):
    executor = pool if where == "pool" else InProcess(data, goal=GOAL)
    began = time.monotonic()
    # Seeds do not fuse: these are four stacks.
    outcomes = executor.train([config(seed, epochs=1_000_000) for seed in range(4)], deadline=began + 3.0)
    assert {outcome.status for outcome in outcomes} == {Status.OUT_OF_BUDGET}
    assert len(outcomes) < 4
    assert executor.train([ENDLESS], deadline=time.monotonic() - 1) == []
    assert time.monotonic() - began < 20


def test_a_config_that_is_asked_for_twice_is_trained_once_and_returned_twice(data, pool):
    for executor in (pool, InProcess(data, goal=GOAL)):
        told = []
        outcomes = executor.train([CONFIGS[0]] * 2, on_outcome=told.append)
        assert [outcome.config for outcome in outcomes] == [CONFIGS[0]] * 2
        assert len(told) == 1


def test_with_memory_for_one_worker_there_is_one(data):
    least = require_trainable(data, [[CONFIGS[0], CONFIGS[2]]], memory=10**9)
    for share, started in ((1.5, 1), (2.5, 2)):
        with WorkerPool(data, goal=GOAL, workers=2, memory=int(share * least)) as pool:
            pool.train([CONFIGS[0], CONFIGS[2]])
            assert len(pool._workers._all) == started


@pytest.mark.parametrize("where", ["here", "pool"])
def test_memory_for_no_member_is_refused_before_any_training_with_the_memory_that_was_asked_for(where, data):
    executor = (WorkerPool if where == "pool" else InProcess)(data, goal=GOAL, memory=10**6)
    told = []
    with pytest.raises(BadInput, match="found memory=1 MB"):
        executor.train([CONFIGS[0], config(epochs=1)], on_outcome=told.append)
    assert told == []
    executor.close()


def test_shares_are_dealt_out_evenly_and_hold_what_fuses():
    stack = [config(l2=float(member)) for member in range(5)]
    shares = shares_of([*stack, config(epochs=1)], workers=2)
    assert shares == [stack[::2], stack[1::2], [config(epochs=1)]]


@pytest.mark.parametrize("where", ["here", "pool"])
def test_at_rungs_members_that_are_behind_are_dropped(where, data, pool):
    executor = pool if where == "pool" else InProcess(data, goal=GOAL)
    members = [config(epochs=30, l2=0.0), config(epochs=30, l2=1.0)]
    behind = [config(epochs=30, l2=shrink * 1e5, keep_prob=0.2) for shrink in (1.0, 2.0)]
    outcomes = executor.train([*members, *behind], rungs=Rungs(keep=0.01, level=0.9))
    ends = [outcome.status for outcome in outcomes]
    assert ends[2:] == [Status.DROPPED] * 2
    assert Status.FINISHED in ends[:2]
    assert all(outcome.updates < total_updates(outcome.config, rows=400) for outcome in outcomes[2:])


def test_what_passes_a_rung_is_told_there_and_not_returned(data, pool):
    members = [config(epochs=30, l2=0.0), config(epochs=30, l2=1.0)]
    told = {}
    for executor in (InProcess(data, goal=GOAL), pool):
        found = []
        outcomes = executor.train(members, rungs=Rungs(keep=0.99), on_outcome=found.append)
        assert [outcome.config for outcome in outcomes] == members
        assert not any(outcome.is_snapshot for outcome in outcomes)
        told[executor] = sorted((each for each in found if each.is_snapshot), key=lambda each: each.identity)
        assert {each.updates for each in told[executor]} == set(outcomes[0].snapshots)
    here, there = told.values()
    assert len(here) == 3 * len(members)
    assert all(same(first, second) for first, second in zip(here, there, strict=True))


def test_nothing_to_train_is_no_outcomes(pool):
    assert pool.train([]) == []


def test_a_killed_worker_is_replaced_and_its_config_trained_again(data):
    with WorkerPool(data, goal=GOAL, workers=1) as pool:
        expected = pool.train([CONFIGS[1]])[0]
        killed = pool._workers._all[0].process.pid
        timer = threading.Timer(0.2, os.kill, (killed, signal.SIGKILL))
        timer.start()
        # Far longer than the timer takes, on a fast machine too: else nothing is killed in the middle of it.
        slow = config(epochs=6_000)
        assert pool.train([slow])[0].status is Status.FINISHED
        timer.join()
        assert killed not in [worker.process.pid for worker in pool._workers._all]
        assert same(pool.train([CONFIGS[1]])[0], expected)


def test_a_config_that_kills_its_worker_twice_is_an_error_with_its_name(data, monkeypatch):
    pool = WorkerPool(data, goal=GOAL, workers=1)
    monkeypatch.setattr("wellfit.sweeps.worker_pool._PROGRAM", "import os; os.kill(os.getpid(), 9)")
    with pytest.raises(WellfitError, match=r"signal 9 ended it 2 times for .*'seed': 0"):
        pool.train([CONFIGS[0]])
    assert not pool._workers.folder.exists()


def test_a_worker_that_fails_is_a_bug_and_not_tried_again(data, monkeypatch):
    monkeypatch.setattr("wellfit.sweeps.worker_pool._PROGRAM", "raise SystemExit(3)")
    with WorkerPool(data, goal=GOAL, workers=1) as pool, pytest.raises(RuntimeError, match="exit code 3"):
        pool.train([CONFIGS[0]])


def test_what_a_worker_refuses_is_raised_here_with_all_its_parts(data):
    with WorkerPool(data, goal=goal_named("rmse"), workers=1) as pool, pytest.raises(BadInput) as refused:
        pool.train([CONFIGS[0]])
    with pytest.raises(BadInput) as here:
        InProcess(data, goal=goal_named("rmse")).train([CONFIGS[0]])
    assert str(refused.value) == str(here.value)


def test_an_error_in_on_outcome_ends_the_workers(data):
    def full(_outcome):
        raise OSError("disk full")

    pool = WorkerPool(data, goal=GOAL, workers=2)
    with pytest.raises(OSError, match="disk full"):
        pool.train([CONFIGS[0], ENDLESS], on_outcome=full)
    assert not pool._workers.folder.exists()
    with pytest.raises(Refusal, match="closed pool"):
        pool.train(CONFIGS)


def test_a_disk_without_room_is_said_before_any_training(data, monkeypatch):
    def full(*_arguments, **_options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(worker_pool.np, "save", full)
    with pytest.raises(NoRoom, match="No space left"):
        WorkerPool(data, goal=GOAL)


def test_a_pool_without_workers_is_refused(data):
    with pytest.raises(BadInput, match="workers=0"):
        WorkerPool(data, goal=GOAL, workers=0)


SCRIPT = """
import pathlib, signal, sys
# A shell that starts pytest in the background has it ignore SIGINT, and its children inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
import numpy as np, pyarrow as pa
from wellfit.records.config import Config, Network, Optimization
from wellfit.data.prepare import Prepared, fit_preparation
from wellfit.data.schema import infer_schema
from wellfit.records.goals import goal_named
from wellfit.sweeps.rungs import Rungs
from wellfit.sweeps.worker_pool import WorkerPool, shares_of

with open("executed", "a") as file:
    file.write("x")
source = np.random.default_rng(0)
x = source.normal(size=200)
table = pa.table({"x": x, "target": np.where(x > 0, "yes", "no")})
preparation = fit_preparation(table, infer_schema(table, target="target"))
arrays = preparation.transform(table)
workers = int(sys.argv[1])
optimization = Optimization(epochs=1, lr=.01)
pool = WorkerPool(Prepared(preparation, arrays, None, arrays), goal=goal_named("error"), workers=workers)
configs = [Config(optimization=optimization, seed=seed) for seed in (0, 1)]
outcomes = pool.train(configs, on_outcome=lambda outcome: print("one", flush=True))
print([w.process.pid for w in pool._workers._all], pool._workers.folder, flush=True)
if workers == 2:
    pool.train([Config(optimization=Optimization(epochs=10**7), seed=s) for s in (0, 1)])
"""


@pytest.mark.parametrize("how", ["file", "-c", pytest.param("stdin", marks=pytest.mark.proof)])
def test_scripts_without_a_main_guard_work_and_are_executed_once(how, tmp_path):
    (tmp_path / "torch.py").write_text("raise RuntimeError('a file in the user folder stood in for torch')")
    script = tmp_path / "scripts" / "script.py"
    script.parent.mkdir()
    script.write_text(SCRIPT)
    arguments = {"file": [str(script), "1"], "-c": ["-P", "-c", SCRIPT, "1"], "stdin": ["-P", "-", "1"]}[how]
    ran = subprocess.run(
        [sys.executable, *arguments],
        cwd=tmp_path,
        input=SCRIPT if how == "stdin" else "",
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith("one\none\n")
    assert (tmp_path / "executed").read_text() == "x"
    assert not Path(ran.stdout.split()[-1]).exists()


@pytest.mark.parametrize(
    "how",
    [signal.SIGKILL, signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.proof)],
    ids=lambda how: how.name,
)
def test_no_worker_and_no_folder_outlives_the_parent(how, tmp_path):
    parent = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, "2"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    lines = [parent.stdout.readline() for _ in range(3)]
    time.sleep(1)
    parent.send_signal(how)
    _, errors = parent.communicate(timeout=60)
    pids, folder = lines[2].split("] ")
    wait_until(lambda: not any(alive(int(pid)) for pid in pids.strip("[").split(", ")), seconds=20)
    wait_until(lambda: not Path(folder.strip()).exists(), seconds=20)
    assert ("KeyboardInterrupt" in errors) == (how == signal.SIGINT)


def test_a_worker_is_deaf_to_ctrl_c_before_its_imports(tmp_path):
    """A worker that a Ctrl-C met while it imported printed a traceback into the message that the user reads."""
    stand_in = tmp_path / "wellfit" / "sweeps" / "worker_pool.py"
    stand_in.parent.mkdir(parents=True)
    stand_in.write_text("import signal\nsignal.raise_signal(signal.SIGINT)\nmain = print\n")
    # -S leaves out what is installed, and so does no PYTHONPATH: the stand-in is imported.
    command = [sys.executable, "-S", "-P", "-c", _PROGRAM, str(tmp_path), "deaf"]
    bare = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    ran = subprocess.run(command, capture_output=True, text=True, check=False, env=bare)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "deaf\n", "")


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_until(holds, *, seconds):
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.1)


def test_torch_trains_only_where_the_engine_has_no_time_to_compile():
    assert not trains_on_torch(COMPILING)
    assert trains_on_torch(COMPILING - 1) is not is_ready()
