"""Runs with a budget in time, beside a process that keeps one core busy: which share of them ends in time?

The time is that of the whole command, from its start to its end, with the imports and the report.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from report import Row, arguments, finish
from tables import ADULT, BIKE, CALIFORNIA, CREDIT, DATA, PHONEME, Source

BUDGETS = (30, 60, 120, 300)
QUICK = 30
SLACK = 1.1
"""Factor of the budget by which a run has to end (docs/design.md, promise 3)."""
SHARE = 0.95
TABLES = (PHONEME, CALIFORNIA, ADULT, BIKE, CREDIT)
_COMMAND = "import sys; from wellfit.cli import main; sys.exit(main())"


def main() -> None:
    asked = arguments(__doc__)
    ratios = []
    with _busy_core():
        for budget in (QUICK,) if asked.quick else BUDGETS:
            for source in TABLES:
                seconds = _run(source, budget=budget)
                ratios.append(seconds / budget)
                load = os.getloadavg()[0]
                print(f"{source.name} in {budget} s: ended after {seconds:.1f} s (load {load:.1f})", file=sys.stderr)
    held = sum(ratio <= SLACK for ratio in ratios) / len(ratios)
    finish(
        "budgets",
        [
            Row("share of runs that end within 1.1 x their budget", held, SHARE, at_most=False),
            Row("longest run, as a multiple of its budget", max(ratios), note=f"of {len(ratios)}"),
        ],
        as_json=asked.json,
    )


def _run(source: Source, *, budget: int) -> float:
    """Return the seconds of one command."""
    with tempfile.TemporaryDirectory() as folder:
        drop = [word for name in source.drop for word in ("--drop", name)]
        data = ["run", str(DATA / source.file), "--target", source.target, *drop, "--out", str(Path(folder) / "run")]
        began = time.monotonic()
        subprocess.run(
            [sys.executable, "-c", _COMMAND, *data, "--budget", f"{budget}s", "--json", "--quiet"],
            stdout=subprocess.DEVNULL,
            check=True,
        )
        return time.monotonic() - began


@contextmanager
def _busy_core() -> Iterator[None]:
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        process.kill()
        process.wait()


if __name__ == "__main__":
    main()
