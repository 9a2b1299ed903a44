"""Exported networks of pictures predict from 8-bit pixels what wellfit predicts, where wellfit cannot be imported."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
from picture_cases import squares, write_folder

import wellfit as wf
from wellfit.data.pictures.listing import PICTURE
from wellfit.data.pictures.read import read_pictures
from wellfit.data.pictures.schema import pixels_of
from wellfit.exceptions import BadInput
from wellfit.travel.export import TRANSFORMS

pytest.importorskip("onnxruntime")
FOREIGN = {
    "onnx": """
import onnxruntime
session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
found = session.run(None, {"pixels": pixels})[0]
""",
    "pt2": """
import torch
found = torch.export.load(path).module()(torch.from_numpy(pixels)).detach().numpy()
""",
}
AROUND = """
import sys, numpy as np
sys.modules["wellfit"] = None  # importing it would fail
path, given, out = sys.argv[1:]
pixels = np.load(given)
{program}
np.save(out, found)
"""


@pytest.fixture(scope="module", params=[1, 3], ids=["grey", "colour"])
def trained(request, tmp_path_factory):
    """An experiment on pictures of 14 x 14, of which the folder `new` holds some."""
    place = tmp_path_factory.mktemp("export")
    root = write_folder(place / "data", squares(120, side=14, channels=request.param))
    write_folder(place / "new", squares(9, side=14, channels=request.param, seed=1))
    experiment = wf.run(root, budget="200updates", out=place / "e", ensemble=False)
    return experiment, place / "new"


@pytest.mark.parametrize("kind", FOREIGN)
@pytest.mark.parametrize("rows", [9, 1])
def test_a_graph_predicts_what_wellfit_predicts(trained, tmp_path, kind, rows):
    experiment, new = trained
    out = tmp_path / f"model.{kind}"
    wf.export(experiment, out, format=kind)
    shape = experiment.split.schema.picture
    table, _ = read_pictures(new, shape=shape, labelled=False)
    np.save(tmp_path / "pixels.npy", pixels_of(table.frame.column(PICTURE), shape)[:rows])
    program = AROUND.format(program=FOREIGN[kind])
    command = [sys.executable, "-c", program, out, tmp_path / "pixels.npy", tmp_path / "found.npy"]
    subprocess.run(list(map(str, command)), check=True)
    expected = experiment.predict(new)
    classes = [expected.column(f"p_{name}").to_numpy()[:rows] for name in experiment.split.schema.classes]
    np.testing.assert_allclose(np.load(tmp_path / "found.npy"), np.stack(classes, axis=1), atol=1e-5)


def test_the_way_from_a_file_to_the_graph_is_described(trained, tmp_path):
    experiment, _ = trained
    _, described = wf.export(experiment, tmp_path / "m.onnx", format="onnx")
    assert described.name == "m.onnx" + TRANSFORMS
    body = json.loads(described.read_text())
    height, width, channels = experiment.split.schema.picture
    assert body["inputs"]["pixels"]["shape"] == ["N", height, width, channels]
    assert body["output"]["classes"] == ["dark", "light"]


def test_an_export_overwrites_nothing(trained, tmp_path):
    experiment, _ = trained
    (tmp_path / "m.pt2").write_text("mine")
    with pytest.raises(BadInput, match="must not overwrite"):
        wf.export(experiment, tmp_path / "m.pt2", format="pt2")
    assert (tmp_path / "m.pt2").read_text() == "mine"
