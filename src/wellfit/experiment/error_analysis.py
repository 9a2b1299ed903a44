"""Error analysis inside an experiment: the eyeball is drawn once, and the tags of its rows are kept in the journal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from wellfit.base.typing import Integers
from wellfit.diagnosis.error_analysis import ErrorAnalysis, Predictions, analyse, require_rows
from wellfit.diagnosis.eyeball import Looked, draw_eyeball, eyeball_ahead
from wellfit.exceptions import Refusal
from wellfit.experiment.workspace import Workspace
from wellfit.journal.store import Entry
from wellfit.records.outcome import Outcome

EYEBALL, TAGS, ERRORS = "eyeball", "tags", "errors"
"""The kinds of entries: the rows to look at with the network of that time, tags by row, and what came of them."""


def analysed(
    workspace: Workspace, *, tags: Mapping[int, Sequence[str]] | None, eyeball: int | None, rows: int
) -> ErrorAnalysis:
    """Analyse the errors of an experiment's network; see `Experiment.errors`."""
    network, dev = workspace.network(), workspace.prepared.dev
    model = Predictions(
        target=dev.target,
        predictions=network.predictions["dev"],
        classes=tuple(workspace.split.schema.classes),
        groups=dev.groups,
        table=workspace.split.dev,
        opinion=workspace.open_rows.opinion if workspace.split.schema.classes else None,
    )
    is_new = drawn_eyeball(workspace.entries(), asked=eyeball) is None
    with workspace.writing("errors") if is_new or tags is not None else workspace.reading() as journal:
        # Another process may have drawn one before this one had the lock.
        drawn = chosen = drawn_eyeball(journal.entries(), asked=eyeball)
        if chosen is None:
            seed = workspace.split.seed
            chosen = draw_eyeball(len(model.target), error=model.rate, groups=model.groups, size=eyeball, seed=seed)
        require_rows(tags or {}, (chosen + 1).tolist())
        if drawn is None:
            journal.append(EYEBALL, {"rows": chosen.tolist(), "identity": network.identity, "asked": eyeball})
        if tags is not None:
            journal.append(TAGS, {"tags": {str(row): list(names) for row, names in tags.items()}})
        looked = looked_at(workspace, network)
        found = None if looked is None else eyeball_ahead(goal=workspace.goal, looked=looked)
        analysis = analyse(model, eyeball=chosen, tags=tags_of(journal.entries()), rows=rows, finding=found)
        if drawn is None or tags is not None:
            journal.append(ERRORS, {"identity": network.identity, **analysis.shares.to_json()})
    return analysis


def drawn_eyeball(entries: Iterable[Entry], *, asked: int | None) -> Integers | None:
    """Return the places of the rows to look at, in their order; None before the first `errors`.

    Raises:
        Refusal: another number of rows is asked for now.
    """
    drawn = next((entry.body for entry in entries if entry.kind == EYEBALL), None)
    if drawn is None:
        return None
    if asked not in (None, drawn.get("asked"), len(drawn["rows"])):
        raise Refusal(
            "the eyeball must be drawn once, so that the other dev rows stay unseen",
            found=f"--eyeball {asked:,}, and {len(drawn['rows']):,} rows were drawn before",
            remedy="Leave --eyeball out",
        )
    return np.asarray(drawn["rows"], np.int64)


def tags_of(entries: Iterable[Entry]) -> dict[int, tuple[str, ...]]:
    """Return the tags of each dev row that was looked at, by its number; a later list replaces an earlier one."""
    found: dict[int, tuple[str, ...]] = {}
    for entry in entries:
        if entry.kind == TAGS:
            found |= {int(row): tuple(names) for row, names in entry.body["tags"].items()}
    return found


def looked_at(workspace: Workspace, network: Outcome) -> Looked | None:
    """Return the dev losses of a network and of the one whose errors were looked at first; None before `errors`."""
    drawn = next((entry.body for entry in workspace.entries(EYEBALL)), None)
    before = None if drawn is None else workspace.outcome(str(drawn["identity"]))
    if drawn is None or before is None:
        return None
    shown = np.zeros(len(workspace.dev_target), bool)
    shown[np.asarray(drawn["rows"], np.int64)] = True
    return Looked(
        eyeball=shown,
        before=workspace.dev_losses(before),
        after=workspace.dev_losses(network),
        groups=workspace.prepared.dev.groups,
    )
