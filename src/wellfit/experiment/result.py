"""The JSON of a run, read from the fold of its journal."""

from __future__ import annotations

from collections.abc import Iterable

from wellfit.base.typing import Json
from wellfit.experiment.folder import Folder
from wellfit.journal.history import History
from wellfit.stats.intervals import Estimate

STEP_FIELDS = (
    *("step", "board", "did", "because", "expected", "got", "gaps_before", "gaps_after", "round", "locked", "kind"),
    *("finding", "kept", "coupled", "idea", "ceiling", "expected_low", "expected_high", "cost", "spent", "as_expected"),
    "without_gain",
)
TEMPERATURE_FIELDS = ("temperature", "fitted", "log_loss_before", "log_loss_honest")


def run_to_json(history: History, *, folder: Folder) -> Json:
    """Return the object of `run --json`: errors in the goal's own unit, gaps in its loss; null where nothing is yet."""
    best, finish = history.chosen, history.last("finish")
    diagnosis = history.of_network("diagnosis", best) or history.last("diagnosis")
    chosen = history.of_network("ensemble", best) or history.of_network("training", best)
    temperature = history.of_network("temperature", best)
    test = history.last("opening").get("error")
    return {
        "schema": 1,
        "experiment": str(folder.path),
        "report": str(folder.report),
        "goal": folder.goal.name,
        "errors": diagnosis.get("errors", {}),
        "gaps": diagnosis.get("gaps", {}),
        "steps": [{name: step.get(name) for name in STEP_FIELDS} for step in history.of("step")],
        "foretold": _foretold(history.of("step")),
        "best": chosen.get("config"),
        "ensemble": chosen.get("members"),
        "temperature": {name: temperature[name] for name in TEMPERATURE_FIELDS} if temperature else None,
        "references": {
            body["name"]: folder.goal.score_of(body["errors"]["dev"]["value"]) for body in history.of("reference")
        },
        "test": folder.goal.in_unit(Estimate.from_json(test)).to_json() if test else None,
        "stop": finish.get("stop"),
        "reason": finish.get("reason"),
        "sentence": finish.get("sentence"),
        "seconds": finish.get("seconds"),
    }


def _foretold(steps: Iterable[Json]) -> Json:
    """Number of outcomes that fell within their 90 % interval, of those that had one."""
    judged = [bool(step["as_expected"]) for step in steps if step.get("as_expected") is not None]
    return {"steps": len(judged), "inside": sum(judged)}
