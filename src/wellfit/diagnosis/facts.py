"""Everything that checks may use: errors, a training run, columns, rows, and a network's predictions for the rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields

from wellfit.base.typing import Floats
from wellfit.diagnosis.eyeball import Looked
from wellfit.diagnosis.gaps import Errors, Gap
from wellfit.diagnosis.more_data import MoreData
from wellfit.diagnosis.rows import NetworkOnRows, OpenRows, Predicted, Shuffled
from wellfit.records.gaps import GapName
from wellfit.records.goals import Goal
from wellfit.stats.intervals import Estimate


@dataclass(frozen=True, kw_only=True)
class Training:
    """The outcome of a training run, and the losses of the reference models on the same dev rows."""

    status: str  # "finished", "diverged", "stopped early" or "out of budget"
    advice: str = ""
    references: Mapping[str, Estimate] = field(default_factory=dict)  # name -> dev loss of dummy, linear, tree models
    ahead: Mapping[str, Estimate] = field(default_factory=dict)  # name -> network's loss less that model's, paired
    note: str = ""  # anything else to know about the reference models, as a sentence


@dataclass(frozen=True, kw_only=True)
class Columns:
    """The columns of a table, with their shares of missing and unseen values."""

    dropped: Mapping[str, str]  # column -> why: "constant", "all missing", "id-like: ...", "asked"
    missing: Mapping[str, float] | None = None  # column -> share of missing values in train
    unseen: Mapping[str, float] | None = None  # column -> share of dev rows whose category does not occur in train


@dataclass(frozen=True, kw_only=True)
class Facts:
    """All facts, with None for those that are not known; a check runs if all facts that it requires are known."""

    goal: Goal  # all numbers are in its loss
    tolerance: float = 0.0  # the gap that does not matter
    hint: str = ""  # at the optimal error, from the rows, where there is no reference
    errors: Errors | None = None
    gaps: Mapping[GapName, Gap | None] | None = None
    training: Training | None = None
    columns: Columns | None = None
    rows: OpenRows | None = None
    network: NetworkOnRows | None = None
    predicted: Predicted | None = None  # the model's predictions for dev, and for train where known
    # Below: known only for an experiment.
    seen: Mapping[str, Floats] | None = None  # part -> [rows, channels] a network's channels for pictures
    candidates: Floats | None = None  # [candidates, rows] losses of all networks that were compared on dev
    looked: Looked | None = None  # what has changed since a person began to look at dev rows
    curve: MoreData | None = None
    shuffled: Shuffled | None = None

    @property
    def known(self) -> frozenset[str]:
        """Return the names of the facts that are known."""
        return frozenset(each.name for each in fields(self) if getattr(self, each.name) is not None)
