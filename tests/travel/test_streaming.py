"""Predictions of a long file take the memory of a short one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

MODEL = Path(__file__).parents[1] / "older" / "schema_1" / "model_kind"
SHORT, LONG = 30_000, 900_000
MOST_GROWTH = 80 * 2**10
"""KiB that thirty times as many rows may add; encoded at once, they alone would take twice that."""
PROGRAM = """
import sys
from pathlib import Path
import wellfit as wf
rows = wf.load_model(sys.argv[1]).predict(sys.argv[2], out=sys.argv[3])
status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
print(rows, status["VmHWM"].split()[0])
"""


def write(path, rows):
    source = np.random.default_rng(0)
    days = np.datetime64("2024-01-01") + source.integers(0, 700, rows)
    columns = {"age": source.normal(40, 12, rows), "town": source.choice(["Bonn", "Kiel", "Ulm"], rows), "joined": days}
    table = pa.table(columns)
    if path.suffix == ".csv":
        pa.csv.write_csv(table, path)
    else:
        pq.write_table(table, path, row_group_size=SHORT)


def peak_of(path):
    """Rows predicted, and the peak memory in KiB, of a process of its own."""
    arguments = [str(MODEL), str(path), str(path.with_stem("predicted"))]
    done = subprocess.run([sys.executable, "-c", PROGRAM, *arguments], capture_output=True, text=True, check=True)
    rows, peak = map(int, done.stdout.split())
    return rows, peak


@pytest.mark.proof
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from /proc")
@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_a_long_file_takes_the_memory_of_a_short_one(ending, tmp_path):
    peaks = {}
    for rows in (SHORT, LONG):
        path = tmp_path / f"new_{rows}{ending}"
        write(path, rows)
        predicted, peaks[rows] = peak_of(path)
        assert predicted == rows
    assert peaks[LONG] - peaks[SHORT] < MOST_GROWTH
