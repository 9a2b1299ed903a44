"""More data: the network of now, trained with the rows that a person has brought (`--more-data FILE`).

The variance of a network falls with its training rows m, as 1/m to 1/sqrt(m) (recipe/rows_wanted.py), and nothing else
on either board changes: so the rows are taken before a knob is turned against variance, which would cost bias. The
training keeps its number of updates, so that it fits as well as before; it only goes through the rows less often.

Rows that a person has brought are kept unless dev is surely worse with them: that more rows of the same law help is
known, and a small dev set would throw most of them away. What dev refuses is rows of another law.
"""

from __future__ import annotations

import math
from dataclasses import replace

from wellfit.config import Config, total_updates, updates_per_epoch
from wellfit.data.training_rows import rows_trained_on
from wellfit.recipe.defaults import FEWEST_EPOCHS
from wellfit.recipe.expectation import LEVEL, Expected, Shares
from wellfit.recipe.judge import ENDED
from wellfit.recipe.remedies.remedy import Done, Price, Remedy, Result
from wellfit.recipe.rows_wanted import FASTEST, SLOWEST
from wellfit.recipe.turn import Work
from wellfit.stats.differences import paired_difference
from wellfit.stats.intervals import normal_quantile

KIND = "more_data"


def with_more_data(work: Work) -> tuple[Config, ...]:
    """The same config on train and the rows that were brought; nothing where it has them, or there are none."""
    config, name = work.config, work.rules.more_data
    if name is None or config.data.more_data == name:
        return ()
    grown = replace(config, data=replace(config.data, more_data=name))
    if "epochs" in work.rules.fixed:
        return (grown,)
    return (replace(grown, optimization=replace(config.optimization, epochs=_epochs(work, grown))),)


def _epochs(work: Work, grown: Config) -> int:
    """Passes over the grown rows with as many updates as before, but not so few that a row is hardly seen."""
    before, rows = total_updates(work.config, rows=work.rows), rows_trained_on(work.bench.data, grown.data)
    passes = -(-before // updates_per_epoch(rows=rows, batch_size=grown.optimization.batch_size))
    return min(max(passes, FEWEST_EPOCHS), work.config.optimization.epochs)


def _shares(work: Work) -> Shares:
    """What so many more rows leave of a variance that falls as a power of the rows."""
    name = work.rules.more_data
    times = 1 + (work.bench.data.more[name].rows / work.rows if name else 0.0)
    return Shares(0.0, 1 - times**-SLOWEST, max(0.9, 1 - times**-FASTEST))


def _price(work: Work) -> Price | None:
    """One training: who brings rows wants them used, so nothing is kept back for knobs."""
    trials = with_more_data(work)
    if not trials:
        return None
    (cost,) = map(work.bench.purse.cost, trials)
    return Price(whole=cost, least=cost)


def _carry_out(work: Work) -> Result:
    before = work.turn.outcome
    trained = [each for each in work.bench.train(with_more_data(work)) if each.status in ENDED]
    if not trained:
        return Done(before)
    (after,) = trained
    gain = paired_difference(work.bench.dev_losses(before), work.bench.dev_losses(after))
    return Done(before if gain.high < 0 else after)


_SHARED = Remedy(
    kind=KIND, board="data", finding="WF102", shares=_shares, price=_price, apply=_carry_out, gap="variance"
)


def _foretold(work: Work) -> Expected:
    """The share of the ceiling; rows are kept where dev cannot tell, so that it may also show a little loss."""
    losses = work.bench.dev_losses(work.turn.outcome)
    noise = normal_quantile(LEVEL) * float(losses.std(ddof=1)) / math.sqrt(len(losses))
    return replace(_SHARED.expected(work), low=-noise)


MORE_DATA = replace(_SHARED, foretold=_foretold)
