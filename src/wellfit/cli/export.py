"""`wellfit export`: the model without its experiment."""

from __future__ import annotations

from pathlib import Path

import click

from wellfit.cli.session import Session
from wellfit.cli.stage import FILE, stage


@stage(
    examples="""
  wellfit export churn.wellfit -o churn-model
  wellfit export churn.wellfit --format onnx -o churn.onnx
  wellfit predict churn-model new_customers.csv -o predicted.csv
"""
)
@click.argument("experiment", type=FILE)
@click.option(
    "--format",
    "kind",
    type=click.Choice(["folder", "onnx", "pt2"]),
    default="folder",
    show_default=True,
    help="A folder for wellfit (safetensors, JSON, model card), or a graph with the transforms inside.",
)
@click.option("-o", "--out", type=FILE, required=True, metavar="OUT", help="New folder, or file of the graph.")
def command(*, session: Session, experiment: Path, kind: str, out: Path) -> None:
    """Write the model of EXPERIMENT to OUT.

    A graph takes raw numbers and category codes; OUT.transforms.json says which, and what the output means.
    """
    import wellfit as wf

    written = wf.export(experiment, out, format=kind)
    body = {"schema": 1, "format": kind, "written": [str(path) for path in written]}
    session.result(body, text="\n".join(map(str, written)))
