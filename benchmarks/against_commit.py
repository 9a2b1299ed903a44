"""Is this tree slower than another commit of it: `wellfit --help`, the fused engine, a whole run.

    python benchmarks/against_commit.py --commit e18710d --pairs 9
    python benchmarks/against_commit.py --only run

The run is that of e18710d's demo, 442 patients of scikit-learn's diabetes: the demo itself has become another job.

The two trees run in turns, the first one alternating, with the Python that runs this script and one thread. What is
compared is processor time (of a process and its children), and the median of the ratios counts: on a shared machine
the clock measures the neighbours. The other commit lies in a `git worktree` that is removed at the end.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from report import Row, finish, parser_of
from rivals.environment import THREADS

HERE = Path(__file__).parents[1]
MOST = 1.05
COMMIT, PAIRS, QUICK_PAIRS = "e18710d", 9, 1
HELPS = 5
COMMAND = ("-c", "import sys; from wellfit.cli import main; sys.exit(main())")
TRAINING = """
import json, time
from dataclasses import replace
import throughput_sides
from throughput_sides import OURS, Shape, train
made, plain, found = throughput_sides.prepared, throughput_sides.configs, {}

def measure(name, shape, count, times=3):
    def seconds(updates):
        began = time.process_time()
        train(side=OURS, shape=shape, count=count, updates=updates, half=0)
        return time.process_time() - began
    seconds(shape.short)
    found[name] = seconds(times * shape.short) - seconds(shape.short)

for shape in (Shape(64, 64), Shape(128, 64), Shape(256, 256)):
    measure(str(shape), shape, 64)
for width, columns, bins in ((64, 36, 64), (256, 8, 128)):
    def with_bins(shape, mine, *, epochs):
        configs = plain(shape, mine, epochs=epochs)
        return [replace(each, network=replace(each.network, embedding="ple", bins=bins)) for each in configs]
    throughput_sides.configs, throughput_sides.prepared = with_bins, lambda _: made(columns)
    measure(f"{columns} columns of {bins} bins, width {width}, batch 256", Shape(width, 256), 16, times=9)
print(json.dumps(found))
"""
"""Seconds of the updates of a stack of 32 networks (8 of those with bins), by shape.

Those of a long training less those of a short one, which is as often measured. Names of benchmarks/throughput_sides.py
that both trees have are replaced, so that networks get bins.
"""
WITH_BINS = 0.4
"""Most of e18710d's time that networks with bins may take: there, bins were a dense product."""


RUN_UPDATES = "20000updates"
RUN = f"""
import pyarrow as pa, wellfit as wf
from sklearn.datasets import load_diabetes
bunch = load_diabetes(scaled=False)
columns = {{name: bunch.data[:, place] for place, name in enumerate(bunch.feature_names)}}
patients = pa.table({{**columns, "progression": bunch.target}})
if __name__ == "__main__":
    wf.run(patients, target="progression", budget="{RUN_UPDATES}", out="run.wellfit")
"""
PARTS = ("engine", "help", "run")


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--commit", default=COMMIT, help="the other commit")
    parser.add_argument("--pairs", type=int, default=PAIRS, help="how often both trees run")
    parser.add_argument("--only", choices=PARTS, help="compare only this")
    asked = parser.parse_args()
    parts = (asked.only,) if asked.only else PARTS
    ratios: dict[str, list[float]] = {}
    with other_tree(asked.commit) as other:
        for turn in range(QUICK_PAIRS if asked.quick else asked.pairs):
            trees = (other, HERE) if turn % 2 else (HERE, other)
            seconds = {tree: timed(tree, parts) for tree in trees}
            for name, took in seconds[HERE].items():
                ratios.setdefault(name, []).append(took / seconds[other][name])
            print(turn, {name: round(found[-1], 3) for name, found in ratios.items()}, file=sys.stderr, flush=True)
    rows = [
        Row(
            f"{name}: times {asked.commit}",
            median(found),
            WITH_BINS if "bins" in name and asked.commit == COMMIT else MOST,
            note=" ".join(f"{each:.3f}" for each in sorted(found)),
        )
        for name, found in ratios.items()
    ]
    finish("against_commit", rows, as_json=asked.json)


def timed(tree: Path, parts: Sequence[str]) -> dict[str, float]:
    """Return the processor seconds of everything compared, by name, in one tree."""
    found: dict[str, float] = {}
    if "engine" in parts:
        engine = json.loads(run(tree, "-c", TRAINING))
        found |= {f"fused engine, {shape}": seconds for shape, seconds in engine.items()}
    if "help" in parts:
        found["wellfit --help"] = children_seconds(tree, *COMMAND, "--help", times=HELPS)
    if "run" in parts:
        with tempfile.TemporaryDirectory() as folder:
            script = Path(folder) / "job.py"
            script.write_text(RUN)
            found[f"wellfit run --budget {RUN_UPDATES}"] = children_seconds(tree, str(script), folder=folder)
    return found


def children_seconds(tree: Path, *words: str, times: int = 1, folder: str | None = None) -> float:
    """Return the processor seconds of a command of the tree, its workers included."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    for _ in range(times):
        run(tree, *words, folder=folder)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) / times


def run(tree: Path, *words: str, folder: str | None = None) -> str:
    """Run Python in a tree with one thread, and return what it printed; exit where it fails."""
    path = os.pathsep.join(str(tree / part) for part in ("src", "benchmarks"))
    environment = {**os.environ, **dict.fromkeys(THREADS, "1"), "PYTHONPATH": path}
    command = [sys.executable, *words]
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(words[-3:])} in {tree} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    return done.stdout


@contextmanager
def other_tree(commit: str) -> Iterator[Path]:
    """Check the other commit out beside this tree for as long as it is needed."""
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        subprocess.run(["git", "-C", HERE, "worktree", "add", "--quiet", "--detach", tree, commit], check=True)
        try:
            yield tree
        finally:
            subprocess.run(["git", "-C", HERE, "worktree", "remove", "--force", tree], check=True)


if __name__ == "__main__":
    main()
