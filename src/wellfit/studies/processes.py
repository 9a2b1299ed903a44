"""Fits in processes of their own: spawned, never forked, so that threads and GPUs of this process are safe."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from typing import Any

import numpy as np

from wellfit.exceptions import BadInput, WellfitError
from wellfit.studies.fit import PARTS, Fit
from wellfit.studies.log import Asked, Failure, failure_from
from wellfit.studies.running import Ended, Knobs, Running, fit_from

PATIENCE = 300.0
"""Seconds that a new process may take to import what the fit needs."""
READY, BEGUN = "ready", "begun"
"""What a worker says before a fit's result."""
UNGUARDED = 93
"""Exit code of a process that met the study again while it imported the script."""
NOTEBOOK = "In a notebook use ask and tell: while trial := study.ask(): study.tell(trial, ...)"


def is_being_imported() -> bool:
    """Return True in a spawned process that is still importing the script that spawned it."""
    return bool(getattr(multiprocessing.current_process(), "_inheriting", False))


def leave_if_imported() -> None:
    """End a spawned process that reaches the study again, because the script has no main guard."""
    if is_being_imported():
        sys.exit(UNGUARDED)


def picklable(fit: Callable[[Any], Any]) -> bytes | None:
    """Return a function as it is sent to another process; None where it cannot be."""
    try:
        content = bytes(ForkingPickler.dumps(fit))
        pickle.loads(content)  # noqa: S301 - our own bytes
    except Exception:
        return None
    return content


class Crew:
    """Worker processes, each of which makes one fit at a time, and is replaced when it dies.

    Args:
        fit: the training function.
        workers: number of processes.
        gpus: names of the GPUs; a worker gets the least used one, as CUDA_VISIBLE_DEVICES has them; () for none.

    Raises:
        BadInput: a function that cannot be sent to another process, or a script without a main guard.
    """

    def __init__(self, fit: Callable[[Any], Any], *, workers: int, gpus: Sequence[int | str] = ()) -> None:
        content = picklable(fit)
        if content is None:
            raise BadInput(
                "a fit in a process of its own must be a function at the top of a file",
                found=f"{getattr(fit, '__qualname__', fit)!r}, which cannot be pickled",
                remedy=f"Move it to the top of a module. {NOTEBOOK}",
            )
        self.workers = workers
        self._content = content
        self._gpus = [str(gpu) for gpu in gpus]
        self._idle: list[_Worker] = []
        self._all: list[_Worker] = []
        self._idle.append(self._worker())
        self._idle[0].require_ready()

    def begin(self, asked: Asked, *, knobs: Knobs, log: Path) -> Running:  # noqa: ARG002 - as every runner
        """Begin one fit in an idle worker, or a new one."""
        log.unlink(missing_ok=True)
        worker = self._idle.pop() if self._idle else self._worker()
        if not worker.send((knobs, str(log))):
            return Ended(worker.obituary(log), time.monotonic())
        return _InWorker(worker, self, log)

    def give_back(self, worker: _Worker) -> None:
        """Take a worker whose fit has ended."""
        self._idle.append(worker)

    def close(self) -> None:
        """End all idle workers."""
        for worker in self._idle:
            worker.kill()
        self._idle = []

    def _worker(self) -> _Worker:
        """Start a worker on the GPU that the fewest living workers have."""
        self._all = [worker for worker in self._all if worker.is_alive]
        used = [worker.gpu for worker in self._all]
        gpu = min(self._gpus, key=used.count) if self._gpus else None
        self._all.append(_Worker(self._content, gpu))
        return self._all[-1]


class _Worker:
    def __init__(self, content: bytes, gpu: str | None) -> None:
        context = multiprocessing.get_context("spawn")
        self.gpu = gpu
        self.pipe, theirs = context.Pipe()
        self.process: BaseProcess = context.Process(target=work, args=(theirs, content, gpu), daemon=True)
        try:
            self.process.start()
        finally:
            theirs.close()

    @property
    def is_alive(self) -> bool:
        return self.process.is_alive()

    def require_ready(self) -> None:
        """Wait for the first word; BadInput where the script, or the function, cannot be imported."""
        said: Any = None
        if self.pipe.poll(PATIENCE):
            with contextlib.suppress(EOFError, OSError):
                said = self.pipe.recv()
        if said == READY:
            return
        self.process.join(1)
        unguarded = self.process.exitcode == UNGUARDED
        self.kill()
        raise BadInput(
            "fits in processes of their own need a script that can be imported again",
            found="a script without a main guard" if unguarded else f"{said or 'a process that ended at once'}",
            remedy=f'Put the study under `if __name__ == "__main__":`. {NOTEBOOK}',
        )

    def send(self, job: Any) -> bool:
        try:
            self.pipe.send(job)
        except OSError:
            return False
        return True

    def obituary(self, log: Path) -> Failure:
        """Return the failure of a worker that died."""
        self.process.join(5)
        code = self.process.exitcode
        lines = log.read_text("utf-8", errors="replace") if log.is_file() else ""
        by = f"signal {signal.Signals(-code).name}" if code is not None and code < 0 else f"exit code {code}"
        return failure_from(f"{lines}\nIts process ended by {by}", reason="killed")

    def kill(self) -> None:
        self.process.kill()
        self.process.join(5)
        self.pipe.close()


class _InWorker:
    """One fit in a worker."""

    def __init__(self, worker: _Worker, crew: Crew, log: Path) -> None:
        self._worker, self._crew, self._log = worker, crew, log
        self._sent = time.monotonic()
        self.began: float | None = None

    def poll(self) -> Fit | Failure | None:
        if not self._worker.pipe.poll():
            return self._without_word()
        try:
            said = self._worker.pipe.recv()
        except (EOFError, OSError):
            return self._worker.obituary(self._log)
        if isinstance(said, str) and said in (READY, BEGUN):
            self.began = time.monotonic() if said == BEGUN else None
            return None
        if isinstance(said, str):  # a later worker that cannot import what the first one could
            self.kill()
            return failure_from(said)
        self._crew.give_back(self._worker)
        if isinstance(said, WellfitError):
            raise said
        found: Fit | Failure = said
        return found

    def _without_word(self) -> Failure | None:
        """Return the failure of a worker that died, or that does not begin; None while it works."""
        if not self._worker.process.is_alive():
            return self._worker.obituary(self._log)
        if self.began is not None or time.monotonic() - self._sent < PATIENCE:
            return None
        self.kill()
        return failure_from(f"Its process did not begin within {PATIENCE:g} s")

    def kill(self) -> None:
        self._worker.kill()


def work(pipe: Connection, content: bytes, gpu: str | None) -> None:
    """Make fits in a worker process until its pipe closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the study's, which ends its workers
    if gpu is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = gpu
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        fit = pickle.loads(content)  # noqa: S301 - from the study that spawned this process
    except Exception as error:
        pipe.send(f"a function that cannot be imported there ({type(error).__name__}: {error})")
        return
    pipe.send(READY)
    while True:
        try:
            knobs, log = pipe.recv()
        except (EOFError, OSError):
            return
        pipe.send(BEGUN)
        pipe.send(_made(fit, knobs, Path(log)))


def _made(fit: Callable[[Any], Any], knobs: Knobs, log: Path) -> Fit | Failure | WellfitError:
    with log.open("wb") as file:  # an earlier try may have been of another kind
        sys.stdout.flush()
        sys.stderr.flush()
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
        try:
            return _as_arrays(fit_from(fit(knobs)))
        except WellfitError as error:
            return error
        except BaseException as error:
            return failure_from("".join(traceback.format_exception(error)))
        finally:
            sys.stdout.flush()
            sys.stderr.flush()


def _as_arrays(fit: Fit) -> Fit:
    """Return a fit whose vectors are plain arrays: tensors are not sent between processes."""
    parts = {part: getattr(fit, part) for part in PARTS}
    arrays = {
        part: tuple(np.asarray(each) for each in pair) if isinstance(pair, tuple | list) else pair
        for part, pair in parts.items()
    }
    artifact = None if fit.artifact is None else str(fit.artifact)
    return Fit(**{**vars(fit), **arrays, "artifact": artifact})


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
