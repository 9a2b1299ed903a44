"""The JSON of a run, folded from the journal."""

from __future__ import annotations

from collections.abc import Iterable

from wellfit._typing import Json
from wellfit.experiment.candidates import chosen_identity
from wellfit.experiment.folder import Folder
from wellfit.journal.entry import Entry
from wellfit.stats.intervals import Estimate
from wellfit.stats.scores import in_unit_of

STEP_FIELDS = ("step", "board", "did", "because", "expected", "got", "gaps_before", "gaps_after")


def run_to_json(entries: Iterable[Entry], *, folder: Folder) -> Json:
    """Return the object of `run --json`: errors in the goal's own unit, gaps in its loss; null where nothing is yet."""
    listed = list(entries)
    bodies: dict[str, list[Json]] = {}
    for entry in listed:
        bodies.setdefault(entry.kind, []).append(entry.body)
    finish = bodies.get("finish", [{}])[-1]
    best = chosen_identity(listed)
    diagnoses = bodies.get("diagnosis", [{}])
    diagnosis = next((body for body in reversed(diagnoses) if body.get("identity") == best), diagnoses[-1])
    networks = {body["identity"]: body for kind in ("training", "ensemble") for body in bodies.get(kind, [])}
    chosen = networks.get(best or "", {})
    tests = [Estimate.from_json(body["error"]) for body in bodies.get("opening", [])]
    return {
        "schema": 1,
        "experiment": str(folder.path),
        "report": str(folder.report),
        "goal": folder.goal.name,
        "errors": diagnosis.get("errors", {}),
        "gaps": diagnosis.get("gaps", {}),
        "steps": [{name: step[name] for name in STEP_FIELDS} for step in bodies.get("step", [])],
        "best": chosen.get("config"),
        "ensemble": chosen.get("members"),
        "references": {
            body["name"]: folder.goal.score_of(body["errors"]["dev"]["value"]) for body in bodies.get("reference", [])
        },
        "test": in_unit_of(folder.goal, tests[-1]).to_json() if tests else None,
        "reason": finish.get("reason"),
        "sentence": finish.get("sentence"),
        "seconds": finish.get("seconds"),
    }
