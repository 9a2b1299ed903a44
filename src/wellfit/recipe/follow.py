"""The recipe: fight bias first, then variance, one board a step, each step diagnosed and judged before and after.

Where single steps are through, a search of both boards and an ensemble close the run.
Round again: where regularizing has brought bias back, the optimization board has another turn.
What the journal keeps of a step: what was turned, why, what was expected, and what came.
"""

from __future__ import annotations

from dataclasses import replace

from wellfit._typing import Board, Json
from wellfit.config import Config
from wellfit.diagnosis.diagnosis import Diagnosis
from wellfit.diagnosis.gaps import Gap
from wellfit.exceptions import BadInput
from wellfit.gaps import GAP_OF_BOARD, GAPS
from wellfit.outcome import Outcome
from wellfit.recipe.context import RunContext
from wellfit.recipe.ensemble import rejoined
from wellfit.recipe.expectation import Expected
from wellfit.recipe.pick import Pick, is_called, next_remedy, ranking
from wellfit.recipe.remedies.catalogue import BY_BOARD, REMEDIES
from wellfit.recipe.remedies.regularization import CLOSING
from wellfit.recipe.remedies.remedy import Remedy, Result
from wellfit.recipe.rules import Rules, describe_change
from wellfit.recipe.state import RecipeState, StepContext

OPTIMIZATION_SHARE = 0.4
"""Share of what the first network leaves of the budget that may be spent before regularization has its turn."""
CONTINUES = "the same command continues"


def follow(run: RunContext, start: Config, rules: Rules | None = None) -> RecipeState:
    """Train `start`, then turn boards until both gaps are fine, nothing is left to try, or the budget is spent.

    Fitting train better can cost dev error that regularizing does not win back: of the networks on the way, the one
    with the lowest dev loss is gone on with, the last of equals. Where gaps are left, the rest of the budget goes
    into a search over both boards around it, and where it may overfit into an ensemble. With `rules.only` the remedy's
    own network is returned.

    Args:
        run: data, engine, budget and what the journal recalls.
        start: the first network, every regularizer at zero.
        rules: what the user asked for.

    Raises:
        BadInput: the budget is not enough for the first network, or for the one step that was asked for.
    """
    rules = rules or Rules()
    state = first_state(run, start)
    if rules.only is not None:
        return _only(StepContext(run=run, state=state, rules=rules), REMEDIES[rules.only])
    states = [state]
    while remedy := _single(pick := next_step(StepContext(run=run, state=states[-1], rules=rules))):
        states.append(carry_out(pick.context, remedy))
        if remedy.repairs_measurement and states[-1].outcome is not states[-2].outcome:
            states = states[-1:]
        states.append(around_again(pick.context, states[-1]))
    best = min(reversed(states), key=lambda state: state.outcome.losses["dev"])
    exhausted = states[-1].exhausted | pick.context.without_gain
    state = replace(best, step=states[-1].step, exhausted=exhausted)
    context = StepContext(run=run, state=state, rules=rules, without_gain=pick.context.without_gain)
    for remedy in CLOSING:
        if _closes(context, remedy):
            context = StepContext(run=run, state=carry_out(context, remedy), rules=rules)
    return context.state


def next_step(context: StepContext) -> Pick:
    """What comes next where the recipe stands: a single step, what closes the run when there is none, or nothing."""
    pick = next_remedy(context)
    if pick.remedy is not None:
        return pick
    return Pick(next((remedy for remedy in CLOSING if _closes(pick.context, remedy)), None), pick.context)


def _single(pick: Pick) -> Remedy | None:
    """The next single step; what closes a run comes after all of them."""
    return None if pick.remedy in CLOSING else pick.remedy


def _closes(context: StepContext, remedy: Remedy) -> bool:
    """Whether the run goes on with one of the closing steps; an earlier session's is taken up again."""
    remembered = context.run.remembered_step(context.state.step + 1)
    if remembered is not None:
        return bool(remembered["kind"] == remedy.kind)
    bias = context.state.gap("optimization")
    wanted = context.state.may_overfit or (remedy.coupled and bias is not None and bias.verdict == "yes")
    return wanted and remedy.is_affordable(context)


def first_state(run: RunContext, start: Config) -> RecipeState:
    """Train the first network and diagnose it: where the recipe starts from.

    Raises:
        BadInput: the budget is not enough for it.
    """
    if not run.budget.is_timed and run.budget.cost(start) > run.budget.total:
        raise BadInput(
            "a budget must be enough for one epoch",
            found=run.budget.said(run.budget.total),
            remedy=f"Give a --budget of at least {run.budget.enough_for(run.budget.cost(start))}: {CONTINUES}",
        )
    run.notify({"event": "training", "identity": "the first network", **start.to_json()})
    trained = run.train([start], deadline=run.budget.latest)
    if not trained:
        total, enough = run.budget.said(run.budget.total), run.budget.enough_for(run.budget.cost_alone(start))
        raise BadInput(
            "a budget must be enough for one training",
            found=f"nothing left of {total} after reading the data and fitting the reference models",
            remedy=f"Give a --budget of at least {enough}: {CONTINUES}",
        )
    return RecipeState(
        step=0,
        reserved=(1 - OPTIMIZATION_SHARE) * run.budget.remaining,
        first=trained[0],
        plain=trained[0],
        outcome=trained[0],
        diagnosis=_diagnosed(run, trained[0], step=0),
    )


def _only(context: StepContext, remedy: Remedy) -> RecipeState:
    if context.run.remembered_step(context.state.step + 1) is None:
        _require_means(context, remedy)
    return carry_out(context, remedy)


def _require_means(context: StepContext, remedy: Remedy) -> None:
    """Refuse a step that has nothing to try, or for which the budget is too small."""
    budget, price = context.run.budget, remedy.price(context)
    if price is None:
        fixed = ", ".join(sorted(context.rules.fixed))
        raise BadInput(
            "a step needs something to try",
            found=f"--only {remedy.kind}, for which nothing is left here{f' with {fixed} fixed' if fixed else ''}",
            remedy="Choose another remedy: `wellfit diagnose` shows the next ones"
            + ("; or free knobs: an empty [network] in --config FILE.toml frees all" if fixed else ""),
        )
    if budget.remaining < price.least:
        raise BadInput(
            "a budget must be enough for one step",
            found=f"{budget.said(budget.remaining)} left of {budget.said(budget.total)}, where {remedy.kind} takes "
            f"{budget.said(price.least)}",
            remedy=f"Give a --budget of at least {budget.enough_for(price.least)}: {CONTINUES}",
        )


def carry_out(context: StepContext, remedy: Remedy) -> RecipeState:
    """Take one step, or follow it again where an earlier session took it, and diagnose what came."""
    state, board, gap = context.state, remedy.board, context.state.diagnosis.gap(remedy.closes)
    step, fresh = state.step + 1, list[Outcome]()

    def take() -> Json:
        expected = remedy.expected(context)
        turned = "both" if remedy.coupled else board
        context.run.notify({"event": "step", "step": step, "board": turned, "kind": remedy.kind, **expected.to_json()})
        spent = context.run.budget.remaining
        result: Result = remedy.apply(context)
        fresh.append(result.outcome)
        spent -= context.run.budget.remaining
        return {**step_body(context, remedy, expected=expected, after=result.outcome, spent=spent), **result.to_json()}

    body = context.run.remember_step(step, take)
    after = fresh[0] if fresh else _remembered(context.run, state, body)
    # A sweep has tried its whole grid; more of a smaller step would only choose on dev again.
    once = board != "optimization" or not body["kept"]
    return replace(
        state,
        step=step,
        board=board,
        outcome=after,
        plain=after if _is_plain(after, state) else state.plain,
        diagnosis=_diagnosed(context.run, after, step=step),
        exhausted=state.exhausted | set(body.get("without_gain", ())) | ({remedy.kind} if once else set()),
        unsure=state.unsure if _was_sure(remedy, gap) else state.unsure | {board},
    )


def _was_sure(remedy: Remedy, gap: Gap | None) -> bool:
    """Whether a step was called by something else than a gap that only leans high."""
    return remedy.repairs_measurement or (gap is not None and gap.verdict == "yes")


def _is_plain(outcome: Outcome, state: RecipeState) -> bool:
    return outcome.networks == 1 and outcome.config.regularization == state.first.config.regularization


def _remembered(run: RunContext, state: RecipeState, body: Json) -> Outcome:
    """The network that a step of an earlier session ended with."""
    if not body["kept"]:
        return state.outcome
    return rejoined(run, body) if body.get("members") else run.outcome_of(Config.from_json(body["config"]))


def _diagnosed(run: RunContext, outcome: Outcome, *, step: int) -> Diagnosis:
    diagnosis = run.diagnose(outcome)

    def body() -> Json:
        return {"step": step, "identity": outcome.identity, **diagnosis.to_json()}

    run.recall("diagnosis", str(step), body)
    return diagnosis


MOST_ROUNDS = 3
SHARE = 0.5
"""Share of what is left of the budget that another round may spend on bias; the rest is for regularizing again."""

_KINDS = {board: frozenset(remedy.kind for remedy in remedies) for board, remedies in BY_BOARD.items()}


def around_again(context: StepContext, state: RecipeState) -> RecipeState:
    """Where the recipe goes on after a step: another round where the bias came back, else where it stands.

    Args:
        context: where the recipe stood before the step.
        state: where it stands now.
    """
    fits_better = state.board == "optimization" and state.outcome is not context.state.outcome
    if state.round > 1 and fits_better:
        return replace(state, exhausted=state.exhausted - _KINDS["regularization"])
    came_back = state.board == "regularization" and state.outcome is not state.plain and _is_biased(state)
    if not came_back or state.round == MOST_ROUNDS:
        return state
    after = replace(context, state=state)

    def decide() -> Json:
        return {"from": next((name for name in _STARTS if _can_go(replace(after, state=_start(after, name)))), None)}

    start = context.run.recall("plan", f"{state.step}/round", decide)["from"]
    if start is None:
        return state
    context.run.notify({"event": "round", "round": state.round + 1, "from": start})
    return _start(after, start)


_STARTS = ("without regularizers", "with them")


def _is_biased(state: RecipeState) -> bool:
    bias = state.gap("optimization")
    return bias is not None and bias.verdict == "yes"


def _start(context: StepContext, name: str) -> RecipeState:
    state = replace(context.state, round=context.state.round + 1, reserved=(1 - SHARE) * context.run.budget.remaining)
    if name == "with them":
        return replace(state, exhausted=state.exhausted - _KINDS["optimization"])
    return replace(state, outcome=state.plain, diagnosis=context.run.diagnose(state.plain))


def _can_go(context: StepContext) -> bool:
    return _is_biased(context.state) and is_called(context, "optimization") and bool(ranking(context, "optimization"))


def step_body(context: StepContext, remedy: Remedy, *, expected: Expected, after: Outcome, spent: float) -> Json:
    """The journal entry of one step.

    Args:
        context: where the recipe stood before.
        remedy: what was carried out.
        expected: what was expected of it.
        after: the network to go on with.
        spent: what it took, in the unit of the budget.
    """
    state, board = context.state, remedy.board
    before, part = state.outcome, GAP_OF_BOARD[board].judged_on
    got = before.losses[part] - after.losses[part]
    return {
        "step": state.step + 1,
        "round": state.round,
        "board": board,
        "locked": "none" if remedy.coupled else _locked(board),
        "kind": remedy.kind,
        "finding": remedy.finding,
        "did": f"{remedy.kind.replace('_', ' ')}: {_change(before, after)}",
        "because": _cause(state, remedy),
        **expected.to_json(),
        "spent": spent,
        "got": got,
        # A ceiling of 0 foretells nothing that could hold.
        "as_expected": expected.holds(got) if expected.low < expected.high else None,
        "kept": after is not before,
        "coupled": remedy.coupled,
        "without_gain": sorted(context.without_gain),
        "idea": context.rules.idea,
        "config": after.config.to_json(),
        "config_before": before.identity,
        "config_after": after.identity,
        "errors_before": dict(before.losses),
        "errors_after": dict(after.losses),
        "gaps_before": state.diagnosis.to_json()["gaps"],
        "gaps_after": context.run.diagnose(after).to_json()["gaps"],
    }


def _locked(board: Board) -> Board:
    """Return the board that stands still while another is turned."""
    return "regularization" if board == "optimization" else "optimization"


def _change(before: Outcome, after: Outcome) -> str:
    # Members of an average differ in many knobs, of which the heaviest one's are no better than the others'.
    if after.networks != before.networks:
        return f"networks {before.networks} -> {after.networks}"
    return describe_change(before, after)


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
