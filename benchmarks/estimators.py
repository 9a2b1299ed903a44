"""`NetClassifierCV().fit(X, y)` and `NetRegressorCV().fit(X, y)` against scikit-learn's and skorch's networks.

Ten data sets: the five that scikit-learn ships and five tables. A quarter of the rows is test, by seed; at most 5,000
rows are trained on, and 5,000 measured, since the grid search below makes fifty trainings. wellfit gets the table as
it is, with nothing set but random_state. The rivals, MLPClassifier() or MLPRegressor() and skorch with one hidden layer
of 100 units and everything else by default, get scaled numbers, one-hot categories and a scaled target.

The error is that on test (RMSE of a regression). Seconds are of the processor, on one thread: wellfit's search against
GridSearchCV over ten values of alpha, on the first seed.
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from argparse import Namespace
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

import wellfit as wf
from estimator_sets import SETS, DataSet, Sides
from report import Row, finish, parser_of
from rivals.default_networks import DefaultSkorch, default_mlp, searched_mlp

OURS, MLP, SKORCH, SEARCHED = "wellfit", "MLP", "skorch", "MLP, 10 alphas"
QUICK = ("iris", "wine", "diabetes", "credit_g")
WARM_UP = ("wine", "diabetes", "credit_g")
SHARE, TIMES = 0.8, 2.0
"""Share of (set, seed) with an error no worse than either rival's, and wellfit's seconds over the grid search's."""
_LEAST_DIFFERENCE = 1e-12


@dataclass(frozen=True)
class Figure:
    """Test error and seconds of one side on one set and seed."""

    error: float
    seconds: float


RIVALS = {MLP: default_mlp, SKORCH: DefaultSkorch, SEARCHED: searched_mlp}

Figures = dict[tuple[str, int, str], Figure]
"""(set, seed, side) -> what it came to."""


class Cache:
    """What the rivals came to, by set, seed and rival; kept in a file, or forgotten."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._known: dict[str, list[float]] = json.loads(path.read_text()) if path and path.is_file() else {}

    def get(self, key: str) -> Figure | None:
        """Return the figure, where it is known."""
        found = self._known.get(key)
        return Figure(*found) if found else None

    def put(self, key: str, figure: Figure) -> None:
        """Keep it, on the disk at once."""
        self._known[key] = [figure.error, figure.seconds]
        if self._path:
            self._path.write_text(json.dumps(self._known, indent=1, sort_keys=True))


def main() -> None:
    asked = _asked()
    sets = [each for each in SETS if each.name in asked.sets]
    figures: Figures = {}
    cache = Cache(asked.rivals_cache)
    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("ignore", ConvergenceWarning)  # scikit-learn's 200 epochs are its default
        warm_up()
        for each in sets:
            for seed in asked.seeds:
                timed = not asked.untimed and seed == asked.seeds[0]
                figures |= figures_of(each, seed, timed=timed, cache=cache)
    finish("estimators", rows_of(figures, asked.seeds), as_json=asked.json)


def warm_up() -> None:
    """Load what is loaded once, and compile what is compiled once and kept on the disk."""
    for each in SETS:
        if each.name in WARM_UP:
            sides = each.divided(0)
            ours = wf.NetRegressorCV if each.regression else wf.NetClassifierCV
            ours(epochs=1, cv=2).fit(sides.X, sides.y)


def _asked() -> Namespace:
    parser = parser_of(__doc__)
    parser.add_argument("--sets", nargs="+", help="only these data sets")
    parser.add_argument("--rivals-cache", type=Path, help="JSON file of the rivals' results, read and added to")
    parser.add_argument("--untimed", action="store_true", help="leave the grid search out")
    asked = parser.parse_args()
    asked.seeds = asked.seeds[:1] if asked.quick else asked.seeds
    asked.sets = asked.sets or (QUICK if asked.quick else [each.name for each in SETS])
    return asked


def figures_of(each: DataSet, seed: int, *, timed: bool, cache: Cache) -> Figures:
    """Fit every side on the same rows, and measure it on the same others."""
    sides = each.divided(seed)
    ours = wf.NetRegressorCV if each.regression else wf.NetClassifierCV
    found = {(each.name, seed, OURS): measured(ours(random_state=seed), sides, as_table=True)}
    for name, make in RIVALS.items():
        if name == SEARCHED and not timed:
            continue
        key = f"{each.name}/{seed}/{name}"
        if (figure := cache.get(key)) is None:
            figure = measured(make(regression=each.regression, seed=seed), sides, as_table=False)
            cache.put(key, figure)
        found[each.name, seed, name] = figure
    told = (f"{side} {figure.error:.5g} in {figure.seconds:.1f} s" for (_, _, side), figure in found.items())
    print(f"{each.name} {seed}:", ", ".join(told), file=sys.stderr)
    return found


def measured(estimator: BaseEstimator, sides: Sides, *, as_table: bool) -> Figure:
    """Fit and predict; wellfit takes Arrow tables, the rivals' preprocessing wants pandas."""
    X, X_test = (sides.X, sides.X_test) if as_table else (sides.X.to_pandas(), sides.X_test.to_pandas())
    began = time.process_time()
    estimator.fit(X, sides.y)
    seconds = time.process_time() - began
    return Figure(_error(sides, np.asarray(estimator.predict(X_test))), seconds)


def rows_of(figures: Figures, seeds: list[int]) -> list[Row]:
    """Return each set's errors, and whether wellfit is no worse often enough and quick enough."""
    names = list(dict.fromkeys(name for name, _, _ in figures))
    rows = [
        Row(f"{name}: {side}", float(np.mean([each.error for each in found])), note=_told(found))
        for name in names
        for side in (OURS, MLP, SKORCH, SEARCHED)
        if (found := [figures[name, seed, side] for seed in seeds if (name, seed, side) in figures])
    ]
    # A set or two say nothing about ten: then the share is only shown.
    target = SHARE if len(names) == len(SETS) else None
    rows += [_share_row(figures, (rival,), target=None) for rival in (MLP, SKORCH)]
    return [*rows, _share_row(figures, (MLP, SKORCH), target=target), *_time_rows(figures, names, seeds[0])]


def _time_rows(figures: Figures, names: list[str], seed: int) -> list[Row]:
    return [
        Row(f"{name}: seconds over the grid search's", ours.seconds / theirs.seconds, TIMES)
        for name in names
        if (theirs := figures.get((name, seed, SEARCHED))) and (ours := figures[name, seed, OURS])
    ]


def _share_row(figures: Figures, rivals: tuple[str, ...], *, target: float | None) -> Row:
    pairs = list(dict.fromkeys((name, seed) for name, seed, _ in figures))
    held = [
        pair
        for pair in pairs
        if figures[*pair, OURS].error <= min(figures[*pair, rival].error for rival in rivals) + _LEAST_DIFFERENCE
    ]
    lost = [f"{name} {seed}" for name, seed in pairs if (name, seed) not in held]
    note = f"{len(held)} of {len(pairs)}; not: {', '.join(lost) or 'none'}"
    return Row(f"pairs no worse than {' and '.join(rivals)}", len(held) / len(pairs), target, at_most=False, note=note)


def _error(sides: Sides, predicted: np.ndarray) -> float:
    if sides.regression:
        return float(np.sqrt(np.mean((predicted.ravel() - sides.y_test) ** 2)))
    return float(np.mean(predicted != sides.y_test))


def _told(found: list[Figure]) -> str:
    return f"{np.mean([each.seconds for each in found]):,.1f} s; {', '.join(f'{each.error:.5g}' for each in found)}"


if __name__ == "__main__":
    main()
