"""The cells that `quality.py --lay-out FOLDER` wrote, measured on a machine that has pytabkit but no wellfit.

Runs many side by side, on one thread each, and packs what there is after every cell: a run that is stopped, at
`--seconds` or by force, loses only what was not done. `quality.py --score` reads the unpacked archive.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
from collections import deque
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

PROGRAM = Path(__file__).parent / "quality_rival.py"
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
PAUSE_S = 0.2
TOLD_LINES = 8


@dataclass(frozen=True)
class Cell:
    """One rival on one table and seed."""

    place: Path
    rival: str
    seed: int

    @property
    def name(self) -> str:
        """What `--cuda` is held against, and what is printed."""
        return f"{self.place.name}/{self.rival}"

    @property
    def answers(self) -> tuple[Path, Path]:
        """The files that it leaves: predictions, and seconds with the machine's name."""
        stem = f"{self.rival}-{self.seed}"
        return self.place / f"{stem}.npy", self.place / f"{stem}.json"


@dataclass(frozen=True)
class Running:
    """A cell at work, and the folder of what it prints."""

    cell: Cell
    process: subprocess.Popen[bytes]
    prints: Path
    machine: str
    began: float

    @property
    def seconds(self) -> float:
        """How long it has been running, its imports included."""
        return time.monotonic() - self.began

    def stop(self, why: str) -> None:
        """Kill it, and say so."""
        self.process.kill()
        self.process.wait()
        print(f"{self.cell.name}: stopped after {self.seconds:.0f} s, {why}", flush=True)

    def tell(self) -> bool:
        """Keep its seconds where it came to an end, show its last lines where it failed; say which."""
        if self.process.returncode:
            last = (self.prints / "stderr").read_text(errors="replace").splitlines()[-TOLD_LINES:]
            print(f"{self.cell.name}: failed with {self.process.returncode}", *last, sep="\n  ", flush=True)
            return False
        answer = json.loads((self.prints / "stdout").read_text().splitlines()[-1])
        self.cell.answers[1].write_text(json.dumps(answer | {"machine": self.machine}))
        print(f"{self.cell.name}: {answer['seconds']:.1f} s on {self.machine}", flush=True)
        return True


def main() -> None:
    asked = _asked()
    # So that a polite kill, too, goes through what stops the cells.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    listed = json.loads((asked.folder / "cells.json").read_text())
    cells = [Cell(asked.folder / each["folder"], each["rival"], each["seed"]) for each in listed]
    if asked.only:
        cells = [cell for cell in cells if any(fnmatch(cell.name, pattern) for pattern in asked.only)]
    for cell in cells:
        # What an earlier run left is not to pass for this one's.
        cell.answers[1].unlink(missing_ok=True)
    with tempfile.TemporaryDirectory() as prints:
        done = run_all(cells, asked, Path(prints))
    print(f"{done} of {len(cells)} cells")
    sys.exit(0 if done == len(cells) else 1)


def run_all(cells: list[Cell], asked: argparse.Namespace, prints: Path) -> int:
    """Run them in their order until the time is up, and return how many came to an end."""
    waiting, running, done = deque(cells), list[Running](), 0
    began = time.monotonic()
    try:
        while (waiting or running) and time.monotonic() - began < asked.seconds:
            while waiting and len(running) < asked.side_by_side:
                running.append(start(waiting.popleft(), asked, prints))
            for each in [each for each in running if each.process.poll() is not None]:
                running.remove(each)
                if each.tell():
                    done += 1
                    pack(cells, asked.out)
            for each in [each for each in running if each.seconds > asked.cell_seconds]:
                running.remove(each)
                each.stop("its own limit")
            time.sleep(PAUSE_S)
    finally:
        for each in running:
            each.stop("the limit of all")
    return done


def start(cell: Cell, asked: argparse.Namespace, prints: Path) -> Running:
    """Start one, on the graphics card where `--cuda` matches its name, else on a core."""
    on_card = any(fnmatch(cell.name, pattern) for pattern in asked.cuda)
    machine = asked.machine if on_card else f"a core beside {asked.machine}"
    own = prints / cell.name
    own.mkdir(parents=True)
    command = [sys.executable, str(PROGRAM), str(cell.place), cell.rival, str(cell.seed)]
    command += ["--device", "cuda" if on_card else "cpu", *(["--epochs", str(asked.epochs)] if asked.epochs else [])]
    environment = {**os.environ, **dict.fromkeys(THREADS, "1")} | ({} if on_card else {"CUDA_VISIBLE_DEVICES": ""})
    with (own / "stdout").open("wb") as out, (own / "stderr").open("wb") as errors:
        process = subprocess.Popen(command, env=environment, stdout=out, stderr=errors)
    return Running(cell, process, own, machine, time.monotonic())


def pack(cells: list[Cell], archive: Path) -> None:
    """Write the answers of all that is done into one file, which is whole at any time."""
    partial = archive.with_name(f"{archive.name}.partial")
    with tarfile.open(partial, "w:gz") as packed:
        for cell in cells:
            if cell.answers[1].is_file():
                for path in cell.answers:
                    packed.add(path, arcname=f"{cell.place.name}/{path.name}")
    partial.replace(archive)


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="what quality.py --lay-out wrote")
    parser.add_argument("--out", type=Path, required=True, help="the archive (.tar.gz) of what came out")
    parser.add_argument("--seconds", type=float, required=True, help="stop all after this time")
    parser.add_argument("--cell-seconds", type=float, default=float("inf"), help="stop a cell after this time")
    parser.add_argument("--side-by-side", type=int, default=1, help="cells at once")
    parser.add_argument("--machine", required=True, help="what it is, in words: 'one NVIDIA H100'")
    parser.add_argument("--cuda", nargs="*", default=[], metavar="PATTERN", help="cells for the card: '*/tabm'")
    parser.add_argument("--only", nargs="*", default=[], metavar="PATTERN", help="only these cells: 'adult-*/*'")
    parser.add_argument("--epochs", type=int, help="fewer than the models' own, to try things out")
    return parser.parse_args()


if __name__ == "__main__":
    main()
