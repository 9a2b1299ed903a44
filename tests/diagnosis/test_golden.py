"""Errors whose verdicts are known by hand, and the examples of docs/methods.md, "Bias and variance"."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from wellfit.diagnosis.diagnosis import diagnose_errors


def _diagnosed(human, train, train_dev, dev, *, rows=10_000):
    percents = {"human_error": human, "train": train, "train_dev": train_dev, "dev": dev}
    rates = {name: value / 100 for name, value in percents.items() if value is not None}
    return diagnose_errors(
        **rates, train_rows=50_000, train_dev_rows=None if train_dev is None else 10_000, dev_rows=rows
    )


def _verdicts(diagnosis):
    return {name: gap.verdict for name, gap in diagnosis.gaps.items() if gap is not None}


GOLDEN = [
    pytest.param((0, 1, None, 11), {"variance"}, id="0-1-11-variance"),
    pytest.param((0, 1, 5, 5), {"variance"}, id="0-1-5-5-variance"),
    pytest.param((0, 10, 11, 12), {"avoidable_bias"}, id="0-10-11-12-bias"),
    pytest.param((0, 10, 11, 20), {"avoidable_bias", "mismatch"}, id="0-10-11-20-bias-and-mismatch"),
    pytest.param((1, 15, None, 16), {"avoidable_bias"}, id="1-15-16-bias"),
    pytest.param((13, 15, None, 16), set(), id="13-15-16-nothing"),
    pytest.param((0, 15, None, 30), {"avoidable_bias", "variance"}, id="0-15-30-both"),
    pytest.param((16, 12, None, 13), set(), id="16-12-13-below-reference"),
]
CODES = {"avoidable_bias": "WF101", "variance": "WF102", "mismatch": "WF301"}


@pytest.mark.parametrize(("rates", "high"), GOLDEN)
def test_the_golden_table(rates, high):
    diagnosis = _diagnosed(*rates)
    expected = {name: "yes" if name in high else "no" for name in _verdicts(diagnosis)}
    assert _verdicts(diagnosis) == expected
    fired = {found.code for found in diagnosis.findings if found.status == "fired"} - {"WF103"}
    assert fired == {CODES[name] for name in high}
    assert {remedy.because for remedy in diagnosis.prescription} == (high or {""})


def test_fifty_dev_rows_cannot_tell():
    diagnosis = _diagnosed(0, 15, None, 20, rows=50)
    assert _verdicts(diagnosis) == {"avoidable_bias": "yes", "variance": "cannot tell"}
    assert diagnosis.gap("variance").rows_needed == 603
    assert next(found for found in diagnosis.findings if found.code == "WF402").status == "fired"
    kinds = [remedy.kind for remedy in diagnosis.prescription]
    assert kinds.index("bigger_network") < kinds.index("regularize") < kinds.index("bigger_dev_set")
    assert "too wide to be sure" in next(remedy for remedy in diagnosis.prescription if remedy.kind == "regularize").why


def test_below_the_reference_nothing_is_negative():
    diagnosis = _diagnosed(16, 12, None, 13)
    bias = diagnosis.gap("avoidable_bias")
    assert (bias.value, bias.low, bias.high, bias.below_reference) == (0, 0, 0, True)
    assert next(found for found in diagnosis.findings if found.code == "WF103").status == "fired"
    assert all(remedy.ceiling >= 0 for remedy in diagnosis.prescription)


def test_the_gaps_add_up_as_in_machine_learning_yearning():
    gaps = _diagnosed(0, 10, 11, 20).gaps
    assert [gaps[name].value for name in ("avoidable_bias", "variance", "mismatch")] == pytest.approx(
        [0.10, 0.01, 0.09]
    )
    assert gaps["variance"].includes_mismatch is False


def test_the_json_of_the_design():
    body = diagnose_errors(train=0.01, dev=0.11, human_error=0.0, train_rows=50_000, dev_rows=1_000).to_json()
    assert json.loads(json.dumps(body, allow_nan=False)) == body
    assert body["errors"]["optimal"] == {"low": 0.0, "high": 0.0, "source": "human", "upper_bound": True}
    assert body["errors"]["train"] == {"value": 0.01, "low": 0.01, "high": 0.01, "rows": 50_000}
    assert body["errors"]["train_dev"] is body["errors"]["test"] is None
    dev = body["errors"]["dev"]
    assert (dev["value"], round(dev["low"], 3), round(dev["high"], 3), dev["rows"]) == (0.11, 0.092, 0.131, 1_000)
    bias, variance = body["gaps"]["avoidable_bias"], body["gaps"]["variance"]
    assert bias == {
        "value": 0.01, "low": 0.01, "high": 0.01, "verdict": "no", "rows_needed": None, "below_reference": False
    }  # fmt: skip
    assert (variance["verdict"], variance["rows_needed"], variance["includes_mismatch"]) == ("yes", None, True)
    assert (round(variance["low"], 3), round(variance["high"], 3)) == (0.082, 0.121)
    assert body["gaps"]["mismatch"] is body["gaps"]["dev_overfit"] is None
    assert (body["schema"], body["goal"], body["tolerance"]) == (1, "error", 0.02)
    found = next(found for found in body["findings"] if found["code"] == "WF102")
    assert (found["title"], found["status"], set(found)) == (
        "high variance", "fired", {"code", "title", "status", "evidence", "remedy"}
    )  # fmt: skip
    remedy = next(remedy for remedy in body["prescription"] if remedy["kind"] == "regularize")
    assert (remedy["board"], remedy["because"], round(remedy["ceiling"], 9)) == ("regularization", "variance", 0.1)


def test_the_diagnosis_needs_no_torch():
    modules = "wellfit.diagnosis.diagnosis, wellfit.diagnosis.table, wellfit.stats.scores, wellfit.stats.sizes"
    code = f"import sys, {modules}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
