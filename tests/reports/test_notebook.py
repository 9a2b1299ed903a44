"""What a notebook shows: static, small, escaped, and nothing computed."""

from __future__ import annotations

import re
import sys
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

import wellfit as wf
from wellfit.reports.show import MOST_BYTES, diagnosis_bundle

CONFIG = wf.Config(network=wf.Network(widths=(4,), embedding="none"), optimization=wf.Optimization(epochs=1))


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 2))
    frame = pa.table({"a": x[:, 0], "b": x[:, 1], "y": np.where(x[:, 0] > 0, "yes", "no")})
    split = wf.split(frame, target="y")
    over = {"l2": [0.0, 1.0, 10.0], "keep_prob": [0.5, 1.0]}
    return {
        "diagnosis": wf.diagnose_errors(train=0.02, dev=0.11, human_error=0.01, train_rows=5_000, dev_rows=1_000),
        "sweep over two knobs": wf.sweep(split, CONFIG, over=over),
        "sweep over lambda": wf.sweep(split, CONFIG, over={"l2": [0.0, 1.0, 10.0]}),
        "experiment": wf.run(frame, target="y", budget="60updates", out=tmp_path_factory.mktemp("n") / "e.wellfit"),
    }


KINDS = ["diagnosis", "sweep over two knobs", "sweep over lambda", "experiment"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_result_has_its_text_and_one_static_drawing(kind, results):
    found = results[kind]._repr_mimebundle_()
    assert found["text/plain"] == str(results[kind])
    page = found["text/html"]
    assert page.count("<svg") == page.count("</svg>") == 1
    assert "<script" not in page
    assert "http://" not in page.replace("http://www.w3.org/2000/svg", "")
    assert len(page.encode()) <= MOST_BYTES


COMPUTING = (
    *("torch", "sklearn", "scipy", "wellfit.fused", "wellfit.sweeps.executor"),
    *(f"wellfit.training.{name}" for name in ("loop", "network", "predict", "references", "tensors")),
)


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_computed(kind, results):
    """No function of what trains, predicts or tests is called."""
    called = set()
    sys.setprofile(lambda frame, *_: called.add(frame.f_globals.get("__name__", "")))
    try:
        results[kind]._repr_mimebundle_()
    finally:
        sys.setprofile(None)
    assert "wellfit.reports.show" in called
    assert [name for name in called if name.startswith(COMPUTING)] == []


def test_two_drawings_on_one_page_share_no_id(results):
    pages = [results[kind]._repr_mimebundle_()["text/html"] for kind in KINDS]
    ids = [name for page in pages for name in re.findall(r'id="([^"]+)"', page)]
    assert len(ids) == len(set(ids)) > 0


def test_a_strangers_words_stay_text(results):
    finding = replace(
        results["diagnosis"].findings[0], code="WF206", status="fired", title="<img src=x onerror=alert(1)>"
    )
    found = diagnosis_bundle(replace(results["diagnosis"], findings=(finding,)), plain="<b>")
    assert "<img" not in found["text/html"]


def test_a_heavy_drawing_gives_way_to_the_text(results):
    finding = replace(results["diagnosis"].findings[0], code="WF206", status="fired", title="x" * MOST_BYTES)
    found = diagnosis_bundle(replace(results["diagnosis"], findings=(finding,)), plain="<the text>")
    assert "<svg" not in found["text/html"]
    assert "&lt;the text&gt;" in found["text/html"]
