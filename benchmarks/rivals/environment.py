"""Where the rivals' environment is, and a program started in it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).parent
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def rivals_python() -> Path:
    """Return the rivals' interpreter, of WELLFIT_RIVALS or of benchmarks/rivals/.venv; exit where there is none."""
    python = Path(os.environ.get("WELLFIT_RIVALS", HERE / ".venv" / "bin" / "python"))
    if not python.is_file():
        raise SystemExit(f"no {python}: benchmarks/requirements-rivals.txt says how to make the rivals' environment")
    return python


def run_rival(program: str, arguments: Sequence[str], *, threads: int) -> str:
    """Run rivals/`program` in the rivals' environment, and return its last line on standard output."""
    command = [str(rivals_python()), str(HERE / program), *arguments]
    environment = {**os.environ, **dict.fromkeys(THREADS, str(threads))}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    return done.stdout.strip().splitlines()[-1]
