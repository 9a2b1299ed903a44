"""Is the recipe's first choice the right one? Cases made to suffer from planted causes, every remedy carried out.

Each case is a generated table with a known optimal error, or a part of a shared table, with a first network that was
made to suffer from one or two causes (too small, too short, too slow, too fast, blind to wiggles; too few rows, columns
of noise, too long), or from none: permuted labels, and networks that are fine. Every applicable remedy gets the same
budget in updates, and its gain is measured on fresh rows, paired. The rivals: a random applicable remedy, always the
bigger network, and always one search over the knobs of both boards.

    python benchmarks/recipe_cases.py --seeds 0 1          two draws of every case
    python benchmarks/recipe_cases.py --cases few_rows     only cases whose name has this part
    python benchmarks/recipe_cases.py --list               the names of the cases
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from report import Row, finish, parser_of, share_row
from suffering import NAMES, Case, case_of
from wellfit.base.typing import Floats, Json
from wellfit.exceptions import BadInput
from wellfit.recipe.follow import carry_out, first_state, follow, next_step
from wellfit.recipe.pick import REMEDIES
from wellfit.recipe.state import Rules, StepContext
from workbench import Notes, Remembering, bench_of, fresh_losses, search_everything

NETWORKS = 24
"""Budget of a remedy: so many trainings of a healthy network."""
STEPS = 3
"""A run has the budget of so many steps when it chooses the first: a pilot is paid from it."""
BEST, HARMFUL, INSIDE = 0.80, 0.03, 0.80
NOTHING, SEARCH, STEP = "nothing", "search everything", "first step"
QUICK = ("product/small", "rings/few_rows", "linear/noise_columns", "waves/short", "friedman/few_rows", "rings/fine")


@dataclass(frozen=True)
class Measured:
    """What one case came to: per remedy the loss of every fresh row, and its step's journal entry."""

    name: str
    choice: str
    losses: Mapping[str, Floats]
    steps: Mapping[str, Json]
    seconds: float

    def to_json(self) -> Json:
        """What is kept of it: enough to try another way of choosing."""
        kinds = list(self.losses)
        return {
            "case": self.name,
            "choice": self.choice,
            "gains": {kind: self.gain(kind) for kind in kinds},
            "behind": {kind: self.behind(kind) for kind in kinds},
            "steps": dict(self.steps),
        }

    def gain(self, kind: str) -> tuple[float, float]:
        """Gain on fresh rows over doing nothing, and its standard error."""
        return _mean(self.losses[NOTHING] - self.losses[kind])

    def behind(self, kind: str) -> tuple[float, float]:
        """By how much a remedy is behind the best one, and the standard error of that."""
        rivals = [each for each in self.losses if each not in (SEARCH, STEP)]
        best = min(rivals, key=lambda each: self.losses[each].mean())
        return _mean(self.losses[kind] - self.losses[best])

    @property
    def board(self) -> str:
        """The board of the recipe's choice."""
        return REMEDIES[self.choice].board if self.choice in REMEDIES else "none"

    def best_on_dev(self, board: str | None = None) -> str:
        """The remedy (of one board) that ends with the lowest dev loss: what no choice before the act can know."""
        dev = {kind: step["errors_after"]["dev"] for kind, step in self.steps.items() if board in (None, step["board"])}
        return min(dev, key=lambda kind: float(dev[kind]), default=NOTHING)

    def is_best(self, kind: str) -> bool:
        """Whether it is the best remedy, or within one standard error of it."""
        value, error = self.behind(kind)
        return value <= error

    def is_harmful(self, kind: str) -> bool:
        """Whether it is worse than doing nothing by more than two standard errors."""
        value, error = self.gain(kind)
        return value < -2 * error


def _mean(rows: Floats) -> tuple[float, float]:
    return float(rows.mean()), float(rows.std(ddof=1) / np.sqrt(len(rows)))


def measured(case: Case, *, others: bool) -> Measured:
    """Carry out every applicable remedy of a case."""
    began, executor = time.monotonic(), Remembering(case.data, goal=case.goal)
    run = bench_of(case, executor, Notes(), networks=STEPS * NETWORKS)
    state = first_state(run, case.start)
    picked = next_step(StepContext(run=run, state=state, rules=Rules()))
    choice = picked.remedy.kind if picked.remedy else NOTHING
    after = carry_out(picked.context, picked.remedy).outcome if picked.remedy else state.outcome
    losses, steps = {NOTHING: fresh_losses(case, state.outcome, executor)}, {}
    losses[STEP] = fresh_losses(case, after, executor)
    for kind, remedy in REMEDIES.items():
        # What turns both boards at once stands in the table as "search everything".
        if kind != choice and (remedy.coupled or not others):
            continue
        notes = Notes()
        try:
            after = follow(bench_of(case, executor, notes, networks=NETWORKS), case.start, Rules(only=kind))
        except BadInput:
            continue  # nothing to try here: not applicable
        losses[kind], steps[kind] = fresh_losses(case, after.outcome, executor), notes.entries["step", "1"]
    if others:
        losses[SEARCH] = fresh_losses(
            case, search_everything(case, state.outcome, executor, networks=NETWORKS), executor
        )
    return Measured(case.name, choice, losses, steps, time.monotonic() - began)


def rows_of(found: Sequence[Measured], *, quick: bool, seed: int) -> list[Row]:
    """The table: the recipe against its rivals, and the score of its expectations."""
    rng = np.random.default_rng(seed)
    random = {
        each.name: str(rng.choice([kind for kind in each.losses if kind not in (SEARCH, STEP)])) for each in found
    }
    policies: dict[str, Callable[[Measured], str]] = {
        "the recipe's first choice": lambda each: each.choice,
        "the recipe's first step, with its pilot, from the budget of a run": lambda _each: STEP,
        "a random applicable remedy": lambda each: random[each.name],
        "every remedy of its board carried out, dev chooses": lambda each: each.best_on_dev(each.board),
        "every remedy of both boards carried out, dev chooses": lambda each: each.best_on_dev(),
        "always the bigger network": lambda each: "bigger_network" if "bigger_network" in each.losses else NOTHING,
        "always search everything": lambda _each: SEARCH,
    }
    rows = []
    known = {name: policy for name, policy in policies.items() if all(policy(each) in each.losses for each in found)}
    for place, (name, policy) in enumerate(known.items()):
        best = [each.is_best(policy(each)) for each in found]
        harmful = [each.is_harmful(policy(each)) for each in found]
        targets = (BEST, HARMFUL) if place == 0 else (None, None)
        rows.append(share_row(f"{name}: best, or within one standard error", best, targets[0], quick=quick))
        rows.append(share_row(f"{name}: harmful", harmful, targets[1], quick=quick, at_most=True))
    first = [each.steps[each.choice]["as_expected"] for each in found if each.choice in each.steps]
    chosen = [held for held in first if held is not None]
    every = [step["as_expected"] for each in found for step in each.steps.values() if step["as_expected"] is not None]
    rows.append(share_row("outcomes inside their 90 % interval, first choices", chosen, INSIDE, quick=quick))
    rows.append(share_row("outcomes inside their 90 % interval, all remedies", every, None, quick=quick))
    return rows


def prior_rows(found: Sequence[Measured]) -> list[Row]:
    """What share of its ceiling each remedy won where its gap called for it: the prior of recipe/remedies."""
    rows = []
    for kind, remedy in REMEDIES.items():
        gap = remedy.closes
        steps = [each.steps[kind] for each in found if kind in each.steps]
        called = [step for step in steps if step["ceiling"] > 0 and step["gaps_before"][gap]["verdict"] != "no"]
        shares = [step["got"] / step["ceiling"] for step in called]
        if shares:
            low, middle, high = np.quantile(shares, [0.05, 0.5, 0.95])
            note = f"5 % {low:.3g}, 95 % {high:.3g}, mean {np.mean(shares):.3g}, {len(shares)} cases"
            rows.append(Row(f"share of its ceiling: {kind}", float(middle), note=note))
    return rows


def _told(each: Measured) -> str:
    """One line for a case."""
    gains = {kind: each.gain(kind) for kind in each.losses if kind != NOTHING}
    ranked = sorted(gains, key=lambda kind: -gains[kind][0])
    shown = ", ".join(f"{kind} {gains[kind][0]:+.4g} ({gains[kind][1]:.2g})" for kind in ranked)
    mark = "best" if each.is_best(each.choice) else "HARM" if each.is_harmful(each.choice) else "    "
    missing = (
        ""
        if each.is_best(each.choice)
        else f" behind by {each.behind(each.choice)[0]:.4g} ({each.behind(each.choice)[1]:.2g})"
    )
    return f"{each.name:32} {mark} chose {each.choice}{missing}; {shown} [{each.seconds:.0f} s]"


def main() -> None:
    parser = parser_of(__doc__)
    parser.set_defaults(seeds=[0])
    parser.add_argument("--cases", nargs="+", default=[], help="only cases whose name has one of these parts")
    parser.add_argument("--list", action="store_true", help="print the names of the cases")
    parser.add_argument("--only-choice", action="store_true", help="leave the other remedies and the search out")
    parser.add_argument("--keep", type=Path, help="JSON-lines file of what each case came to, for the prior")
    asked = parser.parse_args()
    if asked.list:
        sys.exit("\n".join(NAMES))
    names = [name for name in NAMES if any(part in name for part in asked.cases)] if asked.cases else list(NAMES)
    names = [name for name in names if name in QUICK] if asked.quick and not asked.cases else names
    found = []
    for seed in asked.seeds[:1] if asked.quick else asked.seeds:
        for name in names:
            found.append(measured(case_of(name, seed=seed), others=not asked.only_choice))
            print(_told(found[-1]), file=sys.stderr, flush=True)
            if asked.keep:
                with asked.keep.open("a", encoding="utf-8") as file:
                    file.write(json.dumps({"seed": seed, **found[-1].to_json()}) + "\n")
    rows = [*rows_of(found, quick=asked.quick or bool(asked.cases), seed=asked.seeds[0]), *prior_rows(found)]
    finish("recipe_cases", rows, as_json=asked.json)


if __name__ == "__main__":
    main()
