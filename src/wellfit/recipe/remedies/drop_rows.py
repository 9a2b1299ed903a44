"""Drop rows: the training rows that dev has too are left out, so that the dev error is one of rows not trained on.

It is called by a finding on the rows (WF203, WF205) and comes before all that errors say. It makes dev honest, not
better: the dev error is expected to rise by what the copies flattered it, error without them - error with them. So it
is judged on the dev rows that have no copy, and kept unless the network is surely worse there, for want of the rows.
Networks from before it are no rivals of those after it: they know a part of dev by heart.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from wellfit._typing import Json
from wellfit.config import Config
from wellfit.diagnosis.leakage.duplicates import with_and_without
from wellfit.outcome import Outcome
from wellfit.recipe.expectation import Expected, Shares
from wellfit.recipe.judge import ENDED
from wellfit.recipe.remedies.remedy import Done, Price, Remedy, Result
from wellfit.recipe.turn import Work
from wellfit.stats.differences import paired_difference
from wellfit.stats.intervals import Estimate

KIND = "drop_rows"
FEWEST_LEFT = 0.5
"""Share of the training rows that must remain; where more are copies, the split itself is the fault."""


@dataclass(frozen=True)
class Dropped:
    """What leaving copies out came to."""

    outcome: Outcome
    rows: int
    flattered: int

    def to_json(self) -> Json:
        """What was done, and why."""
        told = f"{self.rows:,} training rows, whose copies flattered the error on {self.flattered:,} dev rows"
        return {"did": f"drop rows: {told}", "because": "measurement: copies of training rows in dev"}


def without_copies(work: Work) -> tuple[Config, ...]:
    """The same config without the copies; nothing where there are none, or hardly a row would be left."""
    copies, config = work.bench.data.copies, work.config
    if copies is None or config.data.drop_rows or copies.train.mean() > 1 - FEWEST_LEFT:
        return ()
    return (replace(config, data=replace(config.data, drop_rows=True)),)


def _price(work: Work) -> Price | None:
    cost = sum(map(work.bench.purse.cost, without_copies(work)))
    return Price(whole=cost, least=cost) if cost else None


def _foretold(work: Work) -> Expected:
    """A gain below 0: what the copies flattered."""
    copies, price = work.bench.data.copies, _price(work)
    losses = work.bench.dev_losses(work.turn.outcome)
    found = None if copies is None else with_and_without(losses, copies.dev)
    flattery = found.flattery if found else Estimate.fixed(0.0, rows=len(losses))
    return Expected(
        value=-flattery.value,
        low=-flattery.high,
        high=-flattery.low,
        ceiling=0.0,
        cost=price.whole if price else 0.0,
    )


def _carry_out(work: Work) -> Result:
    before, copies = work.turn.outcome, work.bench.data.copies
    trained = [each for each in work.bench.train(without_copies(work)) if each.status in ENDED]
    if not trained or copies is None:
        return Done(before)
    (after,) = trained
    clean = ~copies.dev
    gain = paired_difference(work.bench.dev_losses(before)[clean], work.bench.dev_losses(after)[clean])
    if gain.high < 0:
        return Done(before)
    return Dropped(after, int(copies.train.sum()), int(copies.dev.sum()))


DROP_ROWS = Remedy(
    kind=KIND,
    board="data",
    finding="WF203",
    shares=lambda _work: Shares(0.0, 0.0, 0.0),
    price=_price,
    apply=_carry_out,
    foretold=_foretold,
    repairs_measurement=True,
)
