"""The request of a run: the arguments of one call, filled in with those of the last run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from wellfit.base.typing import Json
from wellfit.experiment.about_data import augmentation_for
from wellfit.experiment.diagnosing import with_earlier
from wellfit.experiment.sessions import BRANCH, network_at
from wellfit.experiment.workspace import Workspace
from wellfit.recipe.budget import Budget, parse_budget
from wellfit.recipe.remedies.catalogue import require_kind, require_rows
from wellfit.recipe.rules import Fixed, Rules, require_free_knobs
from wellfit.records.augmentation import asked_for
from wellfit.records.config import Config
from wellfit.splits.more_rows import MoreRows

DEFAULT_BUDGET = "5m"


@dataclass(frozen=True, kw_only=True)
class RunRequest:
    """One request; another one may follow in the same experiment.

    Attributes:
        budget: upper limit of the run.
        reference: human_error, human_rows, optimal_error and tolerance, as they were given.
        rules: what the recipe may do.
        augment: of pictures, as it was given.
        seed: of the experiment.
        start: the config from which a branch starts, the network of step `start_step`.
    """

    budget: Budget
    reference: Mapping[str, Any]
    rules: Rules
    augment: str | None = None
    seed: int = 0
    start: Config | None = None
    start_step: int | None = None

    @property
    def asked(self) -> Json:
        """The part of the request that decides the run, for the journal; the idea is only a comment."""
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
        """Return the request for one experiment.

        Args:
            workspace: of the experiment.
            branch: the step from which to branch off.
            more: the rows that this call brings.

        Raises:
            BadInput: for an augmentation of a table, or an unknown step.
        """
        augmentation_for(workspace.split.schema, self.augment)
        start = None if branch is None else Config.from_json(network_at(workspace.entries(), branch)["config"])
        rules = self.rules if more is None else replace(self.rules, more_data=more.name)
        return replace(self, rules=rules, seed=workspace.folder.settings.seed, start=start, start_step=branch)


def run_request(
    last: Mapping[str, Any],
    *,
    reference: Mapping[str, Any],
    budget: str | float | Budget | None,
    only: str | None,
    ensemble: bool | None,
    idea: str | None,
    augment: str | None,
    allow_early_stopping: bool | None,
    fixed: Fixed | None,
    more_data: Any,
) -> RunRequest:
    """Return the request of one call; an argument that is None is as in the last run.

    The other arguments are described at `wellfit.run`; `only` and `idea` are of one call. `last` is what the last run
    in the experiment was asked (`last_request`), empty without one.

    Raises:
        BadInput: for fixed knobs that leave nothing to do, an unknown remedy or augmentation, or a remedy that lacks
            its rows.
    """
    rules = Rules(
        only=only,
        ensemble=last.get("ensemble", True) if ensemble is None else ensemble,
        early_stopping=bool(last.get("allow_early_stopping") if allow_early_stopping is None else allow_early_stopping),
        fixed_at=last.get("fixed", {}) if fixed is None else fixed,
        idea=idea,
        more_data=last.get("more_data"),
    )
    require_free_knobs(rules.fixed_at, early_stopping=rules.early_stopping)
    require_kind(only, early_stopping=rules.early_stopping)
    require_rows(only, rules.more_data if more_data is None else more_data)
    if augment is not None:
        asked_for(augment)
    return RunRequest(
        budget=parse_budget(last.get("budget", DEFAULT_BUDGET) if budget is None else budget),
        reference=with_earlier(reference, last.get("reference", {})),
        rules=rules,
        augment=augment or last.get("augment"),
    )
