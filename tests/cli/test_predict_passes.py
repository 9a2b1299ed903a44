"""`wellfit predict --passes N`: Monte-Carlo dropout from the command line, from Python, and of a saved model."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pytest

import wellfit as wf
from wellfit.records.config import Config, Network, Optimization, Regularization
from wellfit.stats.calibration import tempered
from wellfit.training.monte_carlo import predict_often

KEEPS = {"dropout": 0.6, "plain": 1.0}


def rows_of(task: str) -> pa.Table:
    rng = np.random.default_rng(3)
    columns = {"a": rng.normal(size=300), "b": rng.normal(size=300)}
    value = columns["a"] - columns["b"] ** 2
    return pa.table({**columns, "y": value if task == "regression" else np.where(value > -1, "yes", "no")})


@pytest.fixture(scope="module", params=["classification", "regression"])
def made(request, tmp_path_factory):
    """The rows, and an experiment with dropout and one without."""
    folder = tmp_path_factory.mktemp(request.param)
    pa.csv.write_csv(rows_of(request.param), folder / "rows.csv")
    for name, keep_prob in KEEPS.items():
        wf.split(folder / "rows.csv", target="y", out=folder / name)
        config = Config(
            network=Network(widths=(16,)),
            optimization=Optimization(epochs=3, batch_size=32),
            regularization=Regularization(keep_prob=keep_prob),
        )
        wf.train(folder / name, config)
    return folder


def test_the_file_holds_the_mean_of_the_passes(run, made, tmp_path):
    ran = run("predict", made / "dropout", made / "rows.csv", "-o", tmp_path / "p.csv", "--passes", "5", "--json")
    assert (ran.json["rows"], ran.json["passes"]) == (300, 5)
    assert ran.json["seconds"] > 0
    experiment = wf.open_experiment(made / "dropout")
    (part,), preparation = experiment.parts, experiment.prepared.preparation
    arrays = preparation.transform(pa.csv.read_csv(made / "rows.csv"), with_target=False)
    expected, _ = predict_often(preparation, part.config, part.state, passes=5)(arrays)
    written = pa.csv.read_csv(tmp_path / "p.csv")
    single = experiment.predict(made / "rows.csv")
    assert written.column_names == single.column_names
    if expected.ndim == 1:
        np.testing.assert_allclose(written["prediction"].to_numpy(), expected, rtol=1e-12)
        return
    expected = tempered(expected, experiment.network.temperature)
    np.testing.assert_allclose(written["p_yes"].to_numpy(), expected[:, 1], rtol=1e-12)
    assert written["prediction"].to_pylist() == [("no", "yes")[code] for code in expected.argmax(axis=1)]


def test_the_same_command_writes_the_same_file_and_other_passes_another(run, made, tmp_path):
    for name, passes in (("first", 4), ("again", 4), ("more", 6), ("single", 1)):
        told = run("predict", made / "dropout", made / "rows.csv", "-o", tmp_path / f"{name}.csv", "--passes", passes)
        assert ("each averaged over" in told.out) == (passes > 1)
    first, again, more, single = (
        (tmp_path / f"{name}.csv").read_bytes() for name in ("first", "again", "more", "single")
    )
    assert first == again
    assert len({first, more, single}) == 3


def test_a_saved_model_makes_the_same_passes(made, tmp_path):
    wf.export(made / "dropout", tmp_path / "model")
    expected = wf.predict(made / "dropout", made / "rows.csv", passes=3)
    assert wf.predict(tmp_path / "model", made / "rows.csv", passes=3).equals(expected)


@pytest.mark.parametrize(
    ("name", "passes", "says"),
    [("dropout", 0, "passes must be 1 or more"), ("dropout", -2, "-2"), ("plain", 30, "keep_prob 1 in every layer")],
)
def test_passes_that_cannot_be_are_refused(run, made, tmp_path, name, passes, says):
    out = tmp_path / "p.csv"
    run("predict", made / name, made / "rows.csv", "-o", out, "--passes", passes).assert_refused(says)
    assert not out.exists()
