"""`wellfit split`: divide a table and seal the test set."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from wellfit.cli.options import given, one_or_several, split_options
from wellfit.cli.session import Session
from wellfit.cli.settings import types_of
from wellfit.cli.stage import FILE, stage

if TYPE_CHECKING:
    from wellfit.splits.split import Split


@stage(
    tables=("types",),
    examples="""
  wellfit split churn.csv --target churned --group-on customer
  wellfit split sales.parquet --target price --time-on sold --sizes 70/15/15

The sizes follow from the desired precision ('wellfit size --rows N' shows it). Only 'wellfit unseal' reads the sealed
rows again.
""",
)
@click.argument("data", type=FILE, nargs=-1, required=True, metavar="DATA...")
@split_options
@click.pass_context
def split(ctx: click.Context, /, *, session: Session, data: tuple[Path, ...], out: Path | None, **options: Any) -> None:
    """Divide a table into train, dev and a sealed test set, and make an experiment.

    DATA is a CSV, Parquet or Feather file, compressed or not; several such files with the same columns; or a folder of
    them.
    """
    import wellfit as wf
    from wellfit.experiment.folder import default_path

    source = one_or_several(data)
    folder = out or default_path(source)
    asked = given({**options, "types": types_of(ctx, options["types"])})
    with session.watching() as notify:
        split = wf.split(source, out=folder, **asked, **session.seeded, notify=notify)
    about = split.to_json()
    body = {"schema": 1, "experiment": str(folder), "columns": about.pop("schema"), **about}
    session.result(body, text=_text(split, folder))


def _text(split: Split, folder: Path) -> str:
    from wellfit.data.telling import told

    parts = ", ".join(f"{part.replace('_', '-')} {rows:,}" for part, rows in split.rows.items())
    return "\n".join(
        [
            f"{parts}. The test set is sealed ({split.seal.sha256[:12]}).",
            split.policy,
            str(split.precision["sentence"]),
            *told(split.schema, split.written, unlabelled=split.unlabelled),
            f"Experiment: {folder}. Next: wellfit run {folder}",
        ]
    )
