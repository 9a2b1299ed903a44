"""One worker process: trains the configs it is asked for, one after the other, on one thread.

It reads one JSON object a line from standard input and answers with one a line on standard output. When standard
input ends, the parent is gone, however it went: the worker leaves at once, also in the middle of a training.
"""

from __future__ import annotations

import json
import os
import queue
import shutil
import signal
import sys
import threading
from pathlib import Path

from wellfit._typing import Json
from wellfit.config import Config
from wellfit.data.prepare import Prepared
from wellfit.exceptions import WellfitError
from wellfit.goals import Goal
from wellfit.sweeps.transfer import read_data, write_outcome
from wellfit.training.loop import fit


def main(folder: str) -> None:
    """Serve the parent, with the data that it laid out in `folder`."""
    # Ctrl-C goes to the whole terminal; the parent decides what becomes of the workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Answers keep standard output to themselves: whatever else prints goes to standard error.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    requests: queue.SimpleQueue[Json] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(requests, Path(folder)), daemon=True).start()
    data, goal = read_data(Path(folder))
    while True:
        answer = _answer(requests.get(), Path(folder), data=data, goal=goal)
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def _listen(requests: queue.SimpleQueue[Json], folder: Path) -> None:
    for line in sys.stdin:
        requests.put(json.loads(line))
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(0)


def _answer(request: Json, folder: Path, *, data: Prepared, goal: Goal) -> Json:
    config = Config.from_json(request["config"])
    try:
        # `time.monotonic` is one clock for all processes of a machine.
        outcome = fit(data, config, goal=goal, stream=request["stream"], deadline=request["deadline"])
        return {"outcome": write_outcome(folder / request["arrays"], outcome)}
    except WellfitError as error:
        kind = type(error).__name__
        return {"refused": {"kind": kind, "rule": error.rule, "found": error.found, "remedy": error.remedy}}
