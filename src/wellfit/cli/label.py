"""`wellfit label`: a person labels dev pictures to measure the human error."""

from __future__ import annotations

import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING

import click

from wellfit.cli.session import Session
from wellfit.cli.stage import FILE, stage

if TYPE_CHECKING:
    from wellfit.experiment.labels import HumanError

BATCH = 50


@stage(examples="\n  wellfit label cats.wellfit\n  wellfit label cats.wellfit --batch 100 --no-browser\n")
@click.argument("experiment", type=FILE)
@click.option(
    "--batch", type=click.IntRange(1), default=BATCH, show_default=True, help="Number of pictures to label now."
)
@click.option("--port", type=click.IntRange(0, 65_535), default=0, help="Port of the page.  [default: any free one]")
@click.option("--no-browser", is_flag=True, help="Print the address instead of opening a browser.")
def label(*, session: Session, experiment: Path, batch: int, port: int, no_browser: bool) -> None:
    """Label dev pictures of EXPERIMENT by hand, on a local page, to measure the human error with its interval.

    Pictures come in one random order, without their labels. Every label is saved at once, so Ctrl-C loses none, and
    the next call continues. The result shows how many more labels are needed to decide if the bias is high. Test
    pictures stay sealed.
    """
    import wellfit as wf
    from wellfit.cli.label_page import LabelServer

    opened = wf.open_experiment(experiment)
    with LabelServer(opened.split, opened.labels(), keep=opened.keep_label, batch=batch, port=port) as server:
        session.say(f"Label {len(server.rows)} pictures at {server.address} (press Ctrl-C to stop; no label is lost)")
        if not no_browser:
            webbrowser.open(server.address)
        server.serve_batch()
    found = opened.human_error()
    session.result({"schema": 1, **found.to_json()}, text=_text(experiment, found))


def _text(experiment: Path, found: HumanError) -> str:
    if found.error is None:
        return found.sentence
    reference = f"--human-error {found.error.value:.4g} --human-rows {found.error.rows}"
    return f"{found.sentence}\nTo use it, run: wellfit diagnose {experiment} {reference}"
