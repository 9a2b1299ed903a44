"""The measures of what regularization does, as a report names them, in the order in which it shows them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from wellfit.reports.sweep_card import Member, SweepCard
from wellfit.reports.units import knob

_NORM = "norm"


@dataclass(frozen=True)
class Measured:
    """One measure: its name in the journal, a title, and what its size means."""

    name: str
    title: str
    says: str

    def of(self, member: Member) -> float | None:
        """The member's value, None where it was not measured."""
        return member.norm if self.name == _NORM else member.effects.get(self.name)


MEASURES = (
    Measured(_NORM, "size of the weights, ‖W‖", "over all decayed matrices"),
    Measured("input_gradient", "gradient by the input", "small: a smooth boundary"),
    Measured("linear_r2", "R² of a linear fit", "1: a linear network"),
    Measured("tanh_linear", "tanh units in their linear zone", "share with |z| < 0.5"),
    Measured("unit_reliance", "rise of the loss without a unit", "mean over 16 units"),
    Measured("zeros", "weights that are exactly 0", "share; only L1 makes them"),
)


@dataclass(frozen=True)
class EffectRow:
    """One measure without regularization and in the chosen network, as text."""

    title: str
    says: str
    before: str
    after: str


def measures_of(members: Sequence[Member]) -> tuple[Measured, ...]:
    """The measures that every member has and that are not the same for all."""
    found = ((measure, {measure.of(member) for member in members}) for measure in MEASURES)
    return tuple(measure for measure, values in found if None not in values and len(values) > 1)


def effect_rows(sweep: SweepCard) -> tuple[EffectRow, ...]:
    """What the chosen network has, against the one without regularization; empty without such a pair."""
    plain, chosen = sweep.unregularized, sweep.chosen
    if plain is None or chosen is None or plain is chosen or not chosen.effects:
        return ()
    return tuple(
        EffectRow(measure.title, measure.says, knob(before), knob(after))
        for measure in MEASURES
        if (before := measure.of(plain)) is not None and (after := measure.of(chosen)) is not None
    )
