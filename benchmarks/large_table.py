"""A million rows of 50 columns: `wellfit run --budget 2m`, its time and its peak memory (all processes together).

Half of the columns are numbers, some with gaps; the others are categories of 2 to 2,000 levels.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv

from report import Row, arguments, finish

COLUMNS = 50
GIB = 2**30
SLACK = 1.1
"""A budget in time is an upper limit with 10 % slack."""


def main() -> None:
    asked = arguments(__doc__)
    rows, seconds = (200_000, 60) if asked.quick else (1_000_000, 120)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "large.csv"
        pyarrow.csv.write_csv(generated(rows), path)
        took, peak = measured(path, budget=f"{seconds}s")
    note = f"{rows:,} rows x {COLUMNS} columns, --budget {seconds}s"
    finish(
        "large_table",
        [
            Row("seconds of the run, against the budget and its slack", took, SLACK * seconds, note=note),
            Row("GiB of memory at the peak", peak / GIB, 4.0, note="proportional set size of all processes"),
        ],
        as_json=asked.json,
    )


def generated(rows: int) -> pa.Table:
    """A table whose target depends on five numbers and two categories."""
    rng = np.random.default_rng(0)
    numbers = rng.normal(size=(rows, COLUMNS // 2)).astype(np.float32)
    levels = np.geomspace(2, 2_000, COLUMNS - 1 - COLUMNS // 2).astype(int)
    codes = [rng.integers(0, count, rows) for count in levels]
    effect = numbers[:, :5].sum(axis=1) + 2 * (codes[0] == 1) - (codes[3] == 0) + rng.normal(size=rows)
    columns = {f"number_{place}": pa.array(numbers[:, place]) for place in range(COLUMNS // 2)}
    gaps = rng.random(rows) < 0.1
    columns["number_0"] = pa.array(numbers[:, 0], mask=gaps)
    columns |= {f"category_{place}": pa.array([f"c{code}" for code in each]) for place, each in enumerate(codes)}
    return pa.table({**columns, "y": np.where(effect > 0, "yes", "no")})


def measured(path: Path, *, budget: str) -> tuple[float, float]:
    """Wall-clock seconds and peak memory of one run."""
    command = [sys.executable, "-m", "wellfit", "run", str(path), "--target", "y", "--budget", budget, "--quiet"]
    environment = {**os.environ, "WELLFIT_HOME": str(path.parent / "registry")}
    began = time.monotonic()
    process = subprocess.Popen(command, cwd=path.parent, env=environment, stdout=subprocess.DEVNULL)
    peak, done = [0], threading.Event()

    def watch() -> None:
        while not done.wait(0.1):
            peak[0] = max(peak[0], _memory(process.pid))

    watcher = threading.Thread(target=watch)
    watcher.start()
    code = process.wait()
    done.set()
    watcher.join()
    if code:
        raise SystemExit(f"wellfit run ended with {code}")
    return time.monotonic() - began, peak[0]


def _memory(pid: int) -> int:
    """Bytes of a process and its descendants; shared pages are counted once (proportional set size)."""
    total = 0
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total += 1024 * int(line.split()[1])
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return total
    return total + sum(_memory(int(child)) for child in children)


if __name__ == "__main__":
    main()
