"""The recipe: fight bias first, then variance, one board a step, each step diagnosed before and after."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from wellfit._typing import Board, Json
from wellfit.config import Config
from wellfit.diagnosis.diagnosis import Diagnosis
from wellfit.exceptions import BadInput
from wellfit.outcome import Outcome, Status
from wellfit.recipe.bench import Bench
from wellfit.recipe.regularize import sweep_step
from wellfit.recipe.remedies import CARRIED_OUT, OPTIMIZATION, REGULARIZE, describe_change
from wellfit.stats.intervals import paired_difference

OPTIMIZATION_SHARE = 0.4
"""Share of the budget that may be spent before regularization has its turn."""

GAP_OF: dict[Board, str] = {"optimization": "avoidable_bias", "regularization": "variance"}
CAUSE_OF: dict[Board, str] = {"optimization": "bias", "regularization": "variance"}


@dataclass(frozen=True, kw_only=True)
class Turn:
    """Where the recipe stands.

    Attributes:
        step: number of the last step; 0 is the first network.
        exhausted: remedies that did not help, or have no trial left.
        unsure: boards that were turned on a "cannot tell": once is enough.
    """

    step: int
    outcome: Outcome
    diagnosis: Diagnosis
    exhausted: frozenset[str] = frozenset()
    unsure: frozenset[str] = frozenset()


def follow(bench: Bench, start: Config, *, only: str | None = None, idea: str | None = None) -> Turn:
    """Train `start`, then turn boards until both gaps are fine, nothing is left to try, or the budget is spent.

    Args:
        bench: data, engine, purse and memory.
        start: the first network, every regularizer at zero.
        only: carry out this one remedy, whatever the diagnosis says.
        idea: why, in the user's words; kept with each step.

    Raises:
        BadInput: `only` names no remedy that the recipe can carry out.
    """
    if only is not None and only not in CARRIED_OUT:
        raise BadInput(
            f"--only takes one of {', '.join(CARRIED_OUT)}",
            found=repr(only),
            remedy="Other remedies need a person: `wellfit diagnose` says what to do",
        )
    turn = _first(bench, start)
    if only is not None:
        return _carry_out(bench, turn, only, idea=idea)
    while kind := _next_remedy(bench, turn):
        turn = _carry_out(bench, turn, kind, idea=idea)
    return turn


def _first(bench: Bench, start: Config) -> Turn:
    outcome = bench.train([start])[0]
    return Turn(step=0, outcome=outcome, diagnosis=_diagnosed(bench, outcome, step=0))


def _next_remedy(bench: Bench, turn: Turn) -> str | None:
    if _wanted(turn, "optimization"):
        reserved = (1 - OPTIMIZATION_SHARE) * bench.purse.total
        for kind in OPTIMIZATION:
            if kind not in turn.exhausted and bench.purse.remaining > reserved:
                return kind
    if _wanted(turn, "regularization") and REGULARIZE not in turn.exhausted and bench.purse.remaining > 0:
        return REGULARIZE
    return None


def _wanted(turn: Turn, board: Board) -> bool:
    gap = turn.diagnosis.gap(GAP_OF[board])
    if gap is None or gap.verdict == "no":
        return False
    undecided = gap.value > turn.diagnosis.tolerance and board not in turn.unsure
    return gap.verdict == "yes" or undecided


def _carry_out(bench: Bench, turn: Turn, kind: str, *, idea: str | None) -> Turn:
    step = turn.step + 1
    board: Board = "regularization" if kind == REGULARIZE else "optimization"
    body = bench.remember_step(step, lambda: _step(bench, turn, kind, board=board, idea=idea))
    after = bench.outcome_of(Config.from_json(body["config"])) if body["kept"] else turn.outcome
    gap = turn.diagnosis.gap(GAP_OF[board])
    return Turn(
        step=step,
        outcome=after,
        diagnosis=_diagnosed(bench, after, step=step),
        exhausted=turn.exhausted if body["kept"] and kind != REGULARIZE else turn.exhausted | {kind},
        unsure=turn.unsure if gap and gap.verdict == "yes" else turn.unsure | {board},
    )


def _step(bench: Bench, turn: Turn, kind: str, *, board: Board, idea: str | None) -> Json:
    """Carry out one remedy; its journal entry."""
    step, before = turn.step + 1, turn.outcome
    gap = turn.diagnosis.gap(GAP_OF[board])
    bench.notify({"event": "step", "step": step, "board": board, "kind": kind})
    after = sweep_step(bench, before, step=step) if kind == REGULARIZE else _best_trial(bench, turn, kind)
    return {
        "step": step,
        "board": board,
        "kind": kind,
        "did": f"{kind.replace('_', ' ')}: {describe_change(before.config, after.config)}",
        "because": f"{CAUSE_OF[board]}: {gap.verdict}" if gap else "asked",
        "expected": turn.diagnosis.ceiling(GAP_OF[board]),
        "got": _gain(before, after, board=board),
        "kept": after is not before,
        "idea": idea,
        "config": after.config.to_json(),
        "config_before": before.config.identity,
        "config_after": after.config.identity,
        "errors_before": dict(before.losses),
        "errors_after": dict(after.losses),
        "gaps_before": turn.diagnosis.to_json()["gaps"],
        "gaps_after": bench.diagnose(after).to_json()["gaps"],
    }


def _best_trial(bench: Bench, turn: Turn, kind: str) -> Outcome:
    """Train the remedy's trials and return the one that fits train best, or the old network when none is better."""
    trials = [trial for trial in OPTIMIZATION[kind](turn.outcome.config) if bench.purse.affordable(trial)]
    trained = [outcome for outcome in bench.train(trials) if outcome.status is Status.FINISHED]
    best = min(trained, key=lambda outcome: outcome.losses["train"], default=turn.outcome)
    gain = paired_difference(turn.outcome.train_losses, best.train_losses)
    return best if gain.low > 0 else turn.outcome


def _gain(before: Outcome, after: Outcome, *, board: Board) -> float:
    part = "train" if board == "optimization" else "dev"
    return before.losses[part] - after.losses[part]


def _diagnosed(bench: Bench, outcome: Outcome, *, step: int) -> Diagnosis:
    diagnosis = bench.diagnose(outcome)

    def body() -> Json:
        return {"step": step, "identity": outcome.config.identity, **diagnosis.to_json()}

    bench.recall("diagnosis", str(step), body)
    return diagnosis
