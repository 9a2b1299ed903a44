"""The knobs of a study as the recipe turns them: what each role has, and which configs can be trained."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from wellfit.records.config import Config
from wellfit.studies.knobs import OwnKnob, Value, config_of, values_of


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
