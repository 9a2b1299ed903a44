"""`wellfit check`: a network in a file of the user's own, on a table or an experiment."""

from __future__ import annotations

import numpy as np
import pytest

NET = """
from torch import nn

def make_net(inputs, outputs):
    return nn.Sequential(nn.Linear(inputs, 16), nn.ReLU(), nn.Linear(16, outputs))

def softmaxed(inputs, outputs):
    return nn.Sequential(make_net(inputs, outputs), nn.Softmax(1))
"""


@pytest.fixture
def folder(tmp_path):
    source = np.random.default_rng(0)
    lines = ["a,b,kind,y"]
    for first, second in source.normal(size=(200, 2)):
        kind = source.choice(["x", "y", "z"])
        lines.append(f"{first:.3f},{second:.3f},{kind},{'yes' if first + (kind == 'x') > 0.3 else 'no'}")
    (tmp_path / "data.csv").write_text("\n".join(lines))
    (tmp_path / "net.py").write_text(NET)
    return tmp_path


def test_a_table_and_an_experiment_are_checked_alike(run, folder):
    table = run("check", folder / "data.csv", "--target", "y", "--module", f"{folder}/net.py:make_net", "--json")
    assert table.code == 0
    assert run("split", folder / "data.csv", "--target", "y", "--out", folder / "e.wellfit").code == 0
    experiment = run("check", folder / "e.wellfit", "--module", f"{folder}/net.py:make_net", "--json")
    assert table.json["schema"] == 1
    assert [each["status"] for each in table.json["findings"]].count("fired") == 0
    assert table.json["findings"] == experiment.json["findings"]
    assert not (folder / "data.wellfit").exists()


def test_a_fault_is_told_first(run, folder):
    ran = run("check", folder / "data.csv", "--target", "y", "--module", f"{folder}/net.py:softmaxed")
    assert ran.code == 0
    assert "Fix this one first: WF502" in ran.out.splitlines()[0]


@pytest.mark.parametrize(
    ("module", "words"),
    [
        pytest.param("net.py", "as FILE:NAME", id="no-name"),
        pytest.param("nets.py:make_net", "which is not a file", id="no-file"),
        pytest.param("net.py:make_nets", "The file defines nn, make_net, softmaxed", id="no-such-name"),
        pytest.param("broken.py:make_net", "must name a file that runs without errors; found", id="broken"),
    ],
)
def test_a_module_that_cannot_be_had_is_one_message(run, folder, module, words):
    (folder / "broken.py").write_text("import nothing_of_this_name")
    ran = run("check", folder / "data.csv", "--target", "y", "--module", f"{folder}/{module}")
    assert ran.code == 2
    assert words in ran.err


def test_an_experiment_knows_its_target(run, folder):
    run("split", folder / "data.csv", "--target", "y", "--out", folder / "e.wellfit")
    ran = run("check", folder / "e.wellfit", "--target", "y", "--module", f"{folder}/net.py:make_net")
    assert ran.code == 2
    assert "without the options of DATA" in ran.err
