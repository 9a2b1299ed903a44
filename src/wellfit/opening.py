"""Break the seal once: record the opening, compute the test error, then sign it.

Order of operations, under the ledger's and the registry's locks:
1. the sealed bytes are verified (a changed file is refused and costs no opening), and the rows are looked up in the
   registry, by the hashes of whole rows and by `splits/known_rows.py`;
2. the opening goes into the ledger, then into the registry, both on disk;
3. only now are the numbers computed;
4. the result goes into the ledger; its hash is the receipt.

A crash before 2 reveals nothing and does not count. A crash between 2 and 4 reveals nothing either, so the same model
(`subject`) may finish the same opening; any other model needs another one. A prediction that fails is recorded as
failed, removed from the registry, and costs nothing: any model may finish its opening.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa

from wellfit.base.serialize import OMITTED, Record, omitted_if
from wellfit.base.typing import Floats, Integers, Json
from wellfit.data.hashing import Words
from wellfit.exceptions import Refusal
from wellfit.records.goals import Goal
from wellfit.splits.known_rows import AskedRows
from wellfit.splits.ledger import Chain, Ledger, LedgerEntry
from wellfit.splits.registry import (
    CERTIFIED_OVERLAP,
    Memory,
    Registry,
    default_registry,
    record_chain,
    record_opening,
    remember,
    withdraw_opening,
)
from wellfit.splits.seal import Seal, break_seal
from wellfit.splits.split import load_split
from wellfit.stats.intervals import Estimate

ALPHA = 0.05
Predict = Callable[[pa.Table], Floats]


class Sealed(Protocol):
    """A test set that can be opened: that of a `Split`, or one sealed on its own."""

    @property
    def seal(self) -> Seal:
        """The seal of the rows that nobody has seen."""
        ...

    @property
    def hashes(self) -> Mapping[str, Words]:
        """Hashes of the rows of "test" and of the other parts, if there are any."""
        ...

    @property
    def others(self) -> Sequence[pa.Table]:
        """The other parts of the table, which show whether rows are equal by chance or were opened before."""
        ...

    @property
    def ledger(self) -> Ledger:
        """The ledger of its openings."""
        ...

    @property
    def folder(self) -> Path | None:
        """Its folder; None in memory."""
        ...

    def groups(self, rows: pa.Table) -> Integers | None:
        """Return the codes of the opened rows' groups; None without groups."""
        ...

    def targets(self, rows: pa.Table) -> Integers | Floats:
        """Return class codes, or values."""
        ...


@dataclass(frozen=True)
class Opening(Record):
    """The result of one opening of the test set.

    Attributes:
        opening: number of times that these rows have been opened, including this one.
        certified: whether this was the first look at them.
        error: test loss of the model, with its interval at alpha / opening.
        dev_optimism: test loss - dev loss; None if no dev loss was passed.
        receipt: identifies the ledger's line that signs this result.
        reason: why it is not certified ("" if it is).
        references: test loss of each reference model.
        at: time of the opening, in ISO 8601.
    """

    opening: int
    certified: bool
    error: Estimate
    dev_optimism: float | None
    receipt: str
    reason: str = field(default="", metadata=omitted_if(""))
    references: Mapping[str, Estimate] = field(default_factory=dict, metadata=OMITTED)
    at: str = field(default="", metadata=OMITTED)

    def to_json(self) -> Json:
        """Return the object that `unseal --json` prints; it has `reason` only if the opening is not certified."""
        return {"schema": 1, **super().to_json()}

    def entry(self, subject: str) -> Json:
        """Return the journal's entry of this opening for the network `subject`."""
        losses = {name: found.to_json() for name, found in self.references.items()}
        return {**self.to_json(), "identity": subject, "at": self.at, "references": losses}


@dataclass(frozen=True)
class _Standing:
    """The state of an opening before it happens."""

    number: int
    memory: Memory
    reason: str
    """Why the opening cannot be certified; "" if it can."""
    further: bool = False
    """Whether this very test set was opened before; rows opened in another split only rule out a certificate."""
    resumed: LedgerEntry | None = None

    def require_allowed(self, *, again: bool) -> None:
        """Refuse to open this test set again unless the user asked for that."""
        if self.further and not again:
            raise Refusal(
                "the test set must be opened only once",
                found=self.reason,
                remedy="Use the result of the first opening, or ask for another, uncertified one with --again",
            )


def open_test(
    split: Sealed | Path,
    *,
    predict: Predict,
    goal: Goal,
    dev: Estimate | None = None,
    references: Mapping[str, Predict] | None = None,
    subject: str = "",
    again: bool = False,
    registry: Registry | None = None,
    now: datetime | None = None,
) -> Opening:
    """Open the sealed test set for one model.

    Args:
        split: the split, or the folder in which it was saved.
        predict: function from the test table (features and target) to probabilities [rows, classes] or values [rows].
        goal: goal whose loss is computed.
        dev: the model's dev loss for comparison, if it is known.
        references: for each reference model, by name, a function like `predict`.
        subject: name of the model; after a crash, the same subject may finish its opening.
        again: whether to allow another opening, which is not certified.
        registry: registry that remembers all openings; by default the user's own.
        now: time of the opening; by default the current time.

    Raises:
        Refusal: the test set was opened before (without `again`) or is not what was sealed.
        BadInput: the sealed file is gone.
        NoRoom: the ledger or the registry cannot be written.
    """
    split = load_split(split) if isinstance(split, Path) else split
    registry = registry or default_registry()
    at = (now or datetime.now(UTC)).isoformat(timespec="seconds")
    with split.ledger.locked():
        test = break_seal(split.seal)
        rows = AskedRows.of(test, split.others, hashes=split.hashes)
        with registry.locked() as connection:
            standing = _standing(split, connection, rows, subject=subject)
            standing.require_allowed(again=again)
            entry = _write_down(split, connection, standing, rows=rows, subject=subject, at=at)
        target, groups = split.targets(test), split.groups(test)
        level = 1 - ALPHA / standing.number

        def measured(model: Predict) -> Estimate:
            return goal.metric.estimate(target, np.asarray(model(test)), groups=groups, level=level)

        try:
            error = measured(predict)
            losses = {name: measured(model) for name, model in (references or {}).items()}
        except Exception as failure:
            split.ledger.append("failed", {"reason": type(failure).__name__}, at=at)
            with registry.locked() as connection:
                withdraw_opening(connection, entry=entry.hash, seal=split.seal.sha256, before=standing.memory)
            raise
        optimism = None if dev is None else error.value - dev.value
        found = {name: found.to_json() for name, found in losses.items()}
        result = {"error": error.to_json(), "subject": subject, "dev_optimism": optimism, "references": found}
        signed = _sign(split, registry, result, at=at)
    return Opening(
        opening=standing.number,
        certified=not standing.reason,
        error=error,
        dev_optimism=optimism,
        receipt=receipt_of(signed),
        reason=standing.reason,
        references=losses,
        at=at,
    )


def _sign(split: Sealed, registry: Registry, result: Json, *, at: str) -> LedgerEntry:
    """Write everything that the journal records about an opening into the ledger, which can restore it from there."""
    signed = split.ledger.append("result", result, at=at)
    with registry.locked() as connection:
        record_chain(connection, seal=split.seal.sha256, head=signed.hash, count=signed.seq)
    return signed


def signed_results(ledger: Ledger) -> list[Json]:
    """Return the journal's entries for all results that the ledger has signed."""
    found: list[Json] = []
    opened: LedgerEntry | None = None
    for entry in ledger.read().entries:
        if entry.kind == "opening":
            opened = entry
        elif entry.kind == "result" and opened is not None:
            found.append(_restored(opened, entry).entry(str(entry.body["subject"])))
    return found


def _restored(opened: LedgerEntry, signed: LedgerEntry) -> Opening:
    body, reason = signed.body, str(opened.body["reason"])
    return Opening(
        opening=int(opened.body["opening"]),
        certified=not reason,
        error=Estimate.from_json(body["error"]),
        dev_optimism=body.get("dev_optimism"),
        receipt=receipt_of(signed),
        reason=reason,
        references={name: Estimate.from_json(loss) for name, loss in body.get("references", {}).items()},
        at=signed.at,
    )


def receipt_of(entry: LedgerEntry) -> str:
    """Return sixteen digits of the line's hash, which depends on every line before it: `wf-1a2b-3c4d-5e6f-7a8b`."""
    return "-".join(["wf", *(entry.hash[start : start + 4] for start in range(0, 16, 4))])


def _standing(split: Sealed, connection: sqlite3.Connection, rows: AskedRows, *, subject: str) -> _Standing:
    chain = split.ledger.read()
    pending = chain.pending
    resumes = pending is not None and (chain.failed or pending.body.get("subject") == subject)
    own = pending.hash if pending is not None and resumes else ""
    memory = remember(connection, rows, seal=split.seal.sha256, except_entry=own)
    if own and pending is not None and not _doubt(chain, memory):
        return _Standing(int(pending.body["opening"]), memory, str(pending.body["reason"]), resumed=pending)
    number = 1 + max(chain.openings, memory.openings)
    times = "once" if chain.openings == 1 else f"{chain.openings} times"
    further = _doubt(chain, memory) or (f"this test set was opened {times} before" if chain.openings else "")
    elsewhere = f"{memory.opened_share:.0%} of its rows were opened before, in another experiment or split"
    reason = further or (elsewhere if memory.opened_share >= CERTIFIED_OVERLAP else "")
    return _Standing(max(number, 2) if reason else number, memory, reason, bool(further))


def _doubt(chain: Chain, memory: Memory) -> str:
    """Return the reason why the ledger cannot be trusted; "" if it can."""
    if chain.broken:
        return chain.broken
    if not chain.extends(head=memory.head, count=memory.count):
        return f"the registry remembers {memory.count} lines that are missing in the ledger of this test set"
    return ""


def _write_down(
    split: Sealed, connection: sqlite3.Connection, standing: _Standing, *, rows: AskedRows, subject: str, at: str
) -> LedgerEntry:
    entry = standing.resumed or split.ledger.append(
        "opening", {"opening": standing.number, "reason": standing.reason, "subject": subject}, at=at
    )
    seal, place = split.seal.sha256, str(split.folder or "memory")
    record_opening(connection, rows, seal=seal, entry=entry.hash, at=at, place=place)
    last = entry if standing.resumed is None else split.ledger.read().entries[-1]
    record_chain(connection, seal=seal, head=last.hash, count=last.seq)
    return entry
