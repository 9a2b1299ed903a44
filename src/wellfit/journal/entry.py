"""One line of the journal."""

from __future__ import annotations

from dataclasses import dataclass

from wellfit._typing import Json


@dataclass(frozen=True)
class Entry:
    """One entry.

    Attributes:
        seq: place in the journal, counted from 1 without gaps.
        kind: what the body describes ("split", "training", "step", ...).
        key: name under which the body is recalled; empty where entries are only listed.
        body: plain JSON values.
        at: when it was written, ISO 8601 in UTC.
    """

    seq: int
    kind: str
    key: str
    body: Json
    at: str
