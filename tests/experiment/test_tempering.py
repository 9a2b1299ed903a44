"""An over-confident network is tempered once, and everything that predicts or measures uses the same probabilities."""

from __future__ import annotations

import json
import shutil
import sqlite3
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pytest
from click.testing import CliRunner

import wellfit as wf
from wellfit.cli.group import wellfit as command
from wellfit.journal.outcomes import OutcomeStore
from wellfit.journal.store import open_journal
from wellfit.records.config import Config, Network, Optimization
from wellfit.records.goals import goal_named
from wellfit.records.outcome import Outcome
from wellfit.reports.text import render_text
from wellfit.stats.calibration import calibrated, tempered
from wellfit.travel.export import export_model, model_of
from wellfit.travel.folder import load_model

SURE = Config(network=Network(widths=(64,)), optimization=Optimization(epochs=60, batch_size=32, lr=0.01))
OVER = {"l2": [0.0, 1.0], "keep_prob": [1.0, 0.8]}
BUDGET = "400updates"
LOG_LOSS = goal_named("log_loss")


def noisy(*, classes, rows=900, seed=0):
    """Labels that a network can only learn by heart, which makes it far too sure."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, 4))
    place = np.digitize(x[:, 0] + 1.2 * rng.normal(size=rows), np.linspace(-0.7, 0.7, classes - 1))
    return pa.table({**{f"x{each}": x[:, each] for each in range(4)}, "y": [f"c{code}" for code in place]})


def trained(folder, *, classes=3, **options):
    wf.split(noisy(classes=classes), target="y", out=folder, **options)
    experiment = wf.open_experiment(folder)
    wf.train(experiment, SURE)
    return experiment


@pytest.fixture(scope="module")
def by_log_loss(tmp_path_factory):
    return trained(tmp_path_factory.mktemp("tempered") / "e.wellfit", goal="log_loss")


@pytest.fixture(scope="module")
def by_error(tmp_path_factory):
    return trained(tmp_path_factory.mktemp("tempered") / "e.wellfit", classes=2)


def untempered(experiment):
    """What the training itself came to."""
    with open_journal(experiment.folder.journal, read_only=True) as journal:
        return OutcomeStore(experiment.folder.models, journal).get(experiment.network.identity)


def test_the_network_is_at_the_temperature_that_dev_says(by_log_loss):
    network, plain, dev = by_log_loss.network, untempered(by_log_loss), by_log_loss.prepared.dev
    found = calibrated(dev.target, plain.predictions["dev"], seed=SURE.seed)
    assert network.temperature == found.fitted > 1.5
    np.testing.assert_array_equal(network.predictions["dev"], tempered(plain.predictions["dev"], found.fitted))
    assert plain.temperature == 1.0
    assert network.identity == plain.identity
    assert network.losses["dev"] < found.honest < found.before == pytest.approx(plain.losses["dev"])


def test_whatever_predicts_gives_the_same_probabilities(by_log_loss, tmp_path):
    dev = by_log_loss.prepared.dev
    expected = by_log_loss.network.predictions["dev"]
    np.testing.assert_allclose(model_of(by_log_loss).of_arrays(dev), expected, rtol=1e-6, atol=1e-8)
    new = noisy(classes=3, rows=50, seed=9).drop_columns(["y"])
    rows = by_log_loss.predict(new)
    export_model(model_of(by_log_loss), tmp_path / "model", format="folder")
    assert load_model(tmp_path / "model").predict(new).equals(rows)
    pyarrow.csv.write_csv(new, tmp_path / "new.csv")
    arguments = ["predict", str(by_log_loss.path), str(tmp_path / "new.csv"), "-o", str(tmp_path / "p.csv")]
    done = CliRunner().invoke(command, arguments)
    assert done.exit_code == 0, done.output
    by_command = pyarrow.csv.read_csv(tmp_path / "p.csv")
    for name in ("p_c0", "p_c1", "p_c2"):
        np.testing.assert_allclose(by_command[name].to_numpy(), rows[name].to_numpy(), rtol=1e-6)
    bare = replace(model_of(by_log_loss), temperature=1.0).predict(new)
    assert bare["prediction"].equals(rows["prediction"])
    assert not np.allclose(bare["p_c0"].to_numpy(), rows["p_c0"].to_numpy(), atol=0.05)


def test_the_diagnosis_in_log_loss_is_of_what_users_get(by_log_loss):
    errors, data = by_log_loss.diagnose().errors, by_log_loss.prepared
    of_model = model_of(by_log_loss).of_arrays
    assert errors.dev.value == pytest.approx(LOG_LOSS.loss(data.dev.target, of_model(data.dev)), rel=1e-6)
    assert errors.train.value == pytest.approx(LOG_LOSS.loss(data.train.target, of_model(data.train)), rel=1e-6)
    assert by_log_loss.network.train_losses.mean() == pytest.approx(errors.train.value)
    assert errors.train.value > untempered(by_log_loss).losses["train"]


def test_the_test_set_is_opened_for_the_same_probabilities(by_log_loss, tmp_path):
    shutil.copytree(by_log_loss.path, tmp_path / "copy.wellfit")
    copied = wf.open_experiment(tmp_path / "copy.wellfit")
    opening = copied.unseal()
    losses = untempered(copied).losses
    # New rows are told apart from dev by chance alone; without the temperature the loss would be far higher.
    assert opening.error.value < (copied.network.losses["dev"] + losses["dev"]) / 2 < losses["dev"]


def test_an_error_stays_while_the_probabilities_change(by_error):
    network, plain = by_error.network, untempered(by_error)
    assert network.temperature > 1.5
    assert network.losses == plain.losses
    np.testing.assert_array_equal(network.train_losses, plain.train_losses)
    target = by_error.prepared.dev.target
    for name in ("error", "balanced_error"):
        assert goal_named(name).loss(target, network.predictions["dev"]) == goal_named(name).loss(
            target, plain.predictions["dev"]
        )
    assert goal_named("auc").loss(target, network.predictions["dev"]) == pytest.approx(
        goal_named("auc").loss(target, plain.predictions["dev"]), abs=1e-4
    )
    assert LOG_LOSS.loss(target, network.predictions["dev"]) < LOG_LOSS.loss(target, plain.predictions["dev"])


def test_it_is_said_in_numbers_and_in_words(by_error):
    body = json.loads(json.dumps(by_error.to_json()))["temperature"]
    assert body["temperature"] == by_error.network.temperature
    assert body["log_loss_honest"] < body["log_loss_before"]
    said = f"A temperature of {body['temperature']:.3g}"
    assert said in " ".join(render_text(by_error.summary()).split())
    assert said in by_error.report().read_text()


def test_the_command_says_it_too(by_error, tmp_path):
    shutil.copytree(by_error.path, tmp_path / "copy.wellfit")
    asked = ["sweep", str(tmp_path / "copy.wellfit"), "--over", "l2=0/1", "--epochs", "20"]
    done = CliRunner().invoke(command, asked)
    assert done.exit_code == 0, done.output
    network = wf.open_experiment(tmp_path / "copy.wellfit").network
    assert (f"A temperature of {network.temperature:.3g}" in done.output) == (network.temperature != 1.0)
    body = json.loads(CliRunner().invoke(command, [*asked, "--json"]).stdout)
    assert body["temperature"]["temperature"] == network.temperature


def test_it_travels_in_plain_values(by_error):
    network = by_error.network
    again = Outcome.from_json(json.loads(json.dumps(network.to_json())), arrays=network.arrays)
    assert again.temperature == network.temperature
    before = {name: value for name, value in network.to_json().items() if name != "temperature"}
    assert Outcome.from_json(before, arrays=network.arrays).temperature == 1.0


def test_a_sweep_tempers_the_average_and_no_member(tmp_path):
    wf.split(noisy(classes=3), target="y", goal="log_loss", out=tmp_path / "e.wellfit")
    experiment = wf.open_experiment(tmp_path / "e.wellfit")
    found = wf.sweep(experiment, SURE, over=OVER, ensemble=True)
    network = experiment.network
    assert network.temperature != 1.0
    assert all(member.temperature == 1.0 for member in found.members)
    predicted = model_of(experiment).of_arrays(experiment.prepared.dev)
    np.testing.assert_allclose(predicted, network.predictions["dev"], rtol=1e-5)
    known = experiment.entries()
    assert wf.sweep(experiment, SURE, over=OVER, ensemble=True).chosen.identity == found.chosen.identity
    assert sum(entry.kind == "temperature" for entry in experiment.entries()) == sum(
        entry.kind == "temperature" for entry in known
    )


def test_a_run_that_was_killed_about_the_temperature_ends_the_same(tmp_path):
    # One step against bias only: what is regularized or averaged is hardly too sure.
    asked = {"budget": "4000updates", "only": "train_longer"}
    whole = wf.run(noisy(classes=2, rows=500), target="y", goal="log_loss", out=tmp_path / "whole.wellfit", **asked)
    assert whole.network.temperature != 1.0
    with open_journal(whole.folder.journal, read_only=True) as journal:
        (place,) = [entry.seq for entry in journal.entries("temperature")]
    for last in (place - 1, place):
        shutil.copytree(whole.path, tmp_path / f"{last}.wellfit")
        with sqlite3.connect(tmp_path / f"{last}.wellfit" / "journal.sqlite") as connection:
            connection.execute("DELETE FROM entries WHERE seq > ?", (last,))
        again = wf.run(tmp_path / f"{last}.wellfit", **asked)
        assert again.network.temperature == whole.network.temperature
        assert _stable(again.to_json()) == _stable(whole.to_json())
        assert again.diagnose().to_json() == whole.diagnose().to_json()


def test_the_last_diagnosis_of_a_run_is_of_the_tempered_network(tmp_path):
    found = wf.run(noisy(classes=2, rows=500), target="y", goal="log_loss", budget=BUDGET, out=tmp_path / "e.wellfit")
    assert found.to_json()["errors"]["dev"]["value"] == pytest.approx(found.network.losses["dev"])
    assert found.to_json()["errors"] == json.loads(json.dumps(found.diagnose().to_json()["errors"]))


def _stable(body):
    return {name: value for name, value in body.items() if name not in ("seconds", "time", "experiment", "report")}


def test_damaged_probabilities_are_never_half_used(by_error, tmp_path):
    shutil.copytree(by_error.path, tmp_path / "copy.wellfit")
    copied = wf.open_experiment(tmp_path / "copy.wellfit")
    expected = copied.network
    (path,) = copied.folder.models.glob("*-tempered.safetensors")
    path.write_bytes(b"nothing")
    with pytest.raises(wf.Refusal, match="trained network"):
        copied.predict(noisy(classes=2, rows=5).drop_columns(["y"]))
    wf.train(copied, SURE)
    assert copied.network.temperature == expected.temperature
    np.testing.assert_array_equal(copied.network.predictions["dev"], expected.predictions["dev"])


def test_a_regression_has_no_temperature(tmp_path):
    x = np.random.default_rng(0).normal(size=(200, 2))
    wf.split(pa.table({"a": x[:, 0], "y": x[:, 1]}), target="y", out=tmp_path / "e.wellfit")
    experiment = wf.open_experiment(tmp_path / "e.wellfit")
    wf.train(experiment, replace(SURE, optimization=Optimization(epochs=2)))
    assert experiment.network.temperature == 1.0
    assert experiment.to_json()["temperature"] is None
