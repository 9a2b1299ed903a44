"""What the shape of a learning curve says: still falling, saturated early, spikes, a noisy end, dev that rises.

Rules of the Deep Learning Tuning Playbook (Godbole et al., 2023, "training curves"). Each compares a change with the
noise between neighbouring points, estimated from second differences, and with the range that the curve has travelled.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from wellfit.base.typing import Floats
from wellfit.records.outcome import CurvePoint

FEWEST = 8
"""Points below which a curve has no shape."""
SHARE = 0.05
"""Share of the range that a change has to exceed to matter."""
SIGNIFICANT = 4.0
"""Standard errors that it has to exceed."""
SPIKE, NOISY = 0.3, 0.1
"""Shares of the range that a spike jumps up, and that the noise of the end exceeds."""


def said_by_curve(points: Sequence[CurvePoint]) -> tuple[str, ...]:
    """Return what the shape of a curve says, each as a few words with what to do; () for a sound or a short one."""
    if len(points) < FEWEST:
        return ()
    train, dev = (np.array([getattr(point, part) for point in points], dtype=np.float64) for part in ("train", "dev"))
    return tuple(_said(train, dev))


def _said(train: Floats, dev: Floats) -> Iterator[str]:
    travelled, quarter = float(np.ptp(train)), max(2, len(train) // 4)
    if travelled == 0:
        return
    noise = _noise(train[-2 * quarter :])
    jumps = np.diff(train[len(train) // 10 :])
    # A jump up that the next points take back: not the level of the noise, nor the way down.
    if jumps.size and jumps.max() > max(SPIKE * travelled, 8 * noise):
        yield "spikes: warm up, or clip the gradient"
    elif noise > NOISY * travelled:
        yield "a noisy end: let the learning rate decay, or average the weights"
    elif _falls(train, quarter, noise=noise, least=SHARE * travelled):
        yield "still falling at the end: more epochs"
    elif _settled_at(train, noise=noise, slack=SHARE * travelled) < len(train) // 4:
        yield "saturated early: fewer epochs would do"
    rise = float(dev[-quarter:].mean() - _smooth(dev).min())
    if rise > max(2 * SHARE * float(np.ptp(dev)), SIGNIFICANT * _noise(dev) / math.sqrt(quarter)):
        yield "dev rises: regularize (it is no reason to stop)"


def _falls(values: Floats, quarter: int, *, noise: float, least: float) -> bool:
    fall = float(values[-2 * quarter : -quarter].mean() - values[-quarter:].mean())
    return fall > max(least, SIGNIFICANT * noise * math.sqrt(2 / quarter))


def _settled_at(values: Floats, *, noise: float, slack: float) -> int:
    """Return the first point from which on the curve stays near its end."""
    end = float(np.median(values[-max(2, len(values) // 4) :]))
    away = np.flatnonzero(np.abs(values - end) > slack + 3 * noise)
    return int(away[-1]) + 1 if away.size else 0


def _noise(values: Floats) -> float:
    """Return the standard deviation of one point around a smooth curve: that of second differences over sqrt(6).

    By their upper quartile (1.15 standard deviations of a normal), which a single spike does not move.
    """
    seconds = np.diff(values, n=2)
    return float(np.quantile(np.abs(seconds), 0.75) / 1.1503 / math.sqrt(6)) if seconds.size else 0.0


def _smooth(values: Floats) -> Floats:
    return np.convolve(values, np.ones(3) / 3, mode="valid")
