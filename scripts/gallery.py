"""Write docs/gallery/: the reports of three runs on digits that end in three ways. They take minutes on two cores."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
from sklearn.datasets import load_diabetes, load_digits

import wellfit as wf
from wellfit.cli.demo import BUDGET, PLAIN, WRONG, noisy_digits

FOLDER = Path(__file__).parents[1] / "docs" / "gallery"
STYLE = "report.css"
SMALL = "20000updates"
OFTEN_USED = 400
"""Digits of the deployment sample."""


def main() -> None:
    """Run the three, and copy their pages."""
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        for name, make in {"variance": _variance, "cannot-tell": _cannot_tell, "mismatch": _mismatch}.items():
            page = make(Path(folder) / f"{name}.wellfit").folder.report.read_text(encoding="utf-8")
            (FOLDER / f"{name}.html").write_text(with_shared_style(page), encoding="utf-8")


def with_shared_style(page: str) -> str:
    """Write the page's style into a file of its own, once for all reports, and return the page without it.

    The policy of a page allows the style by its digest alone: it goes with the style.
    """
    style = re.search(r"<style>(.*?)</style>", page, re.DOTALL)
    if style is None:
        raise ValueError("a report has one <style>")
    (FOLDER / STYLE).write_text(style[1].strip() + "\n", encoding="utf-8")
    page = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>\n', "", page)
    return page.replace(style[0], f'<link rel="stylesheet" href="{STYLE}">')


def _variance(out: Path) -> wf.Experiment:
    """Return the demo: the network memorizes wrong labels until it is regularized."""
    table, _ = noisy_digits()
    asked = {"target": "digit", "split_on": "part", "optimal_error": WRONG, "fixed": PLAIN, "budget": BUDGET}
    return wf.run(table, out=out, **asked)


def _cannot_tell(out: Path) -> wf.Experiment:
    """Return 442 patients: too few rows, and nobody knows the optimal error."""
    bunch = load_diabetes(scaled=False)
    columns = {name: bunch.data[:, place] for place, name in enumerate(bunch.feature_names)}
    return wf.run(pa.table({**columns, "progression": bunch.target}), target="progression", budget=SMALL, out=out)


def _mismatch(out: Path) -> wf.Experiment:
    """Return digits that are used one pixel lower than they were trained."""
    bunch = load_digits()
    pictures = bunch.images.copy()
    pictures[:OFTEN_USED] = np.roll(pictures[:OFTEN_USED], 1, axis=1)
    names = [f"pixel {place // 8 + 1}:{place % 8 + 1}" for place in range(64)]
    cells = pictures.reshape(len(pictures), -1)
    table = pa.table({**dict(zip(names, cells.T, strict=True)), "digit": bunch.target.astype(str)})
    used, train = table.slice(0, OFTEN_USED), table.slice(OFTEN_USED)
    return wf.run(train, target="digit", deployment_data=used, human_error=0.0, budget=SMALL, out=out)


if __name__ == "__main__":
    main()
