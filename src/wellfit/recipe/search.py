"""The search that follows the single steps: the knobs of both boards at once, around the current network.

A step turns one board, which is cheap and shows why it helped. But knobs depend on each other: a larger learning rate
and a larger network regularize as lambda does (Li et al., 2019, "Towards explaining the regularization effect of
initial large learning rate in training neural networks"; Nakkiran et al., 2019, "Deep double descent").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from wellfit.base.typing import Json
from wellfit.data.training_rows import rows_trained_on
from wellfit.exceptions import Refusal
from wellfit.recipe.context import RunContext
from wellfit.recipe.defaults import larger_shapes
from wellfit.records.config import Config
from wellfit.records.knobs import own_name
from wellfit.records.outcome import Outcome
from wellfit.sweeps.proposals import NOT_INSTALLED
from wellfit.sweeps.search import sweep
from wellfit.sweeps.space import Space, log_uniform
from wellfit.sweeps.usual import usual_space

FEWEST_MEMBERS, MOST_MEMBERS = 8, 64
"""Fewer members find nothing; beyond the most, the time is better spent on the ensemble."""
SHARE = 0.65
"""Share of the rest of the budget; the remainder is for the ensemble."""
LR_BELOW, LR_ABOVE = 0.5, 5.0
"""Range of the learning rate, as factors of the current one: a larger rate regularizes until it diverges."""
LARGER, MOST_TIMES = 2, 4
"""Number of larger shapes that take part, and the largest cost of one, in trainings of the current network."""
MEAN_COST = 1.25
"""Mean cost of a member, in trainings of the current network: it has half, the same or twice the epochs."""
RANGES = frozenset({"lr", "l2", "keep_prob"})
"""Knobs that are searched in a range; if these are fixed, single steps have tried the others."""


def space_of(config: Config, widths: Sequence[tuple[int, ...]], *, rows: int, fixed: frozenset[str]) -> Space:
    """Return the search space around `config`, with these shapes and without fixed knobs."""
    board = config.optimization
    space: Space = {
        "widths": widths,
        "lr": log_uniform(LR_BELOW * board.lr, LR_ABOVE * board.lr),
        "epochs": sorted({max(1, board.epochs // 2), board.epochs, 2 * board.epochs}),
        **usual_space(("shrink", "keep_prob"), config, rows=rows),
    }
    return {knob: values for knob, values in space.items() if own_name(knob) not in fixed}


def shapes_of(run: RunContext, config: Config) -> list[tuple[int, ...]]:
    """Return the current shape and the next larger ones that are affordable; a keep_prob by layer fits no others."""
    by_layer = isinstance(config.regularization.keep_prob, tuple)
    shapes = [] if by_layer else larger_shapes(config.network.widths)[:LARGER]
    most = MOST_TIMES * run.budget.cost(config)
    grown = [(shape, replace(config, network=replace(config.network, widths=shape))) for shape in shapes]
    return [config.network.widths, *(shape for shape, larger in grown if run.budget.cost(larger) <= most)]


def members_affordable(run: RunContext, config: Config, *, share: float) -> int:
    """Return about how many members this share of the rest pays for."""
    affordable = int(run.budget.affordable(config, share=share) / MEAN_COST)
    return max(FEWEST_MEMBERS, min(MOST_MEMBERS, affordable))


def search_step(
    run: RunContext, before: Outcome, *, step: int, share: float = SHARE, fixed: frozenset[str] = frozenset()
) -> Outcome:
    """Search around `before`, and return the member with the lowest dev loss, or `before` if no member is better.

    Args:
        run: trains and pays.
        before: the current network.
        step: its number in the journal.
        share: of the rest of the budget that it may spend.
        fixed: knobs that no member may turn.
    """
    config = before.config

    def planned() -> Json:
        return {
            "members": members_affordable(run, config, share=share),
            "widths": [*map(list, shapes_of(run, config))],
            "spend": share * run.budget.remaining,
        }

    plan = run.recall("plan", f"{step}/search", planned)
    widths, trained = [tuple(shape) for shape in plan["widths"]], list[Outcome]()

    def told(outcome: Outcome) -> None:
        trained.append(outcome)
        run.notify({"event": "member", "dev": outcome.losses["dev"]})

    try:
        found = sweep(
            run.data,
            config,
            executor=run.executor,
            goal=run.goal,
            over=space_of(config, widths, rows=rows_trained_on(run.data, config.data), fixed=fixed),
            members=plan["members"],
            baseline=before.losses["dev"],
            known=[before],
            seen=[before, *run.earlier(config)],
            within=None if run.budget.is_timed else _Spending(run, plan["spend"]),
            deadline=run.budget.deadline_at(share),
            on_outcome=told,
        )
    except Refusal:
        # No member was trained to a finite loss.
        run.book(trained)
        return before
    run.book(member for member in found.members if member.config != config)
    # Knobs of both boards have no order of simplicity: the best member is taken, and the ensemble sees the others.
    choice = replace(found.choice, chosen=found.best)
    # A warning that the best lies at an end of the space would be no advice: the space was built around the network.
    warnings = tuple(words for words in found.warnings if words == NOT_INSTALLED)
    found = replace(found, choice=choice, warnings=warnings, monte_carlo=None)
    run.recall("sweep", str(step), lambda: {**found.to_json(), "coupled": True})
    return min(before, found.best, key=lambda outcome: outcome.losses["dev"])


class _Spending:
    """Lets configs through until an amount, in the unit of the budget, is spent."""

    def __init__(self, run: RunContext, amount: float) -> None:
        self._run, self._left = run, amount

    def __call__(self, configs: Sequence[Config]) -> list[Config]:
        """Return the first configs that the rest pays for."""
        taken = []
        for config in configs:
            cost = self._run.budget.cost(config)
            if cost > self._left:
                break
            self._left -= cost
            taken.append(config)
        return taken
