"""One sweep as a report shows it, read from its journal entry: members, comparable paths through them, measures."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from wellfit.base.typing import Json
from wellfit.records.knobs import OFF, OTHER_REGULARIZERS
from wellfit.records.units import knob, typeset
from wellfit.stats.intervals import Estimate

_REGULARIZING = (*OTHER_REGULARIZERS, "early_stopping")
DROPPED = "dropped"
"""Status of a training run that a rung ended: its losses were measured earlier than those of the others."""


def searched_knobs(knobs: Mapping[str, object]) -> str:
    """Name knobs of the optimization board that a search has set, with their values."""
    return ", ".join(
        f"{name.replace('_', ' ')} {' × '.join(map(str, value)) if isinstance(value, list) else knob(value)}"
        for name, value in knobs.items()
        if isinstance(value, int | float | list)
    )


def other_regularizers(knobs: Mapping[str, object]) -> str:
    """Name the regularizers besides lambda and keep_prob that are on, with their values."""
    found = {name: knobs.get(name) for name in OTHER_REGULARIZERS if _is_on(knobs, name)}
    return ", ".join(
        f"{name.replace('_', ' ')} {knob(value)}" for name, value in found.items() if isinstance(value, int | float)
    )


def _is_on(knobs: Mapping[str, object], name: str) -> bool:
    # Off is 0 for most of them, and 1 for the share of the inputs that is kept.
    return knobs.get(name) not in (None, OFF.get(name))


def keeps_text(keep_prob: float | Sequence[float]) -> str:
    """keep_prob in words: one number, or the different ones of the layers."""
    keeps = keep_prob if isinstance(keep_prob, Sequence) else (keep_prob,)
    return ", ".join(dict.fromkeys(f"{keep:.3g}" for keep in keeps)) or "1"


@dataclass(frozen=True, kw_only=True)
class Member:
    """One member of a sweep; `train` and `dev` are None for a diverged one.

    `effects` are measures of the trained network, by the names of training/effects.py; `knobs` those besides lambda and
    keep_prob.
    """

    identity: str
    l2: float
    keep_prob: float
    weight_decay: float
    shrink: float
    train: float | None
    dev: Estimate | None
    norm: float | None
    status: str
    tied: bool
    chosen: bool
    best: bool
    effects: Mapping[str, float] = field(default_factory=dict)
    knobs: Json = field(default_factory=dict)

    @property
    def keep_probs(self) -> str:
        """keep_prob in words."""
        return keeps_text(self.keep_prob)

    @property
    def is_coupled(self) -> bool:
        """True if dev chose the epoch at which training ended."""
        return "early_stopping" in self.knobs

    @property
    def l1(self) -> float:
        """The knob L1."""
        return float(self.knobs.get("l1", 0.0))

    @property
    def others(self) -> str:
        """The regularizers besides lambda and keep_prob, in words."""
        return other_regularizers(self.knobs)

    @property
    def searched(self) -> Json:
        """The knobs that were searched besides the regularizers."""
        return {name: value for name, value in self.knobs.items() if name not in _REGULARIZING}

    @property
    def is_plain(self) -> bool:
        """True if every regularizer is at zero."""
        return self.l2 == 0 and self.keep_prob == 1 and not any(_is_on(self.knobs, name) for name in _REGULARIZING)


@dataclass(frozen=True, kw_only=True)
class MonteCarloRow:
    """Gain on dev of several passes with dropout over one pass without it, and their cost in such passes."""

    passes: int
    gain: Estimate
    cost: float


@dataclass(frozen=True, kw_only=True)
class SweepCard:
    """One sweep, usually over the regularization board.

    `snapshot` is the chosen member as it was at a rung, if that was chosen instead of its end; `is_coupled` marks
    the search of both boards that closes a run.
    """

    members: tuple[Member, ...]
    planned: int
    warnings: tuple[str, ...]
    seconds: float
    monte_carlo: MonteCarloRow | None = None
    snapshot: Member | None = None
    is_coupled: bool = False

    @property
    def verb(self) -> str:
        """The verb for its best member: a search of both boards may have found none that was kept."""
        return "Best found" if self.is_coupled else "Chosen"

    @property
    def title(self) -> str:
        """The question that it answers."""
        return "What did a search of both boards find?" if self.is_coupled else "How much regularization?"

    @property
    def chosen(self) -> Member | None:
        """The simplest member that is tied with the best."""
        return self.snapshot or next((member for member in self.members if member.chosen), None)

    @property
    def unregularized(self) -> Member | None:
        """The member with every regularizer at zero and everything else as chosen, unless it was dropped at a rung."""
        plain = [member for member in self.members if member.is_plain and member.status != DROPPED]
        chosen = self.chosen
        return next((member for member in plain if chosen is None or member.searched == chosen.searched), None)


def sweep_from(body: Json, *, intervals: Mapping[str, Estimate]) -> SweepCard:
    """Read a sweep's journal entry; `intervals` are the networks' dev errors, since a sweep keeps only point values."""
    members = tuple(_member(row, body=body, intervals=intervals) for row in body["members"])
    found, row = body.get("monte_carlo"), body.get("snapshot")
    return SweepCard(
        members=members,
        planned=body.get("planned", len(members)),
        warnings=tuple(map(typeset, body["warnings"])),
        seconds=body["seconds"],
        monte_carlo=found
        and MonteCarloRow(passes=found["passes"], gain=Estimate.from_json(found["gain"]), cost=found["cost"]),
        snapshot=row and replace(_member(row, body=body, intervals={}), chosen=True),
        is_coupled=body.get("coupled") is True,
    )


def _member(row: Json, *, body: Json, intervals: Mapping[str, Estimate]) -> Member:
    identity, dev = row["identity"], _finite(row["dev"])
    return Member(
        identity=identity,
        l2=row["l2"],
        keep_prob=row["keep_prob"],
        weight_decay=row["weight_decay"],
        shrink=row["shrink"],
        train=_finite(row["train"]),
        dev=None if dev is None else intervals.get(identity, Estimate.fixed(dev)),
        norm=_finite(row["norm"]),
        status=row["status"],
        tied=identity in body["tied"],
        chosen=identity == body["chosen"],
        best=identity == body["best"],
        effects={name: value for name, value in row["effects"].items() if _finite(value) is not None},
        knobs=row["knobs"],
    )


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


@dataclass(frozen=True)
class Measured:
    """One measure: its name in the journal, a title, and the meaning of its size."""

    name: str
    title: str
    says: str

    def of(self, member: Member) -> float | None:
        """Return the member's value, or None if it was not measured."""
        return member.norm if self.name == "norm" else member.effects.get(self.name)


MEASURES = (
    Measured("norm", "size of the weights, ‖W‖", "over all decayed matrices"),
    Measured("input_gradient", "gradient by the input", "small: a smooth boundary"),
    Measured("linear_r2", "R² of a linear fit", "1: a linear network"),
    Measured("tanh_linear", "tanh units in their linear range", "share with |z| < 0.5"),
    Measured("unit_reliance", "rise of the loss without one unit", "mean over 16 units"),
    Measured("zeros", "weights that are exactly 0", "as a share; only L1 makes them"),
)


@dataclass(frozen=True)
class EffectRow:
    """One measure of the network without regularization and of the chosen network, as text."""

    title: str
    says: str
    before: str
    after: str


def measures_of(members: Sequence[Member]) -> tuple[Measured, ...]:
    """The measures that every member has and that are not the same for all."""
    found = ((measure, {measure.of(member) for member in members}) for measure in MEASURES)
    return tuple(measure for measure, values in found if None not in values and len(values) > 1)


def effect_rows(sweep: SweepCard) -> tuple[EffectRow, ...]:
    """The measures of the network without regularization and of the chosen one; empty without such a pair."""
    plain, chosen = sweep.unregularized, sweep.chosen
    if plain is None or chosen is None or plain is chosen or not chosen.effects:
        return ()
    return tuple(
        EffectRow(measure.title, measure.says, knob(before), knob(after))
        for measure in MEASURES
        if (before := measure.of(plain)) is not None and (after := measure.of(chosen)) is not None
    )


LEAST_MEMBERS = 3
WHOLE = ("", "finished", "stopped early")
"""Statuses of training runs that were not cut short."""


def lambda_path(sweep: SweepCard) -> tuple[Member, ...]:
    """Members by rising lambda that share everything else with the chosen one; all, if these are too few.

    Members of a search of both boards differ in too much for one line.
    """
    others = [] if sweep.is_coupled else sorted(_usable(sweep), key=lambda member: member.l2)
    found = knob_path(sweep, "l2") or tuple(others)
    return found if len({member.l2 for member in found}) >= LEAST_MEMBERS else ()


def knob_path(sweep: SweepCard, knob: str) -> tuple[Member, ...]:
    """Members by rising strength of one knob that share everything else with the chosen one; none if too few."""
    wanted = _setting(sweep.chosen, knob) if sweep.chosen else None
    same = [member for member in _usable(sweep) if wanted is None or _setting(member, knob) == wanted]
    if len({strength_of(member, knob) for member in same}) < LEAST_MEMBERS or not is_one_line(same, knob):
        return ()
    return tuple(sorted(same, key=lambda member: strength_of(member, knob)))


def strength_of(member: Member, knob: str) -> float:
    """Strength of a regularizer: its value, or for keep_prob the fraction dropped."""
    if knob == "keep_prob":
        return 1 - member.keep_prob
    value = member.l2 if knob == "l2" else member.knobs.get(knob, 0.0)
    return float(value) if isinstance(value, int | float) else 0.0


def plane(sweep: SweepCard) -> tuple[Member, ...]:
    """One member for each lambda and keep_prob: the one with the other knobs of the chosen one, or the best.

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
    """Members with L1, and those without it at the same lambda and keep_prob; none if L1 was not varied."""
    sized = [member for member in _usable(sweep) if "exported_bytes" in member.effects]
    places = {(member.l2, member.keep_prob) for member in sized if member.l1}
    found = tuple(member for member in sized if (member.l2, member.keep_prob) in places)
    return found if len({member.l1 for member in found}) > 1 else ()


def is_one_line(members: Iterable[Member], knob: str) -> bool:
    """Return True if members differ only in this knob."""
    return len({_setting(member, knob) for member in members}) == 1


def _setting(member: Member, knob: str) -> tuple[object, ...]:
    """All knobs of a member but one; early stopping is compared elsewhere."""
    pair = (None if knob == "l2" else member.l2, None if knob == "keep_prob" else member.keep_prob)
    return *pair, *(item for item in _knobs(member) if item[0] != knob)


def _usable(sweep: SweepCard) -> list[Member]:
    """Members trained to the end; early-stopped ones only if there are no others, as their epoch is one more knob."""
    known = _measured(sweep.members)
    whole = [member for member in known if member.status in WHOLE]
    alone = [member for member in whole if not member.is_coupled]
    return next((found for found in (alone, whole) if len(found) >= LEAST_MEMBERS), known)


def _measured(members: Iterable[Member]) -> list[Member]:
    return [member for member in members if member.dev is not None and member.train is not None]


def _knobs(member: Member) -> tuple[tuple[str, str], ...]:
    return tuple((name, str(value)) for name, value in sorted(member.knobs.items()) if name != "early_stopping")
