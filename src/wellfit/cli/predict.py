"""`wellfit predict` and `wellfit export`: predictions for new rows with the best network, here or elsewhere."""

from __future__ import annotations

import time
from pathlib import Path

import click

from wellfit.cli.options import format_options, given
from wellfit.cli.session import Session
from wellfit.cli.stage import FILE, stage


@stage(
    examples="\n  wellfit predict churn.wellfit new_customers.csv -o predicted.csv\n"
    "  wellfit predict cats.wellfit phones/ -o predicted.csv --views 8\n"
)
@click.argument("experiment", type=FILE)
@click.argument("new", type=FILE)
@click.option(
    "-o", "--out", type=FILE, required=True, metavar="OUT", help="File to write, with the extension .csv or .parquet."
)
@click.option(
    "--views",
    type=int,
    default=1,
    show_default=True,
    metavar="N",
    help="Average over N changed views of each picture; this takes more than N times as long.",
)
@click.option(
    "--passes",
    type=int,
    default=1,
    show_default=True,
    metavar="N",
    help="Use Monte-Carlo dropout: average over N passes with dropout on; this takes about N times as long.",
)
@format_options
def predict(
    *, session: Session, experiment: Path, new: Path, out: Path, views: int, passes: int, **csv_format: str | None
) -> None:
    """Write prediction (and p_<class>) for every row of NEW to OUT, in the same order.

    NEW is a table. For pictures, it is a folder, a table of paths, or .npz arrays, and OUT also names each file.

    Rows pass through the transforms that were fit on train. A warning tells you if NEW does not look like train.
    """
    import wellfit as wf

    began = time.monotonic()
    rows = wf.predict(experiment, new, out=out, views=views, passes=passes, **given(csv_format))
    body = {"schema": 1, "out": str(out), "rows": rows}
    asked = {name: count for name, count in (("views", views), ("passes", passes)) if count > 1}
    if not asked:
        session.result(body, text=f"Wrote {rows:,} predictions to {out}")
        return
    seconds = time.monotonic() - began
    each = " in ".join(f"{count} {name}" for name, count in asked.items())
    text = f"Wrote {rows:,} predictions to {out}, each averaged over {each}, in {seconds:.1f} s"
    session.result({**body, **asked, "seconds": seconds}, text=text)


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
    help="Format: a folder for wellfit (safetensors, JSON, model card), or a graph that contains the transforms.",
)
@click.option("-o", "--out", type=FILE, required=True, metavar="OUT", help="New folder, or file for the graph.")
def export(*, session: Session, experiment: Path, kind: str, out: Path) -> None:
    """Write the model of EXPERIMENT to OUT.

    A graph takes raw numbers and category codes; OUT.transforms.json lists them, and explains the output.
    """
    import wellfit as wf

    written = wf.export(experiment, out, format=kind)
    body = {"schema": 1, "format": kind, "written": [str(path) for path in written]}
    session.result(body, text="\n".join(map(str, written)))
