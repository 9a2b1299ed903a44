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
VOLATILE = {"seconds", "experiment", "report", "out", "sha256", "sealed_at", "at", "modified"}


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

    began = time.monotonic()
    undisturbed = subprocess.run(command("never.wellfit"), cwd=tmp_path, capture_output=True, text=True, check=True)
    seconds = time.monotonic() - began
    expected = _stable(json.loads(undisturbed.stdout))
    moments = random.Random(7)
    for place in range(KILLS):
        name = f"killed-{place}.wellfit"
        process = subprocess.Popen(command(name), cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            process.communicate(timeout=moments.uniform(0.5, seconds))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.communicate()
        if (tmp_path / name / "journal.sqlite").is_file():
            with open_journal(tmp_path / name / "journal.sqlite", read_only=True) as journal:
                assert journal.entries("split")
        rerun = subprocess.run(command(name), cwd=tmp_path, capture_output=True, text=True, check=False)
        assert rerun.returncode == 0, rerun.stderr
        assert _stable(json.loads(rerun.stdout)) == expected
