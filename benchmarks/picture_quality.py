"""Test error on pictures: `wellfit run` on digits written as PNG files, and what augmentation buys on MNIST.

digits: scikit-learn's 1,797 digits of 8 x 8 as a folder of class folders, budget 5m, opened once; one nearest neighbour
of the same training pictures is the rival. mnist: 2,000 training and 1,000 dev pictures of mnist_10k.npz, 7,000 test,
with `augment` strong and none; both may choose lambda and keep_prob.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from statistics import mean

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.neighbors import KNeighborsClassifier

import wellfit as wf
from report import Row, finish, parser_of

DIGITS_TARGET, MNIST_TARGET, LEAST_RELATIVE_GAIN = 0.015, 0.02, 0.3
MNIST_SIZES = "2000/1000/7000"


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--budget", help="of one run  [default: 5m; 1m with --quick]")
    parser.add_argument("--mnist", type=Path, help="mnist_10k.npz; left out when not given")
    asked = parser.parse_args()
    seeds, budget = (asked.seeds[:1], asked.budget or "1m") if asked.quick else (asked.seeds, asked.budget or "5m")
    with tempfile.TemporaryDirectory() as place:
        os.environ["WELLFIT_HOME"] = place
        rows = digits_rows(Path(place), seeds, budget=budget)
        if asked.mnist:
            rows += mnist_rows(Path(place), asked.mnist, seeds, budget=budget)
    finish("picture_quality", rows, as_json=asked.json)


def digits_rows(place: Path, seeds: list[int], *, budget: str) -> list[Row]:
    """Return the mean test error on digits, and the dev error of one nearest neighbour."""
    folder = write_digits(place / "digits")
    pairs = [_digits(folder, seed, budget=budget) for seed in seeds]
    ours, neighbour = (mean(pair[side] for pair in pairs) for side in (0, 1))
    each = ", ".join(f"{pair[0]:.4f}" for pair in pairs)
    return [
        Row("digits: test error", ours, DIGITS_TARGET, note=f"{each}; one nearest neighbour on dev {neighbour:.4f}")
    ]


def mnist_rows(place: Path, arrays: Path, seeds: list[int], *, budget: str) -> list[Row]:
    """Return the mean test error with augmentation, and by which share it is below that without."""
    found = {how: [_mnist(place, arrays, seed, budget=budget, how=how) for seed in seeds] for how in ("strong", "none")}
    best, without = mean(found["strong"]), mean(found["none"])
    note = "; ".join(f"{how} " + ", ".join(f"{each:.4f}" for each in errors) for how, errors in found.items())
    return [
        Row("mnist, 2,000 rows: test error", best, MNIST_TARGET, note=note),
        Row("mnist, 2,000 rows: relative gain of augmentation", 1 - best / without, LEAST_RELATIVE_GAIN, at_most=False),
    ]


def write_digits(root: Path) -> Path:
    """Write scikit-learn's digits as PNG files in class folders."""
    digits = load_digits()
    for row, (picture, label) in enumerate(zip(digits.images, digits.target, strict=True)):
        path = root / str(label) / f"{row:04d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray((picture * 255 / 16).round().astype(np.uint8)).save(path)
    return root


def _digits(folder: Path, seed: int, *, budget: str) -> tuple[float, float]:
    experiment = wf.run(folder, budget=budget, seed=seed, out=folder.with_name(f"digits{seed}.wellfit"))
    prepared = experiment.prepared
    nearest = KNeighborsClassifier(1).fit(prepared.train.numeric, prepared.train.target)
    dev = float(np.mean(nearest.predict(prepared.dev.numeric) != prepared.dev.target))
    return experiment.unseal().error.value, dev


def _mnist(place: Path, arrays: Path, seed: int, *, budget: str, how: str) -> float:
    out = place / f"mnist-{how}-{seed}.wellfit"
    experiment = wf.run(arrays, sizes=MNIST_SIZES, budget=budget, seed=seed, augment=how, out=out)
    # The same pictures are opened for both ways of training: the second opening is not certified.
    return experiment.unseal(again=True).error.value


if __name__ == "__main__":
    main()
