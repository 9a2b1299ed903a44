"""One worker process: trains the stacks it is asked for, one after the other, on one thread.

It reads one JSON object a line from standard input, and answers on standard output with one a line: each outcome as
its member ends or passes a rung, then that it is done. When standard input ends, the parent is gone, however it went:
the worker leaves at once, also in the middle of a training.
"""

from __future__ import annotations

import json
import os
import queue
import shutil
import sys
import threading
import uuid
from collections.abc import Callable
from pathlib import Path

from wellfit._typing import Json
from wellfit.config import Config
from wellfit.data.prepare import Prepared
from wellfit.device import Device
from wellfit.exceptions import WellfitError
from wellfit.fused.engine import fit_stack
from wellfit.goals import Goal
from wellfit.outcome import Outcome
from wellfit.sweeps.rungs import Rungs
from wellfit.sweeps.transfer import read_data, write_outcome


def main(folder: str) -> None:
    """Serve the parent, with the data that it laid out in `folder`."""
    # Answers keep standard output to themselves: whatever else prints goes to standard error.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    requests: queue.SimpleQueue[Json] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(requests, Path(folder)), daemon=True).start()
    data, goal = read_data(Path(folder))

    def tell(answer: Json) -> None:
        answers.write(json.dumps(answer) + "\n")
        answers.flush()

    while True:
        tell(_answer(requests.get(), Path(folder), data=data, goal=goal, tell=tell))


def _listen(requests: queue.SimpleQueue[Json], folder: Path) -> None:
    for line in sys.stdin:
        requests.put(json.loads(line))
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(0)


def _answer(request: Json, folder: Path, *, data: Prepared, goal: Goal, tell: Callable[[Json], None]) -> Json:
    def hand_over(outcome: Outcome) -> None:
        arrays = f"{uuid.uuid4().hex}.npz"
        tell({"outcome": write_outcome(folder / arrays, outcome), "arrays": arrays})

    rungs = Rungs.from_json(request["rungs"]) if request["rungs"] else None
    try:
        fit_stack(
            data,
            [Config.from_json(config) for config in request["configs"]],
            goal=goal,
            stream=request["stream"],
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
