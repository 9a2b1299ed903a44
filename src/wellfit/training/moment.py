"""One update of one training: where its noise is addressed, and what the schedules have made of the knobs by then."""

from __future__ import annotations

from dataclasses import dataclass

from wellfit.config import Config
from wellfit.training.schedules import keep_prob_at, learning_rate, strength


@dataclass(frozen=True, kw_only=True)
class Moment:
    """Update number `update` (from 0) of the `updates` planned ones, with the noise of one config and stream."""

    config: Config
    stream: str
    update: int
    updates: int

    @property
    def lr(self) -> float:
        """The learning rate of this update."""
        return learning_rate(self.config.optimization, update=self.update, updates=self.updates)

    @property
    def l2(self) -> float:
        """Lambda at this update."""
        return self.config.regularization.l2 * self._decay_strength

    @property
    def l1(self) -> float:
        """The factor of ||W||_1 at this update."""
        return self.config.regularization.l1 * self._decay_strength

    @property
    def keep_probs(self) -> tuple[float, ...]:
        """keep_prob of each hidden layer at this update."""
        schedule = self.config.regularization.keep_prob_schedule
        share = strength(schedule, update=self.update, updates=self.updates)
        return tuple(keep_prob_at(keep, strength=share) for keep in self.config.keep_probs)

    @property
    def _decay_strength(self) -> float:
        return strength(self.config.regularization.l2_schedule, update=self.update, updates=self.updates)
