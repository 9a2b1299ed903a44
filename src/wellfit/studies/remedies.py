"""The remedies of a study: what the recipe can do with knobs of which it knows the roles alone.

Each remedy turns the knobs of some roles. A pilot makes one or two bold moves per remedy; the step goes on along the
line that helped, as long as it helps, and the paired comparison on the rows decides as it does for wellfit's own
networks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeAlias

from wellfit.base.typing import Board, Part
from wellfit.diagnosis.remedy_kinds import REMEDY_KINDS
from wellfit.recipe.pick import Shelf
from wellfit.recipe.remedies.remedy import DOUBT, Price, Remedy, Result, Shares, best_of, helpful
from wellfit.recipe.state import StepContext
from wellfit.records.config import Config
from wellfit.records.gaps import GAP_OF_BOARD
from wellfit.records.outcome import ENDED, Outcome
from wellfit.stats.intervals import LEVEL
from wellfit.studies.bench import Bench, Line, Turn
from wellfit.studies.knobs import OwnKnob, Value, values_of
from wellfit.studies.practice import is_told
from wellfit.studies.search import search_of_study

NEAR = 4.0
"""Factor within which the end of a range is the next move."""
STRIDE = 0.75
"""Share of what is left of a range, on the logarithm, that a move goes: remedies against bias come in large steps."""
LR_STEP, FAR = 5.0, 8.0
"""Factor of the next learning rate, and of a rate that is far from the middle of its range: the middle is then next."""
Places: TypeAlias = tuple[tuple[float, ...], tuple[float, ...], tuple[float, ...]]
"""Where in its range, from the weak end 0 to the strong end 1, a regularizer is tried: first, then if that helped, then
if it did not."""
TOGETHER: Places = (0.7,), (1.0,), (0.35,)
"""Of a decay, on the logarithm, and of keep_prob, turned together: the weak half of a range hardly shows."""
STRENGTH: Places = (0.5,), (1.0,), (0.2,)
MOST_LINE = 4
"""Most further fits along a line in one step."""


def shelf_of_study(
    knobs: Mapping[str, OwnKnob], *, is_infeasible: Callable[[Config], bool], side_by_side: int = 1
) -> Shelf:
    """Return the remedies that the knobs of a study allow; its closing search makes some fits side by side."""
    bench = Bench(knobs, is_infeasible)

    def choices(config: Config) -> Iterator[Turn]:
        return _others(bench, values_of(knobs, config), "choice")

    on_train = (
        _remedy(bench, "bigger_network", _growing(bench, "size", "epochs"), share=0.4),
        _remedy(bench, "better_optimizer", _rates(bench), share=0.35),
        _remedy(bench, "train_longer", _growing(bench, "epochs"), share=0.3, piloted=not bench.of_role("size")),
        _remedy(bench, "architecture", choices, share=0.1, piloted=False),
    )
    on_dev = (
        _remedy(
            bench,
            "regularize",
            _stronger(bench, ("decay", "keep_prob"), TOGETHER, together=True),
            share=0.4,
            is_wide=True,
        ),
        _remedy(bench, "augment", _stronger(bench, ("strength",), STRENGTH), share=0.3),
        _remedy(bench, "average_weights", _stronger(bench, ("averaging",), STRENGTH), share=0.05),
    )
    data = (_remedy(bench, "more_data", _growing(bench, "rows"), share=0.3),)
    boards: Mapping[Board, tuple[Remedy, ...]] = {
        "optimization": on_train,
        "data": data,
        "regularization": on_dev,
    }
    search = search_of_study(bench, side_by_side=side_by_side)
    return Shelf(boards=boards, closing=(search,), moves_on=True, polishes=True)


Turns = Callable[[Config], Iterator[Turn]]


def _growing(bench: Bench, *roles: str) -> Turns:
    """Return the turn of all knobs of some roles most of the way up, and then on to the end."""

    def turns(config: Config) -> Iterator[Turn]:
        values, line = values_of(bench.knobs, config), list[dict[str, Value]]()
        knobs = bench.of_role(*roles)
        has_room = any(_up(knob, float(values[name])) != values[name] for name, knob in bench.of_role(roles[0]).items())
        while has_room and len(line) <= MOST_LINE:
            grown = {name: _up(knob, float(values[name])) for name, knob in knobs.items()}
            if all(values[name] == value for name, value in grown.items()):
                break
            values = {**values, **grown}
            line.append(dict(grown))
        if line:
            yield Turn(line[0], tuple(line[1:]))

    return turns


def _up(knob: OwnKnob, value: float) -> float:
    high = float(knob.high or value)
    return knob.fit(high if high <= NEAR * value else value * (high / value) ** STRIDE)


def _rates(bench: Bench) -> Turns:
    """Return the learning rate toward the middle of its range, then the other way, and the other optimizers.

    It is turned together with size and epochs, where those fit into memory: they need it to show what they can do.
    """

    def turns(config: Config) -> Iterator[Turn]:
        values = values_of(bench.knobs, config)
        growth = next((turn.first for turn in _growing(bench, "size", "epochs")(config)), {})
        growth = {} if bench.is_infeasible(bench.turned(config, growth)) else growth
        for name, knob in bench.of_role("learning_rate").items():
            rate, middle = float(values[name]), math.sqrt(float(knob.low or 1.0) * float(knob.high or 1.0))
            toward = LR_STEP if rate <= middle else 1 / LR_STEP
            is_far = max(middle / rate, rate / middle) >= FAR
            there = _steps(knob, middle / toward if is_far else rate, toward)
            back = _steps(knob, rate, 1 / toward)
            if there:
                on = ({**growth, name: value} for value in there[1:])
                yield Turn({**growth, name: there[0]}, tuple(on), tuple({name: value} for value in back[:1]))
        yield from _others(bench, values, "optimizer")

    return turns


def _steps(knob: OwnKnob, start: float, factor: float) -> list[float]:
    """Return the values from `start` on by factors, up to the end of the range."""
    found, value = list[float](), start
    low, high = float(knob.low or 0.0), float(knob.high or math.inf)
    while (moved := knob.fit(min(max(factor * value, low), high))) != value and len(found) <= MOST_LINE:
        found.append(moved)
        value = moved
    return found


def _others(bench: Bench, values: Mapping[str, Value], role: str) -> Iterator[Turn]:
    for name, knob in bench.of_role(role).items():
        yield from (Turn({name: word}) for word in knob.choices if word != values[name])


def _stronger(bench: Bench, roles: Sequence[str], places: Places, *, together: bool = False) -> Turns:
    """Return the regularizers of some roles, together or one by one, from a middle of their ranges on or back."""

    def turns(config: Config) -> Iterator[Turn]:
        values, lr, knobs = values_of(bench.knobs, config), bench.lr(config), bench.of_role(*roles)
        for own in [knobs] if together else [{name: knob} for name, knob in knobs.items()]:
            moves = [[{name: knob.at(place, lr=lr) for name, knob in own.items()} for place in line] for line in places]
            first, on, back = (
                tuple(move for move in line if any(values[name] != value for name, value in move.items()))
                for line in moves
            )
            if own and first:
                yield Turn(first[0], on, back)

    return turns


def _remedy(
    bench: Bench, kind: str, turns: Turns, *, share: float, is_wide: bool = False, piloted: bool = True
) -> Remedy:
    def lines(context: StepContext) -> list[Line]:
        found = (bench.line(context.config, turn) for turn in turns(context.config))
        return [line for line in found if not bench.is_infeasible(line.first)]

    def price(context: StepContext) -> Price | None:
        found = lines(context)
        known = {outcome.config.identity for outcome in context.piloted}
        costs = [context.run.budget.cost(line.first) for line in found if line.first.identity not in known]
        if context.run.budget.is_over and any(is_told(context.run, line.first) for line in found):
            return Price(whole=sum(costs), least=0.0)  # the clock ended this step: what was told in it counts
        return Price(whole=sum(costs), least=min(costs, default=0.0)) if found else None

    return Remedy(
        kind=kind,
        shares=lambda _context: Shares(0.0, share, 1.0),
        price=price,
        apply=lambda context: Result(Search(context, bench, REMEDY_KINDS[kind].board).along(lines(context))),
        pilot=lambda context: tuple(line.first for line in lines(context)) if piloted else (),
        is_wide=is_wide,
    )


class Search:
    """Goes along the lines of one step, and keeps what a paired comparison is sure of."""

    def __init__(self, context: StepContext, bench: Bench, board: Board) -> None:
        self._context, self._bench, self._board = context, bench, board
        self._known = {outcome.config.identity: outcome for outcome in context.piloted}

    def along(self, lines: Sequence[Line]) -> Outcome:
        """Try the first move of every line, go on along that of the best one, then add what else has helped."""
        before = self._context.state.outcome
        firsts = [trial for line in lines if (trial := self._train(line.first))]
        helped = helpful(self._context, firsts, self._board)
        best = best_of(self._context, firsts, self._board)
        for line in lines:
            if line.first.identity == best.identity:
                best = self._further(best, line.on)
            for config in line.back if best is before else ():
                best = best if best is not before else self._better(best, config)
        for other in helped:
            if other.identity != best.identity and not self._is_settled(best):
                best = self._better(best, self._both(best.config, other.config))
        return best

    def _further(self, best: Outcome, line: Sequence[Config]) -> Outcome:
        """Go on while it helps, until the gap is closed."""
        for config in line:
            after = best if self._is_settled(best) else self._better(best, config)
            if after is best:
                break
            best = after
        return best

    def _better(self, best: Outcome, config: Config) -> Outcome:
        trial = self._train(config)
        if trial is None or trial.status not in ENDED:
            return best
        on: Part = GAP_OF_BOARD[self._board].judged_on
        level = LEVEL if on == "train" else 1 - 2 * DOUBT
        is_better = self._context.run.gain(best, trial, on=on, level=level).low > 0
        # Against bias too dev has a say: what fits train better may only memorize.
        memorizes = on == "train" and self._context.run.gain(trial, best, on="dev").low > 0
        return trial if is_better and not memorizes else best

    def _both(self, config: Config, other: Config) -> Config:
        start = values_of(self._bench.knobs, self._context.config)
        moved = values_of(self._bench.knobs, other)
        return self._bench.turned(config, {name: moved[name] for name in moved if moved[name] != start[name]})

    def _is_settled(self, outcome: Outcome) -> bool:
        """Return True if the gap that this board closes is within the tolerance."""
        if outcome is self._context.state.outcome:
            return False
        gap = self._context.run.diagnose(outcome).gap(GAP_OF_BOARD[self._board].name)
        return gap is not None and gap.verdict == "no"

    def _train(self, config: Config) -> Outcome | None:
        run = self._context.run
        if config.identity not in self._known:
            is_late = run.budget.remaining < run.budget.cost(config) and not (
                run.budget.is_over and is_told(run, config)
            )
            if is_late or self._bench.is_infeasible(config):
                return None
            self._known |= {outcome.identity: outcome for outcome in run.train([config])}
        return self._known.get(config.identity)
