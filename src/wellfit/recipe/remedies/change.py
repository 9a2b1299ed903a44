"""What a step changed, in words and by the names of the knobs."""

from __future__ import annotations

from wellfit.config import Config
from wellfit.outcome import Outcome

_BOARDS = ("network", "optimization", "regularization")


def turned(before: Config, after: Config) -> frozenset[str]:
    """The knobs of the boards in which two configs differ; no knob has the same name on two boards."""
    pairs = ((vars(getattr(before, board)), vars(getattr(after, board))) for board in _BOARDS)
    return frozenset(name for old, new in pairs for name in old if old[name] != new[name])


def describe_change(before: Outcome, after: Outcome) -> str:
    """What differs, as "widths 64x64 -> 256x256, epochs 32 -> 64, networks 1 -> 12"."""
    knobs = [
        f"{_NAMES.get(name, name.replace('_', ' '))} {old} -> {new}"
        for board in (*_BOARDS, "augmentation", "data")
        for name, old, new in _pairs(getattr(before.config, board), getattr(after.config, board))
    ]
    if before.networks != after.networks:
        knobs.append(f"networks {before.networks} -> {after.networks}")
    return ", ".join(knobs) or "nothing"


_NAMES = {"l2": "lambda", "keep_prob": "keep_prob", "batch_size": "batch size"}


def _pairs(before: object, after: object) -> list[tuple[str, str, str]]:
    old, new = vars(before), vars(after)
    return [(name, _shown(old[name]), _shown(new[name])) for name in old if old[name] != new[name]]


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        return ("x" if all(isinstance(part, int) for part in value) else "/").join(map(_shown, value))
    if value is None or value is False or value == "":
        return "off"
    return f"{value:.3g}" if isinstance(value, float) else str(value)
