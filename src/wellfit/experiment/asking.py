"""What one call of `run` asks, and the plan that comes of it with what the last run was asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from wellfit.augmentation import asked_for
from wellfit.experiment.about_data import augmentation_for
from wellfit.experiment.added_rows import added_to
from wellfit.experiment.diagnosing import with_earlier
from wellfit.experiment.experiment import Experiment
from wellfit.experiment.running import Plan
from wellfit.recipe.budget import Budget, parse_budget
from wellfit.recipe.remedies.catalogue import require_kind, require_rows
from wellfit.recipe.rules import Fixed, require_free_knobs

DEFAULT_BUDGET = "5m"


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """The arguments of one call, as `stages.run` describes them; what is None is as in the last run.

    `last` holds what the last run in the experiment was asked (`Experiment.last_asked`), nothing where none was;
    `only`, `idea` and `branch` are of one call.
    """

    last: Mapping[str, Any]
    reference: Mapping[str, Any]
    budget: Budget | None
    only: str | None
    ensemble: bool | None
    idea: str | None
    augment: str | None
    allow_early_stopping: bool | None
    fixed: Fixed | None
    branch: int | None
    more_data: Any

    @property
    def early_stopping(self) -> bool:
        """Whether dev may choose the epoch."""
        return bool(self._or_last("allow_early_stopping", default=False))

    @property
    def knobs(self) -> Fixed:
        """The knobs that no step may turn."""
        locked: Fixed = self._or_last("fixed", default={})
        return locked

    def require_possible(self) -> None:
        """Refuse what no experiment could carry out, before one is made.

        Raises:
            BadInput: for locks that leave nothing to do, an unknown remedy or augmentation, or a remedy that lacks
                its rows.
        """
        require_free_knobs(self.knobs, early_stopping=self.early_stopping)
        require_kind(self.only, early_stopping=self.early_stopping)
        require_rows(self.only, self._or_last("more_data"))
        if self.augment is not None:
            asked_for(self.augment)

    def plan_in(self, experiment: Experiment) -> Plan:
        """Return the plan for `experiment`.

        Raises:
            BadInput: for rows in other columns, an augmentation of what are no pictures, or an unknown step.
            Refusal: for rows of the sealed test set.
        """
        augmentation_for(experiment.split.schema, self.augment)
        more = None if self.more_data is None else added_to(experiment.folder, experiment.split, self.more_data)
        return Plan(
            budget=self.budget or parse_budget(self.last.get("budget", DEFAULT_BUDGET)),
            reference=with_earlier(self.reference, self.last.get("reference", {})),
            only=self.only,
            ensemble=self._or_last("ensemble", default=True),
            idea=self.idea,
            augment=self.augment or self.last.get("augment"),
            seed=experiment.folder.settings.seed,
            early_stopping=self.early_stopping,
            fixed=self.knobs,
            start=None if self.branch is None else experiment.config_at(self.branch),
            start_step=self.branch,
            more_data=more.name if more else self.last.get("more_data"),
            more=more,
        )

    def _or_last(self, name: str, *, default: Any = None) -> Any:
        given = getattr(self, name)
        return self.last.get(name, default) if given is None else given
