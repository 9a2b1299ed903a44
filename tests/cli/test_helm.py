"""`run` with fixed knobs and branches, and `compare`, as typed on the command line."""

from __future__ import annotations

import json

import pyarrow as pa
import pyarrow.csv
import pytest
from sklearn.datasets import load_iris

from wellfit.records.config import Config


@pytest.fixture
def iris(tmp_path):
    """A small table."""
    bunch = load_iris()
    columns = {name.split(" (")[0].replace(" ", "_"): bunch.data[:, i] for i, name in enumerate(bunch.feature_names)}
    species = [str(bunch.target_names[code]) for code in bunch.target]
    pa.csv.write_csv(pa.table({**columns, "species": species}), tmp_path / "iris.csv")
    return tmp_path / "iris.csv"


def _run(run, iris, *more: object):
    return run("run", iris, "--target", "species", "--budget", "600updates", "--quiet", "--json", *more)


def test_a_run_is_fixed_by_its_file_branched_and_compared(run, iris, tmp_path):
    (tmp_path / "knobs.toml").write_text("[optimization]\nlr = 0.004\n[regularization]\nkeep_prob = 0.9\n")
    made = _run(run, iris, "--config", "knobs.toml", "--out", "iris.wellfit")
    assert made.code == 0, made.err
    assert made.json["best"]["optimization"]["lr"] == 0.004
    assert made.json["best"]["regularization"]["keep_prob"] == 0.9
    # A step with a ceiling of 0 foretells nothing.
    foretelling = [step for step in made.json["steps"] if step["expected_low"] < step["expected_high"]]
    assert made.json["foretold"]["inside"] <= made.json["foretold"]["steps"] == len(foretelling)
    assert made.json["stop"]

    branch = ("run", "iris.wellfit", "--branch", "0", "--only", "better_optimizer", "--idea", "another rate")
    asked = (*branch, "--budget", "20000updates", "--quiet", "--json")
    run(*asked).assert_refused("with keep_prob, lr fixed", "an empty [network]")
    (tmp_path / "free.toml").write_text("[network]\n")
    branched = run(*asked, "--config", "free.toml")
    assert branched.code == 0, branched.err
    (step,) = branched.json["steps"]
    assert (step["kind"], step["idea"], step["locked"]) == ("better_optimizer", "another rate", "regularization")
    assert step["expected_low"] <= step["expected"] <= step["expected_high"]
    assert step["cost"] > 0

    compared = run("compare", "iris.wellfit@0", "iris.wellfit", "--json")
    assert compared.code == 0, compared.err
    assert compared.json["a"] == "iris.wellfit@0"
    assert compared.json["difference"]["low"] <= compared.json["difference"]["high"]
    assert "paired on" in run("compare", "iris.wellfit@0", "iris.wellfit").out


def _toml(knobs: dict[str, object]) -> str:
    """TOML has no null: a knob without a value is left out."""
    return "\n".join(f"{name} = {json.dumps(value)}" for name, value in knobs.items() if value is not None)


def test_locks_that_contradict_each_other_are_refused(run, iris, tmp_path):
    (tmp_path / "knobs.toml").write_text("[optimization]\nearly_stopping = 4\n")
    _run(run, iris, "--config", "knobs.toml").assert_refused("early stopping", "--allow-early-stopping")
    (tmp_path / "knobs.toml").write_text("[optimization]\nrate = 4\n")
    _run(run, iris, "--config", "knobs.toml").assert_refused("rate", "[optimization]")
    assert not (tmp_path / "iris.wellfit").exists()


def test_a_run_with_every_knob_fixed_is_refused(run, iris, tmp_path):
    boards = {board: vars(getattr(Config(), board)) for board in ("network", "optimization", "regularization")}
    tables = [f"[{board}]\n{_toml(knobs)}" for board, knobs in boards.items()]
    (tmp_path / "knobs.toml").write_text("\n".join(tables))
    _run(run, iris, "--config", "knobs.toml").assert_refused("every knob of both boards is fixed", "Free some")
    assert not (tmp_path / "iris.wellfit").exists()


@pytest.mark.parametrize(
    ("budget", "parts"),
    [
        pytest.param("1updates", ("one epoch", "1 updates", "at least 3updates"), id="updates"),
        pytest.param("0.001s", ("to train one network", "nothing left of 0.0 s", "of at least"), id="seconds"),
    ],
)
def test_a_budget_too_small_for_the_first_network_says_what_is_enough(run, iris, budget, parts, tmp_path):
    # A batch that is not fixed would be made larger until an epoch fits.
    (tmp_path / "knobs.toml").write_text("[optimization]\nbatch_size = 32\n")
    asked = ("run", iris, "--target", "species", "--config", "knobs.toml", "--quiet", "--json", "--budget")
    refused = run(*asked, budget)
    refused.assert_refused(*parts)
    again = run(*asked, refused.err.partition("at least ")[2].partition(":")[0])
    assert again.code == 0, again.err


def test_what_cannot_be_compared_is_refused(run, iris):
    assert run("split", iris, "--target", "species", "--out", "a.wellfit").code == 0
    run("compare", "b.wellfit", "a.wellfit").assert_refused("no folder at b.wellfit")
    run("compare", "a.wellfit", "a.wellfit").assert_refused("trained network")
    run("compare", "a.wellfit@3", "a.wellfit").assert_refused("step 3", "none")


def test_a_comparison_of_other_splits_is_void(run, iris):
    for seed in (0, 1):
        assert _run(run, iris, "--seed", seed, "--out", f"{seed}.wellfit").code == 0
    run("compare", "0.wellfit", "1.wellfit").assert_refused("same dev rows", "different dev rows in", "Split once")
