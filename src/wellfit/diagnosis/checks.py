"""The registry of checks, one for each code of the catalogue, and the only code that runs them.

A check is a function of named facts (`facts.Facts`). It runs if all facts without a default are known.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from threadpoolctl import threadpool_limits

from wellfit.diagnosis import doubts, plain_checks
from wellfit.diagnosis.column_worth import columns_without_worth
from wellfit.diagnosis.dev_overuse import used_up_dev
from wellfit.diagnosis.eyeball import eyeball_ahead
from wellfit.diagnosis.facts import Facts
from wellfit.diagnosis.findings import UNCHECKED, Finding, finding
from wellfit.diagnosis.label_noise import wrong_labels
from wellfit.diagnosis.leakage.duplicates import same_rows
from wellfit.diagnosis.leakage.groups import rows_from_before, shared_groups
from wellfit.diagnosis.leakage.near_duplicates import near_copies
from wellfit.diagnosis.leakage.target_leakage import giveaways
from wellfit.diagnosis.mismatch.attribution import parts_of_mismatch
from wellfit.diagnosis.mismatch.columns import shifted_columns, shifted_targets
from wellfit.diagnosis.mismatch.domain_classifier import different_inputs
from wellfit.diagnosis.more_data import worth_of_more_rows
from wellfit.diagnosis.regions import regions_that_overfit, regions_that_underfit

Urgency = Literal["leak", "dev overuse", "impossible", "doubt", "gap", "labels", "region"]
"""The kinds of findings, most urgent first: leaks make every error unreliable."""
_ALWAYS_KNOWN = frozenset({"goal", "tolerance", "hint"})
_OF_DATA = frozenset({"columns", "rows"})
"""Facts that do not change with the network."""


@dataclass(frozen=True)
class Check:
    """One check, whose `run` takes facts by name and returns the finding.

    A check without urgency never leads a diagnosis; `place` orders checks of the same urgency.
    """

    code: str
    run: Callable[..., Finding]
    urgency: Urgency | None = None
    place: int = 0

    @property
    def module(self) -> str:
        """The path of the file that computes the check, relative to the package's folder."""
        return "/".join(self.run.__module__.split(".")[1:]) + ".py"

    @cached_property
    def needs(self) -> frozenset[str]:
        """The facts that the check requires."""
        named = inspect.signature(self.run).parameters.values()
        return frozenset(each.name for each in named if each.default is inspect.Parameter.empty) - _ALWAYS_KNOWN

    @cached_property
    def looks_at(self) -> frozenset[str]:
        """All facts that the check uses: those it requires, and those it uses only if they are known."""
        return frozenset(inspect.signature(self.run).parameters) - _ALWAYS_KNOWN

    def __call__(self, facts: Facts) -> Finding:
        """Run the check on facts that include all those it requires."""
        return self.run(**{name: getattr(facts, name) for name in inspect.signature(self.run).parameters})


CHECKS: Mapping[str, Check] = {
    check.code: check
    for check in (
        Check("WF110", doubts.one_class_predicted, "doubt"),
        Check("WF212", doubts.strange_labels, "doubt", 1),
        Check("WF215", doubts.class_without_training_rows, "doubt", 2),
        Check("WF112", doubts.dev_below_train, "doubt", 3),
        Check("WF111", doubts.no_better_than_constant, "doubt", 4),
        Check("WF101", plain_checks.high_bias, "gap"),
        Check("WF102", plain_checks.high_variance, "gap"),
        Check("WF103", plain_checks.below_reference),
        Check("WF104", plain_checks.no_reference),
        Check("WF105", plain_checks.unfinished_training),
        Check("WF106", plain_checks.another_method_wins),
        Check("WF107", plain_checks.below_optimal, "impossible"),
        Check("WF108", regions_that_underfit, "region"),
        Check("WF109", regions_that_overfit, "region", 1),
        Check("WF201", plain_checks.empty_columns),
        Check("WF202", plain_checks.identifiers),
        Check("WF203", same_rows, "leak", 2),
        Check("WF204", plain_checks.incomplete_columns),
        Check("WF205", near_copies, "leak", 3),
        Check("WF206", giveaways, "leak", 0),
        Check("WF207", shared_groups, "leak", 1),
        Check("WF208", rows_from_before, "leak", 4),
        Check("WF209", wrong_labels, "labels"),
        Check("WF210", worth_of_more_rows),
        Check("WF211", columns_without_worth),
        Check("WF213", doubts.few_rows_hold_the_error),
        Check("WF214", plain_checks.too_few_of_a_class),
        Check("WF301", plain_checks.high_mismatch, "gap"),
        Check("WF302", different_inputs),
        Check("WF303", shifted_columns),
        Check("WF304", shifted_targets),
        Check("WF305", parts_of_mismatch),
        Check("WF401", plain_checks.high_dev_overfit, "dev overuse"),
        Check("WF402", plain_checks.too_few_rows),
        Check("WF403", used_up_dev, "dev overuse", 1),
        Check("WF404", eyeball_ahead, "dev overuse", 2),
    )
}
"""All checks, in the order in which findings are listed: doubts about the numbers come before the gaps between them."""


def codes_of(urgency: Urgency) -> tuple[str, ...]:
    """Return the codes of the checks of one urgency, the most serious first."""
    found = [check for check in CHECKS.values() if check.urgency == urgency]
    return tuple(check.code for check in sorted(found, key=lambda check: check.place))


def run_checks(facts: Facts, earlier: Iterable[Finding] = ()) -> tuple[Finding, ...]:
    """Run every check whose facts are known; the others are "not applicable".

    An earlier finding is kept unless the facts contain something new that its check uses. Rows and columns do not
    change with the network, so they do not count as new.
    """
    stand = {found.code: found for found in earlier}
    fresh = facts.known - _OF_DATA

    def found(check: Check) -> Finding:
        known = stand.get(check.code)
        if check.needs <= facts.known and (known is None or check.looks_at & fresh):
            return check(facts)
        return known or finding(check.code, fired=None, evidence=UNCHECKED)

    with threadpool_limits(limits=1):  # as everywhere: threads of scikit-learn and BLAS stall next to a busy process
        return tuple(found(check) for check in CHECKS.values())
