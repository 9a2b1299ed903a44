"""Who says which configs are worth training: a grid, a quasi-random sequence, or Optuna (tpe.py).

A search asks for configs, trains them and tells their outcomes. All of it is a function of the space, the config and
the outcomes, so a search that is begun again with the outcomes of an interrupted one proposes the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from typing import Protocol

from wellfit.config import Config
from wellfit.goals import Goal
from wellfit.outcome import Outcome
from wellfit.sweeps.knobs import changed
from wellfit.sweeps.space import Interval, Space, configs_of, count_of, is_grid, require_space, sobol
from wellfit.sweeps.usual import known_good

FEWEST_KNOBS = 3
"""From so many knobs on a model of the losses finds better members than an even cover does."""
FEWEST_MEMBERS = 24
"""A model learns from a first round of even cover: in a smaller search there is nothing left for it to propose."""
NOT_INSTALLED = (
    "Optuna is not installed, so the members are quasi-random and do not learn from one another: "
    "pip install 'wellfit[search]'."
)


class Proposals(Protocol):
    """Proposes the members of one sweep."""

    @property
    def name(self) -> str:
        """What the report calls this way of searching."""
        ...

    @property
    def count(self) -> int:
        """How many members it means to propose in all."""
        ...

    @property
    def round(self) -> int:
        """How many it proposes before it wants to hear of their outcomes."""
        ...

    def propose(self, count: int) -> list[Config]:
        """Return at most `count` configs that were not proposed before; none where it has no more."""
        ...

    def tell(self, outcomes: Sequence[Outcome]) -> None:
        """Hear of the outcomes of configs that it proposed."""
        ...


class Listed:
    """Proposes configs that do not depend on any outcome: a grid, or a quasi-random sequence."""

    def __init__(self, configs: Sequence[Config], *, name: str) -> None:
        self.name = name
        self.count = self.round = len(configs)
        self._left = list(configs)

    def propose(self, count: int) -> list[Config]:
        """Return the next configs."""
        taken, self._left = self._left[:count], self._left[count:]
        return taken

    def tell(self, outcomes: Sequence[Outcome]) -> None:
        """Learn nothing."""


def quasi_random(config: Config, over: Space, *, rows: int, members: int, goal: Goal) -> list[Config]:
    """Return the known-good settings, then a Sobol sequence seeded by the config; each config once.

    Args:
        config: what the search does not change.
        over: knob -> values.
        rows: m, the training rows.
        members: how many, fewer where the space has no more.
        goal: decides which settings are known to be good.
    """
    first = known_good(over, config, rows=rows, goal=goal)[:members]
    settings = [*first, *sobol(over, start=0, count=members - len(first), seed=config.seed)]
    found = [changed(config, setting, rows=rows) for setting in settings]
    return list({member.identity: member for member in found}.values())


def proposals_of(
    config: Config, over: Space, *, rows: int, members: int | None, goal: Goal, seen: Iterable[Outcome] = ()
) -> tuple[Proposals, tuple[str, ...]]:
    """Return who proposes the members, and what a reader should know about it, one sentence each.

    Lists alone are a grid. With an interval among them Optuna proposes where three or more knobs are searched and
    `members`, with the outcomes that were `seen` before, are enough to learn from; a quasi-random sequence does
    otherwise.

    Raises:
        BadInput: for a space that cannot be searched.
    """
    require_space(config, over, rows=rows)
    if is_grid(over):
        return Listed(configs_of(config, over, rows=rows, members=members), name="grid"), ()
    count = count_of(members)
    seen = list(seen)
    if not _pays(over, members=count + len(seen)):
        return Listed(quasi_random(config, over, rows=rows, members=count, goal=goal), name="quasi-random"), ()
    if find_spec("optuna") is not None:
        from wellfit.sweeps.tpe import Tpe

        return Tpe(config, over, rows=rows, members=count, goal=goal, seen=seen), ()
    configs = quasi_random(config, over, rows=rows, members=count, goal=goal)
    return Listed(configs, name="quasi-random"), (NOT_INSTALLED,)


def _pays(over: Space, *, members: int) -> bool:
    """Whether a model of the losses has enough to learn from, and enough left to propose."""
    moving = [name for name, values in over.items() if isinstance(values, Interval) or len(values) > 1]
    return len(moving) >= FEWEST_KNOBS and members >= FEWEST_MEMBERS
