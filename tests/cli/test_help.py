"""The help: complete, in the order of the stages, and light."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import fields

import pytest

from wellfit.cli.group import COMMANDS
from wellfit.records.config import Network, Optimization, Regularization
from wellfit.records.goals import GOALS

HEAVY = {"torch", "numpy", "scipy", "pyarrow", "sklearn", "pydantic", "rich", "narwhals", "jinja2", "safetensors"}
COMMON = ("--json", "--events", "--seed", "--quiet", "--log-file", "--config", "--debug")
STAGES = [
    *("diagnose", "run", "split", "size", "check", "study", "train", "sweep", "watch", "show", "compare"),
    "errors",
    *("unseal", "label", "predict", "export", "report", "explain", "demo", "doctor"),
]


def imported_by(*arguments: str) -> set[str]:
    """Top-level modules that a process has loaded once `wellfit ARGUMENTS` is done."""
    code = (
        "import sys, json; from wellfit.cli import main; main(sys.argv[1:]); "
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})), file=sys.stderr)"
    )
    process = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    return set(json.loads(process.stderr))


@pytest.mark.parametrize("arguments", [("--help",), ("--version",), ("nothing",), ("size", "--help")], ids=" ".join)
def test_help_and_slips_load_nothing_heavy(arguments):
    loaded = imported_by(*arguments) if arguments != ("nothing",) else imported_by()
    assert loaded & HEAVY == set()


@pytest.mark.parametrize("name", COMMANDS)
def test_no_command_loads_anything_heavy_to_explain_itself(name):
    assert imported_by(name, "--help") & HEAVY == set()


def test_commands_come_in_the_order_of_the_stages(run):
    lines = run("--help").out.partition("Commands:")[2].splitlines()
    named = [line.split()[0] for line in lines if line.startswith("  ") and line.split() and line[2] != " "]
    assert list(COMMANDS) == STAGES
    assert [name for name in named if name in COMMANDS][: len(STAGES)] == STAGES


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_takes_the_common_options_and_shows_an_example(run, name):
    ran = run(name, "--help")
    assert ran.code == 0
    assert all(option in ran.out for option in COMMON)
    assert f"wellfit {name}" in ran.out.partition("Examples:")[2]


@pytest.mark.parametrize("name", ["train", "sweep"])
def test_every_knob_has_an_option(run, name):
    told = run(name, "--help").out.split()
    knobs = {field.name for board in (Network, Optimization, Regularization) for field in fields(board)}
    # A module comes from Python alone.
    assert [knob for knob in sorted(knobs - {"module"}) if f"--{knob.replace('_', '-')}" not in told] == []


def test_without_arguments_the_help_is_shown(run):
    assert run().out == run("--help").out
    assert run().code == 0


def test_the_goals_in_the_help_are_all_goals(run):
    assert f"{', '.join(GOALS)}." in " ".join(run("run", "--help").out.split())


def test_python_m_wellfit_is_the_same_command():
    command = [sys.executable, "-m", "wellfit", "--version"]
    process = subprocess.run(command, capture_output=True, text=True, check=True)
    assert process.stdout.startswith("wellfit ")
