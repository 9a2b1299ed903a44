"""The remedies of a study: what the recipe can do with knobs of which it knows the roles alone.

Each remedy turns the knobs of some roles. A pilot makes one or two bold moves per remedy; the step goes on along the
line that helped, as long as it helps, and the paired comparison on the rows decides as it does for wellfit's own
networks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
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
from wellfit.studies.knobs import OwnKnob, Value, config_of, values_of

NEAR = 4.0
"""Factor within which the end of a range is the next move."""
LR_STEP = 10.0
Places: TypeAlias = tuple[tuple[float, ...], tuple[float, ...], tuple[float, ...]]
"""Where in its range, from the weak end 0 to the strong end 1, a regularizer is tried: first, then if that helped, then
if it did not."""
DECAY: Places = (0.6,), (0.8, 1.0), (0.4, 0.2)
"""On the logarithm: the weak half of a decay hardly shows."""
KEEP: Places = (0.5,), (0.75, 1.0), (0.25,)
STRENGTH: Places = (0.5,), (1.0,), (0.2,)
MOST_LINE = 4
"""Most further fits along a line in one step."""


@dataclass(frozen=True)
class Turn:
    """One way to turn some knobs: a first move, those further on if it helped, and those back if it did not."""

    first: Mapping[str, Value]
    on: tuple[Mapping[str, Value], ...] = ()
    back: tuple[Mapping[str, Value], ...] = ()


@dataclass(frozen=True)
class Line:
    """A turn as configs."""

    first: Config
    on: tuple[Config, ...]
    back: tuple[Config, ...]


@dataclass(frozen=True)
class Bench:
    """The knobs of a study, and which configs cannot be trained (out of memory)."""

    knobs: Mapping[str, OwnKnob]
    is_infeasible: Callable[[Config], bool]

    def turned(self, config: Config, values: Mapping[str, Value]) -> Config:
        """Return the config with other values of some knobs."""
        return config_of(self.knobs, {**values_of(self.knobs, config), **values})

    def line(self, config: Config, turn: Turn) -> Line:
        """Return a turn of a config as configs."""
        on, back = (tuple(self.turned(config, values) for values in found) for found in (turn.on, turn.back))
        return Line(self.turned(config, turn.first), on, back)

    def of_role(self, *roles: str) -> dict[str, OwnKnob]:
        """Return the knobs of some roles."""
        return {name: knob for name, knob in self.knobs.items() if knob.role in roles}

    def lr(self, config: Config) -> float | None:
        """Return the learning rate; None without such a knob."""
        values = values_of(self.knobs, config)
        return next((float(values[name]) for name in self.of_role("learning_rate")), None)


def shelf_of_study(knobs: Mapping[str, OwnKnob], *, is_infeasible: Callable[[Config], bool]) -> Shelf:
    """Return the remedies that the knobs of a study allow."""
    bench = Bench(knobs, is_infeasible)
    on_train = (
        _remedy(bench, "bigger_network", _growing(bench, "size"), share=0.4),
        _remedy(bench, "train_longer", _growing(bench, "epochs"), share=0.35),
        _remedy(bench, "better_optimizer", _rates(bench), share=0.3),
        _remedy(bench, "architecture", lambda config: _others(bench, values_of(knobs, config), "choice"), share=0.1),
    )
    on_dev = (
        _remedy(bench, "regularize", _stronger(bench, {"decay": DECAY, "keep_prob": KEEP}), share=0.4, is_wide=True),
        _remedy(bench, "augment", _stronger(bench, {"strength": STRENGTH}), share=0.3),
        _remedy(bench, "average_weights", _stronger(bench, {"averaging": STRENGTH}), share=0.05),
    )
    data = (_remedy(bench, "more_data", _growing(bench, "rows"), share=0.3),)
    boards: Mapping[Board, tuple[Remedy, ...]] = {
        "optimization": on_train,
        "data": data,
        "regularization": on_dev,
    }
    return Shelf(boards=boards, moves_on=True)


Turns = Callable[[Config], Iterator[Turn]]


def _growing(bench: Bench, role: str) -> Turns:
    """Return the turn of all knobs of a role up to the middle of what is left, and then on to its end."""

    def turns(config: Config) -> Iterator[Turn]:
        values, line = values_of(bench.knobs, config), list[dict[str, Value]]()
        knobs = bench.of_role(role)
        while len(line) <= MOST_LINE:
            grown = {}
            for name, knob in knobs.items():
                value = float(values[name])
                high = float(knob.high or value)
                grown[name] = knob.fit(high if high <= NEAR * value else math.sqrt(value * high))
            if all(values[name] == value for name, value in grown.items()):
                break
            values = {**values, **grown}
            line.append(dict(grown))
        if line:
            yield Turn(line[0], tuple(line[1:]))

    return turns


def _rates(bench: Bench) -> Turns:
    """Return the learning rate up and down by tens, and the other optimizers."""

    def turns(config: Config) -> Iterator[Turn]:
        values = values_of(bench.knobs, config)
        for name, knob in bench.of_role("learning_rate").items():
            for factor in (LR_STEP, 1 / LR_STEP):
                line, rate = list[Mapping[str, Value]](), float(values[name])
                low, high = float(knob.low or 0.0), float(knob.high or math.inf)
                while (moved := knob.fit(min(max(factor * rate, low), high))) != rate:
                    line.append({name: moved})
                    rate = moved
                if line:
                    yield Turn(line[0], tuple(line[1:]))
        yield from _others(bench, values, "optimizer")

    return turns


def _others(bench: Bench, values: Mapping[str, Value], role: str) -> Iterator[Turn]:
    for name, knob in bench.of_role(role).items():
        yield from (Turn({name: word}) for word in knob.choices if word != values[name])


def _stronger(bench: Bench, places: Mapping[str, Places]) -> Turns:
    """Return the regularizers of some roles, each from a middle of its range to where that points."""

    def turns(config: Config) -> Iterator[Turn]:
        values, lr = values_of(bench.knobs, config), bench.lr(config)
        for name, knob in bench.of_role(*places).items():
            moves = [dict.fromkeys(knob.at(place, lr=lr) for place in found) for found in places[knob.role]]
            first, on, back = (tuple({name: each} for each in found if each != values[name]) for found in moves)
            if first:
                yield Turn(first[0], on, back)

    return turns


def _remedy(bench: Bench, kind: str, turns: Turns, *, share: float, is_wide: bool = False) -> Remedy:
    def lines(context: StepContext) -> list[Line]:
        found = (bench.line(context.config, turn) for turn in turns(context.config))
        return [line for line in found if not bench.is_infeasible(line.first)]

    def price(context: StepContext) -> Price | None:
        found = lines(context)
        piloted = {outcome.config.identity for outcome in context.piloted}
        costs = [context.run.budget.cost(line.first) for line in found if line.first.identity not in piloted]
        return Price(whole=sum(costs), least=min(costs, default=0.0)) if found else None

    return Remedy(
        kind=kind,
        shares=lambda _context: Shares(0.0, share, 1.0),
        price=price,
        apply=lambda context: Result(Search(context, bench, REMEDY_KINDS[kind].board).along(lines(context))),
        pilot=lambda context: tuple(line.first for line in lines(context)),
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
            if run.budget.remaining < run.budget.cost(config) or self._bench.is_infeasible(config):
                return None
            self._known |= {outcome.identity: outcome for outcome in run.train([config])}
        return self._known.get(config.identity)
