"""Arguments that are wrong in ways that happen: answered before anything is trained, with what was probably meant."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

import wellfit as wf

MISSPELT = {
    "run": (lambda: wf.run("absent.csv", target="y", bugdet="10m"), "budget"),
    "run, an option of the split": (lambda: wf.run("absent.csv", target="y", grup_on="a"), "group_on"),
    "split": (lambda: wf.split("absent.csv", taget="y"), "target"),
    "sweep": (lambda: wf.sweep("absent.wellfit", membres=3), "members"),
    "numbers": (lambda: wf.diagnose_errors(train=0.1, dev=0.2, humn_error=0.1), "human_error"),
    "sizes": (lambda: wf.rows_for_margin(eror=0.1, margin=0.01), "error"),
}


@pytest.mark.parametrize("name", MISSPELT)
def test_a_misspelt_name_is_answered_with_the_nearest_one(name):
    call, meant = MISSPELT[name]
    with pytest.raises(wf.BadInput, match=f"Did you mean '?{meant}"):
        call()


def test_a_human_error_of_one_is_asked_about():
    with pytest.raises(wf.BadInput, match=r"100%.*Write 1% as \.01"):
        wf.diagnose_errors(train=0.1, dev=0.2, human_error=1)
    wf.diagnose_errors(goal="auc", train=0.9, dev=0.8, human_error=1)


LABELS = np.array([0, 1, 1, 0, 1, 0])
SURE = np.array([0.2, 0.9, 0.6, 0.4, 0.8, 0.1])
SWAPPED = {
    "one probability a row": (SURE, LABELS),
    "probabilities in columns": (np.stack([1 - SURE, SURE], axis=1), LABELS),
    "names": (SURE, np.where(LABELS, "yes", "no")),
}


@pytest.mark.parametrize("name", SWAPPED)
def test_predictions_before_labels_are_refused(name):
    with pytest.raises(wf.BadInput, match="Swap the two"):
        wf.diagnose_predictions(train=SWAPPED[name], dev=SWAPPED[name])
    target, prediction = SWAPPED[name][1], SWAPPED[name][0]
    wf.diagnose_predictions(train=(target, prediction), dev=(target, prediction))


@pytest.fixture(scope="module")
def split():
    x = np.random.default_rng(0).normal(size=(80, 2))
    return wf.split(pa.table({"a": x[:, 0], "b": x[:, 1], "y": np.where(x[:, 0] > 0, "yes", "no")}), target="y")


@pytest.mark.parametrize("over", [("lambda",), "lambda", {"lambda": [0.0, 1.0]}])
def test_lambda_may_be_called_lambda(split, over):
    config = wf.Config(network=wf.Network(widths=(4,)), optimization=wf.Optimization(epochs=1))
    found = wf.sweep(split, config, over=over, members=2)
    assert list(found.over) == ["l2"]


def test_results_have_a_short_repr_and_their_table(split):
    config = wf.Config(network=wf.Network(widths=(4,)), optimization=wf.Optimization(epochs=1))
    swept = wf.sweep(split, config, over={"l2": [0.0, 1.0]})
    found = wf.diagnose_errors(train=0.1, dev=0.2, dev_rows=1_000)
    for result in (config, swept, found):
        assert len(repr(result)) <= 200
        assert "\n" not in repr(result)
    assert repr(found) == "Diagnosis(error: train 10.0%, dev 20.0%; avoidable bias: cannot tell; variance: yes)"
    assert swept.to_frame().column("l2").to_pylist() == [0.0, 1.0]
    assert found.to_frame().column("code").to_pylist() == [each.code for each in found.findings]
