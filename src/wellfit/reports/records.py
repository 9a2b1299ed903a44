"""The numbers that a report shows: every page and every terminal output is made from these alone.

Losses are in the goal's loss (rmse: MSE); `Unit` writes them for people.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from wellfit.base.typing import Part
from wellfit.diagnosis.diagnosis import Diagnosis
from wellfit.diagnosis.error_analysis import ErrorShares
from wellfit.diagnosis.findings import Finding
from wellfit.diagnosis.gaps import Gap
from wellfit.diagnosis.prescribe import Prescribed
from wellfit.opening import Opening
from wellfit.records.outcome import Outcome
from wellfit.records.time_spent import TimeSpent
from wellfit.records.units import Unit, knob, spread
from wellfit.reports.fits import FitTable
from wellfit.reports.sweep_card import SweepCard, keeps_text, other_regularizers
from wellfit.stats.intervals import Estimate

PARTS: Mapping[Part, str] = {"train": "Train", "train_dev": "Train-dev", "dev": "Dev", "test": "Test"}


@dataclass(frozen=True, kw_only=True)
class Diagnosed:
    """A network's diagnosis; `note` is written next to its test error, `has_test` is False if no test set is sealed."""

    diagnosis: Diagnosis
    identity: str = ""
    note: str = ""
    has_test: bool = True

    @property
    def errors(self) -> dict[Part, Estimate | None]:
        """The error on each existing part, in the order of the ladder; None if it is sealed."""
        errors = self.diagnosis.errors
        measured: dict[Part, Estimate | None] = {"train": errors.train}
        if errors.train_dev is not None:
            measured["train_dev"] = errors.train_dev
        measured["dev"] = errors.dev
        return {**measured, "test": errors.test} if errors.test or self.has_test else measured

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """The gaps that were measured."""
        return tuple(gap for gap in self.diagnosis.gaps.values() if gap is not None)


@dataclass(frozen=True, kw_only=True)
class Network:
    """One network or an average of several: its outcome without arrays, and further figures from the journal.

    `parts` are the networks of an average that the journal knows; the config of its outcome is that of the heaviest.
    """

    identity: str
    outcome: Outcome
    errors: Mapping[str, Estimate]
    weight_decay: float | None
    shrink: float | None
    parts: tuple[Network, ...] = ()

    @property
    def singles(self) -> tuple[Network, ...]:
        """The networks that it consists of: itself, unless it is an average."""
        return self.parts or (self,)

    @property
    def l2(self) -> float:
        """The knob lambda; of an average, that of its heaviest network."""
        return self.outcome.config.regularization.l2

    @property
    def lambdas(self) -> str:
        """The knob lambda in words: one number, or the range over the networks of an average."""
        return spread(knob(each.l2) for each in self.singles)

    @property
    def keep_probs(self) -> str:
        """keep_prob in words: one number, one for each layer, or the range over the networks of an average."""
        return spread(keeps_text(each.outcome.config.regularization.keep_prob) for each in self.singles)

    @property
    def others(self) -> str:
        """The regularizers besides lambda and keep_prob, in words; of an average, those that its networks share."""
        knobs = [vars(each.outcome.config.regularization) for each in self.singles]
        shared = {name: value for name, value in knobs[0].items() if all(each[name] == value for each in knobs)}
        return other_regularizers(shared)

    @property
    def norm(self) -> float | None:
        """||W|| over all decayed matrices; None for an average, which has no weights of its own."""
        norm = math.hypot(*self.outcome.weight_norms)
        return norm if self.outcome.weight_norms and math.isfinite(norm) else None

    @property
    def is_coupled(self) -> bool:
        """True if dev chose the epoch at which training ended."""
        return self.outcome.config.optimization.early_stopping is not None

    @property
    def is_plain(self) -> bool:
        """True if every regularizer is off."""
        return all(each.outcome.config.is_plain for each in self.singles) and not self.is_coupled

    @property
    def curve(self) -> tuple[tuple[int, float, float], ...]:
        """Updates, train and dev loss at each finite point of the learning curve."""
        points = ((point.update, point.train, point.dev) for point in self.outcome.curve)
        return tuple(point for point in points if math.isfinite(point[1]) and math.isfinite(point[2]))


@dataclass(frozen=True, kw_only=True)
class OtherMethod:
    """A reference model on the same split."""

    name: str
    label: str
    train: Estimate
    dev: Estimate
    test: Estimate | None
    seconds: float
    note: str


@dataclass(frozen=True, kw_only=True)
class SplitFacts:
    """The division of the rows, and the precision with which errors can be measured on it."""

    source: str
    target: str
    task: str
    classes: tuple[str, ...]
    features: int
    dropped: tuple[tuple[str, str], ...]
    rows: tuple[tuple[str, int], ...]
    policy: str
    precision: str
    left_over: tuple[tuple[str, str], ...]
    sha256: str
    sealed_at: str
    seed: int


@dataclass(frozen=True, kw_only=True)
class Temperature:
    """The temperature of the network's probabilities, and the dev log-losses without and with it.

    `honest` was fitted on one half of dev and measured on the other.
    """

    value: float
    before: float
    honest: float


@dataclass(frozen=True, kw_only=True)
class Knob:
    """One knob in the first network and in the chosen one, in words."""

    name: str
    before: str
    after: str

    @property
    def turned(self) -> bool:
        """True if it changed."""
        return self.before != self.after


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step of the recipe; gains are in the goal's loss, and None if the journal has none."""

    step: int
    round: int
    board: str
    locked: str
    kind: str
    did: str
    because: str
    idea: str
    expected: float
    low: float | None
    high: float | None
    got: float
    as_expected: bool | None
    kept: bool
    coupled: bool
    without_gain: tuple[str, ...]
    previous: str
    network: str
    """Identities of the networks before the step, and with which the recipe continued."""
    before: Mapping[str, float]
    after: Mapping[str, float]
    gaps_before: tuple[Gap, ...]
    gaps_after: tuple[Gap, ...]
    seconds: float
    single: float | None
    """Dev loss of single networks trained like the one before; known if networks were averaged."""

    @property
    def was_luck(self) -> bool:
        """True if an average was kept although it is worse on dev: the network before it was chosen there."""
        return self.kept and self.got < 0 and self.single is not None and self.single > self.before["dev"]

    @property
    def turned(self) -> str:
        """The board that it changed, in one word."""
        return "both" if self.coupled else self.board


@dataclass(frozen=True, kw_only=True)
class TradeRow:
    """One network in the table of the cost and the gain of regularization."""

    label: str
    lambdas: str
    keep_probs: str
    norm: float | None
    train: float | None
    dev: float | None
    test: float | None = None


@dataclass(frozen=True, kw_only=True)
class PictureSheet:
    """A PNG in base64: a few training pictures, each followed by random changes in the given ranges.

    `worth` says how many more pictures would help as much; "" if that was not measured.
    """

    png: str
    labels: tuple[str, ...]
    changes: int
    ranges: tuple[tuple[str, str], ...]
    worth: str


@dataclass(frozen=True, kw_only=True)
class Reproduction:
    """The command that repeats the run."""

    command: str
    seed: int
    versions: tuple[tuple[str, str], ...]
    data: str
    more_data: str = ""


@dataclass(frozen=True, kw_only=True)
class Summary:
    """An experiment at any stage: from a bare split to an opened test set.

    `before` is the diagnosis of the first network, `after` that of `best`, the network that represents the experiment:
    the same object if that is the first one. `compared` counts the networks that dev has compared; `finished` says
    why the run ended.
    """

    title: str
    unit: Unit
    split: SplitFacts | None
    before: Diagnosed | None
    after: Diagnosed | None
    others: tuple[OtherMethod, ...]
    first: Network | None
    best: Network | None
    optimization: tuple[Knob, ...]
    regularization: tuple[Knob, ...]
    data: tuple[Knob, ...]
    sweeps: tuple[SweepCard, ...]
    trade: tuple[TradeRow, ...]
    steps: tuple[Step, ...]
    fits: FitTable | None
    """The fits of a study."""
    gain: Estimate | None
    """Dev loss of the first network minus that of `best`, paired by row; None where they were not compared."""
    optimism: float
    """How much lower the best dev loss is than the same network's on rows that did not choose it; 0 if not known."""
    compared: int
    budget: str
    """As it was asked for; "" without a run."""
    stop: str
    """Code of the reason why the run ended; "" if it has not."""
    finished: str
    time: TimeSpent | None
    """Where the time of the run went; None before its end, and for a journal from before this was recorded."""
    openings: tuple[Opening, ...]
    """Openings that measured the network that represents the experiment."""
    elsewhere: tuple[Opening, ...]
    """Openings that measured another network: their test errors are not shown next to this one's."""
    temperature: Temperature | None
    pictures: PictureSheet | None
    again: Reproduction | None
    errors: ErrorShares | None = None
    """The kinds of errors of the network that represents the experiment, if anybody looked at them."""
    headline: str = ""
    remarks: tuple[str, ...] = ()

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The checks of the last diagnosis, those that fired first."""
        order = ("fired", "passed", "not applicable")
        found = self.after.diagnosis.findings if self.after else ()
        return tuple(sorted(found, key=lambda each: (order.index(each.status), each.code)))

    @property
    def prescription(self) -> tuple[Prescribed, ...]:
        """The remedies of the last diagnosis, in their order."""
        return self.after.diagnosis.prescription if self.after else ()

    @property
    def dev(self) -> Estimate | None:
        """Dev error of the network that represents the experiment."""
        if self.after is not None:
            return self.after.diagnosis.errors.dev
        return self.best.errors.get("dev") if self.best else None

    def steps_on(self, *boards: str) -> tuple[Step, ...]:
        """Return the steps that changed one of these boards; one that changed both is on both."""
        return tuple(step for step in self.steps if step.board in boards or (step.coupled and "optimization" in boards))

    @property
    def path(self) -> tuple[Step, ...]:
        """The steps that led from the first network to the one that represents the experiment; () if none did."""
        found: list[Step] = []
        end = self.best.identity if self.best else ""
        for step in reversed(self.steps):
            if step.kept and step.network == end:
                found.insert(0, step)
                end = step.previous
        return tuple(found)

    @property
    def searched_both(self) -> bool:
        """True if a search of both boards was kept: then neither board alone gets the credit or the blame."""
        return any(step.kept and step.kind == "search_both_boards" for step in self.steps)

    @property
    def kept_score(self) -> tuple[int, int] | None:
        """Number of outcomes within their interval, and number of intervals; None without any."""
        judged = [step.as_expected for step in self.steps if step.as_expected is not None]
        return (sum(judged), len(judged)) if judged else None

    @property
    def best_other(self) -> OtherMethod | None:
        """The reference model with the lowest loss: on test once it was opened, otherwise on dev."""
        return min(self.others, key=lambda each: (each.test or each.dev).value, default=None)
