"""Every benchmark keeps one contract: `--quick`, `--json` with one object, and `holds` from what was measured."""

from __future__ import annotations

import importlib
import json
import math
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "benchmarks"
BENCHMARKS = sorted(path.stem for path in FOLDER.glob("*.py") if "__main__" in path.read_text(encoding="utf-8"))


@pytest.fixture(autouse=True)
def _beside_the_benchmarks(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))


def test_there_are_benchmarks():
    assert {"planted", "null", "temperature", "fused_throughput"} <= set(BENCHMARKS)


@pytest.mark.parametrize("name", BENCHMARKS)
def test_a_benchmark_declares_both_options(name, monkeypatch, capsys):
    """The help comes before anything is measured."""
    monkeypatch.setattr(sys, "argv", [f"{name}.py", "--help"])
    with pytest.raises(SystemExit) as ended:
        importlib.import_module(name).main()
    printed = capsys.readouterr().out
    assert not ended.value.code
    assert "--quick" in printed
    assert "--json" in printed


@pytest.mark.parametrize("name", BENCHMARKS)
def test_a_benchmark_prints_by_the_shared_helper(name):
    """Whatever it says while it works goes to stderr."""
    text = (FOLDER / f"{name}.py").read_text(encoding="utf-8")
    assert "finish(" in text or "judge(" in text
    lines = [line for line in text.splitlines() if "print(" in line and not line.startswith("print(json")]
    assert [line for line in lines if "file=" not in line and not line.rstrip().endswith("(")] == []


def _finished(capsys, *rows, **options):
    report = importlib.import_module("report")
    with pytest.raises(SystemExit) as ended:
        report.finish("name", [report.Row(*row) for row in rows], **options)
    return ended.value.code, capsys.readouterr().out


def test_the_object_says_whether_each_target_holds(capsys):
    code, printed = _finished(capsys, ("at most", 3.0, 2.0), ("none", math.nan), as_json=True)
    body = json.loads(printed, parse_constant=pytest.fail)
    assert code == 1
    assert body["benchmark"] == "name"
    assert body["machine"]["cores"] >= 1
    assert [(row["case"], row["measured"], row["target"], row["holds"]) for row in body["rows"]] == [
        ("at most", 3.0, 2.0, False),
        ("none", None, None, True),
    ]
    assert not body["holds"]


def test_cells_count_and_are_shown_by_their_table(capsys):
    report = importlib.import_module("report")
    cells = [report.Row("cell", 1.0, 0.5)]
    code, printed = _finished(capsys, ("total", 1.0, 1.0), as_json=False, cells=cells, table="| cell |")
    assert code == 1
    assert printed.startswith("| cell |\n\ntotal")
    code, printed = _finished(capsys, ("total", 1.0, 1.0), as_json=True, cells=cells, table="| cell |")
    assert [row["case"] for row in json.loads(printed)["rows"]] == ["cell", "total"]


def test_planted_counts_verdicts_by_fault_and_size():
    planted = importlib.import_module("planted")
    verdicts = {
        ("plane", "high bias", 300, 0): "wrong",
        ("ring", "high bias", 300, 0): "right",
        ("plane", "high bias", 2_000, 0): "right",
        ("ring", "high bias", 2_000, 0): "cannot tell",
    }
    cells = planted.cells_of(verdicts, sizes=[300, 2_000])
    assert [(cell.case, cell.measured, cell.note) for cell in cells] == [
        ("high bias, 300 rows", 0.5, "1 / 0 / 1"),
        ("high bias, 2,000 rows", 0.5, "1 / 1 / 0"),
    ]
    assert planted.table_of(cells).endswith("| high bias | 1 / 0 / 1 | 1 / 1 / 0 |")
    wrong, right = planted.totals(verdicts, [300, 2_000], quick=False)
    assert (wrong.measured, right.measured, wrong.holds, right.holds) == (0.25, 0.5, False, False)


def test_a_level_explains_as_many_alarms_as_chance_brings():
    null = importlib.import_module("null")
    limit = null.most_alarms(500, 0.05, cells=111)
    # P(X >= 43) = .00047 and P(X >= 44) = .00025 at 500 draws with .05; .05 / 111 = .00045.
    assert limit == 43 / 500
