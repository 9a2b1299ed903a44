"""The request of a run, completed from that of the last run; and earlier requests, as the journal has them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from wellfit.base.typing import Json
from wellfit.data.schema import Schema
from wellfit.exceptions import BadInput
from wellfit.experiment.diagnosing import referred, with_earlier
from wellfit.experiment.workspace import Workspace
from wellfit.journal.history import BRANCH
from wellfit.journal.store import Entry
from wellfit.recipe.budget import Budget, parse_budget
from wellfit.recipe.pick import require_kind, require_rows
from wellfit.recipe.state import Rules, require_free_knobs
from wellfit.records.augmentation import Augmentation, asked_for
from wellfit.records.config import Config
from wellfit.splits.more_rows import MoreRows

DEFAULT_BUDGET = "5m"
DEFAULT_AUGMENT = "strong"
"""The network from which a request branched off."""


@dataclass(frozen=True, kw_only=True)
class RunRequest:
    """One request of a run; another one may follow in the same experiment."""

    budget: Budget
    reference: Mapping[str, Any]
    """human_error, human_rows, optimal_error and tolerance, as the user passed them."""
    rules: Rules
    augment: str | None = None
    seed: int = 0
    start: Config | None = None
    """The config from which a branch starts: that of the network of step `start_step`."""
    start_step: int | None = None

    @property
    def asked(self) -> Json:
        """The part of the request that determines the run, for the journal; `idea` is only a comment."""
        rules = self.rules
        return {
            "budget": str(self.budget),
            "reference": {name: value for name, value in self.reference.items() if value is not None},
            "only": rules.only,
            "seed": self.seed,
            **({} if rules.ensemble else {"ensemble": False}),
            **({"allow_early_stopping": True} if rules.early_stopping else {}),
            **({"fixed": {board: dict(knobs) for board, knobs in rules.fixed_at.items()}} if rules.fixed_at else {}),
            **({BRANCH: self.start.identity} if self.start else {}),
            **({"augment": self.augment} if self.augment else {}),
            **({"more_data": rules.more_data} if rules.more_data else {}),
        }

    @property
    def identity(self) -> str:
        """The name of the request's plan in the journal."""
        return hashlib.sha256(json.dumps(self.asked, sort_keys=True).encode()).hexdigest()[:12]

    def inside(self, workspace: Workspace, *, branch: int | None, more: MoreRows | None) -> RunRequest:
        """Return the request for one experiment, with the step it branches off from and the rows that this call adds.

        Refused are a reference that does not fit the goal, an augmentation of a table, and an unknown step.
        """
        referred(self.reference, goal=workspace.goal)
        augmentation_for(workspace.split.schema, self.augment)
        start = None if branch is None else Config.from_json(network_at(workspace.entries(), branch)["config"])
        rules = self.rules if more is None else replace(self.rules, more_data=more.name)
        return replace(self, rules=rules, seed=workspace.folder.settings.seed, start=start, start_step=branch)


def run_request(
    last: Mapping[str, Any],
    given: Mapping[str, Any],
    *,
    reference: Mapping[str, Any],
    only: str | None,
    idea: str | None,
    more_data: Any,
) -> RunRequest:
    """Return the request of one call; options that were not passed are as in the `last` run (empty if there was none).

    `given` has those of `budget`, `ensemble`, `augment`, `allow_early_stopping` and `fixed` that are not None. Refused
    are fixed knobs that leave nothing to do, an unknown remedy or augmentation, and a remedy without its rows.
    """
    asked = {"budget": DEFAULT_BUDGET, **last, **given}
    rules = Rules(
        only=only,
        ensemble=asked.get("ensemble", True),
        early_stopping=bool(asked.get("allow_early_stopping")),
        fixed_at=asked.get("fixed", {}),
        idea=idea,
        more_data=last.get("more_data"),
    )
    require_free_knobs(rules.fixed_at, early_stopping=rules.early_stopping)
    require_kind(only, early_stopping=rules.early_stopping)
    require_rows(only, rules.more_data if more_data is None else more_data)
    if "augment" in given:
        asked_for(given["augment"])
    return RunRequest(
        budget=parse_budget(asked["budget"]),
        reference=with_earlier(reference, last.get("reference", {})),
        rules=rules,
        augment=given.get("augment") or last.get("augment"),
    )


def augmentation_for(schema: Schema, asked: str | None) -> Augmentation:
    """Return the ranges of the random changes for pictures of these classes; BadInput if the data are a table."""
    if schema.picture is None:
        if asked is None:
            return Augmentation()
        raise BadInput("augment must be used with pictures", found=f"augment={asked!r} on a table", remedy="Remove it")
    colour = schema.picture[2] == 3
    return asked_for(asked or DEFAULT_AUGMENT, classes=schema.classes, colour=colour)


def last_plan(entries: Iterable[Entry]) -> str | None:
    """Return the plan of the last session that had one."""
    plans = [str(entry.body["plan"]) for entry in entries if entry.kind == "session" and "plan" in entry.body]
    return plans[-1] if plans else None


def network_at(entries: Sequence[Entry], step: int) -> Json:
    """Return the body of a step of the last run (0: the first network), which names its network; BadInput if none."""
    plan = _main_plan(entries)
    own = [entry for entry in entries if str(entry.body.get("plan")) == plan]
    found = {int(entry.body["step"]): entry.body for entry in own if entry.kind == "step"}
    for first in (entry.body for entry in own if entry.kind == "plan" and "config" in entry.body):
        identity = Config.from_json(first["config"]).identity
        found[0] = {"step": 0, "config": first["config"], "config_after": identity}
    if step not in found:
        steps = f"the steps {', '.join(map(str, sorted(found)))}" if found else "none"
        raise BadInput(
            "a branch must start from a step of the last run",
            found=f"step {step}, but the run has {steps}",
            remedy="Choose one of the steps that `wellfit report EXPERIMENT` shows",
        )
    return found[step]


def _main_plan(entries: Sequence[Entry]) -> str | None:
    """Return the last plan that is not a branch: a branch counts the steps of this plan, and so keeps its own name."""
    asked = [entry.body for entry in entries if entry.kind == "session" and "asked" in entry.body]
    plans = [str(body["plan"]) for body in asked if BRANCH not in body["asked"]]
    return plans[-1] if plans else None
