"""All that checks may look at: errors, a training, columns, rows, and what a network makes of the rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields

from wellfit.base.typing import Floats
from wellfit.diagnosis.gaps import Errors, Gap
from wellfit.diagnosis.more_data import MoreData
from wellfit.diagnosis.rows import NetworkOnRows, OpenRows, Shuffled
from wellfit.records.gaps import GapName
from wellfit.records.goals import Goal
from wellfit.stats.intervals import Estimate


@dataclass(frozen=True, kw_only=True)
class Training:
    """The end of a training, and the losses of the reference models on the same dev rows.

    Attributes:
        status: "finished", "diverged", "stopped early" or "out of budget".
        advice: of that status.
        references: name -> dev loss of the dummy, linear and tree models.
        ahead: name -> paired interval of (network's loss - that model's loss), where the rows are known.
        note: what else to know about the reference models, as a sentence.
    """

    status: str
    advice: str = ""
    references: Mapping[str, Estimate] = field(default_factory=dict)
    ahead: Mapping[str, Estimate] = field(default_factory=dict)
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Columns:
    """The columns of a table.

    Attributes:
        dropped: column -> why it left the features ("constant", "all missing", "id-like: ...", "asked").
        missing: column -> share of missing values in train, where it was counted.
        unseen: column -> share of dev rows whose category train has not, where it was counted.
    """

    dropped: Mapping[str, str]
    missing: Mapping[str, float] | None = None
    unseen: Mapping[str, float] | None = None


@dataclass(frozen=True, kw_only=True)
class Facts:
    """All facts; None for those that are not known. A check runs if all that it needs is known.

    Attributes:
        goal: in whose loss all numbers are.
        tolerance: the gap that does not matter.
        hint: at the optimal error, from the rows, where there is no reference.
        errors: losses with their intervals.
        gaps: between the errors.
        training: of the network.
        columns: of the table.
        rows: that may be looked at.
        network: on these rows.
        seen: part -> [rows, channels] what a network of pictures sees in train-dev (train, where there is none) and
            in dev.
        candidates: [candidates, rows] losses of all networks that were compared on dev.
        curve: gain of more data, from a learning curve.
        shuffled: the network's predictions on dev with the values of a column in other orders.
    """

    goal: Goal
    tolerance: float = 0.0
    hint: str = ""
    errors: Errors | None = None
    gaps: Mapping[GapName, Gap | None] | None = None
    training: Training | None = None
    columns: Columns | None = None
    rows: OpenRows | None = None
    network: NetworkOnRows | None = None
    seen: Mapping[str, Floats] | None = None
    candidates: Floats | None = None
    curve: MoreData | None = None
    shuffled: Shuffled | None = None

    @property
    def known(self) -> frozenset[str]:
        """Names of the facts that are there."""
        return frozenset(each.name for each in fields(self) if getattr(self, each.name) is not None)
