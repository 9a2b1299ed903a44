"""The commands that work on an experiment, from the split to the opening, on a small real table."""

from __future__ import annotations

import contextlib
import io
import json
import os
import pty
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pytest
from safetensors.numpy import load_file, save_file
from sklearn.datasets import load_iris

import wellfit as wf
from wellfit import opening
from wellfit.cli import main
from wellfit.exceptions import BadInput
from wellfit.experiment import create
from wellfit.experiment.experiment import Experiment
from wellfit.journal import store
from wellfit.reports.text import render_text
from wellfit.splits import ledger


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with iris.csv and the experiment that a short run made of it, with what the run printed."""
    folder = tmp_path_factory.mktemp("made")
    bunch = load_iris()
    columns = {name.split(" (")[0].replace(" ", "_"): bunch.data[:, i] for i, name in enumerate(bunch.feature_names)}
    species = [str(bunch.target_names[code]) for code in bunch.target]
    pa.csv.write_csv(pa.table({**columns, "species": species}), folder / "iris.csv")
    command = ["run", folder / "iris.csv", "--target", "species", "--budget", "200updates", "--human-error", ".02"]
    printed = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(printed):
        patch.setenv("WELLFIT_HOME", str(folder / "home"))
        code = main([str(word) for word in (*command, "--out", folder / "iris.wellfit", "--json", "--quiet")])
    assert code == 0
    return folder, json.loads(printed.getvalue())


@pytest.fixture
def iris(made, tmp_path):
    """A copy of the experiment for each test."""
    shutil.copytree(made[0] / "iris.wellfit", tmp_path / "iris.wellfit")
    return tmp_path / "iris.wellfit"


def test_run_prints_the_json_of_the_design(made):
    folder, body = made
    wanted = [
        "schema",
        "experiment",
        "report",
        "goal",
        "errors",
        "gaps",
        "steps",
        "best",
        "references",
        "test",
        "seconds",
    ]
    assert [name for name in wanted if name not in body] == []
    assert set(body["references"]) == {"dummy", "linear", "trees"}
    assert body["test"] is None
    assert (folder / "iris.wellfit" / "report.html").is_file()


def test_a_run_on_a_finished_experiment_prints_its_result(run, made):
    folder, body = made
    command = ["run", folder / "iris.csv", "--target", "species", "--budget", "200updates", "--human-error", ".02"]
    again = run(*command, "--out", folder / "iris.wellfit", "--json", "--quiet").json
    assert (again["errors"], again["best"]) == (body["errors"], body["best"])


def test_the_text_ends_with_the_report_and_the_next_commands_without_escape_codes(run, made, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    folder = made[0]
    command = ["run", folder / "iris.csv", "--target", "species", "--budget", "200updates", "--human-error", ".02"]
    ran = run(*command, "--out", folder / "iris.wellfit")
    end = " ".join(ran.out.split())
    assert all(words in end for words in ("report.html", "wellfit show", "wellfit unseal"))
    assert "\x1b" not in ran.out + ran.err


def test_split_seals_and_says_what_it_bought(run, made):
    ran = run("split", made[0] / "iris.csv", "--target", "species", "--seed", "3", "--json", "--quiet")
    assert (ran.json["experiment"], ran.json["seed"]) == ("iris.wellfit", 3)
    assert ran.json["rows"]["train"] == 90
    text = run("split", made[0] / "iris.csv", "--target", "species", "--out", "other.wellfit", "--quiet").out
    assert "sealed" in text
    assert "dev rows distinguish" in text


def test_columns_types_come_from_the_file(run, made, tmp_path):
    config = tmp_path / "asked.toml"
    config.write_text('target = "species"\ndrop = "sepal_width"\n[types]\npetal_width = "category"\n')
    body = run("split", made[0] / "iris.csv", "--config", config, "--json", "--quiet").json
    columns = {column["name"]: column for column in body["columns"]["columns"]}
    assert columns["petal_width"]["kind"] == "category"
    assert columns["sepal_width"]["role"] == "dropped"


def test_diagnose_an_experiment(run, iris, made):
    body = run("diagnose", iris, "--json").json
    assert body["errors"]["dev"]["value"] == made[1]["errors"]["dev"]["value"]
    run("diagnose", iris, "--goal", "auc").assert_refused("--goal auc")


def test_train_keeps_the_outcome_of_one_configuration(run, iris):
    body = run("train", iris, "--widths", "8", "--epochs", "3", "--l2", "2", "--json", "--quiet").json
    assert body["config"]["network"]["widths"] == [8]
    assert (body["config"]["regularization"]["l2"], body["status"]) == (2.0, "finished")
    assert "finished" in run("train", iris, "--widths", "8", "--epochs", "3", "--quiet").out


def test_sweep_shows_the_lambda_path(run, iris):
    body = run("sweep", iris, "--over", "l2", "--members", "2", "--epochs", "2", "--json", "--quiet").json
    assert [row["l2"] > 0 for row in body["path"]] == [False, True]
    ran = run("sweep", iris, "--over", "l2", "--members", "2", "--epochs", "2", "--quiet")
    assert "Chosen: λ = " in ran.out


def test_sweep_over_more_knobs_shows_the_best_members_and_what_was_dropped(run, iris):
    asked = ("sweep", iris, "--over", "l2,keep_prob,label_smoothing,ema", "--members", "8", "--rungs", "--epochs", "15")
    text = run(*asked).out
    assert "members with the lowest dev error" in text
    assert "label_smoothing" in text.splitlines()[1]
    members = json.loads(run(*asked, "--json").out)["members"]
    dropped = sum(row["status"] == "dropped" for row in members)
    assert ("were dropped at the rungs" in text) == (dropped > 0)
    assert {row["status"] for row in members} <= {"finished", "dropped"}


def test_a_sweep_may_choose_a_network_at_a_rung_and_propose_its_ensemble(run, iris):
    asked = ("sweep", iris, "--over", "l2", "--members", "2", "--rungs", "--epochs", "15", "--json", "--quiet")
    body = run(*asked, "--snapshots", "--ensemble").json
    assert body["rungs"]["snapshots"]
    assert not run(*asked).json["rungs"]["snapshots"]
    run("sweep", iris, "--snapshots").assert_refused("--snapshots without --rungs")


def test_a_member_that_diverged_is_marked_and_told_with_its_knobs(run, iris):
    text = run("sweep", iris, "--over", "lr=.01/1e30", "--optimizer", "sgd", "--epochs", "4", "--quiet").out
    assert [line.split()[4] for line in text.splitlines() if line.endswith("diverged")] == ["1e30"]
    assert "1 of 2 members ended as diverged (lr 1e+30). The loss" in text


def test_memory_for_less_than_one_member_is_refused_before_any_training(run, iris):
    failed = run("sweep", iris, "--memory", "1m")
    assert failed.code == 2
    assert "memory must hold at least one member" in failed.err


def test_the_knobs_of_every_regularizer_are_options(run, iris):
    knobs = {"l1": 5.0, "label_smoothing": 0.1, "input_noise": 0.2, "input_keep_prob": 0.8, "mixup": 0.3, "ema": 0.9}
    options = [part for name, value in knobs.items() for part in (f"--{name.replace('_', '-')}", str(value))]
    words = ("--l2-schedule", "flat_cos", "--keep-prob-schedule", "flat_cos", "--clip-norm", "1")
    body = json.loads(run("train", iris, *options, *words, "--epochs", "2", "--json").out)
    found = body["config"]["regularization"]
    assert {name: found[name] for name in knobs} == knobs
    assert body["config"]["optimization"]["clip_norm"] == 1


def test_dropout_of_the_inputs_is_swept_by_its_name_or_over_values(run, iris):
    asked = ("sweep", iris, "--epochs", "2", "--json", "--quiet", "--over")
    members = run(*asked, "input_keep_prob=1/.8/.5").json["members"]
    assert len({member["identity"] for member in members}) == 3
    # Members at which it is off are all one.
    assert 1 < len(run(*asked, "input_keep_prob", "--members", "4").json["members"]) <= 4


def test_predict_writes_one_row_for_each(run, iris, made):
    ran = run("predict", iris, made[0] / "iris.csv", "-o", "predicted.csv", "--json")
    assert ran.json == {"schema": 1, "out": "predicted.csv", "rows": 150}
    written = pa.csv.read_csv("predicted.csv")
    assert written.column_names == ["prediction", "p_setosa", "p_versicolor", "p_virginica"]
    assert written.num_rows == 150


def test_report_is_one_file(run, iris):
    (iris / "report.html").unlink()
    assert run("report", iris, "--redact", "--json").json == {"schema": 1, "report": str(iris / "report.html")}
    assert (iris / "report.html").is_file()


@pytest.mark.parametrize("command", ["diagnose", "train", "sweep", "unseal", "report"])
def test_a_folder_that_is_no_experiment_is_refused(run, command, tmp_path):
    run(command, tmp_path).assert_refused("EXPERIMENT must be a folder")


def test_unseal_needs_a_confirmation(run, iris, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO("iris\n"))  # a pipe, whatever it says
    run("unseal", iris).assert_refused("no terminal", "--yes")


def test_unseal_once_then_only_again_and_not_certified(run, iris):
    first = run("unseal", iris, "--yes", "--json", "--quiet")
    assert (first.json["opening"], first.json["certified"]) == (1, True)
    assert first.json["error"]["rows"] == 30
    run("unseal", iris, "--yes", "--quiet").assert_refused("again")
    second = run("unseal", iris, "--yes", "--again", "--json", "--quiet").json
    assert (second["opening"], second["certified"]) == (2, False)
    width = second["error"]["high"] - second["error"]["low"]
    assert width > first.json["error"]["high"] - first.json["error"]["low"]


@pytest.mark.parametrize(("typed", "code"), [("iris", 0), ("yes", 2), ("", 2)])
def test_on_a_terminal_the_name_is_typed(iris, tmp_path, typed, code):
    terminal, theirs = pty.openpty()
    os.write(terminal, f"{typed}\n".encode())
    process = subprocess.run(
        [sys.executable, "-m", "wellfit", "unseal", str(iris)],
        stdin=theirs,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "WELLFIT_HOME": str(tmp_path / "home")},
    )
    os.close(terminal)
    os.close(theirs)
    assert process.returncode == code
    assert ("certified" in process.stdout) is (code == 0)


def test_events_tell_what_happens_while_it_runs(run, made):
    ran = run("split", made[0] / "iris.csv", "--target", "species", "--events")
    events = [json.loads(line) for line in ran.out.splitlines()]
    assert [event["event"] for event in events] == ["read", "split", "result"]
    assert ran.err == ""


def test_a_wrong_target_names_the_nearest(run, made, tmp_path):
    run("split", made[0] / "iris.csv", "--target", "specie", "--quiet").assert_refused("'specie'", "species")
    run("split", made[0] / "iris.csv", "--quiet").assert_refused("--target")
    run("run", made[0] / "iris.csv", "--quiet").assert_refused("--target")
    run("run", made[0] / "iris.csv", "--target", "species", "--budget", "soon", "--quiet").assert_refused("'soon'")
    assert [path.name for path in tmp_path.iterdir()] == []


def test_a_better_network_has_no_test_error_of_an_earlier_one(run, iris):
    first = run("unseal", iris, "--yes", "--json", "--quiet").json
    opened = wf.open_experiment(iris)
    assert opened.to_json()["test"] == first["error"]
    with opened.workspace.writing() as journal:
        other = next(body for body in opened.history.of("training") if body["identity"] != opened.history.chosen)
        journal.append("candidate", {"identity": other["identity"], "by": "train", "dev": -1.0})
    assert opened.to_json()["test"] is None
    shown = render_text(opened.summary())
    assert first["receipt"] in shown
    assert "opened for another network" in shown
    page = run("report", iris, "--json").json["report"]
    assert "opened for another network" in Path(page).read_text()


class Killed(BaseException):
    """Ends a command as SIGKILL would: nobody catches it."""


WRITES = (
    (ledger.Ledger, "append"),
    (store.Journal, "append"),
    (opening, "record_opening"),
    (opening, "record_chain"),
    (Experiment, "report"),
)


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_result_is_shown_or_its_opening_is_not_counted_wherever_unseal_is_killed(iris, tmp_path, monkeypatch, when):
    for moment in range(1, 12):
        monkeypatch.setenv("WELLFIT_HOME", str(tmp_path / f"{when}{moment}"))
        folder = shutil.copytree(iris, tmp_path / f"{when}{moment}.wellfit")
        with monkeypatch.context() as patch:
            _kill_at(moment, patch, when=when)
            try:
                wf.open_experiment(folder).unseal()
            except Killed:
                pass
            else:
                return  # every write was the last one once
        later = wf.open_experiment(folder)
        if later.to_json()["test"] is None:
            found = later.unseal()
            assert (found.opening, found.certified) == (1, True)
        with later.workspace.writing("train") as journal:
            (entry,) = journal.entries("opening")
        assert (entry.body["opening"], entry.body["certified"]) == (1, True)
        assert entry.body["references"]
        assert wf.open_experiment(folder).to_json()["test"] is not None
    raise AssertionError("more writes than were tried")


def test_unseal_returns_the_result_that_was_signed_and_never_shown(run, iris, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(store.Journal, "append", _killing("opening", store.Journal.append))
        with pytest.raises(Killed):
            wf.open_experiment(iris).unseal()
    found = run("unseal", iris, "--yes", "--json", "--quiet").json
    assert (found["opening"], found["certified"]) == (1, True)
    run("unseal", iris, "--yes", "--quiet").assert_refused("again")


def _killing(kind, append):
    def call(journal, wanted, *args, **options):
        if wanted == kind:
            raise Killed
        return append(journal, wanted, *args, **options)

    return call


def _kill_at(moment, patch, *, when):
    left = [moment]

    def guarded(write):
        def call(*args, **options):
            left[0] -= 1
            if left[0] == 0 and when == "before":
                raise Killed
            found = write(*args, **options)
            if left[0] == 0:
                raise Killed
            return found

        return call

    for place, name in WRITES:
        patch.setattr(place, name, guarded(getattr(place, name)))


def test_a_move_that_did_not_happen_is_finished_by_the_same_command(run, made, tmp_path, monkeypatch):
    data, test = (shutil.copy(made[0] / "iris.csv", tmp_path / name) for name in ("iris.csv", "test.csv"))
    command = ("split", data, "--target", "species", "--test-data", test, "--move-source", "--quiet")
    with monkeypatch.context() as patch:
        patch.setattr(create, "move_source", lambda *_: (_ for _ in ()).throw(Killed))
        with pytest.raises(Killed):
            run(*command)
    assert data.exists()
    assert run(*command).code == 0
    assert not data.exists()
    assert not test.exists()
    assert (tmp_path / "iris.wellfit" / "test-source.sealed").is_file()
    assert run(*command).code == 0


def test_an_experiment_of_a_data_frame_has_no_source_to_move(tmp_path):
    rows = {"x": [place**0.5 for place in range(100)], "y": [0, 1] * 50}
    wf.split(rows, target="y", out=tmp_path / "e")
    for call in (
        lambda: wf.split(rows, target="y", out=tmp_path / "e", move_source=True),
        lambda: wf.run(tmp_path / "e", move_source=True),
    ):
        with pytest.raises(BadInput, match="--move-source"):
            call()


DAMAGES = {
    "a training without errors": ("training", {"errors": []}),
    "a training of a million layers": ("training", {"config": {"network": {"widths": [10] * 10**5}}}),
    "a training of huge layers": ("training", {"config": {"network": {"widths": [10**9, 10**9]}}}),
    "a candidate without a loss": ("candidate", {"dev": "low"}),
    "a step of another type": ("step", {"step": "first"}),
}


@pytest.mark.parametrize(("kind", "change"), DAMAGES.values(), ids=DAMAGES)
def test_an_odd_entry_of_the_journal_is_refused_as_damage(run, iris, made, kind, change):
    with closing(sqlite3.connect(iris / "journal.sqlite")) as file, file:
        for number, body in file.execute("SELECT seq, body FROM entries WHERE kind = ?", (kind,)).fetchall():
            changed = json.dumps({**json.loads(body), **change})
            file.execute("UPDATE entries SET body = ? WHERE seq = ?", (changed, number))
    run("predict", iris, made[0] / "iris.csv", "-o", "p.csv").assert_refused()


@pytest.mark.parametrize(
    "change", [lambda array: array * np.nan, lambda array: array.ravel()[:3]], ids=["nan", "shape"]
)
def test_weights_that_are_none_are_refused(run, iris, made, change):
    for path in (iris / "models").glob("*.safetensors"):
        arrays = load_file(path)
        save_file({name: change(each) if "weight" in name else each for name, each in arrays.items()}, path)
    run("predict", iris, made[0] / "iris.csv", "-o", "p.csv").assert_refused()
