"""Export for other runtimes, with transforms included: ONNX (for onnxruntime and the like) and PyTorch's `.pt2`.

The model comes from an experiment, or from a fitted estimator.
"""

from __future__ import annotations

import io
import json
import logging
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted

from wellfit.base.files import whole
from wellfit.data.schema import ClassKind
from wellfit.estimators.net import Net
from wellfit.exceptions import BadInput
from wellfit.experiment.experiment import Experiment
from wellfit.records.goals import default_goal
from wellfit.travel.folder import Model, save_model
from wellfit.travel.graph import INPUTS, PIXELS, Graph, PictureGraph, picture_transforms_of, transforms_of

FORMATS = ("folder", "onnx", "pt2")
_TRIED_ROWS = 2
TRANSFORMS = ".transforms.json"
"""Suffix of the file next to an exported graph that says how to fill its inputs and how to read its output."""


def export_model(model: Model, out: Path, *, format: str, card: str = "") -> list[Path]:  # noqa: A002
    """Write a model as a folder, or as a graph with `<out>.transforms.json` next to it, and return the paths.

    A folder contains safetensors, JSON and the model card, for use by wellfit. Raises BadInput for an unknown format,
    an `out` that exists, or a missing extra.
    """
    if format not in FORMATS:
        raise BadInput(f"format must be one of {', '.join(FORMATS)}", found=repr(format), remedy="Choose one of them")
    if format == "folder":
        save_model(model, out, card=card)
        return [out]
    described = out.with_name(out.name + TRANSFORMS)
    for path in (out, described):
        if path.exists():
            raise BadInput(
                "an export must not overwrite a file", found=f"that {path} exists", remedy="Name another file"
            )
    pictures = model.preparation.schema.picture is not None
    if pictures:
        graph = PictureGraph(model)
        traced = Traced(graph.eval(), {PIXELS: torch.zeros(_TRIED_ROWS, *graph.shape, dtype=torch.uint8)})
    else:
        traced = _of_rows(Graph(model))
    content = _WRITERS[format](traced)
    transforms = picture_transforms_of if pictures else transforms_of
    text = json.dumps(transforms(model.preparation), indent=1)
    # Both get their names at the end: a killed export leaves neither behind, and can be repeated.
    with whole(out) as graph_file, whole(described) as transforms_file:
        graph_file.write(content)
        transforms_file.write(text.encode())
    return [out, described]


@dataclass(frozen=True)
class Traced:
    """A graph, with the made-up inputs for tracing and their names."""

    graph: Graph | PictureGraph
    inputs: Mapping[str, torch.Tensor]

    @property
    def any_rows(self) -> dict[str, dict[int, torch.export.Dim]]:
        """Return the axis of each input that may have any length."""
        rows = torch.export.Dim("rows", min=1)
        return {name: {0: rows} for name in self.inputs}


def _of_rows(graph: Graph) -> Traced:
    numbers, codes = graph.columns
    shapes = ((_TRIED_ROWS, numbers), (_TRIED_ROWS, codes))
    made_up = (torch.zeros(shapes[0], dtype=torch.float64), torch.zeros(shapes[1], dtype=torch.int64))
    return Traced(graph.eval(), dict(zip(INPUTS, made_up, strict=True)))


def _onnx(traced: Traced) -> bytes:
    try:
        import onnxscript  # noqa: F401 - torch needs it, and says so less clearly
    except ImportError as error:
        raise BadInput(
            "an ONNX export must have the extra `onnx`", found=str(error), remedy="pip install 'wellfit[onnx]'"
        ) from error
    output = "probabilities" if traced.graph.classifies else "values"
    # torch's exporter reports on its own work.
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            traced.graph,
            tuple(traced.inputs.values()),
            dynamo=True,
            input_names=list(traced.inputs),
            output_names=[output],
            dynamic_shapes=traced.any_rows,
            verbose=False,
        )
    if program is None:
        raise RuntimeError("torch.onnx.export returned nothing")
    return bytes(program.model_proto.SerializeToString())


def _pt2(traced: Traced) -> bytes:
    program = torch.export.export(traced.graph, tuple(traced.inputs.values()), dynamic_shapes=traced.any_rows)
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # Bin edges are views of one array, which torch stores once.
        warnings.filterwarnings("ignore", message="No complete tensor found")
        torch.export.save(program, buffer)
    return buffer.getvalue()


_WRITERS: Mapping[str, Callable[[Traced], bytes]] = {"onnx": _onnx, "pt2": _pt2}


TARGET = "y"
_CLASS_KINDS: dict[str, ClassKind] = {"i": "integer", "u": "integer", "b": "boolean"}


def model_of_estimator(estimator: Net) -> Model:
    """Return the network of a fitted estimator with its transforms; columns of an array are called x0, x1, ...

    Raises NotFittedError before `fit`, and BadInput for several targets.
    """
    check_is_fitted(estimator, "model_")
    kept = estimator.model_
    preparation = kept.preparation
    if preparation.targets > 1:
        raise BadInput(
            "an exported model must predict a single number or class",
            found=f"{preparation.targets} targets",
            remedy="Fit an estimator for each target, or pickle this one",
        )
    target = TARGET
    while target in preparation.schema.feature_names:
        target += "_"
    schema = replace(preparation.schema, target=target)
    if schema.classes:
        names = tuple(map(str, estimator.classes_.tolist()))
        schema = replace(
            schema, classes=names, class_kind=_CLASS_KINDS.get(np.asarray(estimator.classes_).dtype.kind, "string")
        )
    return Model(default_goal(schema.task), replace(preparation, schema=schema), kept.parts)


def card_of_estimator(estimator: Net) -> str:
    """Describe an estimator: its knobs and, if it searched, its diagnosis."""
    told = [repr(estimator), repr(estimator.config_), str(getattr(estimator, "diagnosis_", ""))]
    blocks = ["\n".join(f"    {line}" for line in text.splitlines()) for text in told if text]
    return "\n\n".join([f"# {type(estimator).__name__}", *blocks]) + "\n"


def model_of(experiment: Experiment) -> Model:
    """Return an experiment's network with its transforms; Refusal if nothing has been trained yet."""
    return Model(experiment.goal, experiment.prepared.preparation, experiment.parts, experiment.network.temperature)
