"""The recipe: reduce bias first, then variance, one board per step, with a diagnosis before and after each step.

If regularizing has brought bias back, another round works on the optimization board again. After the single steps, the
run ends with a search of both boards and an ensemble.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from wellfit.base.typing import Board, Json
from wellfit.diagnosis.diagnosis import Diagnosis
from wellfit.diagnosis.gaps import present
from wellfit.exceptions import BadInput
from wellfit.recipe.context import RunContext
from wellfit.recipe.ensemble import rejoined
from wellfit.recipe.pick import Pick, is_called, next_remedy, ranking, shelf_of
from wellfit.recipe.remedies.remedy import Expected, Remedy
from wellfit.recipe.state import RecipeState, Rules, StepContext, describe_change
from wellfit.records.config import Config
from wellfit.records.gaps import GAP_OF_BOARD, GAPS
from wellfit.records.outcome import Outcome

OPTIMIZATION_SHARE = 0.4
"""Share of the budget after the first network that may be spent before the regularization board."""
CONTINUES = "the same command then continues"


def follow(run: RunContext, start: Config, rules: Rules | None = None) -> RecipeState:
    """Train `start`, then apply remedies until all gaps are closed, no remedy is left, or the budget is spent.

    Fitting train better can raise the dev error by more than regularizing wins back, so the run continues with the
    network that has the lowest dev loss so far (the last one among equals). If gaps are left, the rest of the budget
    goes into a search of both boards around that network, and into an ensemble if it may overfit. With `rules.only` the
    network of that one remedy is returned. A budget that does not cover the first network, or that step, is refused.
    """
    context = StepContext(run=run, state=first_state(run, start), rules=rules or Rules())
    if context.rules.only is not None:
        remedy = shelf_of(run).kinds[context.rules.only]
        if run.remembered_step(context.state.step + 1) is None:
            _require_means(context, remedy)
        return carry_out(context, remedy)
    states = [context.state]
    while True:
        pick = next_step(context)
        if pick.remedy is None or pick.remedy in shelf_of(run).closing:
            return _close(pick.context, states)
        after = carry_out(pick.context, pick.remedy)
        if pick.remedy.repairs_measurement and after.outcome is not context.state.outcome:
            # Errors that were measured before the repair are not comparable with later ones.
            states = []
        states += [after, around_again(pick.context, after)]
        context = context.at(states[-1])


def _close(context: StepContext, states: Sequence[RecipeState]) -> RecipeState:
    """Search both boards around the best network so far, then average networks; skip remedies without a chance."""
    best = min(reversed(states), key=lambda state: state.outcome.losses["dev"])
    exhausted = context.state.exhausted | context.without_gain
    state = replace(best, step=context.state.step, exhausted=exhausted)
    context = replace(context.at(state), without_gain=context.without_gain)
    for remedy in shelf_of(context.run).closing:
        if _closes(context, remedy):
            context = context.at(carry_out(context, remedy))
    return context.state


def next_step(context: StepContext) -> Pick:
    """Return the next single step, a step that ends the run, or no step."""
    pick = next_remedy(context)
    if pick.remedy is not None:
        return pick
    return Pick(
        next((each for each in shelf_of(context.run).closing if _closes(pick.context, each)), None), pick.context
    )


def _closes(context: StepContext, remedy: Remedy) -> bool:
    """Return True if the run takes this closing step; a step of an earlier session is always replayed."""
    remembered = context.run.remembered_step(context.state.step + 1)
    if remembered is not None:
        return bool(remembered["kind"] == remedy.kind)
    state = context.state
    wanted = state.may_overfit or (remedy.coupled and (state.is_biased or _polishes(context)))
    return wanted and remedy.is_affordable(context)


def _polishes(context: StepContext) -> bool:
    """Return True if the rest of the budget goes into a search because the first network had something to repair."""
    if not shelf_of(context.run).polishes:
        return False
    first = context.run.diagnose(context.state.first)
    return any(gap.verdict == "yes" for gap in present(first.gaps))


def first_state(run: RunContext, start: Config) -> RecipeState:
    """Train the first network and diagnose it; BadInput if the budget does not cover it."""
    if not run.budget.is_timed and run.budget.cost(start) > run.budget.total:
        raise BadInput(
            "a budget must be enough for one epoch",
            found=run.budget.text(run.budget.total),
            remedy=f"Give a --budget of at least {run.budget.enough_for(run.budget.cost(start))}: {CONTINUES}",
        )
    run.notify({"event": "training", "identity": "the first network", **start.to_json()})
    trained = run.train([start], deadline=run.budget.latest)
    if not trained:
        total, enough = run.budget.text(run.budget.total), run.budget.enough_for(run.budget.cost_alone(start))
        raise BadInput(
            "a budget must be enough to train one network",
            found=f"nothing left of {total} after reading the data and fitting the reference models",
            remedy=f"Give a --budget of at least {enough}: {CONTINUES}",
        )
    return RecipeState(
        step=0,
        reserved=(1 - OPTIMIZATION_SHARE) * run.budget.remaining,
        first=trained[0],
        plain=trained[0],
        outcome=trained[0],
        diagnosis=_journaled(run, trained[0], run.diagnose(trained[0]), step=0),
    )


def _require_means(context: StepContext, remedy: Remedy) -> None:
    """Refuse a step without trials, or one for which the budget is too small."""
    budget, price = context.run.budget, remedy.price(context)
    if price is None:
        fixed = ", ".join(sorted(context.rules.fixed))
        raise BadInput(
            "a step must have something to try",
            found=f"--only {remedy.kind}, for which nothing is left to try{f' with {fixed} fixed' if fixed else ''}",
            remedy="Choose another remedy: `wellfit diagnose` lists them"
            + ("; or free some knobs: an empty [network] in --config FILE.toml frees all of them" if fixed else ""),
        )
    if budget.remaining < price.least:
        raise BadInput(
            "a budget must be enough for one step",
            found=f"{budget.text(budget.remaining)} left of {budget.text(budget.total)}, but {remedy.kind} takes "
            f"{budget.text(price.least)}",
            remedy=f"Give a --budget of at least {budget.enough_for(price.least)}: {CONTINUES}",
        )


def carry_out(context: StepContext, remedy: Remedy) -> RecipeState:
    """Take one step, or replay it if an earlier session took it, and diagnose its network once."""
    run, state, board = context.run, context.state, remedy.board
    gap, step = state.diagnosis.gap(remedy.closes), state.step + 1
    taken: list[tuple[Outcome, Diagnosis]] = []

    def take() -> Json:
        expected = remedy.expected(context)
        turned = "both" if remedy.coupled else board
        run.notify({"event": "step", "step": step, "board": turned, "kind": remedy.kind, **expected.to_json()})
        left = run.budget.remaining
        result = remedy.apply(context)
        spent = left - run.budget.remaining
        taken.append((result.outcome, run.diagnose(result.outcome)))
        body = step_body(context, remedy, expected=expected, after=taken[0], spent=spent)
        return {**body, **result.entry}

    body = run.remember_step(step, take)
    if not taken:
        after = state.outcome
        if body["kept"]:
            after = rejoined(run, body) if body.get("members") else run.outcome_of(Config.from_json(body["config"]))
        taken.append((after, run.diagnose(after)))
    after, diagnosis = taken[0]
    is_plain = after.networks == 1 and after.config.regularizers == state.first.config.regularizers
    # Better reasons than a gap that is only probably high.
    was_sure = remedy.repairs_measurement or (gap is not None and gap.verdict == "yes")
    # A sweep has tried its whole grid; more of a smaller step would only choose on dev again.
    once = board != "optimization" or not body["kept"]
    return replace(
        state,
        step=step,
        board=board,
        outcome=after,
        plain=after if is_plain else state.plain,
        diagnosis=_journaled(run, after, diagnosis, step=step),
        exhausted=_exhausted(context, body) | ({remedy.kind} if once else set()),
        unsure=state.unsure if was_sure else state.unsure | {board},
    )


def _exhausted(context: StepContext, body: Json) -> frozenset[str]:
    """Return the remedies that are not tried again after a step."""
    done = context.state.exhausted | set(body.get("without_gain", ()))
    has_moved = shelf_of(context.run).moves_on and body["kept"] and body["board"] == "optimization"
    return done - _kinds(context, "optimization") if has_moved else done


def _journaled(run: RunContext, outcome: Outcome, diagnosis: Diagnosis, *, step: int) -> Diagnosis:
    run.current = outcome, diagnosis
    run.recall("diagnosis", str(step), lambda: {"step": step, "identity": outcome.identity, **diagnosis.to_json()})
    return diagnosis


MOST_ROUNDS = 3
_STARTS = ("without regularizers", "with them")
SHARE = 0.5
"""Share of the remaining budget that another round may spend on bias; the rest is for regularizing again."""


def _kinds(context: StepContext, board: Board) -> frozenset[str]:
    return frozenset(remedy.kind for remedy in shelf_of(context.run).boards.get(board, ()))


def around_again(context: StepContext, state: RecipeState) -> RecipeState:
    """Return `state`, or the start of another round if the step from `context` has brought bias back."""
    fits_better = state.board == "optimization" and state.outcome is not context.state.outcome
    if state.round > 1 and fits_better:
        return replace(state, exhausted=state.exhausted - _kinds(context, "regularization"))
    came_back = state.board == "regularization" and state.outcome is not state.plain and state.is_biased
    if not came_back or state.round == MOST_ROUNDS:
        return state
    after = replace(context, state=state)
    tried: dict[str, RecipeState] = {}

    def decide() -> Json:
        for name in _STARTS:
            tried[name] = _start(after, name)
            there = replace(after, state=tried[name])
            if there.state.is_biased and is_called(there, "optimization") and ranking(there, "optimization"):
                return {"from": name}
        return {"from": None}

    start = context.run.recall("plan", f"{state.step}/round", decide)["from"]
    if start is None:
        return state
    context.run.notify({"event": "round", "round": state.round + 1, "from": start})
    return tried[start] if start in tried else _start(after, start)


def _start(context: StepContext, name: str) -> RecipeState:
    state = replace(context.state, round=context.state.round + 1, reserved=(1 - SHARE) * context.run.budget.remaining)
    if name == "with them":
        return replace(state, exhausted=state.exhausted - _kinds(context, "optimization"))
    return replace(state, outcome=state.plain, diagnosis=context.run.diagnose(state.plain))


def step_body(
    context: StepContext, remedy: Remedy, *, expected: Expected, after: tuple[Outcome, Diagnosis], spent: float
) -> Json:
    """Return the journal entry of one step; `spent` is in the unit of the budget."""
    state, board = context.state, remedy.board
    before, part = state.outcome, GAP_OF_BOARD[board].judged_on
    outcome, diagnosis = after
    got = before.losses[part] - outcome.losses[part]
    # Members of an average differ in many knobs; those of the heaviest one say no more than the others.
    averaged = f"networks {before.networks} -> {outcome.networks}" if outcome.networks != before.networks else ""
    return {
        "step": state.step + 1,
        "round": state.round,
        "board": board,
        "locked": "none" if remedy.coupled else "regularization" if board == "optimization" else "optimization",
        "kind": remedy.kind,
        "finding": remedy.finding,
        "did": f"{remedy.kind.replace('_', ' ')}: {averaged or describe_change(before, outcome)}",
        "because": _cause(state, remedy),
        **expected.to_json(),
        "spent": spent,
        "got": got,
        # An interval without width, of a ceiling of 0, cannot be right or wrong.
        "as_expected": expected.contains(got) if expected.low < expected.high else None,
        "kept": outcome is not before,
        "coupled": remedy.coupled,
        "without_gain": sorted(context.without_gain),
        "idea": context.rules.idea,
        "config": outcome.config.to_json(),
        "config_before": before.identity,
        "config_after": outcome.identity,
        "errors_before": dict(before.losses),
        "errors_after": dict(outcome.losses),
        "gaps_before": state.diagnosis.to_json()["gaps"],
        "gaps_after": diagnosis.to_json()["gaps"],
    }


def _cause(state: RecipeState, remedy: Remedy) -> str:
    gap = state.diagnosis.gap(remedy.closes)
    if gap is None:
        return "asked"
    if remedy.coupled:
        left = {name: found.verdict for name, found in state.diagnosis.gaps.items() if found and found.verdict != "no"}
        return ", ".join(f"{GAPS[name].cause}: {verdict}" for name, verdict in left.items()) or "asked"
    said = f"{gap.kind.cause}: {gap.verdict}"
    brought_back = remedy.board == "optimization" and state.round > 1
    return f"{said}, brought back by regularizing (round {state.round})" if brought_back else said
