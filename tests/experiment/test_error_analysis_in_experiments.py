"""`errors` in an experiment: one draw, tags that stay, a finding in the diagnosis; and the command on both sources."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pytest
from click.testing import CliRunner

import wellfit as wf
from wellfit.cli.group import wellfit as command

SHORT = wf.Config(optimization=wf.Optimization(epochs=3))


def _table(rows=1_200):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(rows, 3))
    answer = np.where(x[:, 0] + rng.normal(size=rows) > 0, "yes", "no")
    return pa.table({"a": x[:, 0], "b": x[:, 1], "c": x[:, 2], "answer": answer})


@pytest.fixture
def experiment(tmp_path):
    wf.split(_table(), target="answer", out=tmp_path / "e.wellfit", seed=3)
    opened = wf.open_experiment(tmp_path / "e.wellfit")
    wf.train(opened, SHORT)
    return opened


def _call(*words):
    ran = CliRunner().invoke(command, [str(word) for word in words])
    assert ran.exit_code == 0, ran.output
    return ran.output


def test_the_rows_are_drawn_once_and_tags_stay(experiment):
    first = wf.errors(experiment)
    shown = first.listing["row"].to_pylist()
    assert first.seen == 0
    tagged = wf.errors(experiment, tags={shown[0]: ["near the border"], shown[1]: [], shown[2]: ["odd"]})
    assert tagged.seen == 3
    assert tagged.tags["odd"].rows == 1
    again = wf.errors(wf.open_experiment(experiment.path))
    assert again.listing.equals(tagged.listing)
    assert again.tags["odd"] == tagged.tags["odd"]
    with pytest.raises(wf.Refusal, match="drawn once"):
        wf.errors(experiment, eyeball=7)
    with pytest.raises(wf.BadInput, match="not among"):
        wf.errors(experiment, tags={100_000: ["odd"]})


def test_the_numbers_of_rows_are_those_of_dev(experiment):
    found, dev = wf.errors(experiment, rows=3), experiment.split.dev
    for each in found.rows:
        assert dev["answer"][each.row - 1].as_py() == each.y != each.prediction
    listed = found.to_frame()
    assert listed["a"].to_pylist() == [dev["a"][row - 1].as_py() for row in listed["row"].to_pylist()]


def test_eyeball_and_blackbox_make_up_dev(experiment):
    found, dev = wf.errors(experiment), experiment.split.dev.num_rows
    assert found.eyeball.rows + found.blackbox.rows == dev
    whole = found.eyeball.value * found.eyeball.rows + found.blackbox.value * found.blackbox.rows
    assert whole / dev == pytest.approx(experiment.network.losses["dev"])


def test_the_finding_is_in_the_diagnosis(experiment):
    assert _status(experiment, "WF404") == "not applicable"
    wf.errors(experiment)
    assert _status(experiment, "WF404") == "not applicable"  # nothing has changed since
    wf.train(experiment, wf.Config(optimization=wf.Optimization(epochs=12)))
    assert experiment.network.config.optimization.epochs == 12
    assert _status(experiment, "WF404") in ("passed", "fired")


def _status(experiment, code):
    return next(each.status for each in experiment.diagnose().findings if each.code == code)


def test_the_report_has_the_tags_of_its_network(experiment):
    shown = wf.errors(experiment).listing["row"].to_pylist()
    wf.errors(experiment, tags={shown[0]: ["near the border"]})
    assert "near the border: 100" in experiment.folder.report.read_text()
    assert "near the border" not in wf.report(experiment, redact=True).read_text()
    assert "near the border" in _call("show", experiment.path, "--full")
    wf.train(experiment, wf.Config(optimization=wf.Optimization(epochs=12)))
    assert "near the border" not in wf.report(experiment).read_text()  # they were the errors of another network


def test_nothing_is_trained_yet(tmp_path):
    wf.split(_table(), target="answer", out=tmp_path / "e.wellfit")
    with pytest.raises(wf.Refusal, match="trained network"):
        wf.errors(tmp_path / "e.wellfit")


def test_the_command_writes_a_file_and_reads_its_tags(experiment, tmp_path):
    _call("errors", experiment.path, "--out", tmp_path / "errors.csv")
    listed = pa.csv.read_csv(tmp_path / "errors.csv")
    names = ["-", "night; blurred", "", "1,2; night"] + [""] * (listed.num_rows - 4)
    pa.csv.write_csv(listed.set_column(4, "tags", pa.array(names)), tmp_path / "tagged.csv")
    found = json.loads(_call("errors", experiment.path, "--tags", tmp_path / "tagged.csv", "--json"))
    assert found["seen"] == 4
    assert found["tags"]["night"]["share"] == pytest.approx(0.5)
    assert {"1", "2", "blurred", "night"} <= found["tags"].keys()
    assert {"schema", "rows", "tags", "eyeball", "blackbox"} <= found.keys()
    said = _call("errors", experiment.path, "--rows", 1)
    assert "night: 50 % of the errors" in said
    assert max(map(len, said.splitlines())) <= 100


@pytest.fixture
def predictions(tmp_path):
    rng = np.random.default_rng(1)
    truth = rng.integers(0, 2, 900)
    said = truth ^ (rng.random(900) < 0.2)
    split = np.where(np.arange(900) < 500, "train", "dev")
    table = pa.table({"split": split, "y": truth, "prediction": said, "age": np.arange(900)})
    pa.csv.write_csv(table, tmp_path / "p.csv")
    return tmp_path / "p.csv"


def test_a_file_of_predictions_has_the_numbers_of_its_rows(predictions):
    found = wf.errors(predictions, rows=5)
    table = pa.csv.read_csv(predictions)
    listed = found.listing
    assert listed["age"].to_pylist() == [row - 1 for row in listed["row"].to_pylist()]
    for row in listed["row"].to_pylist():
        assert table["split"][row - 1].as_py() == "dev"
        assert table["y"][row - 1] != table["prediction"][row - 1]
    assert found.eyeball.rows == 200  # half of dev: 100 errors would take more


def test_values_have_no_classes(tmp_path):
    rng = np.random.default_rng(2)
    y = rng.normal(size=300)
    table = pa.table({"split": ["train"] * 100 + ["dev"] * 200, "y": y, "prediction": y + rng.normal(size=300)})
    found = wf.errors(table)
    assert found.errors == found.eyeball.rows == 100
    assert found.classes == {}
    assert "squared error" not in str(found)


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ({"goal": "auc"}, "goal must be used with predictions"),
        ({"delimiter": ";"}, "delimiter must be used"),
        ({"seed": 1}, "seed must be used"),
        ({"tags": {1: "night"}}, "a list of names"),
    ],
    ids=["goal", "delimiter", "seed", "tags as a word"],
)
def test_options_of_predictions_are_refused_for_an_experiment(experiment, options, rule):
    with pytest.raises(wf.BadInput, match=rule):
        wf.errors(experiment, **options)
