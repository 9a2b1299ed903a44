"""The JSON of a run, folded from the journal."""

from __future__ import annotations

from collections.abc import Iterable

from wellfit._typing import Json
from wellfit.experiment.candidates import chosen_identity
from wellfit.experiment.folder import Folder
from wellfit.journal.store import Entry
from wellfit.stats.intervals import Estimate

STEP_FIELDS = ("step", "board", "did", "because", "expected", "got", "gaps_before", "gaps_after")
LATER_STEP_FIELDS = (
    *("round", "locked", "kind", "finding", "kept", "coupled", "idea", "ceiling", "expected_low", "expected_high"),
    *("cost", "spent", "as_expected", "without_gain"),
)
"""Fields that steps of older experiments do not have."""
TEMPERATURE_FIELDS = ("temperature", "fitted", "log_loss_before", "log_loss_honest")


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
        "steps": [_step(step) for step in bodies.get("step", [])],
        "foretold": _foretold(bodies.get("step", [])),
        "best": chosen.get("config"),
        "ensemble": chosen.get("members"),
        "temperature": _temperature(bodies.get("temperature", []), best),
        "references": {
            body["name"]: folder.goal.score_of(body["errors"]["dev"]["value"]) for body in bodies.get("reference", [])
        },
        "test": folder.goal.in_unit(tests[-1]).to_json() if tests else None,
        "stop": finish.get("stop"),
        "reason": finish.get("reason"),
        "sentence": finish.get("sentence"),
        "seconds": finish.get("seconds"),
    }


def _temperature(bodies: Iterable[Json], best: str | None) -> Json | None:
    """At which temperature the network's probabilities are, and what that buys; None where none could be fitted."""
    found = next((body for body in bodies if body["identity"] == best), None)
    return found and {name: found[name] for name in TEMPERATURE_FIELDS}


def _step(body: Json) -> Json:
    later = {name: body.get(name) for name in LATER_STEP_FIELDS}
    return {name: body[name] for name in STEP_FIELDS} | later


def _foretold(steps: Iterable[Json]) -> Json:
    """How many outcomes came inside their 90 % interval."""
    judged = [bool(step["as_expected"]) for step in steps if step.get("as_expected") is not None]
    return {"steps": len(judged), "inside": sum(judged)}
