"""Export for other runtimes: ONNX (onnxruntime and the like) and PyTorch's own `.pt2`, transforms inside."""

from __future__ import annotations

import io
import json
import logging
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path

import torch

from wellfit._files import write_whole
from wellfit.exceptions import BadInput
from wellfit.travel.folder import save_model
from wellfit.travel.graph import INPUTS, Graph, transforms_of
from wellfit.travel.model import Model

FORMATS = ("folder", "onnx", "pt2")
_TRIED_ROWS = 2
TRANSFORMS = ".transforms.json"
"""Written beside an exported graph: how to fill its inputs, and how to read its output."""


def export_model(model: Model, out: Path, *, format: str, card: str = "") -> list[Path]:  # noqa: A002
    """Write a model in one of the formats.

    Args:
        model: transforms and networks.
        out: a new folder, or the file of the graph; beside a graph `<out>.transforms.json` is written.
        format: "folder" (safetensors and JSON, for wellfit), "onnx" or "pt2".
        card: the model card, kept in a folder.

    Returns:
        What was written.

    Raises:
        BadInput: an unknown format, something that exists, or a missing extra.
        NoRoom: the disk is full.
    """
    if format not in FORMATS:
        raise BadInput(f"format is one of {', '.join(FORMATS)}", found=repr(format), remedy="Choose one of them")
    if model.preparation.schema.picture and format != "folder":
        raise BadInput("pictures are exported as a folder", found=f"format={format!r}", remedy="Leave the format out")
    if format == "folder":
        save_model(model, out, card=card)
        return [out]
    described = out.with_name(out.name + TRANSFORMS)
    for path in (out, described):
        if path.exists():
            raise BadInput("an export overwrites nothing", found=f"{path} exists", remedy="Name another file")
    graph = _WRITERS[format](Graph(model).eval())
    text = json.dumps(transforms_of(model.preparation), indent=1)
    write_whole(out, lambda file: file.write(graph))
    write_whole(described, lambda file: file.write(text.encode()))
    return [out, described]


def _rows(graph: Graph) -> tuple[torch.Tensor, torch.Tensor]:
    """Made-up rows, by which the graph is traced."""
    numbers, codes = graph.columns
    return torch.zeros(_TRIED_ROWS, numbers, dtype=torch.float64), torch.zeros(_TRIED_ROWS, codes, dtype=torch.int64)


def _onnx(graph: Graph) -> bytes:
    try:
        import onnxscript  # noqa: F401 - torch needs it, and says so less clearly
    except ImportError as error:
        raise BadInput(
            "an ONNX export needs the extra `onnx`", found=str(error), remedy="pip install 'wellfit[onnx]'"
        ) from error
    output = "probabilities" if graph.classifies else "values"
    # torch's exporter tells about its own work.
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            graph,
            _rows(graph),
            dynamo=True,
            input_names=list(INPUTS),
            output_names=[output],
            dynamic_shapes=_any_rows(),
            verbose=False,
        )
    if program is None:
        raise RuntimeError("torch.onnx.export returned nothing")
    return bytes(program.model_proto.SerializeToString())


def _pt2(graph: Graph) -> bytes:
    program = torch.export.export(graph, _rows(graph), dynamic_shapes=_any_rows())
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # Bin edges are views of one array, which torch stores once.
        warnings.filterwarnings("ignore", message="No complete tensor found")
        torch.export.save(program, buffer)
    return buffer.getvalue()


def _any_rows() -> dict[str, dict[int, torch.export.Dim]]:
    rows = torch.export.Dim("rows", min=1)
    return {name: {0: rows} for name in INPUTS}


_WRITERS: Mapping[str, Callable[[Graph], bytes]] = {"onnx": _onnx, "pt2": _pt2}
