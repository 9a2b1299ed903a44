"""The table of a study's fits: the knobs that differ first, what each fit reached, and what went wrong."""

from __future__ import annotations

from dataclasses import dataclass

from wellfit.base.typing import Json
from wellfit.diagnosis.curve_shapes import said_by_curve
from wellfit.journal.history import History
from wellfit.records.outcome import CurvePoint
from wellfit.records.units import Unit, knob

_SHOWN = 60


@dataclass(frozen=True, kw_only=True)
class FitRow:
    """One fit: its number, its knobs in words, its losses (None where it failed), seconds, and what is to be said."""

    number: int
    knobs: tuple[str, ...]
    train: float | None
    dev: float | None
    seconds: float
    note: str


@dataclass(frozen=True, kw_only=True)
class FitTable:
    """All fits, in the order in which they were asked for."""

    knobs: tuple[str, ...]
    """Those of most values first; those that never changed are left out."""
    rows: tuple[FitRow, ...]
    noise: str = ""
    """How far another seed moves dev, as a sentence; "" if that was not measured."""


def fit_table(history: History, *, best: str | None, unit: Unit) -> FitTable | None:
    """Return the table of a study's fits; None for an experiment that is no study, or has none yet."""
    asked = sorted(history.of("ask"), key=lambda body: int(body["number"]))
    told = {body["identity"]: body for body in history.of("training")}
    failed = {body["identity"]: body for body in history.of("failure")}
    ended = [body for body in asked if body["identity"] in told or body["identity"] in failed]
    if not ended:
        return None
    values = {name: {str(body["knobs"].get(name)) for body in ended} for name in ended[0]["knobs"]}
    names = sorted((name for name in values if len(values[name]) > 1), key=lambda name: -len(values[name]))
    rows = (
        _row(body, names, told=told.get(body["identity"]), failed=failed.get(body["identity"]), best=best)
        for body in ended
    )
    noise = history.last("noise")
    moves = f"another seed moves dev by ±{unit.gap(noise['dev'])} ({noise['fits']} fits)" if noise else ""
    return FitTable(knobs=tuple(names), rows=tuple(rows), noise=moves and f"Noise: {moves}; a gain inside it is none.")


def _row(asked: Json, names: list[str], *, told: Json | None, failed: Json | None, best: str | None) -> FitRow:
    losses = told["losses"] if told else {}
    note = "the best" if asked["identity"] == best else ""
    if told is None and failed is not None:
        lines = failed.get("lines") or [""]
        note = ": ".join(filter(None, (str(failed["reason"]), str(lines[-1]).strip())))[:_SHOWN]
    elif told:
        coupled = "coupled: dev chose the epoch" if told["status"] == "stopped early" else ""
        shapes = said_by_curve([CurvePoint(*point) for point in told["curve"]])
        note = "; ".join(filter(None, (note, coupled, *shapes)))
    seconds = (told or failed or {}).get("seconds", 0.0)
    values = [asked["knobs"].get(name) for name in names]
    return FitRow(
        number=int(asked["number"]),
        knobs=tuple(knob(value) if isinstance(value, int | float) else str(value) for value in values),
        train=losses.get("train"),
        dev=losses.get("dev"),
        seconds=float(seconds),
        note=note,
    )
