"""The whole recipe against one big search: the same start, the same budget in updates, paired on fresh rows.

The rival is one search over the knobs of both boards at once (widths, lr, epochs, lambda, keep_prob) by Optuna's TPE on
the same engine; it ends with its best network on dev. Cases are those of recipe_cases.py, planted and of the shared
tables.

    python benchmarks/whole_run.py --seeds 0 1             two draws of every case
    python benchmarks/whole_run.py --cases few_rows        only cases whose name has this part
    python benchmarks/whole_run.py --null                  the search against itself with another seed: what is chance
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from report import Row, finish, parser_of, share_row
from suffering import NAMES, Case, case_of
from wellfit.base.typing import Floats
from wellfit.recipe.follow import first_state, follow
from workbench import Notes, Remembering, bench_of, fresh_losses, search_everything

NETWORKS = 72
"""Budget of a run: so many trainings of a healthy network."""
AS_GOOD, BEHIND = 0.70, 0.05
OTHER_SEED = 1_000
"""By so much the seed of the null differs."""
QUICK = ("product/small", "rings/few_rows", "linear/noise_columns", "friedman/short", "phoneme/few_rows", "rings/fine")


@dataclass(frozen=True)
class Match:
    """One case: by how much the recipe is behind the search on fresh rows (below 0: ahead), and its standard error."""

    name: str
    behind: float
    error: float
    ended: str
    seconds: float

    @property
    def is_as_good(self) -> bool:
        """Whether its mean loss is no higher."""
        return self.behind <= 0

    @property
    def is_beaten(self) -> bool:
        """Whether it is worse by more than two paired standard errors."""
        return self.behind > 2 * self.error


def match_of(name: str, *, seed: int) -> Match:
    """Let both work through one case."""
    began, case = time.monotonic(), case_of(name, seed=seed)
    executor = Remembering(case.data, goal=case.goal)
    state = follow(bench_of(case, executor, Notes(), networks=NETWORKS), case.start)
    behind = fresh_losses(case, state.outcome, executor) - _searched(case)
    ended = f"{state.step} steps, {state.outcome.networks} networks"
    return _match(name, behind, ended=ended, began=began)


def null_of(name: str, *, seed: int) -> Match:
    """Let the search work through one case with another seed, against itself."""
    began, case = time.monotonic(), case_of(name, seed=seed)
    other = replace(case, start=replace(case.start, seed=case.start.seed + OTHER_SEED))
    return _match(name, _searched(other) - _searched(case), ended="the search alone", began=began)


def _searched(case: Case) -> Floats:
    """[fresh rows] the losses of what one big search ends with."""
    executor = Remembering(case.data, goal=case.goal)
    first = first_state(bench_of(case, executor, Notes(), networks=NETWORKS), case.start).outcome
    return fresh_losses(case, search_everything(case, first, executor, networks=NETWORKS), executor)


def _match(name: str, behind: Floats, *, ended: str, began: float) -> Match:
    error = float(behind.std(ddof=1) / math.sqrt(len(behind)))
    return Match(name, float(behind.mean()), error, ended, time.monotonic() - began)


def rows_of(matches: Sequence[Match], *, quick: bool, null: bool) -> list[Row]:
    """The two shares; in a quick run a target is missed only where the interval of the share excludes it.

    Against itself the search has nothing to reach.
    """
    as_good, behind = (None, None) if null else (AS_GOOD, BEHIND)
    return [
        share_row("at least as good as one big search", [each.is_as_good for each in matches], as_good, quick=quick),
        share_row(
            "worse by more than two paired standard errors",
            [each.is_beaten for each in matches],
            behind,
            quick=quick,
            at_most=True,
        ),
    ]


def main() -> None:
    parser = parser_of(__doc__)
    parser.set_defaults(seeds=[0])
    parser.add_argument("--cases", nargs="+", default=[], help="only cases whose name has one of these parts")
    parser.add_argument("--null", action="store_true", help="the search against itself, in place of the recipe")
    asked = parser.parse_args()
    usual = QUICK if asked.quick else NAMES
    names = [name for name in NAMES if any(part in name for part in asked.cases)] or usual
    matches = []
    for seed in asked.seeds[:1] if asked.quick else asked.seeds:
        for name in names:
            matches.append(match := (null_of if asked.null else match_of)(name, seed=seed))
            told = f"{match.behind:+.4g} (se {match.error:.2g}); {match.ended} [{match.seconds:.0f} s]"
            print(f"{name:32} {'BEATEN' if match.is_beaten else '':6} {told}", file=sys.stderr, flush=True)
    finish("whole_run", rows_of(matches, quick=asked.quick, null=asked.null), as_json=asked.json)


if __name__ == "__main__":
    main()
