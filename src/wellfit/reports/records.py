"""What a report shows, as plain values: every page and every terminal is drawn from these and nothing else.

Losses are in the goal's loss (rmse: MSE); `Unit` writes them for people.
The sheet of training pictures and their random changes, as the page shows it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from wellfit._typing import Json
from wellfit.knobs import OTHER_REGULARIZERS
from wellfit.reports import values
from wellfit.reports.sweep_card import SweepCard, others_of
from wellfit.reports.values import Measure, Reference
from wellfit.units import Unit, knob

_BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}")


@dataclass(frozen=True, kw_only=True)
class PictureSheet:
    """One PNG in base64, what its rows are labelled, how many changes follow each picture, and their ranges.

    `worth` says in a sentence how many more pictures would do as much; it is empty where nobody measured that.
    """

    png: str
    labels: tuple[str, ...]
    changes: int
    ranges: tuple[tuple[str, str], ...]
    worth: str = ""


def picture_sheet(body: Json, *, curve: Json) -> PictureSheet | None:
    """Read the journal's entry, and the last learning curve for its worth; None where there is no picture in it."""
    png = values.text(body.get("png"))
    if not _BASE64.fullmatch(png):
        return None
    ranges = ((name.replace("_", " "), values.number(value)) for name, value in values.section(body, "ranges").items())
    return PictureSheet(
        png=png,
        labels=tuple(map(values.text, values.items(body, "labels"))),
        changes=values.count(body.get("changes")) or 0,
        ranges=tuple((name, knob(found)) for name, found in ranges if found is not None),
        worth=values.text(values.section(curve, "worth").get("sentence")),
    )


@dataclass(frozen=True, kw_only=True)
class Gap:
    """One step of the ladder. `start` and `end` are the losses of the two rungs it joins."""

    name: str
    before: str
    start: float
    end: float
    value: float
    low: float
    high: float
    verdict: str
    rows_needed: int | None = None
    below_reference: bool = False
    includes_mismatch: bool = False


@dataclass(frozen=True, kw_only=True)
class Rung:
    """One part on the ladder; no measure means sealed."""

    part: str
    label: str
    measure: Measure | None
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Ladder:
    """Errors and gaps of one network, from the optimal error up to the test set."""

    identity: str
    step: int | None
    optimal: Reference | None
    rungs: tuple[Rung, ...]
    gaps: tuple[Gap, ...]
    tolerance: float | None

    def rung(self, part: str) -> Measure | None:
        """The measure of one part, None where there is none."""
        return next((rung.measure for rung in self.rungs if rung.part == part), None)

    def gap(self, name: str) -> Gap | None:
        """The gap of one name, None where it was not measured."""
        return next((gap for gap in self.gaps if gap.name == name), None)


@dataclass(frozen=True, kw_only=True)
class OtherMethod:
    """A reference model on the same split."""

    name: str
    label: str
    train: Measure | None
    dev: Measure | None
    test: Measure | None
    seconds: float | None
    note: str


@dataclass(frozen=True, kw_only=True)
class SealCard:
    """How the rows were divided, and what that buys."""

    source: str
    target: str
    task: str
    classes: tuple[str, ...]
    features: int
    dropped: tuple[tuple[str, str], ...]
    rows: tuple[tuple[str, int], ...]
    policy: str
    precision: tuple[tuple[str, str], ...]
    duplicates: tuple[tuple[str, str], ...]
    sha256: str
    sealed_at: str
    seed: int


@dataclass(frozen=True, kw_only=True)
class Network:
    """One trained network, or an average of several: what the tables and the knob board need of it.

    `decayed` are the matrices that lambda and L1 act on, each with its norm; `spared` are the other parameters.
    `networks` is how many are averaged; the config is then that of the heaviest.
    """

    identity: str
    config: Json
    status: str
    l2: float
    keep_prob: float
    keep_probs: str
    weight_decay: float | None
    shrink: float | None
    norm: float | None
    train: Measure | None
    dev: Measure | None
    updates: int | None
    seconds: float | None
    curve: tuple[tuple[int, float, float], ...]
    decayed: tuple[tuple[str, float], ...] = ()
    spared: tuple[str, ...] = ()
    networks: int = 1

    @property
    def is_coupled(self) -> bool:
        """Whether dev chose the epoch at which its training ended."""
        board = self.config.get("optimization")
        return isinstance(board, Mapping) and board.get("early_stopping") is not None

    @property
    def others(self) -> str:
        """What regularizes beside lambda and keep_prob, in words."""
        board = self.config.get("regularization")
        return others_of(board) if isinstance(board, Mapping) else ""

    @property
    def is_plain(self) -> bool:
        """Whether every regularizer is at zero."""
        board = self.config.get("regularization")
        others = any(map(board.get, OTHER_REGULARIZERS)) if isinstance(board, Mapping) else False
        return self.l2 == 0 and self.keep_prob == 1 and not others and not self.is_coupled


@dataclass(frozen=True, kw_only=True)
class Tempered:
    """At which temperature the chosen network's probabilities are, and the log-losses on dev that speak for it."""

    temperature: float
    before: float
    honest: float

    @property
    def sentence(self) -> str:
        """What was done to the probabilities, and what it buys on rows that did not choose it."""
        much = "less" if self.temperature > 1 else "more"
        return (
            f"The network's probabilities are made {much} sure, by the temperature {self.temperature:.3g}: a dev "
            f"log-loss of {self.honest:.4f} (fitted on one half, measured on the other) where it was {self.before:.4f}."
        )


@dataclass(frozen=True, kw_only=True)
class Knob:
    """One knob in the first network and in the chosen one."""

    name: str
    before: str
    after: str

    @property
    def turned(self) -> bool:
        """Whether it changed."""
        return self.before != self.after


@dataclass(frozen=True, kw_only=True)
class FindingRow:
    """One coded check."""

    code: str
    title: str
    status: str
    evidence: str
    remedy: str


@dataclass(frozen=True, kw_only=True)
class RemedyRow:
    """One remedy of the prescription, in the order to try."""

    kind: str
    board: str
    because: str
    ceiling: float | None
    why: str


OPTIMIZATION = "optimization"
SEARCH_BOTH = "search_both_boards"


@dataclass(frozen=True, kw_only=True)
class StepRow:
    """One turn of the recipe.

    `expected` is the ceiling in experiments of the first version, which had no interval.
    """

    step: int
    board: str
    did: str
    because: str
    idea: str
    expected: float | None
    got: float | None
    kept: bool
    errors_before: tuple[float | None, float | None]
    errors_after: tuple[float | None, float | None]
    gaps_before: tuple[tuple[str, float, str], ...]
    gaps_after: tuple[tuple[str, float, str], ...]
    seconds: float | None
    updates: int | None
    kind: str = ""
    round: int = 1
    locked: str = ""
    expected_low: float | None = None
    expected_high: float | None = None
    cost: float | None = None
    spent: float | None = None
    as_expected: bool | None = None
    coupled: bool = False
    without_gain: tuple[str, ...] = ()
    network: str = ""
    """Identity of the network that the recipe went on with; empty in experiments of the first version."""
    worth: float | None = None
    """Dev loss of networks that were trained as the one from before was; known where networks were averaged."""

    @property
    def is_kept_search(self) -> bool:
        """Whether it is a search of both boards, and its network was gone on with."""
        return self.kept and self.kind == SEARCH_BOTH

    @property
    def was_luck(self) -> bool:
        """Whether an average was kept although it is behind on dev, where the network before had luck."""
        before = self.errors_before[1]
        if not self.kept or self.got is None or self.worth is None or before is None:
            return False
        return self.got < 0 and self.worth > before

    @property
    def turned(self) -> str:
        """The board that it turned, in a word."""
        return "both" if self.coupled else self.board

    @property
    def beside(self) -> str:
        """What a pilot tried beside the step, and found without gain."""
        names = ", ".join(name.replace("_", " ") for name in self.without_gain)
        return f"Tried beside step {self.step}, without gain: {names}." if names else ""


@dataclass(frozen=True)
class Score:
    """How many outcomes came inside their 90 % interval."""

    inside: int
    steps: int

    def __str__(self) -> str:
        return f"{self.inside} of {self.steps} outcomes came inside their 90 % interval."


@dataclass(frozen=True, kw_only=True)
class OpeningCard:
    """One opening of the seal."""

    opening: int
    certified: bool
    error: Measure
    dev_optimism: float | None
    reason: str
    receipt: str
    at: str


@dataclass(frozen=True, kw_only=True)
class TradeRow:
    """One network in the table that shows what regularization costs and buys."""

    label: str
    l2: float
    weight_decay: float | None
    shrink: float | None
    keep_probs: str
    norm: float | None
    train: float | None
    dev: float | None
    test: float | None


@dataclass(frozen=True, kw_only=True)
class Redo:
    """What it takes to do the same again."""

    command: str
    seed: int
    versions: tuple[tuple[str, str], ...]
    data: str
    more_data: str = ""


@dataclass(frozen=True, kw_only=True)
class Summary:
    """Everything that the page and the terminal show of one experiment."""

    title: str
    headline: str
    remarks: tuple[str, ...]
    unit: Unit
    seal: SealCard | None
    before: Ladder | None
    after: Ladder | None
    others: tuple[OtherMethod, ...]
    first: Network | None
    best: Network | None
    optimization: tuple[Knob, ...]
    regularization: tuple[Knob, ...]
    sweeps: tuple[SweepCard, ...]
    trade: tuple[TradeRow, ...]
    trade_sentence: str
    findings: tuple[FindingRow, ...]
    prescription: tuple[RemedyRow, ...]
    steps: tuple[StepRow, ...]
    finished: str
    openings: tuple[OpeningCard, ...]
    redo: Redo | None
    pictures: PictureSheet | None = None
    data: tuple[Knob, ...] = ()
    tempered: Tempered | None = None

    def steps_on(self, *boards: str) -> tuple[StepRow, ...]:
        """The steps that turned one of these boards; one that turned both is on both."""
        return tuple(step for step in self.steps if step.board in boards or (step.coupled and OPTIMIZATION in boards))

    @property
    def searched_both(self) -> bool:
        """Whether a search of both boards was kept."""
        return any(step.is_kept_search for step in self.steps)

    @property
    def score(self) -> Score | None:
        """The journal's score of its own predictions; None where no step made one."""
        judged = [step.as_expected for step in self.steps if step.as_expected is not None]
        return Score(sum(judged), len(judged)) if judged else None

    @property
    def best_other(self) -> OtherMethod | None:
        """The reference model with the lowest loss: on test once it was opened, else on dev."""
        known = [(_opened_loss(method), method) for method in self.others]
        ranked = [(loss, method) for loss, method in known if loss is not None]
        return min(ranked, key=lambda pair: pair[0])[1] if ranked else None


def _opened_loss(method: OtherMethod) -> float | None:
    measure = method.test or method.dev
    return None if measure is None else measure.value
