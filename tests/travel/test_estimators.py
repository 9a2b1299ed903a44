"""An estimator travels as its network does: the folder and the graph predict what it predicts."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.datasets import load_diabetes, load_iris
from sklearn.exceptions import NotFittedError

import wellfit as wf
from wellfit.exceptions import BadInput
from wellfit.travel.export import model_of_estimator

SMALL = {"widths": (8,), "epochs": 4, "random_state": 0}
CLOSE = {"rtol": 1e-5, "atol": 1e-5}


def as_table(X):
    return pa.table({f"x{place}": column for place, column in enumerate(X.T)})


@pytest.mark.parametrize("kind", [wf.NetClassifier, wf.NetClassifierCV])
def test_a_classifier_of_integers_travels(kind, tmp_path):
    X, y = load_iris(return_X_y=True)
    fitted = kind(**SMALL, **({"cv": 2, "members": 2} if kind is wf.NetClassifierCV else {})).fit(X, 5 * y)
    assert wf.export(fitted, tmp_path / "m") == [tmp_path / "m"]
    found = wf.load_model(tmp_path / "m").predict(as_table(X))
    assert found.column_names == ["prediction", "p_0", "p_5", "p_10"]
    np.testing.assert_allclose(np.column_stack(found.columns[1:]), fitted.predict_proba(X), **CLOSE)
    assert found["prediction"].type == pa.int64()
    assert set(found["prediction"].to_pylist()) <= {0, 5, 10}
    card = (tmp_path / "m" / "README.md").read_text()
    assert kind.__name__ in card
    assert ("95% interval" in card) == (kind is wf.NetClassifierCV)


def test_categories_travel_with_the_transforms(tmp_path):
    town, size = ["Bonn", "Kiel", "Ulm"] * 40, np.linspace(-1, 1, 120)
    table = pa.table({"town": town, "y": size})
    fitted = wf.NetClassifier(**SMALL).fit(table, [str(name == "Kiel") for name in town])
    wf.export(fitted, tmp_path / "m")
    model = wf.load_model(tmp_path / "m")
    assert model.preparation.schema.target == "y_"
    found = model.predict(table)
    assert found["prediction"].to_pylist() == fitted.predict(table).tolist()
    np.testing.assert_allclose(found["p_True"], fitted.predict_proba(table)[:, 1], **CLOSE)


def test_a_regressor_travels_in_the_unit_of_its_target(tmp_path):
    X, y = load_diabetes(return_X_y=True)
    fitted = wf.NetRegressor(**SMALL).fit(X, y)
    wf.export(fitted, tmp_path / "m")
    found = wf.load_model(tmp_path / "m").predict(as_table(X))["prediction"]
    np.testing.assert_allclose(found, fitted.predict(X), **CLOSE)


def test_a_graph_of_an_estimator_is_that_of_its_network(tmp_path):
    session = pytest.importorskip("onnxruntime").InferenceSession
    X, y = load_iris(return_X_y=True)
    fitted = wf.NetClassifier(**SMALL).fit(X, y)
    graph, _ = wf.export(fitted, tmp_path / "m.onnx", format="onnx")
    inputs = {"numbers": X, "codes": np.empty((len(X), 0), np.int64)}
    found = session(str(graph), providers=["CPUExecutionProvider"]).run(None, inputs)[0]
    np.testing.assert_allclose(found, fitted.predict_proba(X), **CLOSE)


def test_what_cannot_travel_is_refused(tmp_path):
    X, y = load_diabetes(return_X_y=True)
    with pytest.raises(NotFittedError):
        model_of_estimator(wf.NetRegressor())
    several = wf.NetRegressor(**SMALL).fit(X, np.column_stack([y, y]))
    with pytest.raises(BadInput, match="2 targets"):
        wf.export(several, tmp_path / "m")


def test_columns_of_numbers_keep_their_names(tmp_path):
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(80, 2)), columns=["age", "height"])
    network = wf.NetClassifier(epochs=3, random_state=0).fit(frame, frame["age"] > 0)
    wf.export(network, tmp_path / "model")
    told = wf.load_model(tmp_path / "model").predict(frame)
    np.testing.assert_allclose(np.asarray(told["p_True"]), network.predict_proba(frame)[:, 1], atol=1e-6)
