"""What Ray costs on one machine: the same sweep by the worker pool and on a Ray cluster of this machine, in turns.

Both have two workers, which have trained once before the clock starts. A cost is the time of the workers, on the
clock, in seconds of training: 1 would be no time outside the networks' own. So neighbours, which slow down both times,
weigh little. The ratio of the two costs is taken within a round, and the median of the rounds counts. Start-up is the
time to the first outcome of a network that takes no time.
"""

from __future__ import annotations

import time
from statistics import median

import numpy as np

from report import Row, arguments, finish
from wellfit.data.prepare import Prepared
from wellfit.records.config import Config, Network, Optimization, Regularization
from wellfit.records.goals import goal_named
from wellfit.splits.split import Split
from wellfit.sweeps.executor import Executor
from wellfit.sweeps.ray_cluster import Ray
from wellfit.sweeps.worker_pool import WorkerPool, executor_on

WORKERS = 2
ROWS, COLUMNS = 20_000, 20
MOST_OVERHEAD = 1.15


def main() -> None:
    asked = arguments(__doc__)
    members, epochs, rounds = (16, 2, 3) if asked.quick else (64, 20, 3)
    data, goal = table(), goal_named("error")
    configs = [member(place, epochs=epochs) for place in range(members)]
    began = time.monotonic()
    with WorkerPool(data, goal=goal, workers=WORKERS) as pool:
        start_of_pool = warmed(pool, since=began)
        began = time.monotonic()
        with executor_on(Ray(local=WORKERS), data, goal=goal) as ray:
            start_of_ray = warmed(ray, since=began)
            taken = [(cost(pool, configs), cost(ray, configs)) for _ in range(rounds)]
    ratios = [second / first for first, second in taken]
    note = f"{members} members, {WORKERS} workers; rounds {', '.join(f'{ratio:.2f}' for ratio in ratios)}"
    # The members of a quick run are too short to miss a target.
    target = None if asked.quick else MOST_OVERHEAD
    rows = [
        Row("cost on Ray / cost in the pool", median(ratios), target, note=note),
        Row("cost in the pool", median(first for first, _ in taken)),
        Row("cost on Ray", median(second for _, second in taken)),
        Row("seconds to start, pool", start_of_pool),
        Row("seconds to start, Ray and its cluster", start_of_ray),
    ]
    finish("ray_scaling", rows, as_json=asked.json)


def table() -> Prepared:
    """Rows on which a network of two layers has something to learn."""
    from wellfit import split

    source = np.random.default_rng(0)
    numbers = source.normal(size=(ROWS, COLUMNS))
    noisy = np.sin(2 * numbers[:, 0]) + numbers[:, 1] * numbers[:, 2] + 0.5 * source.normal(size=ROWS)
    columns = {f"x{place}": numbers[:, place] for place in range(COLUMNS)}
    found: Split = split({**columns, "y": np.where(noisy > 0, "yes", "no")}, target="y")
    return found.prepared()


def member(place: int, *, epochs: int) -> Config:
    return Config(
        network=Network(widths=(64, 64)),
        optimization=Optimization(epochs=epochs, batch_size=128),
        regularization=Regularization(l2=float(place)),
    )


def warmed(executor: Executor, *, since: float) -> float:
    """Train once on every worker; return the seconds until the first outcome."""
    first: list[float] = []
    configs = [member(place, epochs=1) for place in range(4 * WORKERS)]
    executor.train(configs, on_outcome=lambda _: first.append(time.monotonic() - since))
    return first[0]


def cost(executor: Executor, configs: list[Config]) -> float:
    """Return the seconds of the workers for one second of training."""
    began = time.monotonic()
    outcomes = executor.train(configs)
    return WORKERS * (time.monotonic() - began) / sum(outcome.seconds for outcome in outcomes)


if __name__ == "__main__":
    main()
