"""`diagnose` on a split of 1,000,000 rows x 50 columns: seconds, and memory beyond the data.

At 100,000 rows, the same diagnosis of the rows against evidently's drift preset (in the rivals' environment, or the
one of WELLFIT_DRIFT), both on the same train and dev in memory, without reading time.
"""

from __future__ import annotations

import ctypes
import json
import multiprocessing
import os
import subprocess
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

import wellfit as wf
from large_table import COLUMNS, GIB, generated
from report import Row, arguments, finish
from rivals.environment import HERE, THREADS

MOST_SECONDS, MOST_GIB, LEAST_RATIO = 60.0, 2.0, 10.0
RIVAL_ROWS = 100_000
_RESET_PEAK = "5"


def main() -> None:
    asked = arguments(__doc__)
    rows, compared = (100_000, 20_000) if asked.quick else (1_000_000, RIVAL_ROWS)
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        seconds, peak, findings = pool.submit(_diagnosed, rows).result()
        ours, _, _ = pool.submit(_diagnosed, compared).result()
    theirs = _evidently(compared)
    note = f"{rows:,} rows x {COLUMNS} columns; {findings} findings checked"
    finish(
        "diagnose_scale",
        [
            Row("seconds of diagnose on a split", seconds, MOST_SECONDS, note=note),
            Row("GiB of memory beyond the data", peak / GIB, MOST_GIB, note="peak of the process - before"),
            Row(f"seconds at {compared:,} rows", ours),
            Row(f"seconds of evidently's drift preset at {compared:,} rows", theirs),
            Row("times as fast", theirs / ours, LEAST_RATIO, at_most=False),
        ],
        as_json=asked.json,
    )


def _diagnosed(rows: int) -> tuple[float, int, int]:
    """Seconds, bytes beyond the data, and how many findings were checked."""
    split = wf.split(generated(rows), target="y")
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text(_RESET_PEAK)
    before, began = _status("VmRSS"), time.monotonic()
    found = wf.diagnose(split)
    seconds = time.monotonic() - began
    return seconds, _status("VmHWM") - before, sum(each.status != "not applicable" for each in found.findings)


def _evidently(rows: int) -> float:
    """Seconds of the rival on the same train and dev."""
    python = os.environ.get("WELLFIT_DRIFT") or os.environ.get("WELLFIT_RIVALS") or str(HERE / ".venv/bin/python")
    with tempfile.TemporaryDirectory() as folder:
        split = wf.split(generated(rows), target="y")
        for name, part in (("train", split.train), ("dev", split.dev)):
            pq.write_table(pa.table(part), Path(folder) / f"{name}.parquet")
        environment = {**os.environ, **dict.fromkeys(THREADS, "1")}
        environment.pop("PYTHONPATH", None)
        command = [python, str(HERE / "drift_rival.py"), folder]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    return float(json.loads(done.stdout.strip().splitlines()[-1])["seconds"])


def _status(field: str) -> int:
    """Bytes of one line of this process's status."""
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return 1024 * int(lines[field].split()[0])


if __name__ == "__main__":
    main()
