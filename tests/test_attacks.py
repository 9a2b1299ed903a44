"""Attacks on files and folders end by themselves, with one message, and leave nothing half-written."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.proof
@pytest.mark.timeout(1200)
def test_every_attack_of_the_quick_list_ends_as_promised():
    command = [sys.executable, str(ROOT / "benchmarks" / "attacks.py"), "--quick", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode in {0, 1}, done.stderr
    missed = [row["case"] for row in json.loads(done.stdout)["rows"] if not row["holds"]]
    assert missed == [], done.stderr
