"""Time to a dev log-loss: wellfit's fused sweep with rungs, against two searches over the same space and network.

Rivals, on both cores: Optuna's TPE with its successive-halving pruner (both as shipped) driving the loop that was
tuned by hand, and scikit-learn's HalvingRandomSearchCV over MLPClassifier, 64 trials each. wellfit's time ends when a
network as good as the best of the rival's is there, which may be a snapshot at a rung; sweeps with other seeds follow
one another until then, or until the rival's time is used up. Nobody's clock counts the start of Python and the reading
of the data. Medians over the seeds, of which each divides the table anew.
"""

from __future__ import annotations

import json
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
import torch

from report import Row, finish, parser_of
from rivals.environment import run_rival
from tables import ADULT, PHONEME, Source, divided
from wellfit.data.prepare import Arrays, Prepared
from wellfit.records.config import Config, Network, Optimization
from wellfit.records.goals import goal_named
from wellfit.records.outcome import Outcome, Status
from wellfit.sweeps.rungs import Rungs
from wellfit.sweeps.search import sweep
from wellfit.sweeps.space import Space, log_uniform, uniform
from wellfit.sweeps.worker_pool import WorkerPool
from wellfit.training.network import MLP, Embedding
from wellfit.training.tensors import Inputs, new_mlp

TRIALS = 64
MEMBERS = 64
GOAL = goal_named("log_loss")
LEAST_DECAY, MOST_DECAY = 1e-3, 3.0
"""AdamW's decay, lambda/m: at lr 1e-3 the useful range of the shrink (docs/methods.md, "Lambda")."""
LEAST_LR, MOST_LR = 1e-4, 5e-3
LEAST_KEEP_PROB = 0.5
RIVALS = {"Optuna's TPE with halving": "optuna_search.py", "HalvingRandomSearchCV": "halving_search.py"}


@dataclass(frozen=True)
class Case:
    """One table, the network that is searched on it, and the share of the rivals' time that may be taken."""

    source: Source
    widths: tuple[int, ...]
    epochs: int
    batch: int
    share: float

    @property
    def config(self) -> Config:
        """What the search does not change."""
        return Config(
            network=Network(widths=self.widths),
            optimization=Optimization(epochs=self.epochs, batch_size=self.batch, schedule="coslog4"),
        )


CASES = (
    Case(PHONEME, (64, 64), epochs=64, batch=64, share=1 / 8),
    Case(ADULT, (128, 128), epochs=32, batch=256, share=1 / 4),
)


@dataclass(frozen=True)
class Race:
    """What a rival reached and when; when wellfit had reached it too; the best dev log-loss wellfit had by then."""

    goal: float
    rival: float
    ours: float
    best: float


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--tables", nargs="+", default=[], help="only these tables")
    asked = parser.parse_args()
    seeds, usual = (asked.seeds[:1], CASES[:1]) if asked.quick else (asked.seeds, CASES)
    cases = [case for case in CASES if case.source.name in asked.tables] or usual
    rows: list[Row] = []
    for case in cases:
        races = [races_of(case, seed) for seed in seeds]
        rows += [row_of(case, name, [each[name] for each in races]) for name in RIVALS]
    finish("sweep_vs_optuna", rows, as_json=asked.json)


def races_of(case: Case, seed: int) -> dict[str, Race]:
    """Let each rival search, and then wellfit until it is as good, on one division of the table."""
    data = divided(case.source, seed=seed).prepared()
    with tempfile.TemporaryDirectory() as name:
        write_task(Path(name), case, data)
        found = {
            rival: json.loads(run_rival(program, [name, str(seed), str(TRIALS)], threads=1))
            for rival, program in RIVALS.items()
        }
    return {rival: race(case, data, found[rival], seed=seed) for rival in RIVALS}


def race(case: Case, data: Prepared, rival: dict[str, float], *, seed: int) -> Race:
    """Sweep until a member is as good as the rival's best, or the rival's time is over."""
    found: list[tuple[float, float]] = []
    with WorkerPool(data, goal=GOAL) as pool:
        # The clock starts with workers that have read the data and their code.
        sweep(data, pilot(case), executor=pool, goal=GOAL, over=space_of(data), members=4, rungs=Rungs())
        began = time.monotonic()

        def note(outcome: Outcome) -> None:
            # What a user gets: the end of a training, or a snapshot of one at a rung, marked as coupled.
            if outcome.status in (Status.FINISHED, Status.AT_RUNG):
                found.append((outcome.losses["dev"], time.monotonic() - began))

        for again in range(TRIALS):
            config = config_of(case, seed=seed + 1_000 * again)
            sweep(
                data,
                config,
                executor=pool,
                goal=GOAL,
                over=space_of(data),
                members=MEMBERS,
                rungs=Rungs(snapshots=True),
                on_outcome=note,
            )
            if min(found)[0] <= rival["loss"] or time.monotonic() - began > rival["seconds"]:
                break
    reached = [seconds for loss, seconds in found if loss <= rival["loss"]]
    return Race(rival["loss"], rival["seconds"], min(reached, default=time.monotonic() - began), min(found)[0])


def row_of(case: Case, name: str, races: list[Race]) -> Row:
    """Return the median share of a rival's time; a race that was not won by its end counts for more than all of it."""
    shares = [each.ours / each.rival for each in races]
    told = "; ".join(
        f"log-loss {each.goal:.4f} in {each.rival:.1f} s, ours {each.best:.4f} in {each.ours:.1f} s" for each in races
    )
    return Row(f"{case.source.name}: share of the time of {name}", median(shares), case.share, note=told)


def config_of(case: Case, *, seed: int) -> Config:
    """Return what the sweep of one seed does not change."""
    return Config(network=case.config.network, optimization=case.config.optimization, seed=seed)


def pilot(case: Case) -> Config:
    """Return the same in one epoch."""
    knobs = case.config.optimization
    one = Optimization(epochs=1, batch_size=knobs.batch_size, schedule=knobs.schedule)
    return Config(network=case.config.network, optimization=one)


def space_of(data: Prepared) -> Space:
    """Return what is searched, by the same bounds on every side."""
    low, high = (decay * data.train.rows for decay in (LEAST_DECAY, MOST_DECAY))
    return {
        "l2": log_uniform(low, high),
        "keep_prob": uniform(LEAST_KEEP_PROB, 1.0),
        "lr": log_uniform(LEAST_LR, MOST_LR),
    }


def write_task(folder: Path, case: Case, data: Prepared) -> None:
    """Lay out what the rivals search on: the same inputs, encoded once, so that they need not do it at every update."""
    network = new_mlp(data, case.config.network, seed=0)
    for name, part in (("train", data.train), ("dev", data.dev)):
        np.savez(folder / f"{name}.npz", allow_pickle=False, **encoded(network, part))
    body = {
        "space": {name: (each.low, each.high, each.log) for name, each in space_of(data).items()},
        "levels": [each.num_embeddings for each in network.categories if isinstance(each, Embedding)],
        "classes": data.preparation.outputs,
        "widths": case.widths,
        "epochs": case.epochs,
        "batch": case.batch,
    }
    (folder / "task.json").write_text(json.dumps(body))


@torch.no_grad()
def encoded(network: MLP, part: Arrays) -> dict[str, np.ndarray]:
    """Return dense inputs (numbers, bins, one-hot), the codes of the embedded categories, and the target."""
    inputs = Inputs.of(part)
    columns = [place for place, each in enumerate(network.categories) if isinstance(each, Embedding)]
    values = network.encode(inputs.numeric, inputs.codes)
    at = values.shape[1] - sum(each.width for each in network.categories)
    kept = [values[:, :at]]
    for each in network.categories:
        if not isinstance(each, Embedding):
            kept.append(values[:, at : at + each.width])
        at += each.width
    dense = torch.cat(kept, dim=1).numpy()
    return {"dense": dense, "codes": part.codes[:, columns].astype(np.int64), "target": part.target}


if __name__ == "__main__":
    main()
