"""Planted mismatches of pictures: what is named, and how much of the loss training toward deployment wins back.

MNIST as PNG or JPEG files (mnist_10k.npz): 2,500 clean pictures to train on; 3,000 others as deployment, blurred and
drawn from 9 x 9 pixels, compressed as JPEG with quality 3, darkened to a quarter, or untouched. `wellfit run --only
augment_toward` with a budget in updates. The loss is what dev is above train-dev before the step; what is won is judged
on the same dev rows. On untouched pictures nothing may be named.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import mean

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter

import wellfit as wf
from report import Row, finish, parser_of
from wellfit.exceptions import BadInput

TRAIN, DEPLOYED = 2_500, 3_000
LEAST_RECOVERED = 0.5
SHIFT_CODES = ("WF301", "WF302", "WF303")
SMALL, QUALITY, DARK, SIGMA = 9, 3, 0.25, 1.4
NAMED = {"blurred": "blurrier", "JPEG": "", "darker": "darker"}
Change = Callable[[Image.Image], Image.Image]


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--mnist", type=Path, required=True, help="mnist_10k.npz")
    parser.add_argument("--budget", default="4000updates", help="of one run")
    asked = parser.parse_args()
    seeds = asked.seeds[:1] if asked.quick else asked.seeds
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as place:
        os.environ["WELLFIT_HOME"] = str(Path(place, "home"))
        for name in CASES:
            found = [case(Path(place), asked.mnist, name, seed=seed, budget=asked.budget) for seed in seeds]
            rows += rows_of(name, found)
    finish("picture_mismatch", rows, as_json=asked.json)


def rows_of(name: str, found: list[dict[str, object]]) -> list[Row]:
    """Return what was named and won back; on untouched pictures how many findings fired."""
    note = "; ".join(str(each["note"]) for each in found)
    if name == "untouched":
        return [Row("untouched: findings of a shift", mean(float(each["fired"]) for each in found), 0.0, note=note)]
    named = mean(float(NAMED[name] in str(each["said"]) and bool(each["said"])) for each in found)
    return [
        Row(f"{name}: the statistic is named", named, 1.0, at_most=False, note=str(found[0]["said"])),
        Row(
            f"{name}: share of the loss won back",
            mean(float(each["recovered"]) for each in found),
            LEAST_RECOVERED,
            at_most=False,
            note=note,
        ),
    ]


def case(place: Path, mnist: Path, name: str, *, seed: int, budget: str) -> dict[str, object]:
    """Run one planted case."""
    with np.load(mnist) as file:
        images, labels = file["images"], file["labels"]
    order = np.random.default_rng(seed).permutation(len(images))
    change, ending, options = CASES[name]
    root = place / f"{name}{seed}"
    for part, rows in (("train", order[:TRAIN]), ("deployed", order[TRAIN : TRAIN + DEPLOYED])):
        for row in rows:
            clean = part == "train"
            path = root / part / str(labels[row]) / f"{row}.{'png' if clean else ending}"
            path.parent.mkdir(parents=True, exist_ok=True)
            picture = Image.fromarray(images[row])
            picture.save(path) if clean else change(picture).save(path, **options)
    experiment = _run(root, budget=budget, seed=seed)
    findings = {each.code: each for each in experiment.diagnose().findings}
    fired = [code for code in SHIFT_CODES if findings[code].status == "fired"]
    steps = [each for each in experiment.to_json()["steps"] if each["board"] == "data"]
    step = steps[0] if steps else None
    lost = step["gaps_before"]["mismatch"]["value"] if step else 0.0
    return {
        "fired": len(fired),
        "said": findings["WF303"].evidence if findings["WF303"].status == "fired" else "",
        "recovered": step["got"] / lost if step and lost > 0 else 0.0,
        "note": f"of {lost:.4f}: {step['got']:.4f}, {step['did']}" if step else f"no step; fired: {fired}",
    }


def _run(root: Path, *, budget: str, seed: int) -> wf.Experiment:
    asked = {"deployment_data": root / "deployed", "budget": budget, "seed": seed, "out": root / "e.wellfit"}
    try:
        return wf.run(root / "train", only="augment_toward", augment="none", **asked)
    except BadInput:
        # Nothing was found to change; some other step leaves a network to diagnose.
        return wf.run(root / "train", only="average_weights", augment="none", **asked)


def _blurred(picture: Image.Image) -> Image.Image:
    soft = picture.filter(ImageFilter.GaussianBlur(SIGMA)).resize((SMALL, SMALL), Image.Resampling.BOX)
    return soft.resize(picture.size, Image.Resampling.BILINEAR)


CASES: dict[str, tuple[Change, str, dict[str, int]]] = {
    "blurred": (_blurred, "png", {}),
    "JPEG": (lambda picture: picture, "jpg", {"quality": QUALITY}),
    "darker": (lambda picture: ImageEnhance.Brightness(picture).enhance(DARK), "png", {}),
    "untouched": (lambda picture: picture, "png", {}),
}


if __name__ == "__main__":
    main()
