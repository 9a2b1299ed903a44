"""The recipe: fight bias first, then variance, one board a step, each step diagnosed before and after."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from wellfit._typing import Board, Json
from wellfit.config import Config
from wellfit.diagnosis.diagnosis import Diagnosis
from wellfit.diagnosis.gaps import GapName
from wellfit.exceptions import BadInput
from wellfit.outcome import Outcome, Status
from wellfit.recipe.bench import Bench
from wellfit.recipe.ensemble import FEWEST_NETWORKS, PARENTS, Averaged, ensemble_step, networks_affordable, rejoined
from wellfit.recipe.regularize import FEWEST_MEMBERS, best_members, sweep_step
from wellfit.recipe.remedies import ENSEMBLE, OPTIMIZATION, REGULARIZE, describe_change
from wellfit.stats.differences import paired_difference

OPTIMIZATION_SHARE = 0.4
"""Share of what the first network leaves of the budget that may be spent before regularization has its turn."""

GAP_OF: Mapping[Board, GapName] = {"optimization": "avoidable_bias", "regularization": "variance"}
CAUSE_OF: Mapping[Board, str] = {"optimization": "bias", "regularization": "variance"}


@dataclass(frozen=True, kw_only=True)
class Turn:
    """Where the recipe stands.

    Attributes:
        step: number of the last step; 0 is the first network.
        reserved: part of the budget that is kept for regularization.
        first: what the first network came to.
        outcome: what the network of now came to.
        diagnosis: of that network.
        exhausted: remedies that did not help, or have no trial left.
        unsure: boards that were turned on a "cannot tell": once is enough.
    """

    step: int
    reserved: float
    first: Outcome
    outcome: Outcome
    diagnosis: Diagnosis
    exhausted: frozenset[str] = frozenset()
    unsure: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Done:
    """What a remedy that ends with one network came to."""

    outcome: Outcome

    def to_json(self) -> Json:
        """Nothing that the step's entry does not say."""
        return {}


def follow(
    bench: Bench, start: Config, *, only: str | None = None, ensemble: bool = True, idea: str | None = None
) -> Turn:
    """Train `start`, then turn boards until both gaps are fine, nothing is left to try, or the budget is spent.

    Fitting train better can cost dev error that regularizing does not win back: of the networks on the way, the one
    with the lowest dev loss is gone on with, the last of equals. Where it may over-fit, the rest of the budget goes
    into an ensemble. With `only` the remedy's own network is returned.

    Args:
        bench: data, engine, purse and memory.
        start: the first network, every regularizer at zero.
        only: carry out this one remedy, whatever the diagnosis says.
        ensemble: whether the last step may average several networks, which takes their time and room at prediction.
        idea: why, in the user's words; kept with each step.

    Raises:
        BadInput: the budget is not enough for the first network.
    """
    turn = _first(bench, start)
    if only is not None:
        return _carry_out(bench, turn, only, idea=idea)
    turns = [turn]
    while (kind := _next_remedy(bench, turns[-1])) not in (None, ENSEMBLE):
        turns.append(_carry_out(bench, turns[-1], str(kind), idea=idea))
    best = min(reversed(turns), key=lambda turn: turn.outcome.losses["dev"])
    best = replace(best, step=turns[-1].step)
    if ensemble and (kind == ENSEMBLE or _may_average(bench, best)):
        return _carry_out(bench, best, ENSEMBLE, idea=idea)
    return best


def board_of(kind: str) -> Board:
    """The board that a remedy turns."""
    return "regularization" if kind in (REGULARIZE, ENSEMBLE) else "optimization"


def _first(bench: Bench, start: Config) -> Turn:
    if not bench.purse.is_timed and bench.purse.cost(start) > bench.purse.total:
        raise BadInput(
            "a budget must be enough for one epoch",
            found=f"{bench.purse.total:g} updates",
            remedy=f"Give a --budget of at least {bench.purse.cost(start):g}updates: the same command continues",
        )
    bench.notify({"event": "training", "identity": "the first network", **start.to_json()})
    trained = bench.train([start], deadline=bench.purse.latest)
    if not trained:
        raise BadInput(
            "a budget must be enough for one training",
            found=f"nothing left of {bench.purse.total:g} after reading the data and fitting the reference models",
            remedy="Give a larger --budget: the same command continues",
        )
    return Turn(
        step=0,
        reserved=(1 - OPTIMIZATION_SHARE) * bench.purse.remaining,
        first=trained[0],
        outcome=trained[0],
        diagnosis=_diagnosed(bench, trained[0], step=0),
    )


def _next_remedy(bench: Bench, turn: Turn) -> str | None:
    remembered = bench.remembered_step(turn.step + 1)
    if remembered is not None:
        return str(remembered["kind"])
    if _wanted(turn, "optimization") and bench.purse.remaining > (turn.reserved if _may_overfit(turn) else 0):
        for kind in OPTIMIZATION:
            if kind not in turn.exhausted and _affordable_trials(bench, turn, kind):
                return kind
    affordable = bench.purse.affordable(turn.outcome.config) >= 1  # beside the network that is there already
    if _wanted(turn, "regularization") and REGULARIZE not in turn.exhausted and affordable:
        return REGULARIZE
    return None


def _affordable_trials(bench: Bench, turn: Turn, kind: str) -> list[Config]:
    """Trials of a remedy that leave enough of the budget for a sweep, where one may become necessary."""
    trials = OPTIMIZATION[kind](turn.outcome.config)
    others = FEWEST_MEMBERS if _may_overfit(turn) else len(trials)
    return [trial for trial in trials if bench.purse.affordable(trial) >= others]


def _may_overfit(turn: Turn) -> bool:
    variance = turn.diagnosis.gap("variance")
    return variance is not None and variance.verdict != "no"


def _may_average(bench: Bench, turn: Turn) -> bool:
    return _may_overfit(turn) and networks_affordable(bench, turn.outcome.config) >= FEWEST_NETWORKS


def _wanted(turn: Turn, board: Board) -> bool:
    gap = turn.diagnosis.gap(GAP_OF[board])
    if gap is None or gap.verdict == "no":
        return False
    undecided = gap.value > turn.diagnosis.tolerance and board not in turn.unsure
    return gap.verdict == "yes" or undecided


def _carry_out(bench: Bench, turn: Turn, kind: str, *, idea: str | None) -> Turn:
    step = turn.step + 1
    board = board_of(kind)
    fresh: list[Outcome] = []

    def take() -> Json:
        done = _done(bench, turn, kind)
        fresh.append(done.outcome)
        return {**_step(bench, turn, kind, after=done.outcome, idea=idea), **done.to_json()}

    body = bench.remember_step(step, take)
    after = fresh[0] if fresh else _remembered(bench, turn, body)
    gap = turn.diagnosis.gap(GAP_OF[board])
    return Turn(
        step=step,
        reserved=turn.reserved,
        first=turn.first,
        outcome=after,
        diagnosis=_diagnosed(bench, after, step=step),
        exhausted=turn.exhausted if body["kept"] and kind != REGULARIZE else turn.exhausted | {kind},
        unsure=turn.unsure if gap and gap.verdict == "yes" else turn.unsure | {board},
    )


def _done(bench: Bench, turn: Turn, kind: str) -> Done | Averaged:
    """Carry out one remedy."""
    step, before = turn.step + 1, turn.outcome
    bench.notify({"event": "step", "step": step, "board": board_of(kind), "kind": kind})
    if kind == ENSEMBLE:
        parents = best_members(bench, before.config, step=step, count=PARENTS)
        return ensemble_step(bench, before, parents=parents, step=step)
    if kind == REGULARIZE:
        return Done(sweep_step(bench, before, diagnosis=turn.diagnosis, step=step))
    return Done(_best_trial(bench, turn, kind))


def _remembered(bench: Bench, turn: Turn, body: Json) -> Outcome:
    """The network that a step of an earlier session ended with."""
    if not body["kept"]:
        return turn.outcome
    return rejoined(bench, body) if body.get("members") else bench.outcome_of(Config.from_json(body["config"]))


def _step(bench: Bench, turn: Turn, kind: str, *, after: Outcome, idea: str | None) -> Json:
    """The journal entry of one remedy."""
    step, before, board = turn.step + 1, turn.outcome, board_of(kind)
    gap = turn.diagnosis.gap(GAP_OF[board])
    return {
        "step": step,
        "board": board,
        "kind": kind,
        "did": f"{kind.replace('_', ' ')}: {describe_change(before, after)}",
        "because": f"{CAUSE_OF[board]}: {gap.verdict}" if gap else "asked",
        "expected": turn.diagnosis.ceiling(GAP_OF[board]),
        "got": _gain(before, after, board=board),
        "kept": after is not before,
        "idea": idea,
        "config": after.config.to_json(),
        "config_before": before.identity,
        "config_after": after.identity,
        "errors_before": dict(before.losses),
        "errors_after": dict(after.losses),
        "gaps_before": turn.diagnosis.to_json()["gaps"],
        "gaps_after": bench.diagnose(after).to_json()["gaps"],
    }


def _best_trial(bench: Bench, turn: Turn, kind: str) -> Outcome:
    """Train the remedy's trials and return the one that fits train best, or the old network when none is better."""
    trials = _affordable_trials(bench, turn, kind)
    trained = [outcome for outcome in bench.train(trials) if outcome.status is Status.FINISHED]
    if not trained:
        return turn.outcome
    best = min(trained, key=lambda outcome: outcome.losses["train"])
    gain = paired_difference(turn.outcome.train_losses, best.train_losses)
    return best if gain.low > 0 else turn.outcome


def _gain(before: Outcome, after: Outcome, *, board: Board) -> float:
    part = "train" if board == "optimization" else "dev"
    return before.losses[part] - after.losses[part]


def _diagnosed(bench: Bench, outcome: Outcome, *, step: int) -> Diagnosis:
    diagnosis = bench.diagnose(outcome)

    def body() -> Json:
        return {"step": step, "identity": outcome.identity, **diagnosis.to_json()}

    bench.recall("diagnosis", str(step), body)
    return diagnosis
