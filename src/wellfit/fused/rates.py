"""The knobs of every member at every update of a call, as arrays that the compiled functions read."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar

import numpy as np
from scipy.special import betaincinv

from wellfit._typing import Floats
from wellfit.config import Config, Optimization
from wellfit.fused.layout import Rates
from wellfit.knobs import KNOBS, Schedule
from wellfit.training.noise import threshold_of
from wellfit.training.schedules import averaging_decay, keep_prob_at, learning_rate, strength

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True, kw_only=True)
class Schedules:
    """The knobs of K configs of one stack, along a training of `updates` updates; `rows` is m of the cost."""

    configs: Sequence[Config]
    rows: float
    updates: int
    dtype: type[np.floating[Any]]

    def rates(self, start: int, *, uniform: Floats) -> Rates:
        """Return the rates of T updates from update `start` (counted from 0) on.

        `uniform` [T] decides each update's mixture, the same for all members.
        """
        boards = [config.optimization for config in self.configs]
        knobs = [config.regularization for config in self.configs]
        span = range(start, start + len(uniform))
        adam = boards[0].optimizer == "adam"
        betas = np.array([one.betas if adam else (one.momentum, 0.0) for one in boards])
        made = np.array(span)[:, None] + 1
        peak = np.array([one.lr for one in boards])
        lr = peak * self._along(span, [_unit(one.schedule) for one in boards], self._learning_rate)
        decay = self._along(span, [one.l2_schedule for one in knobs], self._strength) / self.rows
        l2, l1 = (np.array([getattr(one, name) for one in knobs]) * decay for name in ("l2", "l1"))
        keeps = self._keep_probs(span)
        return Rates(
            step=self._real(lr / (1 - betas[:, 0] ** made) if adam else lr),
            root=self._real(1 / np.sqrt(1 - betas[:, 1] ** made)),
            shrink=self._real(1 - lr * l2),
            penalty=self._real(l2),
            soft=self._real(lr * l1),
            averaging=self._real(self._along(span, [one.ema for one in knobs], _averaging)),
            share=self._real(_shares(np.array([one.mixup for one in knobs]), uniform[:, None])),
            thresholds=np.ascontiguousarray(threshold_of(keeps)),
            scales=self._real(1 / keeps),
            betas=self._real(betas),
            clip=self._real(np.array([np.inf if one.clip_norm is None else one.clip_norm for one in boards])),
            smoothing=self._real(np.array([one.label_smoothing for one in knobs])),
            jitter=self._real(np.array([one.input_noise for one in knobs])),
        )

    def _keep_probs(self, span: range) -> Floats:
        """keep_prob [T, K, hidden layers]."""
        keeps = np.array([config.keep_probs for config in self.configs])
        schedules = [config.regularization.keep_prob_schedule for config in self.configs]
        shares = self._along(span, schedules, self._strength)
        return keep_prob_at(keeps, strength=shares[:, :, None])

    def _learning_rate(self, unit: Optimization, update: int) -> float:
        return learning_rate(unit, update=update, updates=self.updates)

    def _strength(self, schedule: Any, update: int) -> float:
        return strength(schedule, update=update, updates=self.updates)

    def _along(self, span: range, keys: Sequence[Key], value: Callable[[Key, int], float]) -> Floats:
        """Return value(key, update) [T, K], computed once for members with equal keys."""
        columns = {key: [value(key, update) for update in span] for key in set(keys)}
        return np.array([columns[key] for key in keys], dtype=np.float64).reshape(len(keys), len(span)).T

    def _real(self, values: Floats) -> Floats:
        return np.ascontiguousarray(values, dtype=self.dtype)


@lru_cache(maxsize=len(KNOBS["schedule"].choices))
def _unit(schedule: Schedule) -> Optimization:
    """Knobs by which a schedule runs at a learning rate of 1."""
    return Optimization(schedule=schedule, lr=1.0)


def _averaging(ema: float, update: int) -> float:
    return averaging_decay(ema, update=update)


def _shares(alphas: Floats, uniform: Floats) -> Floats:
    """Return shares [T, K] of Beta(alpha, alpha); 1, a row by itself, where alpha is 0."""
    shares: Floats = np.where(alphas > 0, betaincinv(np.maximum(alphas, 1e-300), alphas, uniform), 1.0)
    return shares
