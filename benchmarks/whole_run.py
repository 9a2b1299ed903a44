"""The whole recipe against one big search: the same start, the same budget in updates, paired on fresh rows.

The rival is one search over the knobs of both boards at once (widths, lr, epochs, lambda, keep_prob) by Optuna's TPE on
the same engine; it ends with its best network on dev. Cases are those of recipe_cases.py, planted and of the shared
tables.

    python benchmarks/whole_run.py --seeds 0 1             two draws of every case
    python benchmarks/whole_run.py --cases few_rows        only cases whose name has this part
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

from report import Row, finish, parser_of, share_row
from suffering import NAMES, case_of
from wellfit.recipe.follow import first_turn, follow
from workbench import Notes, Remembering, bench_of, fresh_losses, search_everything

NETWORKS = 72
"""Budget of a run: so many trainings of a healthy network."""
AS_GOOD, BEHIND = 0.70, 0.05
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
    turn = follow(bench_of(case, executor, Notes(), networks=NETWORKS), case.start)
    rival = Remembering(case.data, goal=case.goal)
    first = first_turn(bench_of(case, rival, Notes(), networks=NETWORKS), case.start).outcome
    searched = search_everything(case, first, rival, networks=NETWORKS)
    behind = fresh_losses(case, turn.outcome, executor) - fresh_losses(case, searched, rival)
    error = float(behind.std(ddof=1) / math.sqrt(len(behind)))
    ended = f"{turn.step} steps, {turn.outcome.networks} networks"
    return Match(name, float(behind.mean()), error, ended, time.monotonic() - began)


def rows_of(matches: Sequence[Match], *, quick: bool) -> list[Row]:
    """The two shares; in a quick run a target is missed only where the interval of the share excludes it."""
    return [
        share_row("at least as good as one big search", [each.is_as_good for each in matches], AS_GOOD, quick=quick),
        share_row(
            "worse by more than two paired standard errors",
            [each.is_beaten for each in matches],
            BEHIND,
            quick=quick,
            at_most=True,
        ),
    ]


def main() -> None:
    parser = parser_of(__doc__)
    parser.set_defaults(seeds=[0])
    parser.add_argument("--cases", nargs="+", default=[], help="only cases whose name has one of these parts")
    asked = parser.parse_args()
    usual = QUICK if asked.quick else NAMES
    names = [name for name in NAMES if any(part in name for part in asked.cases)] or usual
    matches = []
    for seed in asked.seeds[:1] if asked.quick else asked.seeds:
        for name in names:
            matches.append(match := match_of(name, seed=seed))
            told = f"{match.behind:+.4g} (se {match.error:.2g}); {match.ended} [{match.seconds:.0f} s]"
            print(f"{name:32} {'BEATEN' if match.is_beaten else '':6} {told}", file=sys.stderr, flush=True)
    finish("whole_run", rows_of(matches, quick=asked.quick), as_json=asked.json)


if __name__ == "__main__":
    main()
