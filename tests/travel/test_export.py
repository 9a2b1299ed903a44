"""Exported graphs predict what wellfit predicts, in a process that cannot import wellfit."""

from __future__ import annotations

import datetime as dt
import json
import math
import subprocess
import sys

import numpy as np
import pytest

from wellfit.exceptions import BadInput
from wellfit.travel.export import TRANSFORMS, export_model

pytest.importorskip("onnxruntime")
FOREIGN = {
    "onnx": """
import onnxruntime
session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
known = {each.name for each in session.get_inputs()}
found = session.run(None, {name: value for name, value in inputs.items() if name in known})[0]
""",
    "pt2": """
import torch
graph = torch.export.load(path).module()
found = graph(*(torch.from_numpy(inputs[name]) for name in ("numbers", "codes"))).detach().numpy()
""",
}
AROUND = """
import sys, numpy as np
sys.modules["wellfit"] = None  # importing it would fail
path, rows, out = sys.argv[1:]
inputs = dict(np.load(rows))
{program}
np.save(out, found)
"""
TURNS = {"month": 12, "weekday": 7, "hour": 24}


def inputs_of(described, table):
    """The two inputs, as somebody without wellfit would make them from `<out>.transforms.json`."""
    columns = {name: table.column(name).to_pylist() for name in table.column_names}
    numbers = [[_number(one, value) for value in columns[one["column"]]] for one in described["numbers"]]
    codes = [
        [
            one["missing"] if value is None else one["levels"].get(_text(value), one["unseen"])
            for value in columns[one["column"]]
        ]
        for one in described["codes"]
    ]
    return {"numbers": np.array(numbers, np.float64).T, "codes": np.array(codes, np.int64).T}


def _text(value):
    return str(value).lower() if isinstance(value, bool) else str(value)


def _number(one, value):
    if value is None:
        return math.nan
    if one["kind"] != "date":
        return float(value)
    if one["part"] == "value":
        return (value - dt.datetime(1970, 1, 1)) / dt.timedelta(days=1)
    turn, _, wave = one["part"].partition("_")
    place = {"month": value.month, "weekday": value.weekday(), "hour": value.hour}[turn]
    return getattr(math, wave)(2 * math.pi * place / TURNS[turn])


@pytest.mark.parametrize("kind", FOREIGN)
def test_a_foreign_process_predicts_the_same(kind, model, new, tmp_path):
    out, described = export_model(model, tmp_path / f"model.{kind}", format=kind)
    inputs = inputs_of(json.loads(described.read_text())["inputs"], new)
    np.savez(tmp_path / "rows.npz", **inputs)
    code = AROUND.format(program=FOREIGN[kind])
    arguments = [str(out), str(tmp_path / "rows.npz"), str(tmp_path / "found.npy")]
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    expected = model.of_arrays(model.preparation.transform(new, with_target=False))
    np.testing.assert_allclose(np.load(tmp_path / "found.npy"), expected, atol=1e-5, rtol=1e-5)


def test_what_cannot_be_exported_is_refused(model, tmp_path):
    with pytest.raises(BadInput, match="format"):
        export_model(model, tmp_path / "m", format="keras")
    (tmp_path / f"m.pt2{TRANSFORMS}").touch()
    with pytest.raises(BadInput, match="exists"):
        export_model(model, tmp_path / "m.pt2", format="pt2")
    assert not (tmp_path / "m.pt2").exists()
