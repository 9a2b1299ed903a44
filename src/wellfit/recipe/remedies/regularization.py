"""Remedies that bring dev closer to train and leave the optimization board unchanged, and remedies that end a run."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import get_args

from wellfit.recipe.defaults import LARGER_SHAPES, MOST_TIMES, fits, larger_shapes
from wellfit.recipe.ensemble import FEWEST_NETWORKS, PARENTS, SHARE, ensemble_step, networks_affordable
from wellfit.recipe.remedies.remedy import Expected, Price, Remedy, Result, Shares, expect
from wellfit.recipe.remedies.trials import SWEEP_SHARES, against_variance
from wellfit.recipe.search import (
    FEWEST_MEMBERS,
    MEAN_COST,
    RANGES,
    SEARCH_SHARE,
    SHARE_BESIDE_SEARCH,
    SWEEP_SHARE,
    best_members,
    members_affordable,
    search_step,
    sweep_step,
)
from wellfit.recipe.state import StepContext
from wellfit.records.config import Config
from wellfit.records.knobs import KNOBS, SWEPT, Activation
from wellfit.sweeps.space import LEAST_KEEP_PROB, MOST_SHRINK, changed, useful_shrinks

PATIENCE = (4, 8)
"""Patience values to try, in points of the learning curve."""
CROWDED, CROWDED_SHARE = 0.5, 0.3
"""Inputs per training row above which augmenting gains about this share of its ceiling (planted noise columns)."""
THIN, THIN_SHARE = 12, 0.35
"""Rows per bin below which an architecture with fewer bins gains about this share of its ceiling."""

PILOTED_KEEPS = (0.8, LEAST_KEEP_PROB, 1.0)
SPARSIFY: Sequence[Mapping[str, float]] = tuple({"l1_step": MOST_SHRINK / by} for by in (3_000, 300, 30))
"""Values of l1, which makes weights exactly zero, as the amount that one update takes off each weight (lr * l1 / m)."""
PICTURES: Sequence[Mapping[str, float]] = ({"augment": 1.0}, {"augment": 1.0, "keep_prob": 0.75}, {"keep_prob": 0.75})


def _trials(context: StepContext, *, remedy: str) -> tuple[Config, ...]:
    """Return the values that the table of knobs lists for a remedy, if the knob has an effect on these rows."""
    data, task = context.run.prepared, context.run.prepared.preparation.schema.task
    has = {"": True, "numbers": data.train.numeric.shape[1] > 0, "classes": task == "classification"}
    knobs = [knob for knob in KNOBS.values() if knob.remedy == remedy and has[knob.needs]]
    return _set(context, [{knob.name: value} for knob in knobs for value in knob.trials])


def search_architecture(context: StepContext) -> tuple[Config, ...]:
    """Return smaller networks, and others that may suit the rows better; none for pictures.

    The trials are half the width, one layer less, plain numbers, half the bins, a periodic embedding, the other
    activations, and the next larger shapes, since a network that already fits all rows often follows them more smoothly
    when it grows (Nakkiran et al., 2019, "Deep double descent").
    """
    network = context.config.network
    if network.kind == "conv":
        return ()
    narrow = tuple(max(1, width // 2) for width in network.widths)
    # Without a hidden layer it would be the linear model, which stands on the ladder already.
    widths = [shape for shape in (narrow, network.widths[:-1]) if shape] + larger_shapes(network.widths)[:LARGER_SHAPES]
    shapes = [replace(network, widths=shape) for shape in widths]
    if network.embedding == "ple":
        shapes += [replace(network, embedding="none"), replace(network, bins=max(2, network.bins // 2))]
    if network.embedding != "periodic" and context.run.prepared.train.numeric.shape[1]:
        shapes += [replace(network, embedding="periodic")]
    shapes += [replace(network, activation=name) for name in get_args(Activation)]
    tried = dict.fromkeys(shape for shape in shapes if shape != network and fits(context.config, shape.widths))
    cost, most = context.run.budget.cost, MOST_TIMES * context.run.budget.cost(context.config)
    return tuple(trial for shape in tried if cost(trial := replace(context.config, network=shape)) <= most)


def stop_early(context: StepContext) -> tuple[Config, ...]:
    """Return configs in which dev chooses the epoch, a single knob that fits and regularizes at once."""
    if context.config.optimization.early_stopping is not None:
        return ()
    return tuple(context.config.with_knobs(early_stopping=patience) for patience in PATIENCE)


def is_crowded(context: StepContext) -> bool:
    """Return True if numeric inputs exceed half the training rows, so that noise can take the place of rows."""
    train, network = context.run.prepared.train, context.config.network
    each = 1 + (network.bins if network.embedding == "ple" else 0)
    return bool(each * train.numeric.shape[1] > CROWDED * context.rows)


def has_thin_bins(context: StepContext) -> bool:
    """Return True if each bin of the numbers contains so few rows that they can be memorized."""
    train, network = context.run.prepared.train, context.config.network
    return network.embedding == "ple" and train.numeric.shape[1] > 0 and context.rows < THIN * network.bins


def _set(context: StepContext, settings: Sequence[Mapping[str, float]]) -> tuple[Config, ...]:
    found = (changed(context.config, setting, rows=context.rows) for setting in settings)
    return tuple(config for config in found if config != context.config)


def _sweep_price(context: StepContext) -> Price | None:
    if context.rules.fixed.issuperset(SWEPT):
        return None
    cost = context.run.budget.cost(context.config)
    # Where the search goes on from it, remedies are compared with both.
    return Price(whole=members_affordable(context.run, context.config, share=SWEEP_SHARE) * cost, least=cost)


def _sweep_pilot(context: StepContext) -> tuple[Config, ...]:
    """Return a coarse grid of both knobs, the middle first; for pictures, augmentation comes first."""
    least, most = useful_shrinks(context.config, rows=context.rows)
    middle = math.sqrt(least * most)
    strong = math.sqrt(middle * most)
    settings: Sequence[Mapping[str, float]] = [
        {"shrink": shrink, "keep_prob": keep} for keep in PILOTED_KEEPS for shrink in (middle, strong, 0.0)
    ]
    return context.allowed(_set(context, PICTURES if context.config.network.kind == "conv" else settings))


def _sweep(context: StepContext) -> Result:
    state, share, fixed = context.state, _sweep_share(context), context.rules.fixed
    step, diagnosis = state.step + 1, state.diagnosis
    return Result(sweep_step(context.run, state.outcome, diagnosis=diagnosis, step=step, share=share, fixed=fixed))


def _sweep_share(context: StepContext) -> float:
    """Return the sweep's share of the remaining budget, which is smaller if the search of both boards follows."""
    rest, cost = context.run.budget.remaining, context.run.budget.cost(context.config)
    search = None if context.rules.only else _search_price(context)
    share = max(SHARE_BESIDE_SEARCH, FEWEST_MEMBERS * cost / rest) if rest else SWEEP_SHARE
    return share if search and (1 - share) * rest >= search.least else SWEEP_SHARE


def _ensemble_price(context: StepContext) -> Price | None:
    if not context.rules.ensemble:
        return None
    parents = _parents(context)
    networks = max(FEWEST_NETWORKS, networks_affordable(context.run, parents))
    costs = [context.run.budget.cost(parent) for parent in itertools.islice(itertools.cycle(parents), networks)]
    return Price(whole=sum(costs), least=sum(costs[:FEWEST_NETWORKS]) / SHARE)


def _ensemble(context: StepContext) -> Result:
    step, fixed = context.state.step + 1, context.rules.fixed
    found = ensemble_step(context.run, context.state.outcome, parents=_parents(context), step=step, fixed=fixed)
    return Result(found.outcome, found.to_json())


def _parents(context: StepContext) -> list[Config]:
    """Return the parents of the ensemble, the current network first, since its twins show its true loss."""
    found = best_members(context.run, context.config, step=context.state.step + 1, count=PARENTS)
    return sorted(found, key=lambda parent: parent != context.config)


def _search_price(context: StepContext) -> Price | None:
    network, cost = context.config.network, context.run.budget.cost(context.config)
    # Pictures have other shapes, and few trainings; a module of the user has none that could be turned.
    if network.kind == "conv" or network.module or context.rules.fixed >= RANGES:
        return None
    share = _search_share(context)
    members = members_affordable(context.run, context.config, share=share, both_boards=True)
    return Price(whole=MEAN_COST * members * cost, least=MEAN_COST * FEWEST_MEMBERS * cost / share)


def _search_share(context: StepContext) -> float:
    """Return the search's share of the remaining budget, which is smaller if an ensemble follows."""
    followed = context.rules.ensemble and context.rules.only is None and context.state.may_overfit
    return SEARCH_SHARE if followed else SWEEP_SHARE


def _search_expected(context: StepContext) -> Expected:
    """Return a share of the larger gap, since the search works against both bias and variance."""
    found, price = context.state.diagnosis, _search_price(context)
    ceiling = max(found.ceiling("avoidable_bias"), found.ceiling("variance"))
    return expect(SWEEP_SHARES, ceiling=ceiling, room=ceiling, cost=price.whole if price else 0.0)


def _search(context: StepContext) -> Result:
    step, fixed, share = context.state.step + 1, context.rules.fixed, _search_share(context)
    return Result(search_step(context.run, context.state.outcome, step=step, share=share, fixed=fixed))


def _usual(
    middle: float, *, more: float = 0.0, where: Callable[[StepContext], bool] | None = None
) -> Callable[[StepContext], Shares]:
    """Return shares around `middle`, or around `more` if `where` holds for the network."""
    return lambda context: Shares(0.0, more if where is not None and where(context) else middle, 0.9)


REGULARIZE = Remedy(
    kind="regularize", shares=_usual(0.2), price=_sweep_price, apply=_sweep, pilot=_sweep_pilot, is_wide=True
)
ENSEMBLE = Remedy(kind="ensemble", shares=_usual(0.1), price=_ensemble_price, apply=_ensemble)
"""The last step, after which there are no more single networks."""
SEARCH = Remedy(
    kind="search_both_boards",
    shares=_usual(0.2),
    price=_search_price,
    apply=_search,
    coupled=True,
    foretold=_search_expected,
)


def _of_knobs(kind: str, shares: Callable[[StepContext], Shares]) -> Remedy:
    return against_variance(kind, partial(_trials, remedy=kind), shares=shares)


REGULARIZATION: tuple[Remedy, ...] = (
    REGULARIZE,
    _of_knobs("average_weights", _usual(0.02)),
    _of_knobs("augment", _usual(0.05, more=CROWDED_SHARE, where=is_crowded)),
    against_variance(
        "search_architecture", search_architecture, shares=_usual(0.05, more=THIN_SHARE, where=has_thin_bins)
    ),
    _of_knobs("smooth_labels", _usual(0.02)),
    against_variance("sparsify", lambda context: _set(context, SPARSIFY), shares=_usual(0.03)),
    replace(against_variance("stop_early", stop_early, shares=_usual(0.1)), coupled=True, needs_leave=True),
)
"""Remedies against variance, one step at a time."""
CLOSING: tuple[Remedy, ...] = (SEARCH, ENSEMBLE)
"""Remedies that follow the single steps, in this order."""
