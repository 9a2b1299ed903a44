"""Which members of a sweep may be compared: networks that differ in one knob, or two, and in nothing else."""

from __future__ import annotations

from collections.abc import Iterable

from wellfit.reports.sweep_card import Member, SweepCard

LEAST_MEMBERS = 3
WHOLE = ("", "finished", "stopped early")
"""Statuses of trainings that were not cut short."""


def lambda_path(sweep: SweepCard) -> tuple[Member, ...]:
    """Members by rising lambda that share everything else with the chosen one; all, where these are too few.

    Members of a search of both boards differ in too much for one line.
    """
    others = [] if sweep.is_coupled else sorted(_usable(sweep), key=lambda member: member.l2)
    found = knob_path(sweep, "l2") or tuple(others)
    return found if len({member.l2 for member in found}) >= LEAST_MEMBERS else ()


def knob_path(sweep: SweepCard, knob: str) -> tuple[Member, ...]:
    """Members by rising strength of one knob, which share everything else with the chosen one; none where too few."""
    wanted = _setting(sweep.chosen, knob) if sweep.chosen else None
    same = [member for member in _usable(sweep) if wanted is None or _setting(member, knob) == wanted]
    if len({strength_of(member, knob) for member in same}) < LEAST_MEMBERS or not is_one_line(same, knob):
        return ()
    return tuple(sorted(same, key=lambda member: strength_of(member, knob)))


def strength_of(member: Member, knob: str) -> float:
    """How strongly a knob regularizes: its value, of keep_prob the share that is dropped."""
    if knob == "keep_prob":
        return 1 - member.keep_prob
    value = member.l2 if knob == "l2" else member.knobs.get(knob, 0.0)
    return float(value) if isinstance(value, int | float) else 0.0


def plane(sweep: SweepCard) -> tuple[Member, ...]:
    """One member for each lambda and keep_prob: the one that shares the other knobs of the chosen, or the best.

    Members of a search of both boards differ in too much for one plane.
    """
    if sweep.is_coupled:
        return ()
    wanted = _knobs(sweep.chosen) if sweep.chosen else ()

    def rank(member: Member) -> tuple[bool, bool, float]:
        return not member.chosen, _knobs(member) != wanted, member.dev.value if member.dev else 0.0

    found: dict[tuple[float, float], Member] = {}
    for member in sorted(_usable(sweep), key=rank):
        found.setdefault((member.l2, round(member.keep_prob, 6)), member)
    return tuple(found.values())


def coupled(sweep: SweepCard) -> tuple[Member, ...]:
    """Members whose last epoch was chosen by dev (early stopping)."""
    return tuple(member for member in _measured(sweep.members) if member.is_coupled)


def exported(sweep: SweepCard) -> tuple[Member, ...]:
    """Members with L1, and those without it that have the same lambda and keep_prob; none where it was not varied."""
    sized = [member for member in _usable(sweep) if "exported_bytes" in member.effects]
    places = {(member.l2, member.keep_prob) for member in sized if member.l1}
    found = tuple(member for member in sized if (member.l2, member.keep_prob) in places)
    return found if len({member.l1 for member in found}) > 1 else ()


def is_one_line(members: Iterable[Member], knob: str) -> bool:
    """Whether members differ in one knob alone."""
    return len({_setting(member, knob) for member in members}) == 1


def _setting(member: Member, knob: str) -> tuple[object, ...]:
    """Everything about a member but one knob; early stopping is told apart elsewhere."""
    pair = (None if knob == "l2" else member.l2, None if knob == "keep_prob" else member.keep_prob)
    return *pair, *(item for item in _knobs(member) if item[0] != knob)


def _usable(sweep: SweepCard) -> list[Member]:
    """Trained to the end; early-stopped ones only where there are no others: their epoch is a knob of its own."""
    known = _measured(sweep.members)
    whole = [member for member in known if member.status in WHOLE]
    alone = [member for member in whole if not member.is_coupled]
    return next((found for found in (alone, whole) if len(found) >= LEAST_MEMBERS), known)


def _measured(members: Iterable[Member]) -> list[Member]:
    return [member for member in members if member.dev is not None and member.train is not None]


def _knobs(member: Member) -> tuple[tuple[str, str], ...]:
    return tuple((name, str(value)) for name, value in sorted(member.knobs.items()) if name != "early_stopping")
