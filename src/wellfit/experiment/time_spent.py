"""The time of a run, told by its journal: every entry of work knows its own seconds."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

from wellfit.base.typing import Json
from wellfit.journal.history import is_of_run
from wellfit.journal.store import Entry
from wellfit.records.time_spent import TimeSpent


def time_spent(
    entries: Iterable[Entry], *, asked: Json, result: Collection[str], seconds: float, workers: int
) -> TimeSpent:
    """Return where the time of a run and of the sessions that it continues went.

    `result` has the identities of the network that the run ends with and of its members; `seconds` is the time of the
    whole run, and `asked` its options. Work that a killed session did not finish is part of the rest.
    """
    mine = list(_of_run(entries, asked))
    reading = sum(float(each.body.get("seconds_before", 0.0)) for each in mine if each.kind == "session")
    references = sum(float(each.body["seconds"]) for each in mine if each.kind == "reference")
    family = _family([each.body for each in mine if each.kind == "step"], result)
    trained = [each.body for each in mine if each.kind == "training"]
    own = sum(float(body.get("seconds", 0.0)) for body in trained if body["identity"] in family)
    others = sum(float(body.get("seconds", 0.0)) for body in trained) - own
    rest = workers * max(0.0, seconds - reading - references) - own - others
    return TimeSpent(
        reading=reading, references=references, result=own, others=others, rest=max(0.0, rest), workers=workers
    )


def _of_run(entries: Iterable[Entry], asked: Json) -> Iterator[Entry]:
    """Yield the entries of a run's sessions, the first of each included."""
    counts = False
    for entry in entries:
        counts = is_of_run(entry.body, asked) if entry.kind == "session" else counts
        if counts:
            yield entry


def _family(steps: Sequence[Json], result: Collection[str]) -> set[str]:
    """Return the identities of the result and of every network that a step which was kept started from."""
    found = set(result)
    for step in reversed(steps):
        if step["kept"] and step["config_after"] in found:
            found.add(step["config_before"])
    return found
