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
from wellfit.outcome import Outcome
from wellfit.recipe.bench import Bench
from wellfit.recipe.ensemble import rejoined
from wellfit.recipe.expectation import Expected
from wellfit.recipe.pick import Pick, is_called, next_remedy, ranking
from wellfit.recipe.remedies.catalogue import BY_BOARD, REMEDIES
from wellfit.recipe.remedies.regularization import CLOSING
from wellfit.recipe.remedies.remedy import Remedy, Result
from wellfit.recipe.rules import Rules, describe_change
from wellfit.recipe.turn import CAUSE_OF, PART_OF, Turn, Work

OPTIMIZATION_SHARE = 0.4
"""Share of what the first network leaves of the budget that may be spent before regularization has its turn."""
CONTINUES = "the same command continues"


def follow(bench: Bench, start: Config, rules: Rules | None = None) -> Turn:
    """Train `start`, then turn boards until both gaps are fine, nothing is left to try, or the budget is spent.

    Fitting train better can cost dev error that regularizing does not win back: of the networks on the way, the one
    with the lowest dev loss is gone on with, the last of equals. Where gaps are left, the rest of the budget goes
    into a search over both boards around it, and where it may over-fit into an ensemble. With `rules.only` the remedy's
    own network is returned.

    Args:
        bench: data, engine, purse and memory.
        start: the first network, every regularizer at zero.
        rules: what the user asked for.

    Raises:
        BadInput: the budget is not enough for the first network, or for the one step that was asked for.
    """
    rules = rules or Rules()
    turn = first_turn(bench, start)
    if rules.only is not None:
        return _only(Work(bench=bench, turn=turn, rules=rules), REMEDIES[rules.only])
    turns = [turn]
    while remedy := _single(pick := next_step(Work(bench=bench, turn=turns[-1], rules=rules))):
        turns.append(carry_out(pick.work, remedy))
        if remedy.repairs_measurement and turns[-1].outcome is not turns[-2].outcome:
            turns = turns[-1:]
        turns.append(around_again(pick.work, turns[-1]))
    best = min(reversed(turns), key=lambda turn: turn.outcome.losses["dev"])
    exhausted = turns[-1].exhausted | pick.work.without_gain
    turn = replace(best, step=turns[-1].step, exhausted=exhausted)
    work = Work(bench=bench, turn=turn, rules=rules, without_gain=pick.work.without_gain)
    for remedy in CLOSING:
        if _closes(work, remedy):
            work = Work(bench=bench, turn=carry_out(work, remedy), rules=rules)
    return work.turn


def next_step(work: Work) -> Pick:
    """What comes next where the recipe stands: a single step, what closes the run when there is none, or nothing."""
    pick = next_remedy(work)
    if pick.remedy is not None:
        return pick
    return Pick(next((remedy for remedy in CLOSING if _closes(pick.work, remedy)), None), pick.work)


def _single(pick: Pick) -> Remedy | None:
    """The next single step; what closes a run comes after all of them."""
    return None if pick.remedy in CLOSING else pick.remedy


def _closes(work: Work, remedy: Remedy) -> bool:
    """Whether the run goes on with one of the closing steps; an earlier session's is taken up again."""
    remembered = work.bench.remembered_step(work.turn.step + 1)
    if remembered is not None:
        return bool(remembered["kind"] == remedy.kind)
    bias = work.turn.gap("optimization")
    wanted = work.turn.may_overfit or (remedy.coupled and bias is not None and bias.verdict == "yes")
    return wanted and remedy.is_affordable(work)


def first_turn(bench: Bench, start: Config) -> Turn:
    """Train the first network and diagnose it: where the recipe starts from.

    Raises:
        BadInput: the budget is not enough for it.
    """
    if not bench.purse.is_timed and bench.purse.cost(start) > bench.purse.total:
        raise BadInput(
            "a budget must be enough for one epoch",
            found=bench.purse.said(bench.purse.total),
            remedy=f"Give a --budget of at least {bench.purse.enough_for(bench.purse.cost(start))}: {CONTINUES}",
        )
    bench.notify({"event": "training", "identity": "the first network", **start.to_json()})
    trained = bench.train([start], deadline=bench.purse.latest)
    if not trained:
        total, enough = bench.purse.said(bench.purse.total), bench.purse.enough_for(bench.purse.cost_alone(start))
        raise BadInput(
            "a budget must be enough for one training",
            found=f"nothing left of {total} after reading the data and fitting the reference models",
            remedy=f"Give a --budget of at least {enough}: {CONTINUES}",
        )
    return Turn(
        step=0,
        reserved=(1 - OPTIMIZATION_SHARE) * bench.purse.remaining,
        first=trained[0],
        plain=trained[0],
        outcome=trained[0],
        diagnosis=_diagnosed(bench, trained[0], step=0),
    )


def _only(work: Work, remedy: Remedy) -> Turn:
    if work.bench.remembered_step(work.turn.step + 1) is None:
        _require_means(work, remedy)
    return carry_out(work, remedy)


def _require_means(work: Work, remedy: Remedy) -> None:
    """Refuse a step that has nothing to try, or for which the budget is too small."""
    purse, price = work.bench.purse, remedy.price(work)
    if price is None:
        fixed = ", ".join(sorted(work.rules.fixed))
        raise BadInput(
            "a step needs something to try",
            found=f"--only {remedy.kind}, for which nothing is left here{f' with {fixed} fixed' if fixed else ''}",
            remedy="Choose another remedy: `wellfit diagnose` shows the next ones"
            + ("; or free knobs: an empty [network] in --config FILE.toml frees all" if fixed else ""),
        )
    if purse.remaining < price.least:
        raise BadInput(
            "a budget must be enough for one step",
            found=f"{purse.said(purse.remaining)} left of {purse.said(purse.total)}, where {remedy.kind} takes "
            f"{purse.said(price.least)}",
            remedy=f"Give a --budget of at least {purse.enough_for(price.least)}: {CONTINUES}",
        )


def carry_out(work: Work, remedy: Remedy) -> Turn:
    """Take one step, or follow it again where an earlier session took it, and diagnose what came."""
    turn, board, gap = work.turn, remedy.board, work.turn.diagnosis.gap(remedy.closes)
    step, fresh = turn.step + 1, list[Outcome]()

    def take() -> Json:
        expected = remedy.expected(work)
        turned = "both" if remedy.coupled else board
        work.bench.notify({"event": "step", "step": step, "board": turned, "kind": remedy.kind, **expected.to_json()})
        spent = work.bench.purse.remaining
        result: Result = remedy.apply(work)
        fresh.append(result.outcome)
        spent -= work.bench.purse.remaining
        return {**step_body(work, remedy, expected=expected, after=result.outcome, spent=spent), **result.to_json()}

    body = work.bench.remember_step(step, take)
    after = fresh[0] if fresh else _remembered(work.bench, turn, body)
    # A sweep has tried its whole grid; more of a smaller step would only choose on dev again.
    once = board != "optimization" or not body["kept"]
    return replace(
        turn,
        step=step,
        board=board,
        outcome=after,
        plain=after if _is_plain(after, turn) else turn.plain,
        diagnosis=_diagnosed(work.bench, after, step=step),
        exhausted=turn.exhausted | set(body.get("without_gain", ())) | ({remedy.kind} if once else set()),
        unsure=turn.unsure if _was_sure(remedy, gap) else turn.unsure | {board},
    )


def _was_sure(remedy: Remedy, gap: Gap | None) -> bool:
    """Whether a step was called by something else than a gap that only leans high."""
    return remedy.repairs_measurement or (gap is not None and gap.verdict == "yes")


def _is_plain(outcome: Outcome, turn: Turn) -> bool:
    return outcome.networks == 1 and outcome.config.regularization == turn.first.config.regularization


def _remembered(bench: Bench, turn: Turn, body: Json) -> Outcome:
    """The network that a step of an earlier session ended with."""
    if not body["kept"]:
        return turn.outcome
    return rejoined(bench, body) if body.get("members") else bench.outcome_of(Config.from_json(body["config"]))


def _diagnosed(bench: Bench, outcome: Outcome, *, step: int) -> Diagnosis:
    diagnosis = bench.diagnose(outcome)

    def body() -> Json:
        return {"step": step, "identity": outcome.identity, **diagnosis.to_json()}

    bench.recall("diagnosis", str(step), body)
    return diagnosis


MOST_ROUNDS = 3
SHARE = 0.5
"""Share of what is left of the budget that another round may spend on bias; the rest is for regularizing again."""

_KINDS = {board: frozenset(remedy.kind for remedy in remedies) for board, remedies in BY_BOARD.items()}


def around_again(work: Work, turn: Turn) -> Turn:
    """Where the recipe goes on after a step: another round where the bias came back, else where it stands.

    Args:
        work: where the recipe stood before the step.
        turn: where it stands now.
    """
    fits_better = turn.board == "optimization" and turn.outcome is not work.turn.outcome
    if turn.round > 1 and fits_better:
        return replace(turn, exhausted=turn.exhausted - _KINDS["regularization"])
    came_back = turn.board == "regularization" and turn.outcome is not turn.plain and _is_biased(turn)
    if not came_back or turn.round == MOST_ROUNDS:
        return turn
    after = replace(work, turn=turn)

    def decide() -> Json:
        return {"from": next((name for name in _STARTS if _can_go(replace(after, turn=_start(after, name)))), None)}

    start = work.bench.recall("plan", f"{turn.step}/round", decide)["from"]
    if start is None:
        return turn
    work.bench.notify({"event": "round", "round": turn.round + 1, "from": start})
    return _start(after, start)


_STARTS = ("without regularizers", "with them")


def _is_biased(turn: Turn) -> bool:
    bias = turn.gap("optimization")
    return bias is not None and bias.verdict == "yes"


def _start(work: Work, name: str) -> Turn:
    turn = replace(work.turn, round=work.turn.round + 1, reserved=(1 - SHARE) * work.bench.purse.remaining)
    if name == "with them":
        return replace(turn, exhausted=turn.exhausted - _KINDS["optimization"])
    return replace(turn, outcome=turn.plain, diagnosis=work.bench.diagnose(turn.plain))


def _can_go(work: Work) -> bool:
    return _is_biased(work.turn) and is_called(work, "optimization") and bool(ranking(work, "optimization"))


OTHER: dict[Board, Board] = {
    "optimization": "regularization",
    "data": "optimization",
    "regularization": "optimization",
}


def step_body(work: Work, remedy: Remedy, *, expected: Expected, after: Outcome, spent: float) -> Json:
    """The journal entry of one step.

    Args:
        work: where the recipe stood before.
        remedy: what was carried out.
        expected: what was expected of it.
        after: the network to go on with.
        spent: what it took, in the unit of the budget.
    """
    turn, board = work.turn, remedy.board
    before, part = turn.outcome, PART_OF[board]
    got = before.losses[part] - after.losses[part]
    return {
        "step": turn.step + 1,
        "round": turn.round,
        "board": board,
        "locked": "none" if remedy.coupled else OTHER[board],
        "kind": remedy.kind,
        "finding": remedy.finding,
        "did": f"{remedy.kind.replace('_', ' ')}: {_change(before, after)}",
        "because": _cause(turn, remedy),
        **expected.to_json(),
        "spent": spent,
        "got": got,
        # A ceiling of 0 foretells nothing that could hold.
        "as_expected": expected.holds(got) if expected.low < expected.high else None,
        "kept": after is not before,
        "coupled": remedy.coupled,
        "without_gain": sorted(work.without_gain),
        "idea": work.rules.idea,
        "config": after.config.to_json(),
        "config_before": before.identity,
        "config_after": after.identity,
        "errors_before": dict(before.losses),
        "errors_after": dict(after.losses),
        "gaps_before": turn.diagnosis.to_json()["gaps"],
        "gaps_after": work.bench.diagnose(after).to_json()["gaps"],
    }


def _change(before: Outcome, after: Outcome) -> str:
    # Members of an average differ in many knobs, of which the heaviest one's are no better than the others'.
    if after.networks != before.networks:
        return f"networks {before.networks} -> {after.networks}"
    return describe_change(before, after)


def _cause(turn: Turn, remedy: Remedy) -> str:
    gap = turn.diagnosis.gap(remedy.closes)
    if gap is None:
        return "asked"
    if remedy.coupled:
        left = {name: found.verdict for name, found in turn.diagnosis.gaps.items() if found and found.verdict != "no"}
        return ", ".join(f"{CAUSE_OF[name]}: {verdict}" for name, verdict in left.items()) or "asked"
    said = f"{CAUSE_OF[remedy.closes]}: {gap.verdict}"
    brought_back = remedy.board == "optimization" and turn.round > 1
    return f"{said}, brought back by regularizing (round {turn.round})" if brought_back else said
