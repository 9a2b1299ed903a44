"""Optuna's TPE with its successive-halving pruner over both cores: `optuna_search.py FOLDER SEED TRIALS`.

Sampler and pruner as Optuna ships them. The study lives in the memory of this process, which only asks and tells;
two processes with one thread each train, and hear from it at the epochs where the pruner decides. So no storage slows
the search, and no core waits for the other. Prints JSON: seconds (without starting Python), loss, and every trial.
"""

from __future__ import annotations

import json
import multiprocessing
import sys
import time
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path

import optuna
import torch
from search_network import read_task, train

CORES = 2


def serve(folder: Path, pipe: Connection) -> None:
    """Train what comes through the pipe, and ask at every check whether to go on."""
    torch.set_num_threads(1)
    task = read_task(folder)

    def report(epoch: int, loss: float) -> bool:
        pipe.send(("report", epoch, loss))
        return bool(pipe.recv())

    pipe.send(("ready", 0, 0.0))
    while (asked := pipe.recv()) is not None:
        seed, knobs = asked
        torch.manual_seed(seed)
        loss = train(task, knobs, report)
        pipe.send(("pruned", 0, 0.0) if loss is None else ("done", 0, loss))


@dataclass
class Search:
    """One study and its workers."""

    space: dict[str, tuple[float, float, bool]]
    trials: int
    seed: int
    began: float = 0.0
    started: int = 0
    log: list[tuple[float, str, float | None, dict[str, float]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        sampler = optuna.samplers.TPESampler(seed=self.seed)
        self.study = optuna.create_study(sampler=sampler, pruner=optuna.pruners.SuccessiveHalvingPruner())
        self.running: dict[Connection, optuna.trial.Trial] = {}

    def run(self, pipes: list[Connection]) -> float:
        """Serve the workers until all trials are over; return the seconds."""
        for pipe in pipes:
            pipe.recv()
        self.began = time.monotonic()
        for pipe in pipes:
            self.next(pipe)
        while self.running:
            for pipe in wait(list(self.running)):
                self.hear(pipe)
        return time.monotonic() - self.began

    def next(self, pipe: Connection) -> None:
        """Give a worker its next trial, if there is one."""
        self.running.pop(pipe, None)
        if self.started == self.trials:
            return
        trial = self.study.ask()
        knobs = {name: trial.suggest_float(name, low, high, log=log) for name, (low, high, log) in self.space.items()}
        self.running[pipe] = trial
        pipe.send((self.seed * 1_000 + self.started, knobs))
        self.started += 1

    def hear(self, pipe: Connection) -> None:
        """Take what a worker says: a report, which is answered, or the end of its trial."""
        said, epoch, loss = pipe.recv()
        trial = self.running[pipe]
        if said == "report":
            trial.report(loss, epoch)
            pipe.send(not trial.should_prune())
            return
        pruned = said == "pruned"
        if pruned:
            self.study.tell(trial, state=optuna.trial.TrialState.PRUNED)
        else:
            self.study.tell(trial, loss)
        self.log.append((time.monotonic() - self.began, said, None if pruned else loss, trial.params))
        self.next(pipe)


def main() -> None:
    folder, seed, trials = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    space = json.loads((folder / "task.json").read_text())["space"]
    context = multiprocessing.get_context("spawn")
    pairs = [context.Pipe() for _ in range(CORES)]
    workers = [context.Process(target=serve, args=(folder, there)) for _, there in pairs]
    for worker in workers:
        worker.start()
    search = Search(space, trials, seed)
    pipes = [here for here, _ in pairs]
    seconds = search.run(pipes)
    for pipe, worker in zip(pipes, workers, strict=True):
        pipe.send(None)
        worker.join()
    best = search.study.best_trial
    print(json.dumps({"seconds": seconds, "loss": best.value, "best": best.params, "log": search.log}))


if __name__ == "__main__":
    main()
