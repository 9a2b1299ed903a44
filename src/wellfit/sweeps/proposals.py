"""Proposals of configs worth training: a grid, a quasi-random sequence, or Optuna's tree-structured Parzen estimator.

Proposals (Bergstra et al., 2011; Falkner et al., 2018) depend only on the space, the config and the outcomes, so a
search that is restarted with the outcomes of an interrupted one proposes the same configs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from typing import Protocol

from wellfit.records.config import Config
from wellfit.records.goals import Goal
from wellfit.records.outcome import Outcome
from wellfit.sweeps.space import Interval, Space, changed, configs_of, count_of, is_grid, require_space, sobol
from wellfit.sweeps.usual import known_good

FEWEST_KNOBS = 3
"""Number of knobs from which a model of the losses finds better members than an even cover does."""
FEWEST_MEMBERS = 24
"""A model learns from a first round of even cover; in a smaller search nothing is left for it to propose."""
NOT_INSTALLED = (
    "Optuna is not installed, so the members are quasi-random and do not learn from one another. "
    "To change this, run pip install 'wellfit[search]'."
)


class Proposals(Protocol):
    """Proposes the members of one sweep."""

    @property
    def name(self) -> str:
        """Name of this search method in the report."""
        ...

    @property
    def count(self) -> int:
        """Total number of members that it will propose."""
        ...

    @property
    def round(self) -> int:
        """Number of members that it proposes before it needs their outcomes."""
        ...

    def propose(self, count: int) -> list[Config]:
        """Return at most `count` configs that were not proposed before, or none if there are no more."""
        ...

    def tell(self, outcomes: Sequence[Outcome]) -> None:
        """Learn from the outcomes of configs that it proposed."""
        ...


class Listed:
    """Proposes configs that do not depend on outcomes: a grid or a quasi-random sequence."""

    def __init__(self, configs: Sequence[Config], *, name: str) -> None:
        self.name = name
        self.count = self.round = len(configs)
        self._left = list(configs)

    def propose(self, count: int) -> list[Config]:
        """Return the next configs."""
        taken, self._left = self._left[:count], self._left[count:]
        return taken

    def tell(self, outcomes: Sequence[Outcome]) -> None:
        """Ignore the outcomes: this search does not learn."""


def quasi_random(config: Config, over: Space, *, rows: int, members: int, goal: Goal) -> list[Config]:
    """Return the known-good settings for the goal, then a Sobol sequence seeded by the config; each config once.

    There are `members` settings, or fewer if the space has no more; `rows` is m, the number of training rows.
    """
    first = known_good(over, config, rows=rows, goal=goal)[:members]
    settings = [*first, *sobol(over, start=0, count=members - len(first), seed=config.seed)]
    found = [changed(config, setting, rows=rows) for setting in settings]
    return list({member.identity: member for member in found}.values())


def proposals_of(
    config: Config, over: Space, *, rows: int, members: int | None, goal: Goal, seen: Iterable[Outcome] = ()
) -> tuple[Proposals, tuple[str, ...]]:
    """Return the proposals of the members, and notes for the reader, one sentence each.

    Lists alone make a grid. With an interval among them, Optuna makes the proposals if `members`, together with the
    outcomes `seen` before, are enough to learn from; otherwise they are a quasi-random sequence. A space that cannot
    be searched is refused.
    """
    require_space(config, over, rows=rows)
    if is_grid(over):
        return Listed(configs_of(config, over, rows=rows, members=members), name="grid"), ()
    count = count_of(members)
    seen = list(seen)
    pays = _pays(over, members=count + len(seen))
    if pays and find_spec("optuna") is not None:
        from wellfit.sweeps.tpe import Tpe

        return Tpe(config, over, rows=rows, members=count, goal=goal, seen=seen), ()
    configs = quasi_random(config, over, rows=rows, members=count, goal=goal)
    return Listed(configs, name="quasi-random"), (NOT_INSTALLED,) if pays else ()


def _pays(over: Space, *, members: int) -> bool:
    """Return True if a model of the losses has enough to learn from, and enough left to propose."""
    moving = [name for name, values in over.items() if isinstance(values, Interval) or len(values) > 1]
    return len(moving) >= FEWEST_KNOBS and members >= FEWEST_MEMBERS
