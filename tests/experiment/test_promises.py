"""The promises of the design, proven on whole runs: nothing reads the sealed rows, and a killed run loses nothing."""

from __future__ import annotations

import hashlib
import io
import json
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from wellfit.journal.store import open_journal

pytestmark = pytest.mark.proof
WELLFIT = (sys.executable, "-m", "wellfit")
BUDGET = "20000updates"
KILLS = 10
# What may differ between two runs of the same command: clocks, places, and hashes of content.
VOLATILE = {"seconds", "time", "experiment", "report", "out", "sha256", "sealed_at", "at", "modified"}


def _run(*arguments: object, folder: Path) -> str:
    command = [*WELLFIT, *map(str, arguments)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _stable(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _stable(part) for name, part in value.items() if name not in VOLATILE}
    return [_stable(part) for part in value] if isinstance(value, list) else value


def _scramble(experiment: Path) -> None:
    """Permute the sealed labels, as a consistent forger would: the seal's digest follows."""
    sealed = experiment / "test.sealed"
    table = pq.read_table(io.BytesIO(sealed.read_bytes()))
    labels = np.random.default_rng(0).permutation(table["target"].to_numpy(zero_copy_only=False))
    place = table.column_names.index("target")
    buffer = io.BytesIO()
    pq.write_table(table.set_column(place, "target", pa.array(labels)), buffer)
    old = hashlib.sha256(sealed.read_bytes()).hexdigest()
    sealed.chmod(0o600)
    sealed.write_bytes(buffer.getvalue())
    text = (experiment / "split.json").read_text()
    assert old in text
    (experiment / "split.json").write_text(text.replace(old, hashlib.sha256(buffer.getvalue()).hexdigest()))


def test_no_command_but_unseal_depends_on_the_test_rows(cancer_csv, tmp_path):
    home = tmp_path / "untouched"
    home.mkdir()
    new = home / "new.csv"
    shutil.copy(cancer_csv, home / "data.csv")
    shutil.copy(cancer_csv, new)
    _run("split", "data.csv", "--target", "target", "--out", "e.wellfit", folder=home)
    (home / "data.csv").unlink()
    shutil.copytree(home, tmp_path / "scrambled")
    _scramble(tmp_path / "scrambled" / "e.wellfit")
    commands = (
        ("run", "e.wellfit", "--budget", "2500updates", "--json"),
        ("diagnose", "e.wellfit", "--human-error", ".01", "--json"),
        ("train", "e.wellfit", "--epochs", "3", "--json"),
        ("sweep", "e.wellfit", "--over", "l2=0/10", "--epochs", "2", "--json"),
        ("predict", "e.wellfit", "new.csv", "-o", "out.csv", "--json"),
        ("report", "e.wellfit", "--json"),
    )
    for command in commands:
        outputs = [_run(*command, folder=folder) for folder in (home, tmp_path / "scrambled")]
        bodies = [_stable(json.loads(output)) for output in outputs]
        assert bodies[0] == bodies[1], command[0]
    assert (home / "out.csv").read_bytes() == (tmp_path / "scrambled" / "out.csv").read_bytes()
    pages = [(folder / "e.wellfit" / "report.html").read_text() for folder in (home, tmp_path / "scrambled")]
    assert _without_clocks(pages[0]) == _without_clocks(pages[1])
    errors = [
        json.loads(_run("unseal", "e.wellfit", "--yes", "--json", folder=folder))["error"]["value"]
        for folder in (home, tmp_path / "scrambled")
    ]
    assert errors[0] < 0.2 < errors[1]  # the forger's labels do show once the seal is broken


def _without_clocks(page: str) -> str:
    page = re.sub(r"[0-9a-f]{64}|[0-9a-f]{12}…", "HASH", page)
    page = re.sub(r"\d{4}-\d\d-\d\d[T ][0-9:.+]+", "TIME", page)
    # What Monte-Carlo dropout costs is measured by the clock, too.
    page = re.sub(r"cost [0-9.,]+ times one pass", "COST", page)
    return re.sub(r"[0-9.,]+ (s|min|ms)\b", "SECONDS", page)


@pytest.mark.timeout(1500)
def test_sigkill_at_any_moment_changes_nothing_but_time(cancer_csv, tmp_path):
    def command(name: str) -> list[str]:
        return [*WELLFIT, "run", str(cancer_csv), "--target", "target", "--budget", BUDGET, "--out", name, "--json"]

    expected, seconds = _undisturbed(command("never.wellfit"), folder=tmp_path)
    moments = random.Random(7)
    for place in range(KILLS):
        name = f"killed-{place}.wellfit"
        _kill(command(name), folder=tmp_path, after=moments.uniform(0.5, seconds))
        if (tmp_path / name / "journal.sqlite").is_file():
            with open_journal(tmp_path / name / "journal.sqlite", read_only=True) as journal:
                assert journal.entries("split")
        assert _undisturbed(command(name), folder=tmp_path)[0] == expected


@pytest.mark.timeout(1500)
def test_sigkill_at_any_moment_of_a_branch_changes_nothing_but_time(cancer_csv, tmp_path):
    _run("run", cancer_csv, "--target", "target", "--budget", "2500updates", "--out", "main.wellfit", folder=tmp_path)

    def command(name: str) -> list[str]:
        shutil.copytree(tmp_path / "main.wellfit", tmp_path / name)
        return [*WELLFIT, "run", name, "--branch", "0", "--budget", BUDGET, "--idea", "another path", "--json"]

    expected, seconds = _undisturbed(command("never.wellfit"), folder=tmp_path)
    assert expected["steps"]
    moments = random.Random(8)
    for place in range(KILLS):
        branch = command(f"killed-{place}.wellfit")
        _kill(branch, folder=tmp_path, after=moments.uniform(0.5, seconds))
        assert _undisturbed(branch, folder=tmp_path)[0] == expected


def _undisturbed(command: list[str], *, folder: Path) -> tuple[Any, float]:
    """What a command prints when nobody kills it, and the seconds that it takes."""
    began = time.monotonic()
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return _stable(json.loads(done.stdout)), time.monotonic() - began


def _kill(command: list[str], *, folder: Path, after: float) -> None:
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        process.communicate(timeout=after)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.communicate()
