"""`diagnose` on a split of 1,000,000 rows x 50 columns: seconds, and memory beyond the data.

At 100,000 rows, the same diagnosis against deepchecks' train-test validation suite, which looks for the same things
(copies, shifts of columns, of the target and of all columns together), and against evidently's drift preset, which only
compares columns: beside it stands what the same comparison of columns takes here. All on the same train and dev in
memory, without reading time, in processor seconds of one thread, so that a busy neighbour changes nothing. Each rival
has an environment of its own (see requirements-rivals.txt): WELLFIT_TRAIN_TEST and WELLFIT_DRIFT name their pythons.
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
from wellfit.diagnosis.mismatch.columns import column_shifts, label_shift
from wellfit.experiment.diagnosing import open_rows
from wellfit.records.goals import goal_named

MOST_SECONDS, MOST_GIB, LEAST_RATIO = 60.0, 2.0, 10.0
RIVAL_ROWS = 100_000
_RESET_PEAK = "5"


def main() -> None:
    asked = arguments(__doc__)
    rows, compared = (100_000, 20_000) if asked.quick else (1_000_000, RIVAL_ROWS)
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        seconds, peak, findings = pool.submit(_diagnosed, rows).result()
        ours, columns = pool.submit(_processor_seconds, compared).result()
    with tempfile.TemporaryDirectory() as folder:
        _written(compared, Path(folder))
        suite = _rival("train_test_rival.py", "WELLFIT_TRAIN_TEST", Path(folder))
        drift = _rival("drift_rival.py", "WELLFIT_DRIFT", Path(folder))
    note = f"{rows:,} rows x {COLUMNS} columns; {findings} findings checked"
    finish(
        "diagnose_scale",
        [
            Row("seconds of diagnose on a split", seconds, MOST_SECONDS, note=note),
            Row("GiB of memory beyond the data", peak / GIB, MOST_GIB, note="peak of the process - before"),
            Row(f"processor seconds at {compared:,} rows", ours),
            Row(f"processor seconds at {compared:,} rows, columns and target only", columns),
            Row(f"processor seconds of deepchecks' train-test suite at {compared:,} rows", suite),
            Row(f"processor seconds of evidently's drift preset at {compared:,} rows", drift),
            Row("times as fast as deepchecks' suite", suite / ours, LEAST_RATIO, at_most=False),
            Row(
                "times as fast as evidently's preset, columns and target only",
                drift / columns,
                LEAST_RATIO,
                at_most=False,
            ),
            Row("times as fast as evidently's preset, all of the diagnosis", drift / ours),
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


def _processor_seconds(rows: int) -> tuple[float, float]:
    """Of the whole diagnosis, and of the comparison of columns and targets alone."""
    split = wf.split(generated(rows), target="y")
    began = time.process_time()
    wf.diagnose(split)
    whole = time.process_time() - began
    began = time.process_time()
    found = open_rows(split, split.prepared(), goal=goal_named("error"))
    column_shifts(found.train, found.dev)
    label_shift(found.train, found.dev)
    return whole, time.process_time() - began


def _written(rows: int, folder: Path) -> None:
    split = wf.split(generated(rows), target="y")
    for name, part in (("train", split.train), ("dev", split.dev)):
        pq.write_table(pa.table(part), folder / f"{name}.parquet")


def _rival(script: str, variable: str, folder: Path) -> float:
    """Seconds of a rival on the same train and dev."""
    python = os.environ.get(variable) or os.environ.get("WELLFIT_RIVALS") or str(HERE / ".venv/bin/python")
    environment = {**os.environ, **dict.fromkeys(THREADS, "1")}
    environment.pop("PYTHONPATH", None)
    command = [python, "-W", "ignore", str(HERE / script), str(folder)]
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
