"""The data board, as far as a recipe can work on it by itself.

Copies of dev rows in train are left out, rows that a person has provided are added, rows are weighted towards
deployment (diagnosis/mismatch/attribution.py), and training pictures are changed so that their measures resemble those
of dev.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from wellfit.augment.apply import COLUMNS, DRAWN, GREY, changed_fast
from wellfit.base.serialize import Record
from wellfit.base.typing import Booleans, Floats, Json
from wellfit.data.prepare import Arrays
from wellfit.data.training_rows import OF_TRAIN, effective_rows, rows_trained_on, trained_on
from wellfit.diagnosis.leakage.duplicates import with_and_without
from wellfit.recipe.remedies.remedy import LEVEL, Expected, Price, Remedy, Result, Shares
from wellfit.recipe.remedies.trials import on_dev
from wellfit.recipe.state import StepContext, describe_change
from wellfit.records.augmentation import LARGEST, OPERATIONS, Augmentation, range_of
from wellfit.records.config import Config, total_updates, updates_per_epoch
from wellfit.records.outcome import ENDED, Outcome
from wellfit.stats.differences import paired_difference
from wellfit.stats.intervals import Estimate, normal_quantile
from wellfit.sweeps.usual import FEWEST_EPOCHS

KIND = "augment_toward"
FURTHER = 1.5
"""Multiple of the ranges found: with it, dev lies in the middle rather than at the edge of the training pictures."""


def augment_toward(context: StepContext) -> tuple[Config, ...]:
    """Return changes of training pictures toward dev, added to those of the network: none, some, or all of them."""
    config, shape = context.config, context.run.prepared.preparation.schema.picture
    if shape is None or config.network.kind != "conv":
        return ()

    def compute() -> Json:
        data = context.run.prepared
        return toward(_pictures(data.train, shape), _pictures(data.dev, shape)).to_json()

    ranges = context.run.recall("plan", KIND, compute)["ranges"]
    if not ranges:
        return ()
    strength = config.regularization.augment
    own = {name: range_of(name, config.augmentation, strength) for name in OPERATIONS}
    full = {name: range_of(name, config.augmentation, 1.0) for name in OPERATIONS}
    further = {name: FURTHER * size for name, size in ranges.items()}
    wanted = [_widest(own, ranges), _widest(own, further), _widest(full, ranges)]
    board = replace(config.regularization, augment=1.0)
    return tuple(dict.fromkeys(replace(config, augmentation=each, regularization=board) for each in wanted))


def _pictures(arrays: Arrays, shape: tuple[int, int, int]) -> Floats:
    height, width, channels = shape
    return arrays.numeric.reshape(-1, channels, height, width)


def _widest(one: Mapping[str, float], other: Mapping[str, float]) -> Augmentation:
    return Augmentation.within({name: max(one[name], other.get(name, 0.0)) for name in OPERATIONS})


AUGMENT_TOWARD = on_dev(KIND, augment_toward, shares=lambda _work: Shares(0.0, 0.5, 1.0))


DROP_ROWS_KIND = "drop_rows"
FEWEST_LEFT = 0.5
"""Share of the training rows that must remain; if more of them are copies, the split itself is at fault."""


def without_copies(context: StepContext) -> tuple[Config, ...]:
    """Return the config without the copies; nothing if no copies are known, or hardly any row would be left."""
    copies, config = context.run.prepared.copies, context.config
    if copies is None or config.data.drop_rows or copies.train.mean() > 1 - FEWEST_LEFT:
        return ()
    return (config.with_knobs(drop_rows=True),)


def _price_of_one(context: StepContext, trials: tuple[Config, ...]) -> Price | None:
    cost = sum(map(context.run.budget.cost, trials))
    return Price(whole=cost, least=cost) if trials else None


def _foretold(context: StepContext) -> Expected:
    """Return an expected gain below 0: the amount by which the copies flattered the error."""
    copies, price = context.run.prepared.copies, DROP_ROWS.price(context)
    losses = context.run.dev_losses(context.state.outcome)
    found = None if copies is None else with_and_without(losses, copies.dev)
    flattery = found.flattery if found else Estimate.fixed(0.0, rows=len(losses))
    cost = price.whole if price else 0.0
    return Expected(value=-flattery.value, low=-flattery.high, high=-flattery.low, ceiling=0.0, cost=cost)


def _unless_worse(context: StepContext, trials: tuple[Config, ...], *, on: Booleans | None = None) -> Outcome:
    """Train the only trial, and return it unless the current network is significantly better on dev (rows `on`)."""
    before = context.state.outcome
    trained = [each for each in context.run.train(trials) if each.status in ENDED]
    if not trained:
        return before
    (after,) = trained
    rows = slice(None) if on is None else on
    gain = paired_difference(context.run.dev_losses(before)[rows], context.run.dev_losses(after)[rows])
    return before if gain.high < 0 else after


def _drop_rows(context: StepContext) -> Result:
    before, copies = context.state.outcome, context.run.prepared.copies
    after = before if copies is None else _unless_worse(context, without_copies(context), on=~copies.dev)
    if copies is None or after is before:
        return Result(before)
    rows, flattered = int(copies.train.sum()), int(copies.dev.sum())
    told = f"{rows:,} training rows with copies in dev, which made the error on {flattered:,} dev rows look too low"
    return Result(after, {"did": f"drop rows: {told}", "because": "measurement: copies of training rows in dev"})


DROP_ROWS = Remedy(
    kind=DROP_ROWS_KIND,
    shares=lambda _work: Shares(0.0, 0.0, 0.0),
    price=lambda context: _price_of_one(context, without_copies(context)),
    apply=_drop_rows,
    foretold=_foretold,
    repairs_measurement=True,
)


MORE_DATA_KIND = "more_data"


def with_more_data(context: StepContext) -> tuple[Config, ...]:
    """Return the config with the additional rows; nothing if it already has them, or none were provided."""
    config, name = context.config, context.rules.more_data
    if name is None or config.data.more_data == name:
        return ()
    grown = config.with_knobs(more_data=name)
    if "epochs" in context.rules.fixed:
        return (grown,)
    return (grown.with_knobs(epochs=_epochs(context, grown)),)


def _epochs(context: StepContext, grown: Config) -> int:
    """Return the passes over the larger set that keep the number of updates, but at least a few."""
    before, rows = total_updates(context.config, rows=context.rows), rows_trained_on(context.run.prepared, grown.data)
    passes = -(-before // updates_per_epoch(rows=rows, batch_size=grown.optimization.batch_size))
    return min(max(passes, FEWEST_EPOCHS), context.config.optimization.epochs)


def _shares(context: StepContext) -> Shares:
    """Return the shares of a variance that the added rows remove if it falls as a power of the rows."""
    name = context.rules.more_data
    times = 1 + (context.run.prepared.more[name].rows / context.rows if name else 0.0)
    return Shares(0.0, 1 - times**-SLOWEST, max(0.9, 1 - times**-FASTEST))


_SHARED = Remedy(
    kind=MORE_DATA_KIND,
    shares=_shares,
    # Who brings rows wants them used, so nothing is kept back for knobs.
    price=lambda context: _price_of_one(context, with_more_data(context)),
    apply=lambda context: Result(_unless_worse(context, with_more_data(context))),
)


def _promise_of_rows(context: StepContext) -> Expected:
    """Return the expected gain; rows are kept if dev cannot tell, so a small loss is possible too."""
    losses = context.run.dev_losses(context.state.outcome)
    noise = normal_quantile(LEVEL) * float(losses.std(ddof=1)) / math.sqrt(len(losses))
    return replace(_SHARED.expected(context), low=-noise)


MORE_DATA = replace(_SHARED, foretold=_promise_of_rows)


REWEIGHT_KIND = "reweight"
POWERS = (0.5, 1.0)
FEWEST_EFFECTIVE = 50.0
"""Fewest effective rows from which something can be learned if rows are weighted (docs/methods.md, "Mismatch")."""


def reweight(context: StepContext) -> tuple[Config, ...]:
    """Return configs on weighted rows; nothing if dev does not differ from train, or too few rows would count."""
    config, known = context.config, context.run.prepared.importance
    # Without added rows their name is that of train's own.
    if config.data.reweight or not {OF_TRAIN, config.data.more_data} <= known.keys():
        return ()
    trials = [config.with_knobs(reweight=power) for power in POWERS]
    return tuple(trial for trial in trials if _effective(context, trial) >= FEWEST_EFFECTIVE)


def _effective(context: StepContext, config: Config) -> float:
    weights = trained_on(context.run.prepared, config.data).train.weights
    return effective_rows(np.ones(context.rows) if weights is None else weights)


def _reweight(context: StepContext) -> Result:
    before, done = context.state.outcome, _TRIALS.apply(context)
    if done.outcome is before:
        return done
    effective = _effective(context, done.outcome.config)
    worth = f"{context.rows:,} weighted rows contain as much information as {effective:,.0f} rows with equal weights"
    did = f"{REWEIGHT_KIND}: {describe_change(before, done.outcome)} ({worth})"
    return Result(done.outcome, {"did": did, "effective_rows": effective})


_TRIALS = on_dev(REWEIGHT_KIND, reweight, shares=lambda _work: Shares(0.0, 0.3, 1.0))
REWEIGHT = replace(_TRIALS, apply=_reweight)


FASTEST, SLOWEST = 1.0, 0.5
"""Exponents of the rows: variance falls as 1/m for least squares, and more slowly, down to 1/sqrt(m), for networks."""
FARTHEST = 100.0
"""Multiple of the rows beyond which the answer is "more than that"."""


def rows_wanted(rows: int, *, gap: float, tolerance: float) -> tuple[int, int | None]:
    """Return the fewest and the most training rows that would bring the gap, a variance, down to the tolerance.

    The upper figure is None beyond a hundred times the present rows.
    """
    ratio = max(1.0, gap / tolerance) if tolerance > 0 else math.inf
    low, high = (rows * min(FARTHEST, ratio ** (1 / exponent)) for exponent in (FASTEST, SLOWEST))
    return _rounded(low), _rounded(high) if ratio ** (1 / SLOWEST) <= FARTHEST else None


def _rounded(rows: float) -> int:
    """Round up to two significant digits, since more would suggest a false precision."""
    digits = 10 ** max(0, math.floor(math.log10(rows)) - 1)
    return int(math.ceil(rows / digits) * digits)


PICTURES = 200
"""Largest number of pictures of each side that are compared."""
SIZES: Mapping[str, tuple[float, ...]] = MappingProxyType(
    {
        "blur": (0.0, 0.4, 0.6, 0.8, 1.0, 1.3, 1.6, 2.0, 2.5, 3.0, 4.0),
        "brightness": (0.0, -0.85, -0.7, -0.55, -0.4, -0.25, -0.1, 0.1, 0.25, 0.4, 0.6, 0.8, 1.0),
        "contrast": (0.0, -0.85, -0.7, -0.55, -0.4, -0.25, -0.1, 0.1, 0.25, 0.4, 0.6, 0.8, 1.0),
        "noise": (0.0, 0.02, 0.04, 0.07, 0.1, 0.15, 0.2, 0.3),
        "jpeg": (0.0, 20.0, 40.0, 55.0, 65.0, 75.0, 82.0, 88.0, 93.0, 96.0),
    }
)
"""The sizes to try for each operation; brightness and contrast may change in both directions."""
MOST_STEPS = 6
LEAST_SHARE = 0.05
"""Share of the distance; a step that closes less than this is the last one."""
LEAST_CLOSED = 0.25
"""Share of the distance; changes that close less than this do not make pictures look like those of dev."""
REACH = 1.25
"""Factor by which a range goes beyond dev, so that dev lies inside it."""


@dataclass(frozen=True)
class Toward(Record):
    """Ranges at strength 1, and the distance between the measures of train and dev without and with such changes."""

    ranges: Mapping[str, float]
    before: float
    after: float


def toward(train: Floats, dev: Floats) -> Toward:
    """Return the changes that bring pictures of train closest to those of dev, both [N, C, H, W] in [0, 1]."""
    train, dev = (np.ascontiguousarray(side[:: max(1, len(side) // PICTURES)][:PICTURES]) for side in (train, dev))
    aim = profile(dev)
    scale = np.concatenate([profile(train), aim]).std(axis=0) + np.finfo(np.float64).tiny

    def apart(sizes: Mapping[str, float]) -> float:
        return distance(profile(_changed(train, sizes)), aim, scale=scale)

    before = after = apart({})
    sizes: dict[str, float] = {}
    for _ in range(MOST_STEPS):
        tried = [{**sizes, name: size} for name, each in SIZES.items() for size in each]
        apart_each = [apart(one) for one in tried]
        nearest = int(np.argmin(apart_each))
        if after - apart_each[nearest] < LEAST_SHARE * before:
            break
        sizes, after = tried[nearest], apart_each[nearest]
    if before - after < LEAST_CLOSED * before:
        return Toward({}, before, before)
    ranges = {name: min(REACH * abs(size), LARGEST[name]) for name, size in sizes.items() if size}
    return Toward(ranges, before, after)


def _changed(pictures: Floats, sizes: Mapping[str, float]) -> Floats:
    """Return the pictures, each of them changed by exactly these sizes."""
    uniform = np.ones((len(pictures), DRAWN), np.float32)
    for name, size in sizes.items():
        if size < 0:
            uniform[:, list(COLUMNS[name])] = 0.0
    normal = np.random.default_rng(0).standard_normal(pictures.shape).astype(pictures.dtype)
    member = Augmentation.within({name: abs(size) for name, size in sizes.items()})
    changed: Floats = changed_fast(pictures, [(member, 1.0)], uniform=uniform, normal=normal)[0]
    return changed


BLOCK = 8
FLAT = 2 / 255
"""Adjacent pixels that differ by less look alike; noise leaves few such pairs, and compression leaves many."""
QUANTILES = np.linspace(0.05, 0.95, 19)
_TINY = 1e-3


def profile(pictures: Floats) -> Floats:
    """Return the measures [N, M] of pictures [N, C, H, W] in [0, 1]."""
    grey = pictures[:, 0] if pictures.shape[1] == 1 else np.tensordot(GREY, pictures, (0, 1))
    contrast = grey.std(axis=(1, 2))
    half = grey[:, : grey.shape[1] // 2 * 2, : grey.shape[2] // 2 * 2]
    half = half.reshape(len(grey), half.shape[1] // 2, 2, half.shape[2] // 2, 2).mean(axis=(2, 4))
    down, across = (np.abs(np.diff(grey, axis=axis)) for axis in (1, 2))
    flat = ((down < FLAT).mean(axis=(1, 2)) + (across < FLAT).mean(axis=(1, 2))) / 2
    measures = [
        grey.mean(axis=(1, 2)),
        np.log(contrast + _TINY),
        np.log(_edges(grey) / (contrast + _TINY) + _TINY),
        np.log(_edges(half) / (contrast + _TINY) + _TINY),
        flat,
        _at_borders(down.mean(axis=2)) + _at_borders(across.mean(axis=1)),
    ]
    return np.stack(measures, axis=1).astype(np.float64)


def distance(one: Floats, other: Floats, *, scale: Floats) -> float:
    """Return the distance between the distributions of measures [N, M] and [N', M], in units of `scale` [M]."""
    quantiles = [np.quantile(side, QUANTILES, axis=0) for side in (one, other)]
    return float((np.abs(quantiles[0] - quantiles[1]).mean(axis=0) / scale).mean())


def _edges(grey: Floats) -> Floats:
    """Return the root mean square of the Laplacian [N]."""
    middle = grey[:, 1:-1, 1:-1]
    if not middle.size:
        return np.zeros(len(grey))
    around = grey[:, :-2, 1:-1] + grey[:, 2:, 1:-1] + grey[:, 1:-1, :-2] + grey[:, 1:-1, 2:]
    return np.asarray(np.sqrt(np.mean((around - 4 * middle) ** 2, axis=(1, 2))))


def _at_borders(steps: Floats) -> Floats:
    """Return the log ratio [N] of the mean step at block borders to that elsewhere, from steps [N, places]."""
    border = np.arange(1, steps.shape[1] + 1) % BLOCK == 0
    if not border.any():
        return np.zeros(len(steps))
    return np.asarray(np.log((steps[:, border].mean(axis=1) + _TINY) / (steps[:, ~border].mean(axis=1) + _TINY)))
