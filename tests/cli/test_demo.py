"""`wellfit demo`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from wellfit.cli.demo import PARTS, noisy_digits

README = Path(__file__).parents[2] / "README.md"
UPDATES = "3500updates"
"""Enough for the first network, and for a few regularized ones."""


def test_exactly_one_label_in_ten_of_each_part_is_another_class():
    table, wrong = noisy_digits()
    assert table.num_rows == len(load_digits().target)
    assert {part: int(found.sum()) for part, found in wrong.items()} == {"train": 80, "dev": 50, "test": 50}
    digits, parts = np.array(table["digit"]).astype(int), np.array(table["part"])
    pixels = {tuple(row): digit for row, digit in zip(load_digits().data, load_digits().target, strict=True)}
    places = [name for name in table.column_names if name.startswith("pixel")]
    given = np.zeros((table.num_rows, 64))
    for name in places:
        down, across = map(int, name.removeprefix("pixel ").split(":"))
        given[:, 8 * (down - 1) + across - 1] = table[name]
    truth = [pixels.get(tuple(row)) for row in given]
    known = np.array([each is not None for each in truth])
    assert known.mean() > 0.99  # a few pictures have ink where no training picture has any
    for part in PARTS:
        rows = (parts == part) & known
        differs = digits[rows] != np.array([truth[row] for row in np.flatnonzero(rows)])
        assert (differs == wrong[part][known[parts == part]]).all()


def test_the_demo_prints_the_json_of_a_run(run):
    ran = run("demo", "--budget", UPDATES, "--json", "--quiet")
    assert ran.code == 0
    assert (ran.json["goal"], ran.json["experiment"]) == ("error", "demo.wellfit")
    assert ran.json["errors"]["optimal"]["low"] == ran.json["errors"]["optimal"]["high"] == pytest.approx(0.1)
    assert [ran.json["errors"][part]["rows"] for part in ("train", "dev")] == [800, 498]


def test_the_end_is_the_lesson_in_25_lines_and_the_same_again(run):
    first = run("demo", "--budget", UPDATES, "--quiet")
    again = run("demo", "--budget", UPDATES, "--quiet", "--out", "again.wellfit")
    ends = [ran.out.replace("again.wellfit", "demo.wellfit").splitlines() for ran in (first, again)]
    assert len(ends[0]) <= 25
    assert max(map(len, ends[0])) <= 100
    # Nothing but the seconds is measured in time.
    timeless = [[line for line in end if not line.startswith("This took")] for end in ends]
    assert timeless[0] == timeless[1]
    told = {line[:36].strip(): _percents(line) for line in ends[0]}
    train, dev = told["no regularization"]
    assert train < 1
    assert dev > 14
    assert told["too much: λ 6,000 and keep_prob 0.3"][0] > 20  # high bias
    for name in ("λ 2,000", "keep_prob 0.5", "λ 400 and keep_prob 0.7"):
        assert train < told[name][0] <= 12  # it climbs to the bar and no further
        assert told[name][1] < told["boosted trees"][1] < dev
    worst = next(line for line in ends[0] if line.startswith("Of the 20"))
    assert int(worst.split(",")[1].split()[0]) >= 15


@pytest.mark.proof
def test_the_readme_shows_what_the_demo_prints(run):
    """On a slow or a busy machine too: all but the seconds."""
    ran = run("demo", "--quiet")
    shown = README.read_text(encoding="utf-8").splitlines()
    assert [line for line in ran.out.splitlines() if line not in shown and not line.startswith("This took")] == []


def _percents(line):
    return [float(word[:-1]) for word in line.split() if word.endswith("%")]
